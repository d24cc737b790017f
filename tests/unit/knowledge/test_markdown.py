"""Markdown to safe markup."""

from __future__ import annotations

import pytest

from nb2prod.knowledge.draft import Draft
from nb2prod.knowledge.markdown import render_markdown, sections
from nb2prod.knowledge.models import Heading
from nb2prod.store.blobs import BlobStore
from tests.helpers.hostile import GIF, PNG

SAFE = 'rel="noopener noreferrer"'


@pytest.mark.parametrize(
    ("source", "markup"),
    [
        pytest.param(
            "**a** *b* `c`", "<p><strong>a</strong> <em>b</em> <code>c</code></p>", id="em"
        ),
        pytest.param("~~a~~", "<p><s>a</s></p>", id="strikethrough"),
        pytest.param(
            "[a](https://x.y 't')",
            f'<p><a href="https://x.y" {SAFE} title="t">a</a></p>',
            id="link",
        ),
        pytest.param("[a](mailto:a@b.c)", f'<p><a href="mailto:a@b.c" {SAFE}>a</a></p>', id="mail"),
        pytest.param("[a](#My-Part)", '<p><a href="#h-my-part">a</a></p>', id="in-page"),
        pytest.param("[a](other.ipynb)", "<p><a>a</a></p>", id="relative"),
        pytest.param("[a](/hub/logout)", "<p><a>a</a></p>", id="own-host"),
        pytest.param("[a](https:hub/logout)", "<p><a>a</a></p>", id="no-host"),
        pytest.param("[a](javascript:x)", "<p>[a](javascript:x)</p>", id="script"),
        pytest.param(
            "- [x] a\n- [ ] b\n- c [x] d",
            "<ul>\n<li>☑ a</li>\n<li>☐ b</li>\n<li>c [x] d</li>\n</ul>",
            id="tasks",
        ),
        pytest.param("$x^2$", '<p><span class="math" data-display="0">x^2</span></p>', id="math"),
        pytest.param("from $5 to $10", "<p>from $5 to $10</p>", id="money"),
        pytest.param("`$x$` \\$y\\$", "<p><code>$x$</code> $y$</p>", id="no-math"),
        pytest.param(
            "$$\na < b\n$$",
            '<p><span class="math" data-display="1">a &lt; b</span></p>',
            id="block",
        ),
        pytest.param(
            "\\begin{equation}\nx\n\\end{equation}",
            '<p><span class="math" data-display="1">\\begin{equation}\nx\n\\end{equation}'
            "</span></p>",
            id="equation",
        ),
        pytest.param(
            "```python\nx < 1\n```",
            '<pre class="code"><code><span class="n">x</span> <span class="o">&lt;</span>'
            ' <span class="mi">1</span></code></pre>',
            id="fence",
        ),
        pytest.param(
            "```nonsense\n<b>\n```", '<pre class="code"><code>&lt;b&gt;</code></pre>', id="unknown"
        ),
        pytest.param(
            "![a plot](https://x.y/a.png)",
            f'<p><a class="remote-image" href="https://x.y/a.png" {SAFE}>Image: a plot</a></p>',
            id="remote-image",
        ),
        pytest.param(
            "[![b](https://x.y/b.png)](https://x.y)",
            f'<p><a href="https://x.y" {SAFE}><span class="missing-image">Image: b</span></a></p>',
            id="remote-image-in-link",
        ),
        pytest.param(
            "![c](c.png)", '<p><span class="missing-image">Image: c</span></p>', id="absent-image"
        ),
        pytest.param('<b onclick="x" class="y" id="z">a</b>', "<p><b>a</b></p>", id="attributes"),
        pytest.param("<script>alert(1)</script>", "", id="script-element"),
        pytest.param("<center>a</center>", "a", id="unknown-element"),
        pytest.param(
            "<details><summary>s</summary>\n\nt\n\n</details>",
            "<details><summary>s</summary>\n<p>t</p>\n</details>",
            id="details",
        ),
        pytest.param("a\u202eb", "<p>ab</p>", id="direction"),
    ],
)
def test_render_markdown_gives_safe_markup(source: str, markup: str, draft: Draft) -> None:
    assert render_markdown(source, draft).html.strip() == markup


