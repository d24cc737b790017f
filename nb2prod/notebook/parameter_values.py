"""What a parameter is, and values for parameters: reading and checking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from nb2prod.errors import ParameterInvalid, ParameterUnknown
from nb2prod.notebook.parameter_types import TYPES, Limit, ParameterType, TypeRow, UnfitValue


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook.

    Parameters
    ----------
    default
        A JSON value; what the parameters cell assigns.
    help
        The comment at the assignment.
    choices
        The allowed values, or those of a list's items; empty where any value will do.
    is_optional
        Whether `None` is allowed besides.
    item_type
        For a list: the type of its items; `None` where they may be anything.
    minimum, maximum
        The least and the greatest value allowed, for types that have an order; dates as ISO 8601
        text. `None` where there is no limit.
    """

    name: str
    type: ParameterType
    default: object
    help: str = ""
    choices: tuple[object, ...] = ()
    is_optional: bool = False
    item_type: ParameterType | None = None
    minimum: Limit | None = None
    maximum: Limit | None = None

    @property
    def row(self) -> TypeRow:
        """What is to be known of its type."""
        return TYPES[self.type]

    @property
    def range_text(self) -> str:
        """The limits as an interval; empty where there is none.

        >>> Parameter("days", ParameterType.INTEGER, 7, minimum=1).range_text
        '[1, ]'
        """
        if self.minimum is None and self.maximum is None:
            return ""
        return f"[{_limit_text(self.minimum)}, {_limit_text(self.maximum)}]"

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

    @property
    def default_text(self) -> str:
        """The default as it is shown beside the type: texts in quotes, dates and paths without.

        >>> Parameter("day", ParameterType.DATE, "2024-01-31").default_text
        '2024-01-31'
        """
        is_bare = isinstance(self.default, str) and self.type is not ParameterType.STRING
        return str(self.default) if is_bare else literal_source(self.default)


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
        read = parameter.row.read(value, parameter.item_type)
        is_within = _is_within(parameter, read)
    except UnfitValue as error:
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
    if not is_within:
        raise ParameterInvalid(
            f"Parameter {parameter.name} can't be {_shown(read)}: it must be in"
            f" {parameter.range_text}.",
            parameter=parameter.name,
        )
    return read


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


def _is_within(parameter: Parameter, value: object) -> bool:
    """Whether a value is in the range; written so that a NaN is in none."""
    if parameter.minimum is None and parameter.maximum is None:
        return True
    order = parameter.row.order
    low, place, high = (
        None if point is None else order(point)
        for point in (parameter.minimum, value, parameter.maximum)
    )
    try:
        return (low is None or place >= low) and (high is None or place <= high)
    except TypeError:
        # Only times with and without a zone have no order among them.
        raise UnfitValue(
            f"write it with a time zone where its range {parameter.range_text} has one, and"
            " without one where not."
        ) from None


def _limit_text(limit: Limit | None) -> str:
    if limit is None or isinstance(limit, str):
        return limit or ""
    short = f"{limit:g}"
    return short if float(short) == limit else repr(limit).removesuffix(".0")


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
    is_word = isinstance(value, str) and not parameter.row.is_text
    return is_word and str(value).strip().lower() in ("none", "null")


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
