"""What a call changes, as far as its name tells: ``rows.append(1)``, ``df.drop(…, inplace=True)``.

Nobody can know this from the text alone. The tables hold methods whose names mean a change in
Python's collections, numpy, pandas, scikit-learn and torch; a method that is not in them is taken
to change nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_METHODS = frozenset(
    {
        # list, set, dict, deque
        "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop",
        "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort", "update",
        "difference_update", "intersection_update", "symmetric_difference_update", "move_to_end",
        # numpy's arrays
        "fill", "itemset", "partition", "put", "setfield", "setflags",
        # estimators and networks
        "backward", "compile", "fit", "fit_predict", "fit_transform", "load_state_dict",
        "partial_fit", "set_params", "step", "zero_grad",
    }
)  # fmt: skip
# Functions that change their first argument.
_FUNCTIONS = frozenset(
    {"copyto", "delattr", "fill_diagonal", "heapify", "heappop", "heappush", "insort",
     "insort_left", "insort_right", "put_along_axis", "putmask", "setattr", "setitem", "shuffle"}
)  # fmt: skip


def mutated_by_call(node: ast.Call) -> Iterator[str]:
    """Find the names of what a call changes.

    Examples
    --------
    >>> def mutated(source): return list(mutated_by_call(ast.parse(source).body[0].value))
    >>> mutated("rows.append(1)"), mutated("df.drop('a', inplace=True)"), mutated("df.drop('a')")
    (['rows'], ['df'], [])
    """
    function = node.func
    if isinstance(function, ast.Attribute) and _changes_its_object(function.attr, node):
        yield from _roots(function.value)
    name = function.attr if isinstance(function, ast.Attribute) else ""
    name = function.id if isinstance(function, ast.Name) else name
    if name in _FUNCTIONS:
        for argument in node.args[:1]:
            yield from _roots(argument)


def root_name(node: ast.expr) -> str:
    """Return the name at the beginning of ``a.b[c].d``; empty where there is none.

    >>> root_name(ast.parse("a.b[c].d", mode="eval").body)
    'a'
    """
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _changes_its_object(method: str, node: ast.Call) -> bool:
    # torch's own rule: a method that ends so works in place.
    is_in_place = method.endswith("_") and not method.startswith("_")
    return method in _METHODS or is_in_place or any(map(_is_inplace, node.keywords))


def _is_inplace(keyword: ast.keyword) -> bool:
    is_said = keyword.arg == "inplace" and isinstance(keyword.value, ast.Constant)
    return is_said and isinstance(keyword.value, ast.Constant) and keyword.value.value is True


def _roots(node: ast.expr) -> Iterator[str]:
    name = root_name(node)
    if name:
        yield name
