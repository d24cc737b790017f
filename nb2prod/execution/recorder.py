"""The folder of a run: its lock, the notebook as it runs, and the event log."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from nb2prod.errors import storage_error
from nb2prod.execution.circumstances import listed
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    DisplayUpdated,
    Event,
    FilesSettled,
    KernelStarted,
    Noted,
    OutputAdded,
    OutputsCleared,
    ResultsKept,
    RunEnded,
    RunStarted,
    WidgetChanged,
    decode,
    encode,
    output_text,
)
from nb2prod.execution.large_outputs import KeepFile, LargeOutputs, OutputSizes, with_text
from nb2prod.execution.redaction import Redactor, StreamRedactor
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

# What stands of outputs in the notebook, in all: more than a browser opens as one.
MAX_OUTPUT_BYTES = 64_000_000
# The error that ends a run is kept whatever was printed before.
MAX_ERROR_BYTES = 1_000_000
_OUTPUTS = (OutputAdded, DisplayUpdated, WidgetChanged)
# At these it is known what a cell has printed.
_CELLS = (CellStarted, CellEnded, RunEnded)
# Before these all that was printed is told, in its order. A kernel itself does not keep the order
# of its two streams, so what is held back of one need not be told before the other goes on.
_AFTER_PRINTING = (*_CELLS, DisplayUpdated, OutputAdded, OutputsCleared)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of what a run keeps on disk while it goes on.

    A run that an executor starts has two: the workspace's own, and in it `work`, which is all
    that the run itself can write to. What is read from there is to be judged, not believed
    (`nb2prod.execution.untrusted`).
    """

    path: Path

    @property
    def request(self) -> Path:
        """What was asked for: the record as it was when the run was queued."""
        return self.path / "request.json"

    @property
    def version(self) -> Path:
        """The version that is to run, for a worker that has no repository."""
        return self.path / "version.json"

    @property
    def work(self) -> RunFolder:
        """The folder that a worker is given."""
        return RunFolder(self.path / "work")

    @property
    def layers(self) -> Path:
        """What a run in a container has over its project's folder (`nb2prod.jobs.overlay`)."""
        return self.path / "layers"

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
    def has_begun(self) -> bool:
        """Whether anything has been written to the event log."""
        try:
            return self.events.lstat().st_size > 0
        except FileNotFoundError:
            return False

    @property
    def lock(self) -> Path:
        """Held by the runner while it lives."""
        return self.path / "lock"

    @property
    def opened_files(self) -> Path:
        """Where the probe in the kernel writes which files are opened."""
        return self.path / "opened.jsonl"

    @property
    def outputs(self) -> Path:
        """Outputs that are too large for the notebook, while they grow."""
        return self.path / "outputs"

    @property
    def own_modules(self) -> Path:
        """While the kernel is there, the version's copies of the project's own modules."""
        return self.path / "modules"

    @property
    def tracking(self) -> Path:
        """Where the probe in the kernel finds the environment variables for MLflow."""
        return self.path / "tracking.json"

    @property
    def downloads(self) -> Path:
        """Copies of what MLflow's server has of the run, until they are stored."""
        return self.path / "downloads"

    @property
    def artifacts(self) -> Path:
        """Contents that the run leaves, by their sha256, where there is no blob store."""
        return self.path / "artifacts"

    @property
    def kernel_log(self) -> Path:
        """What the kernel's process itself says, outside of any cell."""
        return self.path / "kernel.log"

    def set_aside(self, attempt: int) -> None:
        """Move what an attempt left out of the way of the next one; idempotent."""
        aside = self.path / "attempts" / str(attempt)
        aside.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = {self.request.name, self.version.name, "attempts"}
        for entry in list(self.path.iterdir()):
            if entry.name not in kept:
                entry.rename(aside / entry.name)

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

    No event is of an earlier time than the one before it: of two threads the second to be let in
    may be the first that looked at the clock, and a machine's clock may be set back.

    As a context manager it closes the log's file at its end.

    Parameters
    ----------
    listener
        Gets each event once it is written. Its errors are logged and otherwise ignored: who
        watches a run must not be able to end it.
    redactor
        Takes secrets out of all that is written and told. What may be the beginning of one, at the
        end of what was printed, is held back until more comes, at most to the cell's end.
    keep
        Stores outputs that are too large for the notebook; `None` where nothing can be stored.
    max_output_bytes
        Of what stands of outputs in the notebook; what goes beyond is left out, and notes say so.
    """

    def __init__(
        self,
        folder: RunFolder,
        listener: Listener | None = None,
        *,
        redactor: Redactor | None = None,
        keep: KeepFile | None = None,
        sizes: OutputSizes | None = None,
        max_output_bytes: int = MAX_OUTPUT_BYTES,
    ) -> None:
        self.folder = folder
        self.redactor = redactor or Redactor()
        self._listener = listener
        # By cell and name of the stream, with the last event of each.
        self._streams: dict[tuple[int, str], tuple[StreamRedactor, OutputAdded]] = {}
        self._large = LargeOutputs(folder.outputs, keep, sizes or OutputSizes())
        self._order = threading.RLock()
        self._last_at = datetime.min.replace(tzinfo=UTC)
        self._max_output_bytes = max_output_bytes
        self._output_bytes = 0
        self._left_out: list[tuple[int | None, int]] = []
        self._mutex = threading.Lock()
        self._stream = folder.events.open("ab", buffering=0)

    def append(self, event: Event) -> None:
        """Write an event.

        Raises
        ------
        StorageFull, StorageUnusable
            It can't be written.
        """
        with self._order:
            if isinstance(event, OutputAdded) and _is_printed(event):
                self._print(event)
                return
            if isinstance(event, _AFTER_PRINTING):
                self._print_rest()
            if isinstance(event, _CELLS):
                self._append_all(self._large.ended())
            if isinstance(event, RunEnded):
                self._note_left_out()
            event = self.redactor.of(event)
            match event:
                case OutputAdded():
                    self._append_all(self._large.added(event))
                case DisplayUpdated():
                    self._append_all(self._large.updated(event))
                case OutputsCleared():
                    self._large.cleared(event.number)
                    self._append(event)
                case _:
                    self._append(event)

    def _print(self, event: OutputAdded) -> None:
        key = (event.number, str(event.output["name"]))
        stream, _ = self._streams.get(key) or (StreamRedactor(self.redactor), event)
        text = stream.feed(output_text(event.output))
        self._streams[key] = (stream, event)
        if text:
            self._append_all(self._large.printed(with_text(event, text), text))

    def _print_rest(self) -> None:
        for stream, event in self._streams.values():
            text = stream.flush()
            if text:
                self._append_all(self._large.printed(with_text(event, text), text))
        self._streams.clear()

    def _append_all(self, events: Iterable[Event]) -> None:
        for event in events:
            self._append(event)

    def _append(self, event: Event) -> None:
        if event.at < self._last_at:
            event = replace(event, at=self._last_at)
        self._last_at = event.at
        line = encode(event)
        with self._mutex:
            has_room = self._has_room(event, len(line))
            if has_room:
                self._write(line, is_boundary=isinstance(event, _BOUNDARIES))
            else:
                self._left_out.append((getattr(event, "number", None), len(line)))
        if has_room:
            self._tell(event)
        elif len(self._left_out) == 1:
            size = f"{self._max_output_bytes / 1e6:g} MB"
            self.note(f"The cells put out more than {size}; what goes beyond is not kept.")

    def _note_left_out(self) -> None:
        if self._left_out:
            count, size_bytes = len(self._left_out), sum(size for _, size in self._left_out)
            cells = sorted({number for number, _ in self._left_out if number is not None})
            where = f", of cell{'s' * (len(cells) > 1)} {listed(map(str, cells))}" if cells else ""
            outputs = f"{count} output{'s' * (count > 1)}"
            self.note(f"Not kept: {outputs} with {size_bytes / 1e6:.3g} MB{where}.")

    def note(self, text: str) -> None:
        """Write a remark into the run's log."""
        log.info("Noted in a run, text=%s", self.redactor.text(text))
        self.append(Noted(at=now(), text=text))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with self._order:
                self._print_rest()
                self._append_all(self._large.ended())
        finally:
            self._stream.close()

    def _has_room(self, event: Event, size_bytes: int) -> bool:
        if not isinstance(event, _OUTPUTS):
            return True
        if self._output_bytes + size_bytes <= self._max_output_bytes:
            self._output_bytes += size_bytes
            return True
        is_error = isinstance(event, OutputAdded) and event.output.get("output_type") == "error"
        return is_error and size_bytes <= MAX_ERROR_BYTES

    def _write(self, line: bytes, *, is_boundary: bool) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[self._stream.write(rest) or 0 :]
            if is_boundary:
                os.fsync(self._stream.fileno())
        except OSError as error:
            # Half a line would end the log for its readers, whatever can be written later.
            with suppress(OSError):
                written = len(line) - len(rest)
                self._stream.truncate(self._stream.seek(0, os.SEEK_END) - written)
            raise storage_error(self.folder.events, error) from error

    def _tell(self, event: Event) -> None:
        if self._listener is None:
            return
        try:
            self._listener(event)
        # rich leaves the program when nobody reads its output any more (`nb2prod run … | head`).
        except (Exception, SystemExit):
            log.exception("A listener failed")


def _is_printed(event: OutputAdded) -> bool:
    return event.output.get("output_type") == "stream" and event.display_id is None


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
