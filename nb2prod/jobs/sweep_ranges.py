"""Ranges of numbers as people write them: with a step, or evenly by their logarithm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation, localcontext

from nb2prod.errors import SweepInvalid
from nb2prod.notebook.parameters import Parameter, ParameterType

NUMBERS = (ParameterType.INTEGER, ParameterType.FLOAT)

_EXAMPLES = {
    ParameterType.INTEGER: "`1..10 step 2` or `1..1000 log 4`",
    ParameterType.FLOAT: "`0.1..0.5 step 0.1` or `1e-4..1e-1 log 4`",
}

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
class Range:
    """Some numbers between two, both inclusive; see `parse_range`.

    Parameters
    ----------
    step
        `None` where they are even by their logarithm.
    """

    first: Decimal
    last: Decimal
    step: Decimal | None
    count: int
    is_whole: bool

    def values(self) -> Iterator[int | float]:
        """Give the numbers in order; computed in decimals, so that 0.1 three times is 0.3.

        >>> alpha = Parameter("alpha", ParameterType.FLOAT, 1.0)
        >>> found = parse_range(alpha, "0.1..0.5 step 0.1")
        >>> list(found.values())
        [0.1, 0.2, 0.3, 0.4, 0.5]
        >>> list(parse_range(alpha, "1e-4..1e-1 log 4").values())
        [0.0001, 0.001, 0.01, 0.1]
        """
        for place in range(self.count):
            value = self._at(place)
            yield round(value) if self.is_whole else float(value)

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
    """Read a range for a number's parameter; `None` where the text is none.

    ``1..5`` counts up, or down, by one; ``0.1..0.5 step 0.1`` by a step, to the last number
    that is not beyond the end; ``1e-4..1e-1 log 4`` is so many numbers, each the same number
    of times the one before.

    Raises
    ------
    SweepInvalid
        It is a range, but one that can't be.
    """
    match = _RANGE.match(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        return None
    is_whole = parameter.type is ParameterType.INTEGER
    first = _read(parameter, text, match["first"], is_whole=is_whole)
    last = _read(parameter, text, match["last"], is_whole=is_whole)
    if match["how"] == "log":
        count = _read(parameter, text, match["by"], is_whole=True)
        if first <= 0 or last <= 0 or count < 2:
            raise _refused(
                parameter, text, "for `log` both ends must be above 0, and the count at least 2"
            )
        return Range(first=first, last=last, step=None, count=int(count), is_whole=is_whole)
    if match["how"] not in (None, "step"):
        raise _refused(parameter, text, f"{match['how']!r} is neither `step` nor `log`")
    if match["by"] is None and not is_whole:
        raise _refused(parameter, text, "it needs a step")
    step = Decimal(1 if first <= last else -1)
    if match["by"] is not None:
        step = _read(parameter, text, match["by"], is_whole=is_whole)
    with localcontext(_EXACT):
        if not step or (last - first) * step < 0:
            raise _refused(parameter, text, f"with {step} one never comes to the end")
        count = (last - first) // step + 1
    return Range(first=first, last=last, step=step, count=int(count), is_whole=is_whole)


def _read(parameter: Parameter, text: str, number: str, *, is_whole: bool) -> Decimal:
    try:
        read = Decimal(number.strip()) if len(number) <= _MAX_LENGTH else Decimal("nan")
    except InvalidOperation:
        read = Decimal("nan")
    # Of a zero with a huge exponent nothing is left but the zero.
    is_small = read.is_finite() and (not read or abs(read.adjusted()) <= _MAX_EXPONENT)
    if not is_small or (is_whole and read != read.to_integral_value()):
        what = "whole number" if is_whole else "number"
        raise _refused(parameter, text, f"{_shown(number.strip())!r} is no {what} for it")
    return read or Decimal(0)


def _refused(parameter: Parameter, text: str, why: str) -> SweepInvalid:
    examples = _EXAMPLES[parameter.type]
    return SweepInvalid(
        f"Parameter {parameter.name}: {_shown(text.strip())!r} is no range: {why}. Write it as in"
        f" {examples}.",
        parameter=parameter.name,
    )


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
