"""Walking through a cell in the order in which it runs, and keeping what it does with names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from nb2prod.notebook.cell_names import BUILTIN_NAMES, CellNames, is_known
from nb2prod.notebook.mutations import mutated_by_call, root_name
from nb2prod.notebook.scopes import (
    Comprehension,
    FreeNames,
    all_arguments,
    free_names,
    stored_names,
)
from nb2prod.notebook.ways import State, catches_name_error, joined, matches_all, names_asked_for

# A function given to one of these is called at once: pandas' methods, and builtins.
_CALLS_AT_ONCE = frozenset(
    {"agg", "aggregate", "apply", "applymap", "assign", "map", "max", "min", "pipe", "sorted",
     "transform"}
)  # fmt: skip
# Methods of a DataFrame in whose text `@name` is a variable.
_QUERY_METHODS = frozenset({"query", "eval"})
_QUERY_NAME = re.compile(r"@([^\W\d]\w*)")
_ANYTHING = frozenset({"exec", "eval", "globals", "locals", "vars", "get_ipython"})


def read_statements(statements: Iterable[ast.stmt], *, is_anything: bool = False) -> CellNames:
    """Return what a cell's statements do with names.

    Parameters
    ----------
    is_anything
        Whether the cell has more than these statements, that may do anything.
    """
    reader = _CellReader()
    reader.run(statements)
    return reader.result(is_anything=is_anything)


class _CellReader(ast.NodeVisitor):
    """Walks through a cell in the order in which it runs."""

    def __init__(self) -> None:
        self.state = State()
        self.used: set[str] = set()
        self.used_possibly: set[str] = set()
        self.used_builtins: set[str] = set()
        self.deferred: set[str] = set()
        self.deferred_writes: set[str] = set()
        self.called: set[str] = set()
        self.functions: dict[str, frozenset[str]] = {}
        self.deleted: set[str] = set()
        self.mutated: set[str] = set()
        self.lines: dict[str, int] = {}
        self.may_define = self.may_use = False
        self._shadowed: frozenset[str] = frozenset()
        self._guarded: frozenset[str] | None = frozenset()
        self._has_text_annotations = False

    def run(self, statements: Iterable[ast.stmt]) -> None:
        """Read statements, up to one behind which nothing runs."""
        for statement in statements:
            self.visit(statement)
            if isinstance(statement, ast.Raise | ast.Continue | ast.Break):
                self.state.is_left = True
                return

    def result(self, *, is_anything: bool) -> CellNames:
        defined = self.state.possible | self.deferred_writes
        deferred = {
            name
            for name in self.deferred
            if name not in self.state.definite and (not is_known(name) or name in defined)
        }
        builtins_deferred = {name for name in self.deferred if is_known(name)} - defined
        return CellNames(
            defined=frozenset(defined),
            used=frozenset(self.used),
            used_possibly=frozenset(self.used_possibly - self.used),
            used_deferred=frozenset(deferred),
            used_builtins=frozenset(self.used_builtins),
            deferred_builtins=frozenset(builtins_deferred),
            called=frozenset(self.called),
            functions=self.functions,
            deleted=frozenset(self.deleted),
            mutated=frozenset(self.mutated),
            may_define_anything=self.may_define or is_anything,
            may_use_anything=self.may_use or is_anything,
            lines=self.lines,
        )

    # Names

    def define(self, name: str) -> None:
        self.state.definite.add(name)
        self.state.possible.add(name)
        self.deleted.discard(name)

    def read(self, name: str, line: int) -> None:
        if name in self._shadowed or name in self.state.definite:
            return
        self.lines.setdefault(name, line)
        is_guarded = self._guarded is None or name in self._guarded
        if name in self.state.possible or (is_guarded and name not in BUILTIN_NAMES):
            self.used_possibly.add(name)
        elif is_known(name):
            self.used_builtins.add(name)
        else:
            self.used.add(name)

    def mutate(self, name: str) -> None:
        if name and name not in self._shadowed:
            self.mutated.add(name)

    def defer(self, names: FreeNames, line: int) -> None:
        for name in names.reads - self._shadowed:
            self.lines.setdefault(name, line)
            self.deferred.add(name)
        self.deferred_writes |= names.writes
        self.may_use |= names.may_use_anything
        self.may_define |= names.may_define_anything

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id, node.lineno)
        elif isinstance(node.ctx, ast.Store):
            self.define(node.id)
        else:
            self.read(node.id, node.lineno)
            self.state.definite.discard(node.id)
            self.state.possible.discard(node.id)
            self.deleted.add(node.id)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.define(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "__future__":
            self._has_text_annotations |= any(name.name == "annotations" for name in node.names)
        for alias in node.names:
            if alias.name == "*":
                self.may_define = True
            else:
                self.define(alias.asname or alias.name)

    # Statements: the value is read before its target is bound

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._bind(target)
        if isinstance(node.value, ast.Lambda):
            names = free_names(node.value)
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.functions[target.id] = frozenset(names.reads)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.read(node.target.id, node.lineno)
        self.visit(node.value)
        self._bind(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self._bind(node.target)
        self._annotation(node.annotation)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.define(node.target.id)

    def _bind(self, target: ast.expr) -> None:
        self._mutate_target(target)
        self.visit(target)

    def _mutate_target(self, target: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._mutate_target(part)
        elif isinstance(target, ast.Attribute | ast.Subscript):
            self.mutate(root_name(target))

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._mutate_target(target)
        self.generic_visit(node)

    def _annotation(self, node: ast.expr | None) -> None:
        if node is None:
            return
        if self._has_text_annotations:
            for name in ast.walk(node):
                if isinstance(name, ast.Name):
                    self.deferred.add(name.id)
        else:
            self.visit(node)

    # Ways through the cell

    def _ways(self, *bodies: list[ast.stmt], before: tuple[State, ...] = ()) -> None:
        """Run each body from the same point, and join where they end."""
        start = self.state
        ends: list[State] = []
        for number, body in enumerate(bodies):
            self.state = (before[number] if before else start).copy()
            self.run(body)
            ends.append(self.state)
        self.state = joined(ends)

    def visit_If(self, node: ast.If) -> None:
        with self._guarding(names_asked_for(node.test)):
            self.visit(node.test)
            self._ways(node.body, node.orelse)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        start = self.state.copy()
        self._bind(node.target)
        self.run(node.body)
        self._after_loop(start, node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        start = self.state.copy()
        self.run(node.body)
        self._after_loop(start, node.orelse)

    def _after_loop(self, start: State, orelse: list[ast.stmt]) -> None:
        # The body may not have run at all.
        self.state = State(
            start.definite & self.state.definite, start.possible | self.state.possible
        )
        self._ways(orelse, [])

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        start = self.state.copy()
        guards = None if any(map(catches_name_error, node.handlers)) else self._guarded
        outer, self._guarded = self._guarded, guards
        self.run(node.body)
        self._guarded = outer
        self.run([] if self.state.is_left else node.orelse)
        normal = self.state
        caught = State(start.definite, start.possible | normal.possible)
        ends = [normal]
        for handler in node.handlers:
            self.state = caught.copy()
            self._handler(handler)
            ends.append(self.state)
        self.state = joined(ends)
        self.run(node.finalbody)

    visit_TryStar = visit_Try  # noqa: N815

    def _handler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name:
            self.define(node.name)
        self.run(node.body)
        if node.name:
            self.state.definite.discard(node.name)
            self.state.possible.discard(node.name)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        start, ends = self.state.copy(), []
        for case in node.cases:
            self.state = start.copy()
            self.visit(case.pattern)
            if case.guard is not None:
                self.visit(case.guard)
            self.run(case.body)
            ends.append(self.state)
        if not any(matches_all(case) for case in node.cases):
            ends.append(start)
        self.state = joined(ends)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name:
            self.define(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.define(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest:
            self.define(node.rest)

    # Scopes

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._signature(node.args)
        self._annotation(node.returns)
        names = free_names(node)
        self.defer(names, node.lineno)
        self.define(node.name)
        self.functions[node.name] = frozenset(names.reads)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._signature(node.args)
        self.defer(free_names(node), node.lineno)

    def _signature(self, arguments: ast.arguments) -> None:
        for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
            self.visit(default)
        for argument in all_arguments(arguments):
            self._annotation(argument.annotation)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for expression in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(expression)
        called: set[str] = set()
        outer, state = self._shadowed, self.state
        self.state = state.copy()
        for statement in node.body:
            self.visit(statement)
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions.pop(statement.name, None)
                if statement.name in ("__init__", "__new__", "__post_init__"):
                    called |= free_names(statement).reads
        self._shadowed, self.state = outer, state
        self.define(node.name)
        self.functions[node.name] = frozenset(called - {node.name})

    def _comprehension(self, node: Comprehension) -> None:
        # Only the first iterable is read outside of its own scope.
        self.visit(node.generators[0].iter)
        outer = self._shadowed
        bound = (stored_names(generator.target) for generator in node.generators)
        self._shadowed = outer.union(*bound)
        for number, generator in enumerate(node.generators):
            if number:
                self.visit(generator.iter)
            for condition in generator.ifs:
                self.visit(condition)
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        for part in parts:
            self.visit(part)
        self._shadowed = outer

    visit_ListComp = _comprehension  # noqa: N815
    visit_SetComp = _comprehension  # noqa: N815
    visit_DictComp = _comprehension  # noqa: N815
    visit_GeneratorExp = _comprehension  # noqa: N815

    # Calls

    def visit_Call(self, node: ast.Call) -> None:
        name = _callee(node.func)
        if isinstance(node.func, ast.Name):
            self.called.add(node.func.id)
            self.may_use |= name in _ANYTHING and name not in self.state.definite
            self.may_define |= name in _ANYTHING - {"eval"} and name not in self.state.definite
        self.generic_visit(node)
        for changed in mutated_by_call(node):
            self.mutate(changed)
        given = (*node.args, *(keyword.value for keyword in node.keywords))
        if name in _CALLS_AT_ONCE:
            for argument in given:
                self._call_at_once(argument)
        if name in _QUERY_METHODS and isinstance(node.func, ast.Attribute):
            for text in node.args[:1]:
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    for used in _QUERY_NAME.findall(text.value):
                        self.read(used, node.lineno)

    def _call_at_once(self, argument: ast.expr) -> None:
        if isinstance(argument, ast.Name):
            self.called.add(argument.id)
        elif isinstance(argument, ast.Lambda):
            for name in sorted(free_names(argument).reads):
                self.read(name, argument.lineno)

    def visit_Compare(self, node: ast.Compare) -> None:
        # `"x" in globals()` only asks; it defines nothing.
        flags = self.may_define, self.may_use
        self.generic_visit(node)
        if names_asked_for(node):
            self.may_define, self.may_use = flags

    @contextmanager
    def _guarding(self, names: frozenset[str]) -> Iterator[None]:
        outer = self._guarded
        self._guarded = None if outer is None else outer | names
        yield
        self._guarded = outer


def _callee(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
