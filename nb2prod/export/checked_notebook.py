"""A notebook as the checks of the preflight look at it: parsed once, for all of them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from nb2prod.export.models import Finding
from nb2prod.export.script import GENERATED_TAGS
from nb2prod.export.translation import CellTranslation, NotebookTranslation, translate_cells
from nb2prod.notebook.calls import Call, KnownNames, find_calls
from nb2prod.notebook.dataflow import CellNames, tree_names
from nb2prod.notebook.ipython_syntax import Escape, find_escapes
from nb2prod.notebook.models import Cell, Notebook
from nb2prod.notebook.python_syntax import parse

_NOTHING = ast.Module(body=[], type_ignores=[])


@dataclass(frozen=True, kw_only=True)
class CheckedCell:
    """A code cell, as it stands in the notebook and as it would in the script."""

    translated: CellTranslation

    @property
    def cell(self) -> Cell:
        """As the author wrote it."""
        return self.translated.cell

    @property
    def number(self) -> int:
        """Its place among all cells of the notebook, from 1."""
        return self.translated.cell.number

    @cached_property
    def tree(self) -> ast.Module:
        """The cell in plain Python, parsed; empty where it is not valid."""
        try:
            return parse(self.translated.translation.source)
        except SyntaxError:
            return _NOTHING

    @cached_property
    def names(self) -> CellNames:
        """What the cell in plain Python does with names."""
        if self.tree is _NOTHING:
            return CellNames(may_define_anything=True, may_use_anything=True)
        return tree_names(self.tree)

    @cached_property
    def escapes(self) -> tuple[Escape, ...]:
        """The author's lines that are IPython's; their lines are the author's."""
        return find_escapes(self.cell.source)

    def author_line(self, line: int | None) -> int | None:
        """Return the author's line for one of ``tree``."""
        lines = self.translated.translation.lines
        return None if line is None else lines[min(max(line, 1), len(lines)) - 1]


@dataclass(frozen=True, kw_only=True)
class CheckedNotebook:
    """A notebook in plain Python.

    Parameters
    ----------
    cells
        The code cells of the script, generated and empty ones apart.
    directory
        Where the notebook lies in its project, relative to the project's folder, ``.`` for the
        folder itself; `None` where nobody knows.
    """

    notebook: Notebook
    translation: NotebookTranslation
    cells: tuple[CheckedCell, ...]
    directory: str | None = None

    @cached_property
    def known(self) -> KnownNames:
        """What the notebook's names stand for."""
        return KnownNames.of(cell.tree for cell in self.cells)

    @cached_property
    def calls(self) -> tuple[tuple[CheckedCell, tuple[Call, ...]], ...]:
        """The calls of each cell."""
        return tuple((cell, find_calls(cell.tree, self.known)) for cell in self.cells)

    @cached_property
    def called(self) -> frozenset[str]:
        """Last parts of all that is called, and names that are given away to be called."""
        found = {call.method for _, calls in self.calls for call in calls}
        return frozenset(found).union(*(cell.names.reads for cell in self.cells))

    def every_call(self) -> Iterator[tuple[CheckedCell, Call]]:
        """Go through all calls, in the order of the cells."""
        for cell, calls in self.calls:
            for call in calls:
                yield cell, call


# One thing that the preflight looks for: in the script that the notebook would be, or in itself.
Check = Callable[[CheckedNotebook], Iterator[Finding]]
NotebookCheck = Callable[[Notebook], Iterator[Finding]]


def check_notebook(notebook: Notebook, *, directory: str | None = None) -> CheckedNotebook:
    """Prepare a notebook in Python for its checks."""
    of_script = [cell for cell in notebook.code_cells if _is_in_script(cell)]
    translation = translate_cells(of_script)
    wanted = {cell.number for cell in cells_to_check(notebook)}
    return CheckedNotebook(
        notebook=notebook,
        translation=translation,
        cells=tuple(
            CheckedCell(translated=entry)
            for entry in translation.cells
            if entry.cell.number in wanted
        ),
        directory=directory,
    )


def cells_to_check(notebook: Notebook) -> tuple[Cell, ...]:
    """Return the code cells that would run in a script and hold more than remarks."""
    return tuple(
        cell for cell in notebook.code_cells if _is_in_script(cell) and _has_code(cell.source)
    )


def _is_in_script(cell: Cell) -> bool:
    return not cell.is_left_out and not GENERATED_TAGS.intersection(cell.tags)


def _has_code(source: str) -> bool:
    lines = (line.strip() for line in source.split("\n"))
    return any(line and not line.startswith("#") for line in lines)