def test_render_markdown_aligns_cells_by_class(draft: Draft) -> None:
    markup = render_markdown("|a|b|\n|:-:|--:|\n|1|2|", draft).html

    assert '<th class="align-center">a</th>' in markup
    assert '<td class="align-right">2</td>' in markup


def test_render_markdown_in_outline_gives_unique_ids(draft: Draft) -> None:
    rendered = render_markdown(
        "# Der Plan\n\n## A $x$\n\n## A $x$\n\n<h3>raw</h3>", draft, in_outline=True
    )

    assert rendered.headings == (
        Heading(level=1, text="Der Plan", anchor="h-der-plan"),
        Heading(level=2, text="A x", anchor="h-a-x"),
        Heading(level=2, text="A x", anchor="h-a-x-2"),
        Heading(level=3, text="raw", anchor="h-raw"),
    )
    assert '<h2 id="h-a-x-2">' in rendered.html


def test_render_markdown_keeps_ids_apart_over_cells(draft: Draft) -> None:
    first = render_markdown("# Same\n# Same-2", draft, in_outline=True)
    second = render_markdown("# Same\n# Same", draft, in_outline=True)

    anchors = [heading.anchor for heading in (*first.headings, *second.headings)]
    assert len(set(anchors)) == 4


def test_render_markdown_out_of_outline_gives_no_ids(draft: Draft) -> None:
    assert render_markdown("# a", draft).html == "<h1>a</h1>\n"


@pytest.mark.parametrize(
    ("source", "attachments", "media_type", "name"),
    [
        (
            "![a](attachment:my%20plot.png)",
            {"my plot.png": {"image/png": PNG}},
            "image/png",
            "my plot.png",
        ),
        # What it says it is does not count.
        ("![a](attachment:a.png)", {"a.png": {"image/png": GIF}}, "image/gif", "a.gif"),
        (f"![a](data:image/png;base64,{PNG})", None, "image/png", "image.png"),
        (f'<img src="data:image/gif;base64,{GIF}" alt="a">', None, "image/gif", "image.gif"),
    ],
    ids=["attachment", "wrong-type", "data", "html"],
)
def test_render_markdown_keeps_pictures_as_blobs(
    source: str,
    attachments: object,
    media_type: str,
    name: str,
    draft: Draft,
    blobs: BlobStore,
) -> None:
    markup = render_markdown(source, draft, attachments=attachments).html

    (blob,) = draft.blobs
    assert f'<img src="abcdefghijkl/blobs/{blob.sha256}" alt="a" loading="lazy">' in markup
    assert (blob.media_type, blob.name) == (media_type, name)
    assert len(blobs.get(blob.sha256)) == blob.size_bytes


@pytest.mark.parametrize("side", ["0", "-1", "1e3", "10001", '5" onload="x', "50%"])
def test_render_markdown_takes_only_whole_pixels_for_sides(side: str, draft: Draft) -> None:
    source = f"<img src='data:image/png;base64,{PNG}' width='{side}' height='12'>"

    markup = render_markdown(source, draft).html

    assert 'height="12"' in markup
    assert "width" not in markup


def test_render_markdown_of_our_own_marks_forges_nothing(draft: Draft) -> None:
    source = "\ue0000\ue001 &#xE000;0&#xE001; $x$ <td title='\n\n$y$\n\n'>z</td>"

    markup = render_markdown(source, draft).html

    assert markup.count('<span class="math"') <= 2
    assert "\ue000" not in markup
    assert 'title="' not in markup


def test_render_markdown_of_a_huge_text_shows_it_as_text(draft: Draft) -> None:
    markup = render_markdown("<b>" * 400_000, draft).html

    assert markup.startswith('<pre class="text">&lt;b&gt;')


def test_sections_end_at_the_next_heading_of_their_level() -> None:
    found = sections("intro\n\n# A\n\na\n\n## B\n\nb\n\n```\n# no heading\n```\n\nC\n===\n\nc")

    assert [(item.level, item.title, item.source.strip()) for item in found] == [
        (1, "A", "a\n\n## B\n\nb\n\n```\n# no heading\n```"),
        (2, "B", "b\n\n```\n# no heading\n```"),
        (1, "C", "c"),
    ]
