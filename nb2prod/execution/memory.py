"""How much memory a container or a process has used, and what to say of too little.

Of a container the system's control groups keep it: Documentation/admin-guide/cgroup-v1/memory.rst
and cgroup-v2.rst. An engine shows a container its own group as the root of ``/sys/fs/cgroup``. Of
a process it is in ``/proc``: proc_pid_status(5), proc_pid_clear_refs(5).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
# Version 1 has no word for "no limit", but a number near 2^63.
_NO_LIMIT = 1 << 60
_MB = 1024 * 1024
# By this a reader of reasons knows that memory was said to be the cause.
SHORTAGE = "needed more memory than it may have"


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryUse:
    """What a control group says of its memory.

    Parameters
    ----------
    peak_mb
        The most that was used at once, files that the system keeps in memory included; `None`
        where the kernel does not tell (version 2 before Linux 5.19).
    limit_mb
        `None` where there is none.
    kills
        How many of its processes the system has ended because the limit was reached.
    """

    peak_mb: int | None
    limit_mb: int | None
    kills: int


def read_memory_use(cgroups: Path = CGROUPS) -> MemoryUse | None:
    """Return what this container has used; `None` where there is nothing to be read.

    Parameters
    ----------
    cgroups
        Where the control groups are mounted.
    """
    former = cgroups / "memory"
    if former.is_dir():
        names = ("memory.max_usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control")
        peak, limit, events = (former / name for name in names)
    else:
        peak, limit, events = (cgroups / f"memory.{name}" for name in ("peak", "max", "events"))
    kills = _kills(events)
    if kills is None:
        return None
    limit_mb = _megabytes(limit)
    peak_mb = _megabytes(peak)
    if peak_mb is None and kills:
        # The system ends a process of the group only where the limit was reached.
        peak_mb = limit_mb
    return MemoryUse(peak_mb=peak_mb, limit_mb=limit_mb, kills=kills)


class PeakMemory:
    """The most memory that a process has at once, from some moment on.

    Parameters
    ----------
    pid
        `None` for a process that is not on this machine.
    """

    def __init__(self, pid: int | None) -> None:
        self._folder = Path("/proc", str(pid))
        self._is_known = False

    def begin(self) -> None:
        """Forget what was before."""
        try:
            (self._folder / "clear_refs").write_text("5")
        except OSError:  # another system, or another person's process
            self._is_known = False
        else:
            self._is_known = True

    def peak_mb(self) -> int | None:
        """Return the most since `begin`; `None` where the system doesn't tell."""
        if not self._is_known:
            return None
        try:
            lines = (self._folder / "status").read_text("utf-8", "replace").splitlines()
        except OSError:
            return None
        # ``VmHWM:	  1968 kB``; a process that has ended has none.
        peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return round(int(peaks[0]) * 1024 / _MB) if peaks else None


def shortage(
    who: str, *, peak_mb: int | None, limit_mb: int | None, resources: str, done: str = "was ended"
) -> str:
    """Return a sentence on what was ended for want of memory.

    >>> shortage("The run", peak_mb=512, limit_mb=512, resources="standard")
    'The run was ended because it needed more memory than it may have: it reached 512 MB of 512 MB (class standard).'
    """  # noqa: E501
    sentence = f"{who} {done} because it {SHORTAGE}"
    if limit_mb is None:
        return f"{sentence}."
    kind = f" (class {resources})" if resources else ""
    reached = limit_mb if peak_mb is None else peak_mb
    return f"{sentence}: it reached {reached} MB of {limit_mb} MB{kind}."


def _kills(path: Path) -> int | None:
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, ValueError):
        return None
    counts = dict(line.split(maxsplit=1) for line in lines if " " in line)
    # A process of a former kernel, where this was not counted yet, is not known of.
    return int(counts.get("oom_kill", 0))


def _megabytes(path: Path) -> int | None:
    try:
        text = path.read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    if not text.isdecimal() or int(text) >= _NO_LIMIT:
        return None
    return round(int(text) / _MB)
