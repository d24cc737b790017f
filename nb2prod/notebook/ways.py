"""The ways through a cell: what is bound on all of them, what on some, and what is guarded."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field


@dataclass
class State:
    """Names that are bound for certain, and on some ways, at one point of the cell."""

    definite: set[str] = field(default_factory=set)
    possible: set[str] = field(default_factory=set)
    is_left: bool = False

    def copy(self) -> State:
        """Return one that can go another way; it is not left yet."""
        return State(set(self.definite), set(self.possible))


def joined(ends: list[State]) -> State:
    """Join the ways that go on; a name is bound for certain where all of them bind it."""
    open_ends = [end for end in ends if not end.is_left]
    possible = set().union(*(end.possible for end in ends))
    if not open_ends:
        return State(set(ends[0].definite), possible, is_left=True)
    return State(set.intersection(*(end.definite for end in open_ends)), possible)


def catches_name_error(handler: ast.ExceptHandler) -> bool:
    """Whether an ``except`` names NameError: then names may be absent before it."""
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(name, ast.Name) and name.id == "NameError" for name in names)


def names_asked_for(node: ast.expr) -> frozenset[str]:
    """Return ``x`` for ``"x" in globals()``, also inside `and` and `not`."""
    found = set()
    for part in ast.walk(node):
        if (
            isinstance(part, ast.Compare)
            and isinstance(part.left, ast.Constant)
            and isinstance(part.left.value, str)
            and isinstance(part.ops[0], ast.In | ast.NotIn)
            and isinstance(part.comparators[0], ast.Call)
            and isinstance(part.comparators[0].func, ast.Name)
            and part.comparators[0].func.id in ("globals", "locals", "vars", "dir")
        ):
            found.add(part.left.value)
    return frozenset(found)


def matches_all(case: ast.match_case) -> bool:
    """Whether a ``case`` takes whatever comes, as ``case _`` does."""
    pattern = case.pattern
    return case.guard is None and isinstance(pattern, ast.MatchAs) and pattern.pattern is None
