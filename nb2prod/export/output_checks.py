"""What the outputs of a notebook tell of its last run: order, gaps, failures, age and size.

A notebook file does not say what a cell looked like when it ran. What can be known: the number
that a result carries beside that of its cell, outputs of a cell that has no number, and the lines
of the cell that an error quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from nb2prod.export.checked_notebook import cells_to_check
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.notebook.ipython_syntax import dedented
from nb2prod.notebook.models import Cell, Notebook

MAX_CELL_BYTES = 1_000_000
MAX_NOTEBOOK_BYTES = 10_000_000

_SHOWN = 3
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# The forms of IPython 5 to 9: where an error says that it quotes the cell with this number.
_QUOTED_CELL = re.compile(
    r"(?:^<ipython-input-(?P<old>\d+)-[0-9a-f]+>|^(?:Input |Cell |\s*File )?In ?\[(?P<new>\d+)\])"
)
_QUOTED_LINE = re.compile(r"(?:-+> ?|\s+)(?P<number>\d+)(?: (?P<text>.*))?\Z")


def execution_order(notebook: Notebook) -> Iterator[Finding]:
    """Find cells that were run after one below them, and cells that were not run at all."""
    cells = cells_to_check(notebook)
    ran = [cell for cell in cells if cell.execution_count is not None]
    pairs = [
        (above, below)
        for above, below in pairwise(ran)
        if (below.execution_count or 0) <= (above.execution_count or 0)
    ]
    if pairs:
        shown = "; ".join(
            f"cell {above.number} [{above.execution_count}] was run after cell"
            f" {below.number} [{below.execution_count}] below it"
            for above, below in pairs[:_SHOWN]
        )
        more = f"; and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        message = f"The cells were not run from top to bottom: {shown}{more}."
        yield finding("execution-order", message, cell=pairs[0][1].number)
    missed = [cell.number for cell in cells if cell.execution_count is None]
    if ran and missed:
        message = f"Not run, while others were: {_listed(missed)}."
        yield finding("cells-not-run", message, cell=missed[0])


def stale_outputs(notebook: Notebook) -> Iterator[Finding]:
    """Find outputs that are not of the cell's present text, or of its last run."""
    cells = cells_to_check(notebook)
    # Tools that strip the numbers strip all of them.
    are_numbered = any(cell.execution_count is not None for cell in cells)
    for cell in cells:
        why = _staleness(cell) if are_numbered else ""
        if why:
            yield finding("outputs-stale", why, cell=cell.number)


def failed_cells(notebook: Notebook) -> Iterator[Finding]:
    """Find cells that ended with an error, unless a tag says that they may."""
    for cell in cells_to_check(notebook):
        if "raises-exception" in cell.tags:
            continue
        for output in _errors(cell):
            name = str(output.get("ename") or "an error")[:100]
            message = f"The cell ended with {name} when it was run last."
            yield finding("cell-failed", message, cell=cell.number)
            break


def large_outputs(notebook: Notebook) -> Iterator[Finding]:
    """Find outputs over a size: of one cell, and of the notebook."""
    sizes = [(cell, size_bytes(cell.outputs)) for cell in notebook.code_cells]
    for cell, size in sizes:
        if size > MAX_CELL_BYTES:
            message = f"The outputs of the cell have {_megabytes(size)} MB."
            yield finding("outputs-large", message, cell=cell.number)
    total = sum(size for _, size in sizes)
    if total > MAX_NOTEBOOK_BYTES:
        message = f"The outputs of the notebook have {_megabytes(total)} MB."
        yield finding("outputs-large", message)


def size_bytes(value: object) -> int:
    """Return how many bytes the texts of a value of JSON have, nearly: in characters.

    >>> size_bytes([{"data": {"text/plain": "abcd"}}])
    18
    """
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(key) + size_bytes(item) for key, item in value.items())
    if isinstance(value, Sequence):
        return sum(map(size_bytes, value))
    return 8


def _staleness(cell: Cell) -> str:
    if cell.execution_count is None:
        if not cell.outputs:
            return ""
        return "The cell has outputs, but no number: it was still running when it was saved."
    for output in cell.outputs:
        count = output.get("execution_count")
        is_result = output.get("output_type") == "execute_result"
        if is_result and isinstance(count, int) and count != cell.execution_count:
            return (
                f"The result is that of run [{count}], the cell's last run is"
                f" [{cell.execution_count}]."
            )
    for output in _errors(cell):
        changed = _changed_line(cell, output)
        if changed is not None:
            return f"The cell was changed after it failed: line {changed} was another one."
    return ""


def _errors(cell: Cell) -> Iterator[Mapping[str, Any]]:
    return (output for output in cell.outputs if output.get("output_type") == "error")


def _changed_line(cell: Cell, output: Mapping[str, Any]) -> int | None:
    """Return a line that the error quotes otherwise than it stands in the cell."""
    if cell.source.lstrip().startswith("%%"):
        # The magic has run another text, with other numbers.
        return None
    # IPython takes empty lines off the beginning.
    lines = dedented(cell.source.lstrip("\n")).split("\n")
    for number, text in _quoted(output.get("traceback"), cell.execution_count):
        stands = lines[number - 1] if 1 <= number <= len(lines) else ""
        # IPython writes its own syntax out in Python, and may cut white space.
        is_own = stands.lstrip().startswith(("%", "!", "?")) or "get_ipython()" in text
        if not is_own and "".join(stands.split()) != "".join(text.split()):
            return number
    return None


def _quoted(traceback: object, count: int | None) -> Iterator[tuple[int, str]]:
    is_ours = False
    for part in traceback if isinstance(traceback, list) else ():
        for line in _COLOURS.sub("", str(part)).split("\n"):
            match = _QUOTED_CELL.match(line)
            if match:
                is_ours = (match["old"] or match["new"]) == str(count)
            elif is_ours and (quoted := _QUOTED_LINE.match(line)):
                yield int(quoted["number"]), quoted["text"] or ""
            elif is_ours:
                is_ours = False


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"cell {number}" for number in numbers[:_SHOWN])
    return f"{shown} and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else shown


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
