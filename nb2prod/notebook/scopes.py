"""Names and scopes: what a function reads when it is called, what a piece of code binds."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class FreeNames:
    """What the body of a function does with the notebook's names when it is called."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    may_use_anything: bool = False
    may_define_anything: bool = False


def free_names(function: Function) -> FreeNames:
    """Find the notebook's names that a function reads and writes when it is called."""
    reader = _FunctionReader(frozenset(), FreeNames())
    reader.function(function)
    return reader.found


class _FunctionReader(ast.NodeVisitor):
    """Finds the global names in a function's body, nested scopes included."""

    def __init__(self, bound: frozenset[str], found: FreeNames) -> None:
        self.bound = bound
        self.found = found
        # Names of a class's body, which its methods do not see.
        self.class_bound: frozenset[str] = frozenset()

    def function(self, node: Function) -> None:
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        declared = frozenset(_declared_globals(body))
        own = {argument.arg for argument in all_arguments(node.args)}
        own = own.union(*(stored_names(part) for part in body)) - declared
        inner = _FunctionReader((self.bound - declared) | own, self.found)
        for part in body:
            inner.visit(part)
        stored = frozenset().union(*(stored_names(part) for part in body))
        self.found.writes |= declared & stored

    def visit_Name(self, node: ast.Name) -> None:
        is_bound = node.id in self.bound or node.id in self.class_bound
        if isinstance(node.ctx, ast.Load) and not is_bound:
            self.found.reads.add(node.id)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        # Inside a function locals() and exec reach its own names only.
        if isinstance(node.func, ast.Name) and node.func.id in ("globals", "get_ipython"):
            self.found.may_use_anything = self.found.may_define_anything = True

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args, node.returns):
            if part is not None:
                self.visit(part)
        self._nested(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._nested(node)

    def _nested(self, node: Function) -> None:
        _FunctionReader(self.bound, self.found).function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for expression in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(expression)
        inner = _FunctionReader(self.bound, self.found)
        inner.class_bound = frozenset().union(*(stored_names(part) for part in node.body))
        for statement in node.body:
            inner.visit(statement)

    def _comprehension(self, node: Comprehension) -> None:
        self.visit(node.generators[0].iter)
        bound = (stored_names(generator.target) for generator in node.generators)
        inner = _FunctionReader(self.bound.union(*bound), self.found)
        for number, generator in enumerate(node.generators):
            if number:
                inner.visit(generator.iter)
            for condition in generator.ifs:
                inner.visit(condition)
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        for part in parts:
            inner.visit(part)

    visit_ListComp = _comprehension  # noqa: N815
    visit_SetComp = _comprehension  # noqa: N815
    visit_DictComp = _comprehension  # noqa: N815
    visit_GeneratorExp = _comprehension  # noqa: N815


def stored_names(node: ast.AST) -> frozenset[str]:
    """Return the names that a piece of code binds in its own scope."""
    found: set[str] = set()
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.Name):
            if not isinstance(item.ctx, ast.Load):
                found.add(item.id)
            continue
        found.update(_bound_here(item))
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending.extend(item.decorator_list)
        elif isinstance(item, Comprehension):
            # Its targets are its own; only a walrus reaches out.
            pending.extend(part for part in ast.walk(item) if isinstance(part, ast.NamedExpr))
        elif isinstance(item, ast.NamedExpr):
            pending.extend((item.target, item.value))
        elif not isinstance(item, ast.Lambda):
            pending.extend(ast.iter_child_nodes(item))
    return frozenset(found)


def _bound_here(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        return [node.name]
    if isinstance(node, ast.MatchMapping) and node.rest:
        return [node.rest]
    return []


def _declared_globals(body: Iterable[ast.AST]) -> Iterator[str]:
    pending = list(body)
    while pending:
        item = pending.pop()
        if isinstance(item, ast.Global):
            yield from item.names
        elif not isinstance(item, Function | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(item))


def all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    """Return the arguments of a function, of all kinds."""
    several = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return [*several, *filter(None, (arguments.vararg, arguments.kwarg))]


def bound_names(tree: ast.AST) -> frozenset[str]:
    """Return every name that a piece of code binds in any scope, arguments included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        found.update(_bound_here(node))
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return frozenset(found)
