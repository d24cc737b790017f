"""Values in R's source, for the injected-parameters cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite

from nb2prod.errors import ParameterInvalid
from nb2prod.notebook.parameter_types import ParameterType
from nb2prod.notebook.parameter_values import Parameter
from nb2prod.notebook.plain_parameters import changed_values
from nb2prod.notebook.r_literals import LARGEST_INTEGER

_LARGEST_WHOLE = 2**53
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_EMPTY = {
    ParameterType.INTEGER: "integer(0)",
    ParameterType.FLOAT: "numeric(0)",
    ParameterType.BOOLEAN: "logical(0)",
    ParameterType.DATE: "as.Date(character(0))",
    ParameterType.DATETIME: "as.POSIXct(character(0))",
}


def write_r(parameters: Iterable[Parameter], values: Mapping[str, object]) -> str:
    """Write the source of the injected-parameters cell: what differs from the cell above it.

    A value that is as the author wrote it is not written again: only the author knows whether
    "none" is NULL or NA.

    Raises
    ------
    ParameterInvalid
        R has no such value.

    Examples
    --------
    >>> write_r([Parameter("market", ParameterType.STRING, "")], {"market": "JFK-DL"})
    'market <- "JFK-DL"'
    """
    return "\n".join(
        f"{parameter.name} <- {_value(parameter, value)}"
        for parameter, value in changed_values(parameters, values)
    )


def _value(parameter: Parameter, value: object) -> str:
    if value is None:
        return "NULL"
    if parameter.item_type is None or not isinstance(value, list):
        return _scalar(parameter, parameter.type, value)
    kind = parameter.item_type
    if not value:
        return _EMPTY.get(kind, "character(0)")
    return f"c({', '.join(_scalar(parameter, kind, item) for item in value)})"


def _scalar(parameter: Parameter, kind: ParameterType, value: object) -> str:
    if kind is ParameterType.DATE:
        return f'as.Date("{value}")'
    if kind is ParameterType.DATETIME:
        return _moment(str(value))
    if kind is ParameterType.LIST and isinstance(value, list):
        return f"list({', '.join(_item(parameter, item) for item in value)})"
    if kind is ParameterType.INTEGER and isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise ParameterInvalid(
            f"Parameter {parameter.name} can't be {value}: R's integers end at {LARGEST_INTEGER}."
            " Choose a smaller one, or give the parameter a default without `L`.",
            parameter=parameter.name,
        )
    return _item(parameter, value)


def _item(parameter: Parameter, value: object) -> str:
    """Write a value by its own type, as in a list."""
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list):
        kinds = {type(item) for item in value}
        is_vector = len(kinds) == 1 and kinds <= {bool, int, float, str}
        items = ", ".join(_item(parameter, item) for item in value)
        return f"{'c' if is_vector else 'list'}({items})"
    if isinstance(value, Mapping):
        pairs = (
            f"{_text(parameter, str(key))} = {_item(parameter, item)}"
            for key, item in value.items()
        )
        return f"list({', '.join(pairs)})"
    return _text(parameter, str(value))


def _number(number: float) -> str:
    if isinstance(number, int) and abs(number) <= LARGEST_INTEGER:
        return f"{number}L"
    number = float(number)
    if not isfinite(number):
        return {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}[str(number)]
    if number.is_integer() and abs(number) < _LARGEST_WHOLE:
        return f"{number:.0f}"
    return repr(number)


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    zone = ""
    if moment.tzinfo is not None:
        moment, zone = moment.astimezone(UTC).replace(tzinfo=None), ', tz = "UTC"'
    return f'as.POSIXct("{moment.isoformat(sep=" ")}"{zone})'


def _text(parameter: Parameter, text: str) -> str:
    for character in text:
        if character == "\0" or 0xD800 <= ord(character) <= 0xDFFF:
            raise ParameterInvalid(
                f"Parameter {parameter.name} has the character {character!r}, which no text in R"
                " can have.",
                parameter=parameter.name,
            )
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{{{ord(character):x}}}"
