"""The folder of a run: its lock, the notebook as it runs, and the event log."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from nb2prod.errors import storage_error
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    Event,
    FilesSettled,
    KernelStarted,
    Noted,
    ResultsKept,
    RunEnded,
    RunStarted,
    decode,
    encode,
)
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]

# At these the run changes its state: they must survive the machine's power as well. All other
# events are flushed to the system, which is enough to survive the runner's death; a disk's
# fsync for each printed line would make printing a thousand times slower.
_BOUNDARIES = (
    RunStarted,
    KernelStarted,
    CellStarted,
    CellEnded,
    RunEnded,
    FilesSettled,
    ResultsKept,
)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of what a run keeps on disk while it goes on."""

    path: Path

    @property
    def request(self) -> Path:
        """What was asked for: the record as it was when the run was queued."""
        return self.path / "request.json"

    @property
    def notebook(self) -> Path:
        """The notebook as it runs, without outputs."""
        return self.path / "input.ipynb"

    @property
    def executed(self) -> Path:
        """The executed notebook, once the run has ended."""
        return self.path / "executed.ipynb"

    @property
    def events(self) -> Path:
        """The event log."""
        return self.path / "events.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the runner while it lives."""
        return self.path / "lock"

    @property
    def opened_files(self) -> Path:
        """Where the probe in the kernel writes which files are opened."""
        return self.path / "opened.jsonl"

    @property
    def tracking(self) -> Path:
        """Where the probe in the kernel finds the environment variables for MLflow."""
        return self.path / "tracking.json"

    @property
    def downloads(self) -> Path:
        """Copies of what MLflow's server has of the run, until they are stored."""
        return self.path / "downloads"

    @property
    def kernel_log(self) -> Path:
        """What the kernel's process itself says, outside of any cell."""
        return self.path / "kernel.log"

    def try_lock(self) -> IO[bytes] | None:
        """Take the lock and return what holds it until closed; `None` if another has it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        stream = self.lock.open("ab")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            return None
        return stream


def run_folder(workspace: Workspace, run_id: str) -> RunFolder:
    """Return the folder of a run."""
    return RunFolder(workspace.settings.runs_folder / run_id)


class Recorder:
    """Appends events to a run's log, and tells a listener. Safe to use from several threads.

    As a context manager it closes the log's file at its end.

    Parameters
    ----------
    listener
        Gets each event once it is written. Its errors are logged and otherwise ignored: who
        watches a run must not be able to end it.
    """

    def __init__(self, folder: RunFolder, listener: Listener | None = None) -> None:
        self.folder = folder
        self._listener = listener
        self._mutex = threading.Lock()
        self._stream = folder.events.open("ab", buffering=0)

    def append(self, event: Event) -> None:
        """Write an event.

        Raises
        ------
        StorageFull, StorageUnusable
            It can't be written.
        """
        line = memoryview(encode(event))
        with self._mutex:
            try:
                while line:
                    line = line[self._stream.write(line) or 0 :]
                if isinstance(event, _BOUNDARIES):
                    os.fsync(self._stream.fileno())
            except OSError as error:
                raise storage_error(self.folder.events, error) from error
        self._tell(event)

    def note(self, text: str) -> None:
        """Write a remark into the run's log."""
        log.info("Noted in a run, text=%s", text)
        self.append(Noted(at=now(), text=text))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _tell(self, event: Event) -> None:
        if self._listener is None:
            return
        try:
            self._listener(event)
        # rich leaves the program when nobody reads its output any more (`nb2prod run … | head`).
        except (Exception, SystemExit):
            log.exception("A listener failed")


def read_events(path: Path) -> Iterator[Event]:
    """Read an event log; what was being written when the runner died is left out."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return
            try:
                yield decode(line)
            except ValueError:
                log.warning("A line of an event log can't be read, path=%s", path)
                return


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file at once: a reader never meets half of it.

    Raises
    ------
    StorageFull, StorageUnusable
        It can't be written.
    """
    write_file(path, json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8", "replace"))


def write_file(path: Path, content: bytes) -> None:
    """Write a file at once, as `write_json` does."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise storage_error(path, error) from error


def now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)
