"""How Python writes each type: in annotations, as the source of a value, and where it imports.

The injected cell meets names that the author may have given other meanings (``date = …``), so
what it needs it imports under names of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePosixPath

from nb2prod.notebook.parameter_types import ParameterType
from nb2prod.notebook.parameter_values import Parameter, literal_source


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonType:
    """A type in Python.

    Parameters
    ----------
    literal
        The class of what `nb2prod.notebook.parameter_literals.read_literal` reads for it.
    names
        Its names in annotations, as imports make them: ``datetime.date``.
    example
        A line for a parameters cell.
    annotation
        Its name in the injected cell.
    write
        Makes the source of a value that is not `None`, for the injected cell.
    needs
        The import that the injected cell then needs.
    """

    literal: type
    names: tuple[str, ...]
    example: str
    annotation: str
    write: Callable[[object], str] = literal_source
    needs: str = ""


def _called(function: str) -> Callable[[object], str]:
    return lambda value: f"{function}({literal_source(value)})"


PYTHON_TYPES: dict[ParameterType, PythonType] = {
    ParameterType.INTEGER: PythonType(
        literal=int,
        names=("int",),
        example="horizon: int = 7  # days ahead [1, 28]",
        annotation="int",
    ),
    ParameterType.FLOAT: PythonType(
        literal=float,
        names=("float",),
        example="alpha = 0.2  # weight of the newest day [0, 1]",
        annotation="float",
    ),
    ParameterType.BOOLEAN: PythonType(
        literal=bool,
        names=("bool",),
        example="is_final = False  # whether it goes to the board",
        annotation="bool",
    ),
    ParameterType.STRING: PythonType(
        literal=str,
        names=("str",),
        example='market = "JFK-DL"  # airport and airline',
        annotation="str",
    ),
    ParameterType.DATE: PythonType(
        literal=date,
        names=("date", "datetime.date"),
        example="first_day = date(2024, 1, 31)  # where the data begins [2020-01-01, ]",
        annotation="_nb2prod_date",
        write=_called("_nb2prod_date.fromisoformat"),
        needs="from datetime import date as _nb2prod_date",
    ),
    ParameterType.DATETIME: PythonType(
        literal=datetime,
        names=("datetime", "datetime.datetime"),
        example="cutoff = datetime(2024, 1, 31, 12, 0)  # nothing that is newer",
        annotation="_nb2prod_datetime",
        write=_called("_nb2prod_datetime.fromisoformat"),
        needs="from datetime import datetime as _nb2prod_datetime",
    ),
    ParameterType.PATH: PythonType(
        literal=PurePosixPath,
        names=("Path", "pathlib.Path"),
        example='data = Path("data") / "flights.parquet"  # all flights',
        annotation="_nb2prod_Path",
        write=_called("_nb2prod_Path"),
        needs="from pathlib import Path as _nb2prod_Path",
    ),
    ParameterType.LIST: PythonType(
        literal=list,
        names=("list", "List", "typing.List", "typing.Sequence", "collections.abc.Sequence"),
        example="lags: list[int] = [1, 7]  # days back",
        annotation="list",
    ),
    ParameterType.DICT: PythonType(
        literal=dict,
        names=("dict", "Dict", "typing.Dict", "typing.Mapping", "collections.abc.Mapping"),
        example='weights = {"JFK": 0.5}  # by airport; 1 for all others',
        annotation="dict",
    ),
}
TYPE_BY_NAME = {name: kind for kind, row in PYTHON_TYPES.items() for name in row.names}
TYPE_BY_LITERAL = {row.literal: kind for kind, row in PYTHON_TYPES.items()}


def to_source(parameters: Iterable[Parameter], values: Mapping[str, object]) -> str:
    """Write the source of the injected-parameters cell: one typed assignment a line.

    Each value has the type that the author's default has, whatever the notebook's own names
    stand for.

    Parameters
    ----------
    values
        As `nb2prod.notebook.parameter_values.read_values` returns them; parameters without a
        value are left out.

    Examples
    --------
    >>> to_source([Parameter("market", ParameterType.STRING, "")], {"market": "JFK-DL"})
    'market: str = "JFK-DL"'
    """
    given = [parameter for parameter in parameters if parameter.name in values]
    kinds = [kind for item in given for kind in (item.type, item.item_type) if kind is not None]
    imports = sorted({PYTHON_TYPES[kind].needs for kind in kinds} - {""})
    return "\n".join(
        [
            *imports,
            *(
                f"{item.name}: {_annotation(item)} = {value_source(item, values[item.name])}"
                for item in given
            ),
        ]
    )


def value_source(parameter: Parameter, value: object) -> str:
    """Write a parameter's value as Python, by the names that `to_source` imports."""
    if value is None:
        return "None"
    if parameter.item_type is not None and isinstance(value, list):
        write = PYTHON_TYPES[parameter.item_type].write
        return f"[{', '.join(map(write, value))}]"
    return PYTHON_TYPES[parameter.type].write(value)


def _annotation(parameter: Parameter) -> str:
    # A kernel evaluates annotations. In quotes this one is good for every Python 3, and needs
    # no import.
    text = PYTHON_TYPES[parameter.type].annotation
    return f'"{text} | None"' if parameter.is_optional else text
