"""Folders that a notebook itself adds to ``sys.path``. Pure functions."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator, Sequence

from nb2prod.notebook.ipython_syntax import without_ipython
from nb2prod.notebook.python_syntax import parse

_ADDS = frozenset({"append", "insert", "extend"})
# Functions that give back the path that they are given, in another spelling.
_SAME = frozenset(
    {"absolute", "abspath", "fspath", "normpath", "Path", "realpath", "resolve", "str"}
)
_HERE = frozenset({"getcwd", "cwd"})


def added_folders(sources: Sequence[str]) -> tuple[str, ...]:
    r"""Return the folders that cells add to ``sys.path``, relative to the working directory.

    Only those that are written out; what a name holds is not known.

    Examples
    --------
    >>> added_folders(["import sys\nsys.path.append('..')", "sys.path.insert(0, str(Path('src')))"])
    ('..', 'src')
    >>> added_folders(["sys.path.append(os.path.join(os.getcwd(), '..', 'lib'))", "x = 1"])
    ('../lib',)
    """
    return tuple(dict.fromkeys(folder for source in sources for folder in _in_cell(source)))


def _in_cell(source: str) -> Iterator[str]:
    if "sys.path" not in source:
        return
    try:
        tree = parse(without_ipython(source))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in _ADDS and ast.unparse(node.func.value) == "sys.path" and node.args:
            added = node.args[-1]
            items = added.elts if isinstance(added, ast.List | ast.Tuple) else [added]
            for item in items:
                folder = _folder(item)
                if folder is not None and not folder.startswith("/"):
                    yield posixpath.normpath(folder)


def _folder(node: ast.expr) -> str | None:
    """Return the path that an expression is, as far as its text tells."""
    match node:
        case ast.Constant(value=str() as text):
            folder: str | None = text
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            folder = _joined([left, right])
        case ast.Attribute(attr="parent", value=value):
            folder = _above(_folder(value))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments):
            folder = _called(name, node.func, arguments)
        case _:
            folder = None
    return folder


def _called(name: str, function: ast.expr, arguments: Sequence[ast.expr]) -> str | None:
    if name in _HERE:
        return "."
    if name == "dirname" and arguments:
        return _above(_folder(arguments[0]))
    if name in _SAME and not arguments and isinstance(function, ast.Attribute):
        return _folder(function.value)
    return _joined(arguments) if name in _SAME or name == "join" else None


def _above(folder: str | None) -> str | None:
    return None if folder is None else posixpath.normpath(f"{folder}/..")


def _joined(nodes: Sequence[ast.expr]) -> str | None:
    parts = [_folder(node) for node in nodes]
    known = [part for part in parts if part is not None]
    return posixpath.join(*known) if known and len(known) == len(parts) else None
