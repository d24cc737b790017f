"""Ranges as people write them: of numbers with a step or evenly by their logarithm, of days."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, InvalidOperation, localcontext

from nb2prod.errors import SweepInvalid
from nb2prod.notebook.parameters import Parameter, ParameterType

_RANGE = re.compile(r"(?P<first>.*?)\.\.\s*(?P<last>\S+)(?:\s+(?P<how>\S+)\s+(?P<by>\S+))?\s*\Z")
_MAX_TEXT = 200
# No float has more; with so many digits every sum of such numbers is exact.
_MAX_EXPONENT = 400
_MAX_LENGTH = 40
_EXACT = Context(prec=2 * _MAX_EXPONENT + 2 * _MAX_LENGTH)
# A logarithm is never exact; a float has seventeen digits.
_LOGARITHMS = Context(prec=40)
_ROUNDED = Context(prec=15)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """How a type's values stand on a line of numbers.

    Parameters
    ----------
    noun
        What one value is called.
    place, value
        Where a written value stands, and which value stands there. ``place`` raises `ValueError`.
    is_whole
        Whether there is a value at whole numbers only; then a step of one goes without saying.
    has_zero
        Whether a logarithm makes sense.
    """

    noun: str
    examples: str
    place: Callable[[str], Decimal]
    value: Callable[[Decimal], object]
    is_whole: bool
    has_zero: bool = True


def _number(text: str) -> Decimal:
    try:
        read = Decimal(text) if len(text) <= _MAX_LENGTH else Decimal("nan")
    except InvalidOperation:
        read = Decimal("nan")
    # Of a zero with a huge exponent nothing is left but the zero.
    if not (read.is_finite() and (not read or abs(read.adjusted()) <= _MAX_EXPONENT)):
        raise ValueError(text)
    return read or Decimal(0)


def _whole_number(text: str) -> Decimal:
    read = _number(text)
    if read != read.to_integral_value():
        raise ValueError(text)
    return read


_SCALES = {
    ParameterType.INTEGER: _Scale(
        noun="whole number",
        examples="`1..10 step 2` or `1..1000 log 4`",
        place=_whole_number,
        value=round,
        is_whole=True,
    ),
    ParameterType.FLOAT: _Scale(
        noun="number",
        examples="`0.1..0.5 step 0.1` or `1e-4..1e-1 log 4`",
        place=_number,
        value=float,
        is_whole=False,
    ),
    ParameterType.DATE: _Scale(
        noun="day",
        examples="`2024-01-01..2024-01-31 step 7`, where the step is in days",
        place=lambda text: Decimal(date.fromisoformat(text).toordinal()),
        value=lambda place: date.fromordinal(round(place)).isoformat(),
        is_whole=True,
        has_zero=False,
    ),
}


def has_ranges(parameter: Parameter) -> bool:
    """Whether a range of a parameter's values can be written."""
    return parameter.type in _SCALES


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Some values between two, both inclusive; see `parse_range`.

    Parameters
    ----------
    first, last, step
        As numbers: of a day its place in the calendar. ``step`` is `None` where they are even by
        their logarithm.
    """

    first: Decimal
    last: Decimal
    step: Decimal | None
    count: int
    scale: _Scale

    def values(self) -> Iterator[object]:
        """Give the values in order; computed in decimals, so that 0.1 three times is 0.3.

        >>> alpha = Parameter("alpha", ParameterType.FLOAT, 1.0)
        >>> found = parse_range(alpha, "0.1..0.5 step 0.1")
        >>> list(found.values())
        [0.1, 0.2, 0.3, 0.4, 0.5]
        >>> list(parse_range(alpha, "1e-4..1e-1 log 4").values())
        [0.0001, 0.001, 0.01, 0.1]
        >>> day = Parameter("day", ParameterType.DATE, "2024-01-01")
        >>> list(parse_range(day, "2024-01-30..2024-02-01").values())
        ['2024-01-30', '2024-01-31', '2024-02-01']
        """
        for place in range(self.count):
            yield self.scale.value(self._at(place))

    def _at(self, place: int) -> Decimal:
        if self.step is not None:
            with localcontext(_EXACT):
                return self.first + place * self.step
        if place in (0, self.count - 1):
            return self.first if place == 0 else self.last
        with localcontext(_LOGARITHMS):
            share = Decimal(place) / (self.count - 1)
            low, high = self.first.ln(), self.last.ln()
            return _ROUNDED.plus((low + share * (high - low)).exp())


def parse_range(parameter: Parameter, text: str) -> Range | None:
    """Read a range for a parameter of a type that `has_ranges`; `None` where the text is none.

    ``1..5`` counts up, or down, by one, as ``2024-01-01..2024-01-07`` does by a day;
    ``0.1..0.5 step 0.1`` by a step, to the last number that is not beyond the end;
    ``1e-4..1e-1 log 4`` is so many numbers, each the same number of times the one before.

    Raises
    ------
    SweepInvalid
        It is a range, but one that can't be.
    """
    match = _RANGE.match(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        return None
    scale = _SCALES[parameter.type]
    first, last = (_read(parameter, text, match[end], scale) for end in ("first", "last"))
    if match["how"] == "log" and scale.has_zero:
        count = _read(parameter, text, match["by"], _SCALES[ParameterType.INTEGER])
        if first <= 0 or last <= 0 or count < 2:
            raise _refused(
                parameter, text, "for `log` both ends must be above 0, and the count at least 2"
            )
        return Range(first=first, last=last, step=None, count=int(count), scale=scale)
    if match["how"] not in (None, "step"):
        others = "neither `step` nor `log`" if scale.has_zero else "not `step`"
        raise _refused(parameter, text, f"{match['how']!r} is {others}")
    if match["by"] is None and not scale.is_whole:
        raise _refused(parameter, text, "it needs a step")
    step = Decimal(1 if first <= last else -1)
    if match["by"] is not None:
        kind = ParameterType.INTEGER if scale.is_whole else ParameterType.FLOAT
        step = _read(parameter, text, match["by"], _SCALES[kind])
    with localcontext(_EXACT):
        if not step or (last - first) * step < 0:
            raise _refused(parameter, text, f"with {step} one never comes to the end")
        count = (last - first) // step + 1
    return Range(first=first, last=last, step=step, count=int(count), scale=scale)


def _read(parameter: Parameter, text: str, written: str, scale: _Scale) -> Decimal:
    try:
        return scale.place(written.strip())
    except ValueError:
        why = f"{_shown(written.strip())!r} is no {scale.noun} for it"
        raise _refused(parameter, text, why) from None


def _refused(parameter: Parameter, text: str, why: str) -> SweepInvalid:
    examples = _SCALES[parameter.type].examples
    return SweepInvalid(
        f"Parameter {parameter.name}: {_shown(text.strip())!r} is no range: {why}. Write it as in"
        f" {examples}.",
        parameter=parameter.name,
    )


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
