r"""Whether a script printed what its notebook printed, after what can never be equal is taken out.

Texts are compared line by line, numbers with a tolerance; figures by their pixels.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

FIGURE = re.compile(r"<Figure size [\d.e+]+x[\d.e+]+ with \d+ Axes>")

_TOLERANCE = 1e-6
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
_CELL_FILE = re.compile(r"\S*/ipykernel_\d+/\d+\.py|<ipython-input-\d+-\w+>")
_TEMPORARY = re.compile(r"/tmp/(?:tmp)?[\w.]*\w{6,}")  # noqa: S108 # a pattern, not a place
_PID = re.compile(r"\b(?P<word>pid|PID|process)(?P<between>[ =:]+)\d+")
_TIMEIT = re.compile(
    r"\S+ [nmuµμ]?s ± \S+ [nmuµμ]?s per loop"
    r" \(mean ± std\. dev\. of \d+ runs?, [\d,]+ loops? each\)"
)
# Said between a cell's own lines, where the value may come before or after it.
_ABOUT_TIME = re.compile(
    r"^(?:CPU times: |Wall time: |Compiler ?: |Parser ?: "
    r"|The slowest run took .* times longer than the fastest\.)"
)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_CLOCK = r"(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?"


@dataclass(frozen=True, kw_only=True, slots=True)
class Printed:
    """What a run showed: its text, and its figures as PNG files."""

    text: str
    figures: tuple[bytes, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Where two runs differ first.

    Parameters
    ----------
    line
        Of the compared text, from 1; 0 for figures.
    expected, found
        What stands there, or what there is of it.
    """

    line: int
    expected: str
    found: str

    def __str__(self) -> str:
        """Return it for a report."""
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{_short(self.expected)} became {_short(self.found)}"


def lines_of(text: str, *, folder: str = "") -> tuple[str, ...]:
    r"""Return a text's lines without what differs from run to run.

    Parameters
    ----------
    folder
        Of this run alone; it is named ``<folder>`` in the lines.

    Examples
    --------
    >>> lines_of("<A object at 0x7f0a1b2c3d4e>\n10 %\r99 %\nWall time: 3 ms\n")
    ('<A object at <address>>', '99 %')
    """
    if folder:
        text = text.replace(folder, "<folder>")
    lines = [_steady(_overwritten(line)) for line in _ANSI.sub("", text).split("\n")]
    kept = [line.rstrip() for line in lines if not _ABOUT_TIME.match(line)]
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def first_difference(expected: Sequence[str], found: Sequence[str]) -> Difference | None:
    """Compare two texts as `lines_of` gives them.

    >>> print(first_difference(["x", "mean 0.5"], ["x", "mean 0.50000000001"]))
    None
    >>> print(first_difference(["x", "mean 0.5"], ["x", "mean 0.6"]))
    line 2: 'mean 0.5' became 'mean 0.6'
    """
    for number in range(max(len(expected), len(found))):
        old = expected[number] if number < len(expected) else None
        new = found[number] if number < len(found) else None
        if old is None or new is None or not is_same_line(old, new):
            end = "(the end)"
            return Difference(
                line=number + 1,
                expected=end if old is None else old,
                found=end if new is None else new,
            )
    return None


def differing_lines(expected: Sequence[str], found: Sequence[str]) -> frozenset[int] | None:
    """Return which lines differ, from 1; `None` if there is not the same number of lines."""
    if len(expected) != len(found):
        return None
    pairs = enumerate(zip(expected, found, strict=True), start=1)
    return frozenset(number for number, (old, new) in pairs if not is_same_line(old, new))


def is_same_line(expected: str, found: str) -> bool:
    """Whether two lines are equal, their numbers with a tolerance and today's times left out.

    >>> is_same_line("[1.  2.0000001]", "[1. 2.]")
    True
    >>> is_same_line("3 rows", "4 rows")
    False
    """
    if expected == found or _close(expected, found):
        return True
    today = datetime.now(UTC).date().isoformat()
    if today in expected and today in found:
        clock = re.compile(re.escape(today) + _CLOCK)
        return _close(clock.sub("<now>", expected), clock.sub("<now>", found))
    return False


def figure_difference(expected: Sequence[bytes], found: Sequence[bytes]) -> Difference | None:
    """Compare figures, given as PNG files, pixel by pixel."""
    if len(expected) != len(found):
        return Difference(line=0, expected=f"{len(expected)} figures", found=f"{len(found)}")
    for number, (old, new) in enumerate(zip(expected, found, strict=True), start=1):
        if old == new:
            continue
        before, after = _pixels(old), _pixels(new)
        if before != after:
            name = f"figure {number} of {len(expected)}, {_size(before)}"
            return Difference(line=0, expected=name, found=f"{_size(after)}, other pixels")
    return None


def _close(expected: str, found: str) -> bool:
    old_words, new_words = _words(expected), _words(found)
    if old_words != new_words:
        return False
    pairs = zip(_NUMBER.findall(expected), _NUMBER.findall(found), strict=True)
    return all(old == new or _near(old, new) for old, new in pairs)


def _words(line: str) -> list[str]:
    return ["".join(part.split()) for part in _NUMBER.split(line)]


def _near(old: str, new: str) -> bool:
    if "." not in old + new and "e" not in (old + new).lower():
        return int(old) == int(new)
    return math.isclose(float(old), float(new), rel_tol=_TOLERANCE, abs_tol=1e-12)


def _overwritten(line: str) -> str:
    """Return what is left to be seen of a line that goes back to its beginning."""
    return line.rstrip("\r").rpartition("\r")[2]


def _steady(line: str) -> str:
    line = _TIMEIT.sub("<times>", line)
    line = _CELL_FILE.sub("<cell>", line)
    line = _TEMPORARY.sub("<temporary>", line)
    line = _PID.sub(r"\g<word>\g<between><pid>", line)
    return _ADDRESS.sub("<address>", line)


def _pixels(png: bytes) -> tuple[tuple[int, int], bytes]:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        return picture.size, picture.convert("RGBA").tobytes()


def _size(pixels: tuple[tuple[int, int], bytes]) -> str:
    return "{} x {}".format(*pixels[0])


def _short(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 160 else f"{shown[:157]}…'"
