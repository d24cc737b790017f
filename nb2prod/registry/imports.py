"""What Python code imports, where, and whether it can do without. Pure functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nb2prod.notebook.ipython_syntax import EscapeKind, find_escapes, without_ipython
from nb2prod.notebook.python_syntax import parse

_CATCHES_IMPORT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_TYPES_ONLY = frozenset({"TYPE_CHECKING"})
_BY_NAME = frozenset({"import_module", "__import__"})
# Cell magics whose body is Python of the notebook's own.
_PYTHON_BODIES = frozenset({"capture", "prun", "time", "timeit"})
_PLACES = frozenset({"__file__", "__path__", "__spec__"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """A module that is imported.

    Parameters
    ----------
    module
        Its dotted name; empty for ``from . import x``.
    names
        What is taken from it, which may be modules too.
    level
        Number of leading dots; 0 for an absolute import.
    line
        From 1.
    is_optional
        Whether the code says what happens without it (``except ImportError``), or needs it for
        type checkers only.
    """

    module: str
    names: tuple[str, ...] = ()
    level: int = 0
    line: int
    is_optional: bool = False

    @property
    def top(self) -> str:
        """The first part of its name."""
        return self.module.partition(".")[0]

    @property
    def candidates(self) -> tuple[str, ...]:
        """The dotted names of all modules that it may load, the module itself first."""
        joined = tuple(f"{self.module}.{name}" for name in self.names if name != "*")
        return (self.module, *joined) if self.module else self.names


def cell_imports(source: str) -> tuple[Import, ...]:
    r"""Return what a notebook's cell imports, also below ``%%time`` and the like.

    >>> [(item.module, item.line) for item in cell_imports("%%time\nimport numpy")]
    [('numpy', 2)]
    """
    escapes = find_escapes(source)
    if escapes and escapes[0].kind is EscapeKind.CELL_MAGIC:
        magic = escapes[0]
        body = magic.body if magic.name in _PYTHON_BODIES else ""
        return tuple(replace(item, line=item.line + magic.line) for item in cell_imports(body))
    return find_imports(without_ipython(source))


def find_imports(source: str) -> tuple[Import, ...]:
    r"""Return what a module imports, in functions too; in the order of its lines.

    Of code that is not Python there is nothing to say.

    Examples
    --------
    >>> [(item.module, item.is_optional) for item in find_imports(
    ...     "import numpy as np\ntry:\n    import torch\nexcept ImportError:\n    torch = None")]
    [('numpy', False), ('torch', True)]
    """
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(sorted(_walk(tree.body, is_optional=False), key=lambda item: item.line))


def tells_its_place(source: str) -> bool:
    """Whether a module looks where it lies, as with ``__file__``: a copy would find other files.

    >>> tells_its_place("data = Path(__file__).parent / 'data.csv'"), tells_its_place("x = 1")
    (True, False)
    """
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return any(isinstance(node, ast.Name) and node.id in _PLACES for node in ast.walk(tree))


def _walk(nodes: Sequence[ast.AST], *, is_optional: bool) -> Iterator[Import]:
    for node in nodes:
        yield from _own(node, is_optional=is_optional)
        inner = is_optional or _is_guard(node)
        yield from _walk(list(ast.iter_child_nodes(node)), is_optional=inner)


def _own(node: ast.AST, *, is_optional: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(module=alias.name, line=node.lineno, is_optional=is_optional)
    elif isinstance(node, ast.ImportFrom):
        yield Import(
            module=node.module or "",
            names=tuple(alias.name for alias in node.names),
            level=node.level,
            line=node.lineno,
            is_optional=is_optional,
        )
    elif isinstance(node, ast.Call) and _name(node.func) in _BY_NAME and node.args:
        name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
        if isinstance(name, str) and name and not name.startswith("."):
            yield Import(module=name, line=node.lineno, is_optional=is_optional)


def _is_guard(node: ast.AST) -> bool:
    if isinstance(node, ast.Try):
        return any(
            handler.type is None or _names(handler.type) & _CATCHES_IMPORT
            for handler in node.handlers
        )
    if isinstance(node, ast.If):
        return bool(_names(node.test) & _TYPES_ONLY)
    if isinstance(node, ast.With | ast.AsyncWith):
        calls = [item.context_expr for item in node.items]
        return any(
            isinstance(call, ast.Call)
            and _name(call.func) == "suppress"
            and any(_names(argument) & _CATCHES_IMPORT for argument in call.args)
            for call in calls
        )
    return False


def _names(node: ast.AST) -> set[str]:
    return {_name(inner) for inner in ast.walk(node) if isinstance(inner, ast.expr)}


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
