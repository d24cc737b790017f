"""Markdown to safe markup: CommonMark with tables, strikethrough, task lists and formulas.

What we make ourselves (formulas, highlighted code) never goes through the cleaning, which
would take its classes, and never comes before it: a place mark goes in its stead, of characters
that `text.repair` has taken from everybody else's text, and is replaced at the very end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from nb2prod.knowledge.draft import Draft
from nb2prod.knowledge.highlight import highlight
from nb2prod.knowledge.images import read_attachment, read_data_url
from nb2prod.knowledge.models import Heading
from nb2prod.knowledge.sanitise import Surroundings, clean
from nb2prod.knowledge.text import INSERT_CLOSE, INSERT_OPEN, escape, plain, repair

MAX_LENGTH = 1_000_000

_TASK = re.compile(r"\[([ xX])\] ")
_ALIGN = re.compile(r"text-align:(left|right|center)")


@dataclass(frozen=True, slots=True)
class Markdown:
    """Rendered markdown: safe markup, and the headings in it that got an id."""

    html: str
    headings: tuple[Heading, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading's level and text (markdown), and the source below it."""

    level: int
    title: str
    source: str


def render_markdown(
    source: str, draft: Draft, *, attachments: object = None, in_outline: bool = False
) -> Markdown:
    """Render a markdown text.

    Parameters
    ----------
    attachments
        The cell's attachments as the notebook has them.
    in_outline
        Whether its headings get ids, to be listed in the page's outline.
    """
    source = plain(repair(source))
    if len(source) > MAX_LENGTH:
        return Markdown(f'<pre class="text">{escape(source)}</pre>', ())
    inserts: dict[int, str] = {}
    raw = _parser().render(source, {"inserts": inserts})
    surroundings = Surroundings(
        find_image=image_finder(draft, attachments),
        new_anchor=draft.new_anchor if in_outline else None,
        inserts=inserts,
    )
    return Markdown(*clean(raw, surroundings))


def image_finder(draft: Draft, attachments: object = None) -> Callable[[str], str | None]:
    """Return what finds the pictures that a markup may show: the page's own."""
    files: Mapping[Any, Any] = attachments if isinstance(attachments, dict) else {}

    def find(source: str) -> str | None:
        if source.startswith("attachment:"):
            name = unquote(source.removeprefix("attachment:"))
            picture = read_attachment(files.get(name))
        elif source.startswith("data:"):
            name, picture = "image", read_data_url(source)
        else:
            beside = draft.find_picture(source)
            return draft.address(beside) if beside else None
        stem = name.rpartition(".")[0] or name
        return draft.address(draft.keep_picture(picture, stem)) if picture else None

    return find


def math(source: str, *, is_display: bool) -> str:
    """Return a formula's source for the browser to set; as text it can do nothing."""
    return f'<span class="math" data-display="{int(is_display)}">{escape(source.strip())}</span>'


def sections(source: str) -> tuple[Section, ...]:
    """Return the sections of a markdown text, each with everything below its heading.

    A section ends before the next heading of the same or a higher level.
    """
    source = plain(repair(source))
    if len(source) > MAX_LENGTH:
        return ()
    lines = source.split("\n")
    heads = [
        (int(token.tag[1]), token.map, following.content)
        for token, following in pairwise(_parser().parse(source, {"inserts": {}}))
        if token.type == "heading_open" and token.level == 0 and token.map
    ]
    found = []
    for index, (level, (_, start), title) in enumerate(heads):
        later = (place[0] for depth, place, _ in heads[index + 1 :] if depth <= level)
        found.append(Section(level, title, "\n".join(lines[start : next(later, len(lines))])))
    return tuple(found)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    # Digits beside a dollar sign are money, not a formula.
    dollarmath_plugin(parser, allow_labels=False, allow_digits=False, double_inline=True)
    amsmath_plugin(parser)
    parser.core.ruler.push("tasks", _mark_tasks)
    parser.core.ruler.push("alignment", _mark_alignment)
    for kind in ("math_inline", "math_inline_double", "math_block", "amsmath"):
        parser.add_render_rule(kind, _math_rule)
    for kind in ("fence", "code_block"):
        parser.add_render_rule(kind, _code_rule)
    return parser


def _math_rule(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Any
) -> str:
    token = tokens[index]
    is_display = token.type != "math_inline"
    mark = _insert(env, math(token.content, is_display=is_display))
    return f"<p>{mark}</p>\n" if token.type in ("math_block", "amsmath") else mark


def _code_rule(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Any
) -> str:
    words = tokens[index].info.split()
    language = words[0].strip("{}.") if words else "text"
    return _insert(env, highlight(tokens[index].content.removesuffix("\n"), language)) + "\n"


def _insert(env: Any, markup: str) -> str:
    inserts: dict[int, str] = env["inserts"]
    inserts[len(inserts)] = markup
    return f"{INSERT_OPEN}{len(inserts) - 1}{INSERT_CLOSE}"


def _mark_tasks(state: StateCore) -> None:
    """Show ``- [x] done`` with a ticked box: as a character, since inputs are not allowed."""
    triples = zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False)
    for item, paragraph, inline in triples:
        kinds = (item.type, paragraph.type, inline.type)
        if kinds == ("list_item_open", "paragraph_open", "inline") and inline.children:
            first = inline.children[0]
            match = _TASK.match(first.content) if first.type == "text" else None
            if match:
                box = "☐" if match[1] == " " else "☑"
                first.content = f"{box} {first.content[match.end() :]}"


def _mark_alignment(state: StateCore) -> None:
    """Say a table cell's alignment by an attribute, since styles are not allowed."""
    for token in state.tokens:
        if token.type in ("th_open", "td_open"):
            match = _ALIGN.search(str(token.attrs.pop("style", "")))
            if match:
                token.attrSet("align", match[1])
