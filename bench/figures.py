"""What a measurement's figures say: their middle, their spread, and of what machine they are."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def spread(values: Sequence[float]) -> str:
    """Return the median, the middle half and the extremes as text."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return (
        f"median {statistics.median(values):.2f} (middle half {low:.2f} to {high:.2f},"
        f" all {min(values):.2f} to {max(values):.2f})"
    )


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return how many times as long the others took, round by round."""
    return [other / own for own, other in zip(ours, theirs, strict=True)]


def table(rounds: Sequence[dict[str, float]], *, ours: str, unit: str = "s") -> str:
    """Return each contender's figures, and below them those of the others over ours."""
    names = list(rounds[0])
    width = max(map(len, names)) + len(f" / {ours}")
    lines = [
        f"  {name:{width}s} {spread([item[name] for item in rounds])} {unit}" for name in names
    ]
    own = [item[ours] for item in rounds]
    for name in names:
        if name != ours:
            label = f"{name} / {ours}"
            found = spread(ratios(own, [item[name] for item in rounds]))
            lines.append(f"  {label:{width}s} {found}")
    return "\n".join(lines)


def machine() -> str:
    """Return in a line what machine this is, and how busy it was in the last minutes."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    load = os.getloadavg()[1]
    return (
        f"{datetime.now(UTC):%d %b %Y}: {os.cpu_count()} × {_processor()}, {memory_gb:.0f} GB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()}; load of"
        f" the last five minutes {load:.1f}"
    )


def free_memory_mb() -> float:
    """Return how much memory could be used now without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) / 1000
    return 0.0


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    names = [line for line in text.splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()
