"""Which values of a cell a notebook shows: that of its last expression, unless told otherwise.

The rules are IPython's (its option ``InteractiveShell.ast_node_interactivity``): `None` is not
shown, and a semicolon at the cell's end silences it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from enum import StrEnum

from nb2prod.notebook.scopes import stored_names

# What returns nothing; of functions in modules the last two parts of their names.
_SILENT_BUILTINS = frozenset({"display", "exec", "exit", "print", "quit"})
_SILENT_FUNCTIONS = frozenset(
    {"logging.basicConfig", "pandas.set_option", "pd.set_option", "plt.show", "pylab.show",
     "pyplot.show", "random.seed", "rcParams.update", "warnings.filterwarnings",
     "warnings.simplefilter"}
)  # fmt: skip


class Interactivity(StrEnum):
    """IPython's words for which expressions it shows."""

    ALL = "all"
    LAST = "last"
    LAST_EXPRESSION = "last_expr"
    LAST_EXPRESSION_OR_ASSIGNMENT = "last_expr_or_assign"
    NONE = "none"


def shown_statements(
    tree: ast.Module, source: str, mode: Interactivity
) -> tuple[ast.Expr | ast.Assign | ast.AnnAssign | ast.AugAssign, ...]:
    r"""Return the statements of a cell whose values a notebook shows, in their order.

    Parameters
    ----------
    tree
        Of the cell, as `nb2prod.notebook.ipython_syntax.without_ipython` makes it Python.
    source
        What the tree was made of.

    Examples
    --------
    >>> source = "a = 1\na\na + 1"
    >>> [node.lineno for node in shown_statements(ast.parse(source), source, Interactivity.ALL)]
    [2, 3]
    """
    if mode is Interactivity.NONE or not tree.body or _is_silenced(tree.body[-1], source):
        return ()
    if mode is Interactivity.ALL:
        return tuple(_expressions(tree.body))
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        return (last,)
    if mode is Interactivity.LAST_EXPRESSION_OR_ASSIGNMENT and assigned_name(last):
        assert isinstance(last, ast.Assign | ast.AnnAssign | ast.AugAssign)
        return (last,)
    return ()


def assigned_name(node: ast.stmt) -> str:
    """Return the name whose value an assignment shows, in the mode that shows those."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target: ast.expr = node.targets[0]
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        target = node.target
    else:
        return ""
    return target.id if isinstance(target, ast.Name) else ""


def shows_nothing(node: ast.Expr, silent: AbstractSet[str], names: AbstractSet[str]) -> bool:
    """Whether an expression is a call that certainly returns `None`.

    Parameters
    ----------
    silent
        As `silent_functions` finds them.
    names
        The names that the notebook binds: `print` may be one of them.
    """
    call = node.value
    if not isinstance(call, ast.Call):
        return isinstance(call, ast.Constant) and call.value is None
    if isinstance(call.func, ast.Name):
        name = call.func.id
        return name in silent or (name in _SILENT_BUILTINS and name not in names)
    return _last_parts(call.func) in _SILENT_FUNCTIONS


def _last_parts(function: ast.expr) -> str:
    if not isinstance(function, ast.Attribute):
        return ""
    holder = function.value
    if isinstance(holder, ast.Name):
        return f"{holder.id}.{function.attr}"
    return f"{holder.attr}.{function.attr}" if isinstance(holder, ast.Attribute) else ""


def silent_functions(trees: Iterable[ast.Module]) -> frozenset[str]:
    """Return the names of the notebook's own functions that return nothing, whoever calls them."""
    silent: set[str] = set()
    others: set[str] = set()
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                is_silent = not node.decorator_list and not any(_gives(node.body))
                (silent if is_silent else others).add(node.name)
            else:
                others |= stored_names(node)
    return frozenset(silent - others)


def interactivity_after(tree: ast.Module, mode: Interactivity) -> Interactivity:
    """Return the mode for the cells below one that may change it."""
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Attribute)
            and node.targets[0].attr == "ast_node_interactivity"
            and isinstance(node.value, ast.Constant)
        ):
            mode = read_interactivity(node.value.value, mode)
    return mode


def read_interactivity(value: object, default: Interactivity) -> Interactivity:
    """Read the option's value; ``default`` where it is none."""
    is_known = isinstance(value, str) and value in set(Interactivity)
    return Interactivity(str(value)) if is_known else default


def _expressions(body: Iterable[ast.stmt]) -> Iterator[ast.Expr]:
    """Give the statements that are an expression, those in loops and branches too."""
    for node in body:
        if isinstance(node, ast.Expr):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for block in ("body", "handlers", "orelse", "finalbody", "cases"):
                for part in getattr(node, block, ()):
                    yield from _expressions(part.body if not isinstance(part, ast.stmt) else [part])


def _is_silenced(last: ast.stmt, source: str) -> bool:
    lines = source.split("\n")
    line = lines[(last.end_lineno or last.lineno) - 1].encode()
    rest = line[last.end_col_offset :].decode() if last.end_col_offset is not None else ""
    return rest.lstrip(" \t\\").startswith(";")


def _gives(body: Iterable[ast.AST]) -> Iterator[bool]:
    """Say for each statement that returns or yields, not in functions inside, whether it gives."""
    pending = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            yield True
        elif isinstance(node, ast.Return):
            value = node.value
            yield not (value is None or (isinstance(value, ast.Constant) and value.value is None))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))
