"""The functions that a script carries, where a notebook has IPython.

A script gets only those that it uses, in one tagged cell; their source is that of
`nb2prod.export.support_functions`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from nb2prod.notebook.python_syntax import parse
from nb2prod.notebook.scopes import stored_names

SUPPORT_PREFIX = "_nb2prod_"
# What a script calls at its beginning, where it needs it, in this order.
SET_UPS = (
    "_nb2prod_set_up_figures",
    "_nb2prod_set_up_pandas",
    "_nb2prod_set_up_ipython",
)
REMEMBER = "_nb2prod_remember"


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """One statement of the module: what it defines, what it reads, and its text."""

    defines: frozenset[str]
    reads: frozenset[str]
    text: str


def support_source(names: Iterable[str]) -> str:
    """Return the source of the functions named, and of what they use, each once; or nothing.

    What sets something up is called as well, at the end.
    """
    wanted = set(names)
    if REMEMBER in wanted:
        wanted |= {"_", "Out", "_nb2prod_show"}
    pending = list(wanted)
    needed: set[int] = set()
    while pending:
        index = _places().get(pending.pop())
        if index is not None and index not in needed:
            needed.add(index)
            pending += _pieces()[index].reads
    pieces = [_pieces()[index].text for index in sorted(needed)]
    calls = [f"{name}()" for name in SET_UPS if name in wanted]
    if REMEMBER in wanted:
        calls.append(f"_nb2prod_show = {REMEMBER}(_nb2prod_show)")
    return "\n\n\n".join([*pieces, *(["\n".join(calls)] if calls else [])])


@cache
def support_functions() -> frozenset[str]:
    """Return the names of all that there is."""
    return frozenset(_places())


@cache
def _pieces() -> tuple[_Piece, ...]:
    source = files("nb2prod.export").joinpath("support_functions.py").read_text(encoding="utf-8")
    lines = source.split("\n")
    return tuple(
        _Piece(
            defines=stored_names(statement),
            reads=frozenset(
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
            ),
            text="\n".join(lines[statement.lineno - 1 : statement.end_lineno]),
        )
        for statement in parse(source).body
        if not _is_docstring(statement)
    )


@cache
def _places() -> Mapping[str, int]:
    return MappingProxyType(
        {name: index for index, piece in enumerate(_pieces()) for name in piece.defines}
    )


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
