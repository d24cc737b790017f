"""Processes of this machine, told from later ones that got the same number."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# Fields of /proc/<pid>/stat after the name in brackets (proc(5)).
_STATE = 0
_STARTED = 19
_DEAD = {"Z", "X", "x"}


def started_at(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the machine did.

    `None` if there is no such process, or only its entry is left.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[_STATE] in _DEAD else int(fields[_STARTED])


def is_alive(pid: int, started: int) -> bool:
    """Tell whether the process that had this number, and started then, lives."""
    return pid > 0 and started_at(pid) == started


def kill_group(pid: int, started: int) -> None:
    """Kill a process and all in its group, if it is the one that is meant."""
    if is_alive(pid, started):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
