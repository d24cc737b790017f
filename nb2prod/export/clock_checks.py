"""Readings of the clock that become data; those that only measure how long something took do not.

A reading is followed outward through what it is written in: into a difference of two readings, a
`print`, or a name of which all uses are such. Whatever else is done with it makes it data.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nb2prod.export import outside_tables as table
from nb2prod.export.checked_notebook import CheckedCell, CheckedNotebook
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.notebook.calls import Call
from nb2prod.notebook.scopes import bound_names

# Calls that show a text to people, by their last part.
_SHOWS = frozenset(
    {"critical", "debug", "display", "error", "exception", "info", "log", "print",
     "set_description", "warning", "write", "_nb2prod_show"}
)  # fmt: skip
_SAME = frozenset({"float", "format", "int", "round", "str"})
# Where a name is known: number of the cell, and a function's definition in it or 0 for its top.
_Place = tuple[int, int]


def current_time(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find readings of the clock that become data, once for each cell."""
    readings = [(cell, call) for cell, call in checked.every_call() if _is_reading(call)]
    if not readings:
        return
    clocks = _Clocks.of(checked, [call for _, call in readings])
    told: set[int] = set()
    for cell, call in readings:
        if cell.number not in told and clocks.is_data(call.node, is_number=_is_number(call)):
            told.add(cell.number)
            yield finding(
                "current-time",
                f"`{call.name}` reads the clock, so that another day gives another result.",
                cell=cell.number,
                line=cell.author_line(call.line),
            )


def _is_reading(call: Call) -> bool:
    if call.name in table.CLOCK_IF_FEWER:
        return len(call.node.args) < table.CLOCK_IF_FEWER[call.name] and not call.may_have_more
    if call.name in table.TAKES_CLOCK_TEXT:
        text = call.node.args[0] if call.node.args else None
        return isinstance(text, ast.Constant) and text.value in table.CLOCK_TEXTS
    return call.name in table.CLOCK_DATES or _is_number(call)


def _is_number(call: Call) -> bool:
    return call.name in table.CLOCK_NUMBERS


