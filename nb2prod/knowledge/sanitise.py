"""Markup of others made ours: cleaned by nh3, then written anew by our own allow-list.

Both have to let something through before a page shows it. The second pass works on what nh3
has serialised, which is well-formed, and writes every tag itself: the only attributes in the
result are those of `_write_tag` and its helpers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from urllib.parse import unquote

import nh3

from nb2prod.knowledge.draft import anchor_of
from nb2prod.knowledge.images import read_side
from nb2prod.knowledge.models import Heading
from nb2prod.knowledge.text import INSERT_CLOSE, INSERT_OPEN, one_line, text_of


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TAGS = _words(
    "a abbr b blockquote br caption cite code col colgroup dd del details div dl dt em figcaption"
    " figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub"
    " summary sup table tbody td tfoot th thead tr u ul var"
)
VOID_TAGS = frozenset({"br", "col", "hr", "img"})
# Gone with everything in them; of all other unknown tags the text inside stays.
_DROPPED = _words(
    "applet audio button canvas datalist embed frameset iframe math noembed noframes noscript"
    " object option script select style svg template textarea title video xmp"
)
# What nh3 lets pass, to be read and judged by the second pass. Nothing of it is written as is.
_READ_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
}
_SCHEMES = {"http", "https", "mailto", "data", "attachment"}

_LINK = re.compile(r"(https?://[^/\\\s]|mailto:[^\s])", re.IGNORECASE)
_PIECE = re.compile(
    r'<(?P<end>/?)(?P<name>[a-z][a-z0-9]*)(?P<attributes>(?: [^\s"<>/=]+="[^"]*")*) ?/?>'
)
_ATTRIBUTE = re.compile(r' ([^\s"<>/=]+)="([^"]*)"')
_INSERT = re.compile(f"{INSERT_OPEN}([0-9]+){INSERT_CLOSE}")

# html5ever's time grows with the square of the depth; browsers cut at 512.
_MAX_DEPTH = 800
_CLOSED_BY_OTHERS = _words(
    "area base br col colgroup dd dt embed hr img input li link meta optgroup option p param"
    " source tbody td tfoot th thead tr track wbr"
)


class Loss(Enum):
    """What cleaning takes from a markup that a reader would miss."""

    NOTHING = "nothing"
    STYLE = "style"
    BEHAVIOUR = "behaviour"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the second pass needs to know of the page around a markup.

    Parameters
    ----------
    find_image
        Address of a picture of ours for the ``src`` of an image; `None` if there is none.
    new_anchor
        Gives a heading's text an id; `None` where headings get none.
    inserts
        Our own markup, by the number in its place mark; each is used once.
    """

    find_image: Callable[[str], str | None]
    new_anchor: Callable[[str], str] | None = None
    inserts: Mapping[int, str] = field(default_factory=dict)


def clean(markup: str, surroundings: Surroundings) -> tuple[str, tuple[Heading, ...]]:
    """Return safe markup and the headings in it.

    Links lead to ``http``, ``https``, ``mailto`` or a heading of the page; pictures are the
    page's own, and one from elsewhere becomes a link to it. No class, id, style or event of
    the author's stays. Markup nested deeper than any document becomes its text.
    """
    if is_too_deep(markup):
        return f"<p>{html.escape(text_of(markup))}</p>", ()
    writer = _Writer(surroundings)
    return writer.write(_cleaner().clean(markup)), tuple(writer.headings)


def is_too_deep(markup: str) -> bool:
    """Tell whether tags are nested so deeply that no document of sense has it."""
    open_tags: dict[str, int] = {}
    depth = 0
    for match in re.finditer(r"<(/?)([a-zA-Z][^\s/>]*)", markup):
        name = match[2].lower()
        if name in _CLOSED_BY_OTHERS:
            continue
        if not match[1]:
            open_tags[name] = open_tags.get(name, 0) + 1
            depth += 1
        elif open_tags.get(name):
            open_tags[name] -= 1
            depth -= 1
        if depth > _MAX_DEPTH:
            return True
    return False


_ANY_TAG = re.compile(r"<\s*([a-zA-Z!?][^\s/>]*)([^<>]*)")
_EVENT = re.compile(r"""[\s"'/]on[a-z]+\s*=""", re.IGNORECASE)
_HIDING = re.compile(
    r"style\s*=[^>]*(display\s*:\s*none|visibility|position\s*:|opacity)", re.IGNORECASE
)
_SCOPED_STYLE = re.compile(
    r"<style scoped>(?:(?!</?style)[\s\S])*?\.dataframe(?:(?!</?style)[\s\S])*?</style>"
)
_NEUTRAL_TAGS = _words(
    "html head body title meta center font tt big nobr strike section article header footer main"
    " aside nav address wbr time data bdi bdo ruby rb rt rp acronym dfn hgroup fieldset legend"
    " !-- !doctype"
)


