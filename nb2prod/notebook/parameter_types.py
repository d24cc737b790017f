"""The types that a parameter may have: one row a type, whatever language the notebook is in.

A value is kept, compared and sent as JSON: a date as ISO 8601 text, a path as text with slashes.
How a language writes a type is said once per language: for Python in
`nb2prod.notebook.parameter_python`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from os import PathLike, fspath
from pathlib import PurePosixPath
from typing import Any, Literal, TypeVar

_Number = TypeVar("_Number", int, float)

FieldKind = Literal["boolean", "number", "date", "datetime", "text", "json"]
Limit = float | str

# Python 3.11 reads more forms of ISO 8601 than the Python that a script may meet.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    rf"{_DATE.pattern}([T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,6}})?)?"
    r"(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class UnfitValue(ValueError):
    """A value is not of the type; the text says what would be."""


class ParameterType(StrEnum):
    """The types that a parameter may have; the value is what people call it."""

    INTEGER = "int"
    FLOAT = "float"
    BOOLEAN = "bool"
    STRING = "str"
    DATE = "date"
    DATETIME = "datetime"
    PATH = "path"
    LIST = "list"
    DICT = "dict"


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeRow:
    """What is to be known of a type.

    Parameters
    ----------
    noun
        What one value is called in a sentence.
    read
        Makes a JSON value of this type from a text that a person wrote, a JSON value, or an object
        of the type itself; gets the type of a list's items besides. Raises `UnfitValue`.
    field
        What a form shows for it.
    placeholder
        What stands for a value in ``--help``, and in an empty field of a form.
    is_text
        Whether any text may be a value, and so ``none`` too, which elsewhere means `None`.
    read_limit
        Reads one end of a range of values; `None` where the type has no order.
    order
        Makes of a value what can be compared with that of another.
    """

    noun: str
    read: Callable[[object, ParameterType | None], object]
    field: FieldKind
    placeholder: str = "VALUE"
    is_text: bool = False
    read_limit: Callable[[str], Limit] | None = None
    order: Callable[[Any], Any] = lambda value: value


def _read_integer(value: object, _item_type: ParameterType | None) -> int:
    if isinstance(value, str):
        return _from_text(int, value, "write a whole number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitValue("write a whole number.")
    if isinstance(value, float) and not value.is_integer():
        raise UnfitValue("write a whole number.")
    return int(value)


def _read_float(value: object, _item_type: ParameterType | None) -> float:
    if isinstance(value, str):
        return _from_text(float, value, "write a number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitValue("write a number.")
    try:
        return float(value)
    except OverflowError as error:
        raise UnfitValue("it is too large for a float.") from error


_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _read_boolean(value: object, _item_type: ParameterType | None) -> bool:
    if isinstance(value, bool):
        return value
    # papermill's command line turns `-p flag 1` into the number.
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word not in _WORDS:
        raise UnfitValue("write true or false.")
    return _WORDS[word]


def _read_string(value: object, _item_type: ParameterType | None) -> str:
    if not isinstance(value, str):
        raise UnfitValue(
            f"it arrived as {type(value).__name__}. Put it into quotes; with papermill use"
            " `-r NAME VALUE` in place of `-p`, which guesses types."
        )
    return value


def _read_date(value: object, _item_type: ParameterType | None) -> str:
    # papermill reads YAML, whose dates arrive as objects; a moment is no day.
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    text = value.strip() if isinstance(value, str) else ""
    if not _DATE.fullmatch(text):
        raise UnfitValue("write a day as in 2024-01-31.")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UnfitValue("there is no such day; write one as in 2024-01-31.") from None


def _read_datetime(value: object, _item_type: ParameterType | None) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    text = value.isoformat() if isinstance(value, date) else value
    text = text.strip() if isinstance(text, str) else ""
    if not _DATETIME.fullmatch(text):
        raise UnfitValue("write a moment as in 2024-01-31T12:00.")
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        raise UnfitValue("there is no such moment; write one as in 2024-01-31T12:00.") from None


def _read_path(value: object, _item_type: ParameterType | None) -> str:
    text = fspath(value) if isinstance(value, PathLike) else value
    if not isinstance(text, str) or not text or "\0" in text:
        raise UnfitValue("write a path as in data/flights.parquet.")
    return str(PurePosixPath(text))


def _read_list(value: object, item_type: ParameterType | None) -> list[object]:
    items = _parsed(value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise UnfitValue('write a list, as in ["a", "b"].')
    if item_type is None:
        return [_json_value(item) for item in items]
    return [TYPES[item_type].read(item, None) for item in items]


def _read_dict(value: object, _item_type: ParameterType | None) -> dict[str, object]:
    items = _parsed(value) if isinstance(value, str) else value
    if not isinstance(items, Mapping):
        raise UnfitValue('write a dictionary, as in {"a": 1}.')
    read = _json_value(items)
    assert isinstance(read, dict)
    return read


def _from_text(kind: type[_Number], text: str, what: str) -> _Number:
    try:
        return kind(text.strip())
    except ValueError:
        raise UnfitValue(f"{what}.") from None


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
        raise UnfitValue("write it as JSON.") from None


def _json_value(value: object) -> object:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise UnfitValue(f"the key {key!r} is not a text.")
        return {key: _json_value(item) for key, item in value.items()}
    raise UnfitValue(f"{type(value).__name__} is not a JSON value.")


def _number_limit(text: str) -> float:
    # Neither words such as "inf" nor `1_000` are limits.
    if not _NUMBER.fullmatch(text):
        raise UnfitValue("write a number.")
    return float(text)


TYPES: dict[ParameterType, TypeRow] = {
    ParameterType.INTEGER: TypeRow(
        noun="a whole number", read=_read_integer, field="number", read_limit=_number_limit
    ),
    ParameterType.FLOAT: TypeRow(
        noun="a number", read=_read_float, field="number", read_limit=_number_limit
    ),
    ParameterType.BOOLEAN: TypeRow(noun="true or false", read=_read_boolean, field="boolean"),
    ParameterType.STRING: TypeRow(noun="a text", read=_read_string, field="text", is_text=True),
    ParameterType.DATE: TypeRow(
        noun="a date",
        read=_read_date,
        field="date",
        placeholder="YYYY-MM-DD",
        read_limit=lambda text: _read_date(text, None),
    ),
    ParameterType.DATETIME: TypeRow(
        noun="a date with its time",
        read=_read_datetime,
        field="datetime",
        placeholder="YYYY-MM-DDTHH:MM",
        read_limit=lambda text: _read_datetime(text, None),
        order=datetime.fromisoformat,
    ),
    ParameterType.PATH: TypeRow(
        noun="a path", read=_read_path, field="text", placeholder="PATH", is_text=True
    ),
    ParameterType.LIST: TypeRow(noun="a list", read=_read_list, field="json", placeholder="JSON"),
    ParameterType.DICT: TypeRow(
        noun="a dictionary", read=_read_dict, field="json", placeholder="JSON"
    ),
}
