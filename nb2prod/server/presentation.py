"""How facts are said to people: statuses, times, sizes, numbers, changes. Pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nb2prod.execution.models import CellStatus, RunStatus
from nb2prod.jobs.waiting import Waiting
from nb2prod.knowledge.models import MetricChange


@dataclass(frozen=True, slots=True)
class Look:
    """How a status is shown: a word and an icon, so that colour never speaks alone.

    ``tone`` is ``good``, ``bad``, ``warn``, ``busy`` or ``quiet``.
    """

    word: str
    icon: str
    tone: str


LOOKS = {
    "queued": Look("Queued", "clock", "busy"),
    "running": Look("Running", "play", "busy"),
    "succeeded": Look("Succeeded", "check", "good"),
    "failed": Look("Failed", "cross", "bad"),
    "timed_out": Look("Timed out", "clock", "bad"),
    "cancelled": Look("Cancelled", "stop", "warn"),
    "kernel_died": Look("Kernel died", "bolt", "bad"),
    "lost": Look("Lost", "question", "bad"),
    "not_run": Look("Not run", "skip", "quiet"),
}


def look_of(status: RunStatus | CellStatus | str) -> Look:
    """Return how a run's or cell's status is shown.

    >>> look_of(RunStatus.TIMED_OUT).word
    'Timed out'
    """
    return LOOKS[str(status)]


def now() -> datetime:
    """Return the time of a page's making."""
    return datetime.now(UTC)


_STEPS = (
    (60, 1, "second"),
    (3600, 60, "minute"),
    (86_400, 3600, "hour"),
    (30 * 86_400, 86_400, "day"),
    (365 * 86_400, 30 * 86_400, "month"),
    (math.inf, 365 * 86_400, "year"),
)


def age(moment: datetime, at: datetime) -> str:
    """Say how long ago something was.

    >>> age(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
    '2 days ago'
    """
    seconds = (at - moment).total_seconds()
    if seconds < 10:
        return "just now"
    size, unit = next((size, unit) for limit, size, unit in _STEPS if seconds < limit)
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def ahead(moment: datetime, at: datetime) -> str:
    """Say how far ahead something is.

    >>> ahead(datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    'in 2 days'
    """
    seconds = (moment - at).total_seconds()
    if seconds < 1:
        return "now"
    size, unit = next((size, unit) for limit, size, unit in _STEPS if seconds < limit)
    count = int(seconds // size)
    return f"in {count} {unit}{'' if count == 1 else 's'}"


def waiting(reason: Waiting) -> str:
    """Say why a run has not begun.

    >>> waiting(Waiting(before=2, resources="standard", not_before=None))
    'It waits for room: 2 runs that were asked for earlier wait too.'
    """
    if reason.not_before is not None:
        return "It has failed, and is tried again after a pause."
    if not reason.before:
        return "It is next, and begins when there is room."
    others = "1 run that was" if reason.before == 1 else f"{reason.before} runs that were"
    return f"It waits for room: {others} asked for earlier wait{'s' * (reason.before == 1)} too."


def web_address(text: str) -> str | None:
    """Return an address that a page may link to; `None` for anything but http and https.

    >>> web_address("https://ci.example.org/7"), web_address("javascript:alert(1)")
    ('https://ci.example.org/7', None)
    """
    return text if text.lower().startswith(("https://", "http://")) else None


def moment(value: datetime) -> str:
    """Say a point in time, in UTC.

    >>> moment(datetime(2026, 1, 3, 14, 5, tzinfo=UTC))
    '2026-01-03 14:05 UTC'
    """
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(seconds: float | None) -> str:
    """Say how long something took.

    >>> duration(0.042), duration(3.14), duration(75), duration(7325)
    ('42 ms', '3.1 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds is None:
        return "–"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(size_bytes: int | None) -> str:
    """Say a size in binary units.

    >>> size(512), size(1536), size(5 * 2**20)
    ('512 B', '1.5 KiB', '5.0 MiB')
    """
    if size_bytes is None:
        return "–"
    value, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1023.95:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def number(value: float) -> str:
    """Say a measured number with four significant digits, as people write it.

    >>> number(4.10239), number(1234567.0), number(0.00001234), number(12.0)
    ('4.102', '1,234,567', '1.234e-05', '12')
    """
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "not a number")
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1000:
        return _minus(f"{value:.4g}")
    if abs(value) < 1e15 and abs(value) >= 1000:
        return _minus(f"{value:,.0f}")
    return _minus(f"{value:.3e}")


@dataclass(frozen=True, slots=True)
class Change:
    """A metric's change as it is shown: ``▼ 0.30 (−6.8 %)``, with a tone and a word."""

    text: str
    tone: str
    word: str


def change(metric: MetricChange) -> Change | None:
    """Say how a metric changed; `None` where there is nothing to compare it with."""
    difference = metric.change
    if difference is None or metric.before is None:
        return None
    if difference == 0:
        return Change("= no change", "quiet", "the same as before")
    if not math.isfinite(difference):
        return Change(f"was {number(metric.before)}", "quiet", "not comparable")
    arrow = "▲" if difference > 0 else "▼"
    share = f" ({_percent(difference / abs(metric.before))})" if metric.before else ""
    tone, word = {True: ("good", "better"), False: ("bad", "worse"), None: ("quiet", "changed")}[
        metric.is_better
    ]
    return Change(f"{arrow} {number(abs(difference))}{share}", tone, word)


def value(parameter: Any) -> str:
    """Say a parameter's value: text as it is, all else as JSON.

    >>> value("JFK-DL"), value([1, 2]), value(None)
    ('JFK-DL', '[1, 2]', 'null')
    """
    return parameter if isinstance(parameter, str) else json.dumps(parameter, ensure_ascii=False)


def short(sha256: str | None) -> str:
    """Return the beginning of a hash, enough to tell two apart at a glance."""
    return "–" if sha256 is None else sha256[:10]


def _percent(share: float) -> str:
    percent = share * 100
    text = f"{percent:+.0f}" if abs(percent) >= 100 else f"{percent:+.1f}"
    return f"{_minus(text)} %"


def _minus(text: str) -> str:
    # Only the sign of the number is typographic; an exponent keeps its hyphen.
    return "−" + text[1:] if text.startswith("-") else text


FILTERS: dict[str, Callable[..., Any]] = {
    "age": age,
    "ahead": ahead,
    "moment": moment,
    "waiting": waiting,
    "web_address": web_address,
    "duration": duration,
    "size": size,
    "number": number,
    "change": change,
    "value": value,
    "short": short,
    "look": look_of,
}
