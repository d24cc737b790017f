"""What a parameter is, and values for parameters: reading, checking, writing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TypeVar

from nb2prod.errors import ParameterInvalid, ParameterUnknown

_Number = TypeVar("_Number", int, float)


class _Unfit(ValueError):
    """A value is not of the type; the text says what would be."""


class ParameterType(StrEnum):
    """The types that a parameter may have; the value is Python's name of it."""

    INTEGER = "int"
    FLOAT = "float"
    BOOLEAN = "bool"
    STRING = "str"
    LIST = "list"
    DICT = "dict"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook.

    Parameters
    ----------
    default
        A JSON value; what the parameters cell assigns.
    help
        The comment behind the assignment.
    choices
        The allowed values, or those of a list's items; empty where any value will do.
    is_optional
        Whether `None` is allowed besides.
    item_type
        For a list: the type of its items; `None` where they may be anything.
    minimum, maximum
        For a number: the least and the greatest value allowed; `None` where there is no limit.
    """

    name: str
    type: ParameterType
    default: object
    help: str = ""
    choices: tuple[object, ...] = ()
    is_optional: bool = False
    item_type: ParameterType | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def range_text(self) -> str:
        """The limits as an interval; empty where there is none.

        >>> Parameter("days", ParameterType.INTEGER, 7, minimum=1).range_text
        '[1, ]'
        """
        if self.minimum is None and self.maximum is None:
            return ""
        low, high = ("" if end is None else f"{end:g}" for end in (self.minimum, self.maximum))
        return f"[{low}, {high}]"

    @property
    def type_text(self) -> str:
        """The type as people write it.

        >>> Parameter("days", ParameterType.LIST, [7], item_type=ParameterType.INTEGER).type_text
        'list[int]'
        """
        text = self.type.value
        if self.choices and self.type is not ParameterType.LIST:
            text = f"Literal[{', '.join(map(literal_source, self.choices))}]"
        elif self.item_type is not None:
            text = f"{text}[{self.item_type.value}]"
        return f"{text} | None" if self.is_optional else text


def read_values(parameters: Iterable[Parameter], values: Mapping[str, object]) -> dict[str, object]:
    """Check values by the parameters' types and fill in the defaults.

    Text is read by the type, so that values from a command line or a form need no conversion
    before. The result is valid input again and then stays as it is.

    Returns
    -------
    dict
        All parameters, in their order; JSON values (a float may be infinite or not a number).

    Raises
    ------
    ParameterUnknown
        A value has the name of no parameter.
    ParameterInvalid
        A value is not of its parameter's type, none of its choices, or beyond its limits.

    Examples
    --------
    >>> read_values([Parameter("alpha", ParameterType.FLOAT, 1.0)], {"alpha": "0.2"})
    {'alpha': 0.2}
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in known:
            raise _unknown(name, tuple(known))
    return {
        name: read_value(parameter, values.get(name, parameter.default))
        for name, parameter in known.items()
    }


def read_value(parameter: Parameter, value: object) -> object:
    """Check one value, as `read_values` does."""
    if parameter.is_optional and _is_none(parameter, value):
        return None
    try:
        read = _READERS[parameter.type](value, parameter)
    except _Unfit as error:
        raise ParameterInvalid(
            f"Parameter {parameter.name} is {parameter.type_text}; {_shown(value)} is not: {error}",
            parameter=parameter.name,
        ) from error
    chosen = read if isinstance(read, list) else [read]
    for item in chosen if parameter.choices else ():
        if item not in parameter.choices:
            allowed = ", ".join(map(literal_source, parameter.choices))
            raise ParameterInvalid(
                f"Parameter {parameter.name} can't be {_shown(item)}. Choose one of {allowed}.",
                parameter=parameter.name,
            )
    if isinstance(read, int | float) and not _is_within(parameter, read):
        raise ParameterInvalid(
            f"Parameter {parameter.name} can't be {_shown(read)}: it must be in"
            f" {parameter.range_text}.",
            parameter=parameter.name,
        )
    return read


def _is_within(parameter: Parameter, number: float) -> bool:
    # Written so that a NaN is in no range.
    low, high = parameter.minimum, parameter.maximum
    return (low is None or number >= low) and (high is None or number <= high)


