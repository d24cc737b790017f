"""What people write for a sweep, and the values that it goes through. Pure functions.

For each parameter there is one axis: a list, a range, or both; a CSV has the values of several
parameters side by side. A sweep is the product of all. How many runs that makes is known, and
checked, before anything is expanded.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from nb2prod.errors import ParameterInvalid, ParameterUnknown, SweepInvalid
from nb2prod.jobs.sweep_ranges import Range, has_ranges, parse_range
from nb2prod.notebook.parameter_values import read_value
from nb2prod.notebook.parameters import Parameter, ParameterType, read_values

MAX_RUNS = 10_000

_TOGETHER = (ParameterType.LIST, ParameterType.DICT)
# A value in quotes, where two of them stand for one, or all up to the next comma.
_ITEM = re.compile(r"""\s*(?:"((?:[^"]|"")*)"\s*|'((?:[^']|'')*)'\s*|([^,]*))(,|\Z)""")
_BRACKETS = {"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPlan:
    """The values that a sweep goes through.

    Parameters
    ----------
    names
        The parameters that were given, in the order of what was asked.
    positions
        For each run, in order, the values of these parameters.
    """

    names: tuple[str, ...]
    positions: tuple[tuple[object, ...], ...]

    @property
    def varied(self) -> tuple[str, ...]:
        """The parameters that do not have one value in all runs; all where there is one run."""
        columns = [
            {_key(value) for value in column} for column in zip(*self.positions, strict=True)
        ]
        varied = tuple(
            name for name, column in zip(self.names, columns, strict=True) if len(column) > 1
        )
        return varied or self.names


def plan_sweep(
    parameters: Iterable[Parameter], axes: Mapping[str, object], csv_text: str = ""
) -> SweepPlan:
    """Return what a sweep goes through: the lines of the CSV, times the product of all axes.

    The last axis changes fastest.

    Parameters
    ----------
    axes
        By parameter. A text is read as people write it: ``a, b, "c, d"``; for numbers
        ``1..10``, ``0.1..0.5 step 0.1``, ``1e-4..1e-1 log 4``, for dates
        ``2024-01-01..2024-01-31 step 7``, and these in a list. A list is its values. Anything
        else is the only value.
    csv_text
        First line: names of parameters. Each further line: their values in a run.

    Raises
    ------
    ParameterUnknown, ParameterInvalid
        A name or value is not the version's; the message has the line of the CSV.
    SweepInvalid
        The text can't be understood, a value stands there twice, or it would be too many runs.

    Examples
    --------
    >>> alpha = Parameter("alpha", ParameterType.FLOAT, 1.0)
    >>> market = Parameter("market", ParameterType.STRING, "")
    >>> asked = {"market": "JFK-DL, LGA-AA", "alpha": "0.1..0.3 step 0.1"}
    >>> plan_sweep([alpha, market], asked).positions[:4]
    (('JFK-DL', 0.1), ('JFK-DL', 0.2), ('JFK-DL', 0.3), ('LGA-AA', 0.1))
    """
    known = {parameter.name: parameter for parameter in parameters}
    _require_known(known, axes)
    read = {name: _read_axis(known[name], asked) for name, asked in axes.items()}
    table = _read_csv(known, csv_text) if csv_text.strip() else _Table(names=(), lines=())
    for name in table.names:
        if name in axes:
            raise _invalid(f"The values of {name} are given twice, in the CSV as well.", name)
    if not read and not table.names:
        raise SweepInvalid("A sweep needs values for at least one parameter.")
    counts = [_count(axis) for axis in read.values()]
    _require_few([len(table.lines), *counts] if table.names else counts)
    columns: list[list[tuple[object, ...]]] = [
        [(value,) for value in _expanded(known[name], axis)] for name, axis in read.items()
    ]
    if table.names:
        columns.insert(0, _checked_lines(known, table))
    return SweepPlan(
        names=(*table.names, *read),
        positions=tuple(tuple(v for part in parts for v in part) for parts in product(*columns)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    names: tuple[str, ...]
    # With the number of each line.
    lines: tuple[tuple[int, tuple[str, ...]], ...]


def _read_axis(parameter: Parameter, asked: object) -> Sequence[object]:
    """Return an axis as values and ranges, neither checked nor expanded."""
    if isinstance(asked, str):
        items = _read_text(parameter, asked)
    elif isinstance(asked, list | tuple):
        items = list(asked)
    else:
        items = [asked]
    if not items:
        raise _invalid(f"Parameter {parameter.name} has no values to go through.", parameter.name)
    return items


def _read_text(parameter: Parameter, text: str) -> list[object]:
    if parameter.type in _TOGETHER:
        return list(_split_outside_brackets(parameter, text))
    if text.strip().startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list):
            return listed
    items = _split(parameter, text)
    if not has_ranges(parameter):
        return list(items)
    return [parse_range(parameter, item) or item for item in items]


def _split(parameter: Parameter, text: str) -> list[str]:
    """Split at commas outside of quotes, and take the quotes off."""
    items, place, is_last = list[str](), 0, not text.strip()
    while not is_last:
        match = _ITEM.match(text, place)
        bare = "" if match is None else (match[3] or "").strip()
        if match is None or bare[:1] in ("'", '"'):
            raise _invalid(
                f"Parameter {parameter.name}: a quotation mark before a value needs another one"
                f' behind it, before the comma: "{_shown(text[place:].strip())}".',
                parameter.name,
            )
        if match[3] is not None and not bare:
            raise _nothing_between(parameter)
        double, single = match[1], match[2]
        if double is not None:
            items.append(double.replace('""', '"'))
        elif single is not None:
            items.append(single.replace("''", "'"))
        else:
            items.append(bare)
        place, is_last = match.end(), not match[4]
    return items


def _split_outside_brackets(parameter: Parameter, text: str) -> list[str]:
    """Split at commas that are within no list, dictionary or text."""
    items, begin, depth, quote = list[str](), 0, 0, ""
    place = 0
    while place < len(text):
        sign = text[place]
        if quote:
            if sign == "\\":
                place += 1
            elif sign == quote:
                quote = ""
        elif sign in "'\"":
            quote = sign
        elif sign == "," and depth <= 0:
            items.append(text[begin:place].strip())
            begin = place + 1
        else:
            depth += _BRACKETS.get(sign, 0)
        place += 1
    items.append(text[begin:].strip())
    if items == [""]:
        return []
    if "" in items:
        raise _nothing_between(parameter)
    return items


def _read_csv(known: Mapping[str, Parameter], text: str) -> _Table:
    text = text.removeprefix("\ufeff").lstrip("\r\n")
    header = text.splitlines()[0]
    # Spreadsheets write what their country separates with.
    mark = next((mark for mark in ",;\t" if mark in header), ",")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True, strict=True
    )
    try:
        names = tuple(name.strip() for name in next(reader))
        lines = tuple((reader.line_num, tuple(line)) for line in reader if line)
    except csv.Error as error:
        raise SweepInvalid(f"Line {reader.line_num} of the CSV is none: {error}.") from error
    _require_known(known, names, where="Line 1 of the CSV: ")
    for name in names:
        if names.count(name) > 1:
            raise _invalid(f"Line 1 of the CSV has {name} twice.", name, line=1)
    if not lines:
        raise SweepInvalid(
            "The CSV has no lines below its first one, which names the parameters.", line=1
        )
    for number, line in lines:
        if len(line) != len(names):
            raise SweepInvalid(
                f"Line {number} of the CSV has {_values(len(line))}, but its first line names"
                f" {len(names)} parameter{'' if len(names) == 1 else 's'}.",
                line=number,
            )
    return _Table(names=names, lines=lines)


def _checked_lines(known: Mapping[str, Parameter], table: _Table) -> list[tuple[object, ...]]:
    found: dict[str, int] = {}
    rows = []
    for number, line in table.lines:
        row = tuple(
            _read_cell(known[name], text, number)
            for name, text in zip(table.names, line, strict=True)
        )
        first = found.setdefault(_key(row), number)
        if first != number:
            raise SweepInvalid(
                f"Line {number} of the CSV says the same as line {first}; take one of them out.",
                line=number,
            )
        rows.append(row)
    return rows


def _read_cell(parameter: Parameter, text: str, line: int) -> object:
    try:
        return read_value(parameter, text)
    except ParameterInvalid as error:
        raise ParameterInvalid(
            f"Line {line} of the CSV: {error.message}", parameter=parameter.name, line=line
        ) from error


def _expanded(parameter: Parameter, axis: Sequence[object]) -> list[object]:
    """Return all values of an axis, checked."""
    values, found = list[object](), set[str]()
    for item in axis:
        for value in item.values() if isinstance(item, Range) else (item,):
            read = read_value(parameter, value)
            if _key(read) in found:
                raise _invalid(
                    f"Parameter {parameter.name} has {_shown(json.dumps(read))} twice; each value"
                    " would run once only. Take one of them out.",
                    parameter.name,
                )
            found.add(_key(read))
            values.append(read)
    return values


def _count(axis: Sequence[object]) -> int:
    return sum(item.count if isinstance(item, Range) else 1 for item in axis)


def _require_few(counts: Sequence[int]) -> None:
    count = math.prod(counts)
    if count > MAX_RUNS:
        parts = " × ".join(map(_number, counts)) + " = " if len(counts) > 1 else ""
        raise SweepInvalid(
            f"This sweep would be {parts}{_number(count)} runs; one may have {MAX_RUNS:,}. Take"
            " fewer values or a larger step, or make several sweeps of it.",
            count=count if count < 2**53 else None,
            limit=MAX_RUNS,
        )


def _number(count: int) -> str:
    # What has more than fifteen digits is no longer read digit by digit.
    return f"{count:,}" if count < 10**15 else f"about 10^{int(math.log10(count))}"


def _require_known(known: Mapping[str, Parameter], names: Iterable[str], where: str = "") -> None:
    for name in names:
        if name in known:
            continue
        try:
            read_values(known.values(), {name: None})
        except ParameterUnknown as error:
            raise ParameterUnknown(f"{where}{error.message}", **error.detail) from error


def _nothing_between(parameter: Parameter) -> SweepInvalid:
    return _invalid(
        f"Parameter {parameter.name}: beside a comma there is no value."
        ' Take the comma out; "" stands for an empty text.',
        parameter.name,
    )


def _invalid(message: str, parameter: str, **detail: Any) -> SweepInvalid:
    return SweepInvalid(message, parameter=parameter, **detail)


def _key(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _values(count: int) -> str:
    return f"{count} value{'' if count == 1 else 's'}"


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
