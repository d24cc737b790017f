"""The percent format: how cells stand in a script, whatever language it is in.

A cell begins with a comment such as ``# %% [markdown] tags=["x"]``; what is not code is a comment
itself. jupytext reads and writes it so too. All of these languages have ``#`` for comments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from nb2prod.export.blocks import escaped, unescaped
from nb2prod.notebook.models import Cell, CellKind

# What a cell keeps beside its tags; all else is an editor's, and changes when nothing has changed.
_KEPT_METADATA = ("deletable", "editable", "jupyter", "nb2prod", "slideshow", "title")
_MARKER = re.compile(r"# %%(?P<options>\s.*)?\Z")
_KIND = re.compile(r"\[(?P<kind>markdown|md|raw)\]")
_KEY = re.compile(r"(?:^|\s)(?P<key>[\w.-]+)=")


def write_cell(cell: Cell, code: str) -> str:
    """Write a cell, with a line end at its end.

    Parameters
    ----------
    code
        What stands in the script for a code cell.
    """
    text = code
    if cell.kind != "code":
        lines = cell.source.split("\n") if cell.source else []
        text = "\n".join(escaped(f"# {line}" if line else "#") for line in lines)
    return f"{_marker(cell)}\n{text}\n" if text else f"{_marker(cell)}\n"


def is_marker(line: str) -> bool:
    """Tell whether a cell would begin with this line."""
    return _MARKER.match(line) is not None


def split_cells(
    lines: Sequence[str], start: int, markers: Sequence[int]
) -> Iterator[tuple[str, Sequence[str]]]:
    """Cut a script at its markers into cells: the marker of each, and its lines.

    Parameters
    ----------
    start
        Index of the first line behind the header.
    markers
        Indices of the markers' lines.
    """
    # What stands before the first marker, in a program that somebody wrote by hand.
    first = markers[0] if markers else len(lines)
    if any(map(str.strip, lines[start:first])):
        yield "# %%", lines[start:first]
    for number, end in pairwise([*markers, len(lines)]):
        yield lines[number], lines[number + 1 : end]


def read_cell(
    marker: str, lines: Sequence[str], *, number: int, read_code: Callable[[str], str]
) -> Cell:
    """Read a cell as the author's.

    Parameters
    ----------
    read_code
        Makes the author's code of the script's.
    """
    kind, metadata = _options(marker)
    content = list(lines)
    while content and not content[-1]:
        content.pop()
    if kind == "code":
        source = read_code("\n".join(content))
    else:
        source = "\n".join(_text_line(line) for line in content)
    tags = metadata.get("tags")
    return Cell(
        number=number,
        kind=kind,
        source=source,
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        metadata=metadata,
    )


def _marker(cell: Cell) -> str:
    kind = {"code": "", "markdown": " [markdown]", "raw": " [raw]"}[cell.kind]
    metadata = {key: cell.metadata[key] for key in _KEPT_METADATA if key in cell.metadata}
    title = metadata.pop("title", "")
    if cell.tags:
        metadata["tags"] = list(cell.tags)
    shown = "".join(
        f" {key}={json.dumps(metadata[key], ensure_ascii=False, sort_keys=True)}"
        for key in sorted(metadata)
    )
    return f"# %%{' ' + title if _is_title(title) else ''}{kind}{shown}"


def _is_title(title: object) -> bool:
    return (
        isinstance(title, str)
        and title == " ".join(title.split())
        and title.isprintable()
        and not re.search(r"[\[\]=%]", title)
        and bool(title)
    )


def _text_line(line: str) -> str:
    line = unescaped(line)
    return "" if line == "#" else line.removeprefix("# ")


def _options(marker: str) -> tuple[CellKind, dict[str, Any]]:
    text = marker.removeprefix("# %%").strip()
    key = _KEY.search(text)
    before = text[: key.start()] if key else text
    kind_match = _KIND.search(before)
    metadata: dict[str, Any] = dict(_key_values(text[key.start() :])) if key else {}
    title = (before[: kind_match.start()] if kind_match else before).strip()
    if title:
        metadata["title"] = title
    kind: CellKind = "code"
    if kind_match:
        kind = "raw" if kind_match["kind"] == "raw" else "markdown"
    return kind, metadata


def _key_values(text: str) -> Iterator[tuple[str, Any]]:
    decoder = json.JSONDecoder()
    position = 0
    while match := _KEY.search(text, position):
        try:
            value, position = decoder.raw_decode(text, match.end())
        except ValueError:
            position = match.end()
            continue
        yield match["key"], value