@dataclass(frozen=True, kw_only=True)
class _Clocks:
    """The readings of a notebook, what holds each node, and the names that hold a reading.

    Parameters
    ----------
    readings
        Identities of the calls.
    parents
        Identity of a node → the node that it stands in.
    places
        Identity of a node → where its names are known.
    uses
        Name → where it is read.
    names
        Those that a reading is assigned to.
    bound
        Identity of a function's definition → names of its own.
    rebound
        Name → numbers of the cells that bind it.
    functions
        Those that the notebook defines.
    """

    readings: frozenset[int]
    parents: Mapping[int, ast.AST]
    places: Mapping[int, _Place]
    uses: Mapping[str, tuple[ast.expr, ...]]
    names: frozenset[str]
    bound: Mapping[int, frozenset[str]]
    rebound: Mapping[str, tuple[int, ...]]
    functions: frozenset[str]

    @classmethod
    def of(cls, checked: CheckedNotebook, readings: list[Call]) -> _Clocks:
        parents: dict[int, ast.AST] = {}
        places: dict[int, _Place] = {}
        uses: dict[str, list[ast.expr]] = {}
        rebound: dict[str, list[int]] = {}
        bound: dict[int, frozenset[str]] = {}
        for cell in checked.cells:
            for name in cell.names.defined:
                rebound.setdefault(name, []).append(cell.number)
            bound.update((id(scope), bound_names(scope)) for scope in _scopes(cell))
            for node, place in _placed(cell):
                for child in ast.iter_child_nodes(node):
                    parents[id(child)] = node
                places[id(node)] = place
                if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                    uses.setdefault(_name(node), []).append(node)
        statements = [parents.get(id(call.node)) for call in readings]
        return cls(
            readings=frozenset(id(call.node) for call in readings),
            parents=parents,
            places=places,
            uses={name: tuple(nodes) for name, nodes in uses.items()},
            names=frozenset(name for node in statements for name in _targets(node) if name),
            bound=bound,
            rebound={name: tuple(numbers) for name, numbers in rebound.items()},
            functions=frozenset().union(*(cell.names.functions for cell in checked.cells)),
        )

    def is_data(
        self, node: ast.expr, *, is_number: bool, followed: frozenset[str] = frozenset()
    ) -> bool:
        """Whether what is made of a reading is more than a duration or a word to people."""
        child: ast.AST = node
        while (parent := self.parents.get(id(child))) is not None:
            if isinstance(parent, ast.Assign | ast.AnnAssign):
                return self._is_assigned_as_data(parent, is_number=is_number, followed=followed)
            verdict = self._verdict(parent, child, is_number=is_number)
            if verdict is not None:
                return verdict
            child = parent
        return True

    def _verdict(self, parent: ast.AST, child: ast.AST, *, is_number: bool) -> bool | None:
        """Whether a reading is data by what it stands in; `None` where that alone tells nothing."""
        verdict = None
        if isinstance(parent, ast.BinOp):
            verdict = False if self._is_difference(parent) else None
        elif isinstance(parent, ast.Call) and child is not parent.func:
            verdict = self._is_argument_data(parent, is_number=is_number)
        elif isinstance(parent, ast.Compare | ast.Return):
            verdict = None if isinstance(parent, ast.Compare) and not is_number else not is_number
        elif isinstance(parent, ast.stmt):
            verdict = not isinstance(parent, ast.Expr)
        return verdict

    def _is_argument_data(self, call: ast.Call, *, is_number: bool) -> bool | None:
        name = _name(call.func).lstrip(".")
        if name in _SHOWS:
            return False
        if name in _SAME:
            return None
        # Numbers are often given to functions of one's own that tell the time left.
        return not (is_number and name in self.functions | {"append"})

    def _is_assigned_as_data(
        self, node: ast.Assign | ast.AnnAssign, *, is_number: bool, followed: frozenset[str]
    ) -> bool:
        names = set(_targets(node))
        if "" in names:
            # In a collection, numbers are mostly kept for people.
            return not is_number
        further = followed | names
        return any(
            self.is_data(use, is_number=is_number, followed=further)
            for name in names - followed
            for use in self.uses.get(name, ())
            if self._reaches(name, node, use)
        )

    def _reaches(self, name: str, assigned: ast.AST, use: ast.expr) -> bool:
        """Whether a name that is read is the one that was assigned there."""
        cell, function = self.places[id(assigned)]
        use_cell, use_function = self.places[id(use)]
        if name.startswith("."):
            return True
        if function:
            return use_function == function
        if name in self.bound.get(use_function, frozenset()):
            return False
        between = (number for number in self.rebound.get(name, ()) if cell < number <= use_cell)
        return use_cell >= cell and not any(between)

    def _is_difference(self, node: ast.BinOp) -> bool:
        if not isinstance(node.op, ast.Sub):
            return False
        return self._is_clock(node.left) and self._is_clock(node.right)

    def _is_clock(self, node: ast.expr) -> bool:
        return id(node) in self.readings or _name(node) in self.names


def _placed(cell: CheckedCell) -> Iterator[tuple[ast.AST, _Place]]:
    scopes = set(map(id, _scopes(cell)))
    for statement in cell.tree.body:
        place = (cell.number, id(statement) if id(statement) in scopes else 0)
        for node in ast.walk(statement):
            yield node, place


def _scopes(cell: CheckedCell) -> list[ast.stmt]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [statement for statement in cell.tree.body if isinstance(statement, kinds)]


def _targets(node: ast.AST | None) -> list[str]:
    """Return the names that an assignment binds; an empty one for a part of a collection."""
    if isinstance(node, ast.Assign):
        return [_name(target) for target in node.targets]
    return [_name(node.target)] if isinstance(node, ast.AnnAssign) else []


def _name(node: ast.expr) -> str:
    """Return a name, or the last part of `self.started`, with its dot."""
    if isinstance(node, ast.Name):
        return node.id
    return f".{node.attr}" if isinstance(node, ast.Attribute) else ""
