"""Whether each name that a cell reads is there when the notebook runs from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nb2prod.export.checked_notebook import CheckedCell, CheckedNotebook
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.export.support import SUPPORT_PREFIX
from nb2prod.notebook.dataflow import CellNames

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class CellFacts:
    """A code cell's number and names; the lines of the names are the author's."""

    number: int
    names: CellNames


@dataclass(frozen=True, kw_only=True, slots=True)
class NameProblem:
    """A name that is not there; ``code`` is that of the finding."""

    code: str
    cell: int
    line: int | None
    message: str
    way_out: str = ""


def missing_names(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find the names that are not there when they are read."""
    facts = [CellFacts(number=entry.number, names=_facts(entry)) for entry in checked.cells]
    for problem in name_problems(facts):
        yield finding(
            problem.code,
            problem.message,
            cell=problem.cell,
            line=problem.line,
            way_out=problem.way_out,
        )


def _facts(entry: CheckedCell) -> CellNames:
    names = entry.names
    lines = {name: entry.author_line(line) or 1 for name, line in names.lines.items()}
    # Nobody knows what a magic without a translation would have defined.
    refusals = entry.translated.translation.refusals
    is_unclear = any(refusal.code == "magic-refused" for refusal in refusals)
    return replace(
        names,
        used=_without_ours(names.used),
        used_deferred=_without_ours(names.used_deferred),
        may_define_anything=names.may_define_anything or is_unclear,
        lines=lines,
    )


def _without_ours(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in names if not name.startswith(SUPPORT_PREFIX))


def name_problems(cells: Sequence[CellFacts]) -> list[NameProblem]:
    """Find the names that are not there when they are read, each once, at its first use."""
    return _Walk(cells).problems()


class _Walk:
    """Goes through the cells in order and keeps what is defined so far."""

    def __init__(self, cells: Sequence[CellFacts]) -> None:
        self.cells = cells
        self.defined: set[str] = set()
        self.deleted: dict[str, int] = {}
        self.functions: dict[str, frozenset[str]] = {}
        self.is_unclear = False
        # Names that a star import or the like may define, with the cells that read them.
        self.unclear: list[tuple[str, CellFacts]] = []
        self.reported: set[str] = set()

    def problems(self) -> list[NameProblem]:
        found = [problem for index in range(len(self.cells)) for problem in self._cell(index)]
        return [*found, *self._unclear(), *self._never_defined()]

    def _cell(self, index: int) -> Iterator[NameProblem]:
        cell = self.cells[index]
        names = cell.names
        self.is_unclear |= names.may_define_anything
        missing = [name for name in _by_line(names.used, names.lines) if name not in self.defined]
        if self.is_unclear:
            self.unclear += [
                (name, cell) for name in missing if name not in self.deleted and self._first(name)
            ]
        for name in missing:
            yield from self._missing(name, index)
        self.functions.update(names.functions)
        yield from self._calls(index)
        self.defined |= names.defined
        self.defined -= names.deleted
        self.deleted = {
            **{name: number for name, number in self.deleted.items() if name not in names.defined},
            **dict.fromkeys(names.deleted, cell.number),
        }

    def _unclear(self) -> Iterator[NameProblem]:
        if not self.unclear:
            return
        shown = ", ".join(f"`{name}`" for name, _ in self.unclear[:_SHOWN])
        more = len(self.unclear) - _SHOWN
        name, cell = self.unclear[0]
        yield NameProblem(
            code="name-unclear",
            cell=cell.number,
            line=cell.names.lines.get(name),
            message=f"No cell above defines {shown}{f' and {more} more' if more > 0 else ''} in so"
            " many words; a star import, `exec` or a magic may do so.",
        )

    def _missing(self, name: str, index: int) -> Iterator[NameProblem]:
        cell = self.cells[index]
        line = cell.names.lines.get(name)
        if not self._first(name):
            return
        if name in self.deleted:
            yield NameProblem(
                code="name-deleted",
                cell=cell.number,
                line=line,
                message=f"`{name}` is read here, but cell {self.deleted[name]} deletes it.",
            )
        elif (later := self._definer_after(name, index)) is not None:
            yield NameProblem(
                code="name-undefined",
                cell=cell.number,
                line=line,
                message=f"`{name}` is read here, but only cell {later} below defines it.",
                way_out=f"Move cell {later} above cell {cell.number}, then choose Restart Kernel"
                " and Run All Cells.",
            )
        elif name in cell.names.defined:
            yield NameProblem(
                code="name-undefined",
                cell=cell.number,
                line=line,
                message=f"`{name}` is read before this cell, the only one to do so, defines it.",
                way_out="Give it a first value in a cell above.",
            )
        else:
            yield NameProblem(
                code="name-undefined",
                cell=cell.number,
                line=line,
                message=f"`{name}` is read here, and no cell defines it.",
                way_out="Define it in a cell above; a cell that did so may have been deleted.",
            )

    def _calls(self, index: int) -> Iterator[NameProblem]:
        """Find functions that are called before what their bodies read is there."""
        cell = self.cells[index]
        names = cell.names
        present = self.defined | names.defined
        for function in _by_line(names.called & set(self.functions), names.lines):
            for name in sorted(self._reads(function) - present):
                later = self._definer_after(name, index)
                if later is not None and not self.is_unclear and self._first(name):
                    yield NameProblem(
                        code="name-undefined",
                        cell=cell.number,
                        line=names.lines.get(function),
                        message=f"`{function}` is called here and reads `{name}`, but only cell"
                        f" {later} below defines that.",
                        way_out=f"Move cell {later} above cell {cell.number}, then choose Restart"
                        " Kernel and Run All Cells.",
                    )

    def _reads(self, function: str) -> set[str]:
        """Return what a call of a function reads, through the functions that it calls."""
        seen: set[str] = set()
        pending = [function]
        while pending:
            for name in self.functions.get(pending.pop(), frozenset()):
                if name not in seen:
                    seen.add(name)
                    pending.append(name)
        return seen

    def _never_defined(self) -> Iterator[NameProblem]:
        if any(cell.names.may_define_anything for cell in self.cells):
            return
        everything = set().union(*(cell.names.defined for cell in self.cells))
        for cell in self.cells:
            for name in _by_line(cell.names.used_deferred, cell.names.lines):
                if name not in everything and self._first(name):
                    yield NameProblem(
                        code="name-undefined-in-function",
                        cell=cell.number,
                        line=cell.names.lines.get(name),
                        message=f"A function reads `{name}`, and no cell defines it.",
                    )

    def _definer_after(self, name: str, index: int) -> int | None:
        return next(
            (cell.number for cell in self.cells[index + 1 :] if name in cell.names.defined), None
        )

    def _first(self, name: str) -> bool:
        is_first = name not in self.reported
        self.reported.add(name)
        return is_first


def _by_line(names: Iterable[str], lines: Mapping[str, int]) -> list[str]:
    return sorted(names, key=lambda name: (lines.get(name, 0), name))
