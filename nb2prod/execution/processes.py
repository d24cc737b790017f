"""No process outlives its run, nor does the folder of its kernel's sockets.

Every process of a run carries the run's id in its environment, and hands it down to its
children, whatever session or parent they have. So they can be found and ended even when the
runner that started them is gone, and none of anybody else's is.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

RUN_ID_VARIABLE = "NB2PROD_RUN_ID"

_PROCESSES = Path("/proc")
# A process that forks while it is being ended may leave a child that the last look missed.
_ROUNDS = 5


def processes_of(run_id: str) -> tuple[int, ...]:
    """Return the processes of a run that this account may see; none where there is no /proc."""
    return tuple(_found(f"{RUN_ID_VARIABLE}={run_id}".encode()))


def end_processes_of(run_id: str) -> tuple[int, ...]:
    """Kill all processes of a run, and return which there were; idempotent."""
    ended: list[int] = []
    for _ in range(_ROUNDS):
        found = processes_of(run_id)
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            ended.append(pid)
    if ended:
        log.info("Ended processes of a run, run=%s pids=%s", run_id, ended)
    return tuple(dict.fromkeys(ended))


def make_socket_folder(run_id: str) -> Path:
    """Make a folder for a kernel's sockets and keys: a short path, for this account only."""
    return Path(tempfile.mkdtemp(prefix=_socket_prefix(run_id)))


def remove_socket_folders(run_id: str) -> None:
    """Remove what `make_socket_folder` has made for a run; idempotent."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_socket_prefix(run_id)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _socket_prefix(run_id: str) -> str:
    return f"nb2prod-{run_id}-"


def _found(mark: bytes) -> Iterator[int]:
    # A container's first process has the environment of all, and can't be ended from within.
    spared = {1, os.getpid()}
    for entry in _PROCESSES.glob("[0-9]*"):
        try:
            # The environment as it was when the program began; a zombie has none.
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0") and int(entry.name) not in spared:
            yield int(entry.name)