def to_source(parameters: Iterable[Parameter], values: Mapping[str, object]) -> str:
    """Write the source of the injected-parameters cell: one typed assignment a line.

    Parameters
    ----------
    values
        As `read_values` returns them; parameters without a value are left out.

    Examples
    --------
    >>> to_source([Parameter("market", ParameterType.STRING, "")], {"market": "JFK-DL"})
    'market: str = "JFK-DL"'
    """
    return "\n".join(
        f"{parameter.name}: {_annotation(parameter)} = {literal_source(values[parameter.name])}"
        for parameter in parameters
        if parameter.name in values
    )


def literal_source(value: object) -> str:
    r"""Write a JSON value as a Python expression that gives exactly this value again.

    >>> literal_source(["it's", float("inf"), None])
    '["it\'s", float("inf"), None]'
    """
    if isinstance(value, str):
        shown = repr(value)
        is_swappable = shown[0] == "'" and '"' not in shown
        return f'"{shown[1:-1]}"' if is_swappable else shown
    if isinstance(value, float) and not isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list):
        return f"[{', '.join(map(literal_source, value))}]"
    if isinstance(value, dict):
        items = (f"{literal_source(key)}: {literal_source(item)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    return repr(value)


def _annotation(parameter: Parameter) -> str:
    # A kernel evaluates annotations. In quotes this one is good for every Python 3, and needs
    # no import.
    text = parameter.type.value
    return f'"{text} | None"' if parameter.is_optional else text


def _unknown(name: str, known: tuple[str, ...]) -> ParameterUnknown:
    from difflib import get_close_matches

    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    if nearest:
        hint = f"Did you mean {nearest[0]}?"
    elif known:
        hint = f"It has {', '.join(known)}."
    else:
        hint = "It has none: tag a cell with `parameters`."
    return ParameterUnknown(f"There is no parameter {name!r}. {hint}", parameter=name)


def _is_none(parameter: Parameter, value: object) -> bool:
    if value is None:
        return True
    # For a text, "none" is a text like any other.
    is_text = parameter.type is ParameterType.STRING
    return isinstance(value, str) and not is_text and value.strip().lower() in ("none", "null")


def _read_integer(value: object, _parameter: Parameter) -> int:
    if isinstance(value, str):
        return _from_text(int, value, "write a whole number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit("write a whole number.")
    if isinstance(value, float) and not value.is_integer():
        raise _Unfit("write a whole number.")
    return int(value)


def _read_float(value: object, _parameter: Parameter) -> float:
    if isinstance(value, str):
        return _from_text(float, value, "write a number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit("write a number.")
    try:
        return float(value)
    except OverflowError as error:
        raise _Unfit("it is too large for a float.") from error


_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _read_boolean(value: object, _parameter: Parameter) -> bool:
    if isinstance(value, bool):
        return value
    # papermill's command line turns `-p flag 1` into the number.
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word not in _WORDS:
        raise _Unfit("write true or false.")
    return _WORDS[word]


def _read_string(value: object, _parameter: Parameter) -> str:
    if not isinstance(value, str):
        raise _Unfit(
            f"it arrived as {type(value).__name__}. Put it into quotes; with papermill use"
            " `-r NAME VALUE` in place of `-p`, which guesses types."
        )
    return value


def _read_list(value: object, parameter: Parameter) -> list[object]:
    items = _parsed(value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise _Unfit('write a list, as in ["a", "b"].')
    if parameter.item_type is None:
        return [_json_value(item) for item in items]
    item = Parameter(parameter.name, parameter.item_type, None)
    return [_READERS[parameter.item_type](entry, item) for entry in items]


def _read_dict(value: object, _parameter: Parameter) -> dict[str, object]:
    items = _parsed(value) if isinstance(value, str) else value
    if not isinstance(items, Mapping):
        raise _Unfit('write a dictionary, as in {"a": 1}.')
    read = _json_value(items)
    assert isinstance(read, dict)
    return read


_READERS = {
    ParameterType.INTEGER: _read_integer,
    ParameterType.FLOAT: _read_float,
    ParameterType.BOOLEAN: _read_boolean,
    ParameterType.STRING: _read_string,
    ParameterType.LIST: _read_list,
    ParameterType.DICT: _read_dict,
}


def _from_text(kind: type[_Number], text: str, what: str) -> _Number:
    try:
        return kind(text.strip())
    except ValueError:
        raise _Unfit(f"{what}.") from None


def _parsed(text: str) -> object:
    import ast
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise _Unfit("write it as JSON.") from None


def _json_value(value: object) -> object:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise _Unfit(f"the key {key!r} is not a text.")
        return {key: _json_value(item) for key, item in value.items()}
    raise _Unfit(f"{type(value).__name__} is not a JSON value.")


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
