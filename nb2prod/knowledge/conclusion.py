"""A page's conclusion: what the notebook itself says came out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nb2prod.knowledge.draft import Draft
from nb2prod.knowledge.markdown import Section, render_markdown, sections
from nb2prod.knowledge.models import RenderedCell
from nb2prod.knowledge.text import as_text, text_of

CONCLUSION_TAG = "conclusion"
MAX_LENGTH = 280

_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)*[.)]?\s+)?"
# The first pattern that a heading has decides, then the last such heading.
_TITLES = tuple(
    re.compile(_NUMBER + words, re.IGNORECASE)
    for words in (r"\W*conclusions?\b.*", r"\W*summary\W*", r"\W*(key )?results?\W*")
)
_TRACEBACK = '<pre class="text traceback">'
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\sa-z])")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A conclusion as clean markup, and as a sentence or two of text for a card."""

    html: str
    text: str


def find_conclusion(
    sources: Sequence[Mapping[str, Any]],
    rendered: Sequence[RenderedCell],
    draft: Draft,
    *,
    is_complete: bool,
) -> Conclusion:
    """Find the conclusion; empty where there is none.

    A cell tagged ``conclusion`` comes first: what it put out, or its text. Else it is the
    markdown section headed Conclusion(s), Summary or Result(s).

    Parameters
    ----------
    sources, rendered
        The notebook's cells, and the same rendered.
    is_complete
        Whether the run succeeded. Prose that was written before says nothing of a run that
        never got there, so only outputs count for one that did not.
    """
    for source, cell in zip(sources, rendered, strict=True):
        if CONCLUSION_TAG in cell.tags:
            markup = _tagged(source, cell, draft, is_complete=is_complete)
            if text_of(markup):
                return _conclusion(markup)
    section = _section(sources) if is_complete else None
    if section is None:
        return Conclusion("", "")
    source, text = section
    return _conclusion(render_markdown(text, draft, attachments=source.get("attachments")).html)


def shorten(text: str) -> str:
    """Return a text's first sentence, or two, in at most 280 characters.

    >>> shorten("It works. It is fast. It is more.")
    'It works. It is fast.'
    """
    parts = _SENTENCE_END.split(text)
    short = " ".join(parts[:2])
    if len(short) > MAX_LENGTH:
        short = parts[0]
    return short if len(short) <= MAX_LENGTH else short[: MAX_LENGTH - 1].rstrip() + "…"


def _conclusion(markup: str) -> Conclusion:
    return Conclusion(markup, shorten(text_of(markup)))


def _tagged(
    source: Mapping[str, Any], cell: RenderedCell, draft: Draft, *, is_complete: bool
) -> str:
    if cell.kind == "code":
        said = (output.html for output in cell.outputs if output.kind == "html")
        return "\n".join(markup for markup in said if not markup.startswith(_TRACEBACK))
    if cell.kind != "markdown" or not is_complete:
        return ""
    text = as_text(source.get("source")) or ""
    own = next((section for section in sections(text) if _rank(section.title) is not None), None)
    return render_markdown(
        own.source if own else text, draft, attachments=source.get("attachments")
    ).html


def _section(cells: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], str] | None:
    """Return the concluding section's text and the cell it is in."""
    ranked = [
        (-rank, place, section)
        for place, section in _all_sections(cells)
        if (rank := _rank(section.title)) is not None
    ]
    for _, place, section in sorted(ranked, key=lambda item: item[:2], reverse=True):
        if section.source.strip():
            return cells[place], section.source
        following = _following(cells, place, section.level)
        if following is not None:
            return following
    return None


def _all_sections(cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Section]]:
    for place, cell in enumerate(cells):
        if cell.get("cell_type") == "markdown":
            for section in sections(as_text(cell.get("source")) or ""):
                yield place, section


def _following(
    cells: Sequence[Mapping[str, Any]], place: int, level: int
) -> tuple[Mapping[str, Any], str] | None:
    """Return the next markdown cell's text, where the heading stands alone in its own cell."""
    for cell in cells[place + 1 :]:
        if cell.get("cell_type") == "markdown":
            text = as_text(cell.get("source")) or ""
            first = next(iter(sections(text)), None)
            begins = first is not None and text.lstrip().startswith("#")
            return None if begins and first and first.level <= level else (cell, text)
    return None


def _rank(title: str) -> int | None:
    return next(
        (rank for rank, pattern in enumerate(_TITLES) if pattern.fullmatch(title.strip())), None
    )
