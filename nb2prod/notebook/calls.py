"""The calls of a notebook by the full names of what they call, as its imports tell them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, kw_only=True)
class KnownNames:
    """What the names of a notebook stand for.

    Parameters
    ----------
    imported
        Name → what was imported under it, as in ``{"np": "numpy", "rand": "numpy.random.rand"}``.
    bound
        Names that are bound in any other way, in any scope. A name in both stands for nothing
        that can be told, and is in ``bound`` only.
    """

    imported: Mapping[str, str]
    bound: frozenset[str]

    @classmethod
    def of(cls, trees: Iterable[ast.Module]) -> KnownNames:
        """Collect them from all cells: an import holds wherever it stands."""
        imported: dict[str, str] = {}
        bound: set[str] = set()
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    imported.update(_imports(node))
                else:
                    bound.update(_bound(node))
        return cls(
            imported={name: full for name, full in imported.items() if name not in bound},
            bound=frozenset(bound),
        )

    def full_name(self, node: ast.expr) -> str:
        """Return the full name of an expression; empty where no import or builtin tells it.

        >>> known = KnownNames.of([ast.parse("import numpy as np")])
        >>> known.full_name(ast.parse("np.random.rand", mode="eval").body)
        'numpy.random.rand'
        """
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        root = self.imported.get(node.id, "")
        if not root and not parts and node.id not in self.bound:
            return node.id
        return ".".join([root, *reversed(parts)]) if root else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call.

    Parameters
    ----------
    name
        Full name of what is called, such as ``numpy.random.rand`` or ``input``; empty where it
        can't be told.
    method
        The last part of what is written: ``rand`` in ``rng.rand()``.
    function
        Name of the outermost function or class in whose body it stands; empty at the top.
    """

    node: ast.Call
    name: str
    method: str
    function: str

    @property
    def line(self) -> int:
        """Where the call begins."""
        return self.node.lineno

    def argument(self, keyword: str, position: int | None = None) -> ast.expr | None:
        """Return what is given for a parameter, by its name or its place from 0."""
        for item in self.node.keywords:
            if item.arg == keyword:
                return item.value
        if position is not None and position < len(self.node.args):
            return self.node.args[position]
        return None

    @property
    def may_have_more(self) -> bool:
        """Whether arguments are given that the text does not name: ``*args``, ``**options``."""
        has_stars = any(isinstance(item, ast.Starred) for item in self.node.args)
        return has_stars or any(item.arg is None for item in self.node.keywords)


def find_calls(tree: ast.Module, known: KnownNames) -> tuple[Call, ...]:
    r"""Return all calls of a cell, in the order in which they are written.

    >>> tree = ast.parse("import os.path as p\ndef f(): return p.join(x)")
    >>> [(call.name, call.function) for call in find_calls(tree, KnownNames.of([tree]))]
    [('os.path.join', 'f')]
    """
    found = [
        Call(
            node=node,
            name=known.full_name(node.func),
            method=_last_part(node.func),
            function=function,
        )
        for node, function in _calls(tree)
    ]
    return tuple(sorted(found, key=lambda call: (call.node.lineno, call.node.col_offset)))


def is_true(node: ast.expr | None) -> bool:
    """Whether an argument is written as ``True``."""
    return isinstance(node, ast.Constant) and node.value is True


def is_none(node: ast.expr | None) -> bool:
    """Whether an argument is absent, or written as ``None``."""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    pending: list[tuple[ast.AST, str]] = [(tree, "")]
    while pending:
        node, function = pending.pop()
        if isinstance(node, ast.Call):
            yield node, function
        elif isinstance(node, _Scope) and not function:
            # Defaults and decorators run at once, the body later.
            pending.extend((part, node.name) for part in node.body)
            body = set(map(id, node.body))
            pending.extend(
                (part, "") for part in ast.iter_child_nodes(node) if id(part) not in body
            )
            continue
        pending.extend((part, function) for part in ast.iter_child_nodes(node))


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ImportFrom):
        if node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        return
    for alias in node.names:
        top = alias.name.partition(".")[0]
        yield (alias.asname, alias.name) if alias.asname else (top, top)


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, _Scope):
        yield node.name


def _last_part(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
