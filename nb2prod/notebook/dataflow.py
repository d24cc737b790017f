"""Which names a cell defines and which it needs, from its syntax tree alone.

Python's scopes are followed: comprehensions, functions, classes, ``global``, ``del``, ``match``
and ``except … as`` bind what they bind in Python. Three degrees of need are kept apart, because
a check must not cry wolf and a slice must not miss anything:

* ``used``: read for certain before the cell defines it;
* ``used_possibly``: defined by the cell on some ways through it, or guarded against absence;
* ``used_deferred``: read by the body of a function, when somebody calls it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from nb2prod.notebook.cell_names import CellNames, is_ipython_name
from nb2prod.notebook.cell_reader import read_statements
from nb2prod.notebook.ipython_syntax import EscapeKind, find_escapes, without_ipython
from nb2prod.notebook.python_syntax import parse

__all__ = ["CellNames", "cell_names", "is_ipython_name", "tree_names"]

_HARMLESS_MAGICS = frozenset(
    {"config", "env", "load_ext", "matplotlib", "reload_ext", "set_env", "cd", "pwd", "autoreload",
     "time", "timeit", "precision", "who", "whos", "who_ls", "history", "html", "HTML", "markdown",
     "javascript", "js", "latex", "svg", "bash", "sh", "capture", "writefile", "pip", "conda"}
)  # fmt: skip


def cell_names(source: str) -> CellNames:
    r"""Find the names that a cell defines and uses.

    IPython's lines are passed over; a magic that may do anything makes the cell uncertain, and
    so does text that is not Python.

    Examples
    --------
    >>> names = cell_names("total = sum(rows)\ndef scaled(): return total * factor")
    >>> sorted(names.defined), sorted(names.used), sorted(names.used_deferred)
    (['scaled', 'total'], ['rows'], ['factor'])
    """
    try:
        tree = parse(without_ipython(source))
    except SyntaxError:
        return CellNames(may_define_anything=True, may_use_anything=True)
    return read_statements(tree.body, is_anything=any(_is_unknown(source)))


def tree_names(tree: ast.Module) -> CellNames:
    """Find the names that a cell defines and uses, where it is parsed already.

    Parameters
    ----------
    tree
        Of plain Python, with no line of IPython's.
    """
    return read_statements(tree.body)


def _is_unknown(source: str) -> Iterator[bool]:
    for escape in find_escapes(source):
        is_magic = escape.kind in (EscapeKind.LINE_MAGIC, EscapeKind.CELL_MAGIC)
        yield is_magic and escape.name not in _HARMLESS_MAGICS