def loss_of(markup: str) -> Loss:
    """Tell what cleaning would take from an output's markup.

    The style sheet that pandas puts beside a DataFrame says nothing: ours does the same.

    >>> loss_of("<b>1</b>"), loss_of("<script>x</script>")
    (<Loss.NOTHING: 'nothing'>, <Loss.BEHAVIOUR: 'behaviour'>)
    """
    markup = _SCOPED_STYLE.sub("", markup)
    loss = Loss.NOTHING
    for match in _ANY_TAG.finditer(markup):
        name, attributes = match[1].lower(), match[2]
        if name == "style":
            loss = Loss.STYLE
        elif name not in TAGS and name not in _NEUTRAL_TAGS and name[:1] not in "!?":
            return Loss.BEHAVIOUR
        if _EVENT.search(attributes) or "javascript:" in attributes.lower():
            return Loss.BEHAVIOUR
        if _HIDING.search(attributes):
            loss = Loss.STYLE
    return loss


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(TAGS),
        clean_content_tags=set(_DROPPED),
        attributes={tag: set(names) for tag, names in _READ_ATTRIBUTES.items()},
        attribute_filter=_filter_attribute,
        url_schemes=_SCHEMES,
        link_rel=None,
    )


def _filter_attribute(_tag: str, _name: str, value: str) -> str | None:
    # An attribute that was never closed may have swallowed a place mark, and our markup with
    # it would end the attribute.
    return None if INSERT_OPEN in value or INSERT_CLOSE in value else value


class _Writer:
    """The second pass over one markup."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.headings: list[Heading] = []
        self._around = surroundings
        self._unused = dict(surroundings.inserts)
        self._parts: list[str] = []
        self._open_headings: list[tuple[int, int]] = []
        self._open_links = 0

    def write(self, cleaned: str) -> str:
        done = 0
        for piece in _PIECE.finditer(cleaned):
            self._text(cleaned[done : piece.start()])
            self._tag(piece)
            done = piece.end()
        self._text(cleaned[done:])
        return "".join(self._parts)

    def _text(self, text: str) -> None:
        text = text.replace("<", "&lt;").replace(">", "&gt;")
        if INSERT_OPEN in text:
            text = _INSERT.sub(lambda match: self._unused.pop(int(match[1]), ""), text)
        self._parts.append(text)

    def _tag(self, piece: re.Match[str]) -> None:
        name = piece["name"]
        if name not in TAGS:
            return
        if piece["end"]:
            self._end(name)
            return
        found = {
            key: html.unescape(value) for key, value in _ATTRIBUTE.findall(piece["attributes"])
        }
        if name == "a":
            self._open_links += 1
            self._parts.append(_link(found))
        elif name == "img":
            self._parts.append(self._image(found))
        elif name[0] == "h" and name[1:].isdigit():
            self._open_headings.append((int(name[1]), len(self._parts)))
            self._parts.append(f"<{name}>")
        else:
            self._parts.append(f"<{name}{_cell_attributes(name, found)}>")

    def _end(self, name: str) -> None:
        if name in VOID_TAGS:
            return
        if name == "a":
            self._open_links -= 1
        if name[0] == "h" and name[1:].isdigit() and self._open_headings:
            self._name_heading(*self._open_headings.pop())
        self._parts.append(f"</{name}>")

    def _name_heading(self, level: int, start: int) -> None:
        text = one_line(text_of("".join(self._parts[start:])), 200)
        if self._around.new_anchor is None or not text:
            return
        anchor = self._around.new_anchor(text)
        self._parts[start] = f'<h{level} id="{html.escape(anchor)}">'
        self.headings.append(Heading(level=level, text=text, anchor=anchor))

    def _image(self, found: Mapping[str, str]) -> str:
        source, alt = found.get("src", ""), html.escape(one_line(found.get("alt", ""), 500))
        address = self._around.find_image(source)
        if address is not None:
            sides = "".join(
                f' {name}="{side}"'
                for name in ("width", "height")
                if (side := read_side(found.get(name)))
            )
            return f'<img src="{html.escape(address)}" alt="{alt}"{sides} loading="lazy">'
        label = f"Image: {alt}" if alt else "Image"
        if _LINK.match(source) and not self._open_links:
            return f'<a class="remote-image"{_target(source)}>{label}</a>'
        return f'<span class="missing-image">{label}</span>'


def _link(found: Mapping[str, str]) -> str:
    title = found.get("title")
    said = f' title="{html.escape(one_line(title, 300))}"' if title else ""
    href = found.get("href", "").strip()
    if href.startswith("#"):
        # Jupyter's own ids are the headings' texts with hyphens; ours come of the same words.
        return f'<a href="#{html.escape(anchor_of(unquote(href[1:])))}"{said}>'
    return f"<a{_target(href)}{said}>" if _LINK.match(href) else f"<a{said}>"


def _target(address: str) -> str:
    return f' href="{html.escape(address)}" rel="noopener noreferrer"'


def _cell_attributes(name: str, found: Mapping[str, str]) -> str:
    parts = []
    if name == "ol" and re.fullmatch(r"[0-9]{1,6}", found.get("start", ""), re.ASCII):
        parts.append(f' start="{found["start"]}"')
    if name in ("td", "th"):
        parts += [
            f' {key}="{found[key]}"'
            for key in ("colspan", "rowspan")
            if re.fullmatch(r"[1-9][0-9]{0,2}", found.get(key, ""), re.ASCII)
        ]
        if found.get("align", "").lower() in ("left", "right", "center"):
            parts.append(f' class="align-{found["align"].lower()}"')
        if name == "th" and found.get("scope") in ("row", "col"):
            parts.append(f' scope="{found["scope"]}"')
    return "".join(parts)
