"""Reading the default of a parameter from its syntax: what is written out, and nothing computed.

Besides Python's literals these are dates and paths, as `datetime` and `pathlib` make them of
literals, and ``inf`` and ``nan``.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any

Names = Mapping[str, str]

_MAX_SHOWN = 60
_SIGNS = (ast.USub, ast.UAdd)
# What is returned for an expression that is no literal.
_COMPUTED_HERE = object()

_FLOATS = {
    "math.inf": math.inf,
    "math.nan": math.nan,
    "numpy.inf": math.inf,
    "numpy.nan": math.nan,
    "np.inf": math.inf,
    "np.nan": math.nan,
}
_ZONES = {
    "datetime.timezone.utc": UTC,
    "timezone.utc": UTC,
    "datetime.UTC": UTC,
    "UTC": UTC,
}
_NOW = "it is the time of the run; write a day, as in `date(2024, 1, 31)`, and set it for each run"
_HERE = "it depends on the machine; write a path from the run's folder, as in `Path('data')`"
_ENVIRONMENT = (
    "it is read from the environment; write its usual value, and set another one for a run as a"
    " parameter (a password as a secret)"
)
_MOMENT = "write `datetime(2024, 1, 31)` of the standard library, and make it one below the cell"
# Of what is computed: what it is, by the beginning of its name.
_COMPUTED = {
    "os.getenv": _ENVIRONMENT,
    "os.environ": _ENVIRONMENT,
    "date.today": _NOW,
    "datetime.date.today": _NOW,
    "datetime.now": _NOW,
    "datetime.today": _NOW,
    "datetime.utcnow": _NOW,
    "datetime.datetime.now": _NOW,
    "datetime.datetime.today": _NOW,
    "datetime.datetime.utcnow": _NOW,
    "time.time": _NOW,
    "Path.cwd": _HERE,
    "Path.home": _HERE,
    "pathlib.Path.cwd": _HERE,
    "pathlib.Path.home": _HERE,
    "os.getcwd": _HERE,
    "__file__": "a notebook has no `__file__`; write a path from the run's folder",
    "pandas.Timestamp": _MOMENT,
    "pandas.to_datetime": _MOMENT,
    "pd.Timestamp": _MOMENT,
    "pd.to_datetime": _MOMENT,
    "numpy.datetime64": _MOMENT,
    "np.datetime64": _MOMENT,
    "range": "a range has no JSON form; write a list",
    "input": "it asks a person; write its usual value, and set another one for a run",
}


class UnfitLiteral(ValueError):
    """A default is no literal with a JSON form; the text says what it is."""


def imported_names(tree: ast.Module) -> dict[str, str]:
    """Return the names that a cell imports at its top level, and what each stands for.

    >>> imported_names(ast.parse("import datetime as dt; from pathlib import Path"))
    {'dt': 'datetime', 'Path': 'pathlib.Path'}
    """
    found: dict[str, str] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                first = alias.name.partition(".")[0]
                found[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            for alias in statement.names:
                found[alias.asname or alias.name] = f"{statement.module}.{alias.name}"
    return found


def dotted_name(node: ast.expr, names: Names) -> str:
    """Return ``datetime.date`` for ``dt.date``; empty where it is no name.

    Parameters
    ----------
    names
        What imported names stand for; others stand for themselves.
    """
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted_name(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def read_literal(node: ast.expr, names: Names) -> object:
    """Read what a default is when nothing is computed.

    Returns
    -------
    object
        A JSON value, a `date`, a `datetime`, a `PurePosixPath`, or lists of such.

    Raises
    ------
    UnfitLiteral
        It is anything else; the text says why it can't be a parameter's default.
    """
    read = _READERS.get(type(node))
    found = _COMPUTED_HERE if read is None else read(node, names)
    if found is _COMPUTED_HERE:
        raise _computed(node, names)
    return found


def _constant(node: ast.Constant, _names: Names) -> object:
    if node.value is None or isinstance(node.value, str | bool | int | float):
        return node.value
    raise UnfitLiteral(f"{type(node.value).__name__} has no JSON form")


def _signed(node: ast.UnaryOp, names: Names) -> object:
    number = read_literal(node.operand, names) if isinstance(node.op, _SIGNS) else None
    if isinstance(number, int | float) and not isinstance(number, bool):
        return -number if isinstance(node.op, ast.USub) else number
    return _COMPUTED_HERE


def _without_json(node: ast.Tuple | ast.Set, _names: Names) -> object:
    raise UnfitLiteral(f"a {type(node).__name__.lower()} has no JSON form; write a list")


def _f_string(_node: ast.JoinedStr, _names: Names) -> object:
    raise UnfitLiteral("an f-string is computed; write the text itself")


def _named(node: ast.Attribute, names: Names) -> object:
    return _FLOATS.get(dotted_name(node, names), _COMPUTED_HERE)


def _read_dict(node: ast.Dict, names: Names) -> dict[str, object]:
    read: dict[str, object] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise UnfitLiteral("a dictionary needs texts as keys")
        read[key.value] = read_literal(value, names)
    return read


def _joined_path(node: ast.BinOp, names: Names) -> object:
    if not isinstance(node.op, ast.Div):
        return _COMPUTED_HERE
    try:
        parts = [read_literal(side, names) for side in (node.left, node.right)]
    except UnfitLiteral as error:
        reason = _reason((node.left, node.right), names)
        raise (UnfitLiteral(reason) if reason else _computed(node, names)) from error
    is_path = any(isinstance(part, PurePosixPath) for part in parts)
    if not is_path or not all(isinstance(part, str | PurePosixPath) for part in parts):
        return _COMPUTED_HERE
    return _path(*parts)


def _called(node: ast.Call, names: Names) -> object:
    if dotted_name(node.func, names) not in _CALLS:
        return _COMPUTED_HERE
    try:
        given = [_argument(item, names) for item in node.args]
        named = {str(item.arg): _argument(item.value, names) for item in node.keywords}
    except UnfitLiteral as error:
        raise _computed(node, names) from error
    try:
        return _CALLS[dotted_name(node.func, names)](*given, **named)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnfitLiteral(f"`{_shown(node)}` fails: {error}") from error


def _argument(node: ast.expr, names: Names) -> object:
    zone = _ZONES.get(dotted_name(node, names))
    return read_literal(node, names) if zone is None else zone


def _float(value: Any) -> float:
    # Any other number has a literal of its own.
    if isinstance(value, str) and not math.isfinite(float(value)):
        return float(value)
    raise ValueError("write the number itself")


def _path(*parts: Any) -> PurePosixPath:
    return PurePosixPath(*parts)


_CALLS: dict[str, Callable[..., object]] = {
    "float": _float,
    "date": date,
    "date.fromisoformat": date.fromisoformat,
    "datetime.date": date,
    "datetime.date.fromisoformat": date.fromisoformat,
    "datetime": datetime,
    "datetime.fromisoformat": datetime.fromisoformat,
    "datetime.datetime": datetime,
    "datetime.datetime.fromisoformat": datetime.fromisoformat,
    "Path": _path,
    "pathlib.Path": _path,
}


_READERS: dict[type[ast.expr], Callable[[Any, Names], object]] = {
    ast.Constant: _constant,
    ast.UnaryOp: _signed,
    ast.List: lambda node, names: [read_literal(item, names) for item in node.elts],
    ast.Dict: _read_dict,
    ast.Tuple: _without_json,
    ast.Set: _without_json,
    ast.JoinedStr: _f_string,
    ast.Attribute: _named,
    ast.BinOp: _joined_path,
    ast.Call: _called,
}


def _computed(node: ast.expr, names: Names) -> UnfitLiteral:
    reason = _reason((node,), names)
    return UnfitLiteral(
        reason or f"its default is computed, not a literal: write out what `{_shown(node)}` gives"
    )


def _reason(nodes: Iterable[ast.expr], names: Names) -> str:
    """Return what is known of a call or of a lookup somewhere in an expression."""
    for node in nodes:
        for part in ast.walk(node):
            known = _COMPUTED.get(dotted_name(part, names)) if isinstance(part, ast.expr) else None
            if known:
                return known
    return ""


def _shown(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
