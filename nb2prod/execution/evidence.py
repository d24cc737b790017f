"""What a run that an executor started has left, judged: its history and its artifacts.

The worker's folder is a stranger's (`nb2prod.execution.untrusted`). A notebook can make up
what happened in its own run, as it can make up any result. What it can't do is change what
ran (the cells come from the version, the values from the request, which it has no access to),
claim a content that it has not got, or keep us at work without end.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from nb2prod.errors import NotAVersion
from nb2prod.execution.artifacts import MAX_ARTIFACT_BYTES, Allowance, artifact_of, distinct
from nb2prod.execution.circumstances import secrets_note
from nb2prod.execution.contents import Contents
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    ConditionsFixed,
    DisplayUpdated,
    Event,
    FilesSeen,
    FilesSettled,
    KernelStarted,
    MachineSeen,
    MemorySeen,
    Noted,
    OutputAdded,
    OutputKept,
    OutputsCleared,
    ResultsKept,
    RunEnded,
    RunStarted,
    TrackingStarted,
    WidgetChanged,
)
from nb2prod.execution.memory import SHORTAGE
from nb2prod.execution.models import (
    Artifact,
    ArtifactKind,
    Conditions,
    FileUse,
    Machine,
    RunRecord,
    RunStatus,
)
from nb2prod.execution.preparation import prepare_notebook
from nb2prod.execution.record import EMPTY_NOTEBOOK, History, fold, without_secrets
from nb2prod.execution.recorder import MAX_OUTPUT_BYTES, RunFolder, now
from nb2prod.execution.redaction import Redactor
from nb2prod.execution.request import read_version
from nb2prod.execution.untrusted import read_event, read_lines
from nb2prod.store.untrusted_folder import UntrustedFolder

log = logging.getLogger(__name__)

# All outputs that a worker keeps, and half as much again for what else there is to say.
MAX_LOG_BYTES = MAX_OUTPUT_BYTES * 3 // 2
# An update of a display is copied to each place where it is shown.
MAX_COPIED_BYTES = 4 * MAX_LOG_BYTES
MAX_NOTES = 200
MAX_FILES = 100_000
MAX_METRICS = 10_000
MAX_TEXT = 10_000
MAX_NAME = 1_000
MAX_MEMORY_MB = 1_000_000_000
# Of the database's column.
MAX_METRIC_NAME = 250

# An engine that starts anew ends the containers that a dead one has left as if it were asked to.
_UNASKED = (
    "The run's worker was told to end, and nobody had asked for it: its machine or its container"
    " engine went down."
)

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_MLFLOW_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an executor says of a run's end, for a run whose own log has none.

    Parameters
    ----------
    remark
        A sentence on memory, to be added to what the log says of a kernel that died, unless it
        says so itself; or nothing.
    cancelled_by
        Who asked for the run's end; the log knows only the signal.
    peak_memory_mb, memory_limit_mb
        What the executor saw, for a log that says nothing of it.
    notes
        Sentences for the run's record, whatever its end.
    """

    status: RunStatus = RunStatus.LOST
    reason: str = "The run's worker ended without a word, and nobody knows why."
    remark: str = ""
    cancelled_by: str = ""
    peak_memory_mb: int | None = None
    memory_limit_mb: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_cancelled(self) -> bool:
        """Whether anybody has asked for the run's end."""
        return self.status is RunStatus.CANCELLED or bool(self.cancelled_by)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a run: `History`, with the artifacts that are kept in the workspace."""

    history: History
    artifacts: tuple[Artifact, ...]
    notes: tuple[str, ...]


def read_evidence(
    folder: RunFolder,
    request: RunRecord,
    contents: Contents,
    verdict: Verdict,
    redactor: Redactor | None = None,
) -> Evidence:
    """Judge what a run's worker has left.

    Parameters
    ----------
    folder
        The workspace's own folder of the run; the worker's is within.
    request
        The run as it was asked for.
    contents
        Keeps the artifacts.
    redactor
        Takes out what the worker has not: a notebook can write into its own event log.

    Raises
    ------
    StorageFull, StorageUnusable
        An artifact can't be kept.
    """
    redactor = redactor or Redactor()
    notebook = _notebook(folder, request)
    try:
        untrusted = UntrustedFolder(folder.work.path)
    except FileNotFoundError:
        testimony = _Testimony(request, notebook, verdict)
        history = without_secrets(fold(notebook, testimony.close()), redactor)
        return Evidence(history=history, artifacts=(), notes=verdict.notes)
    with untrusted:
        testimony = _Testimony(request, notebook, verdict)
        history = fold(notebook, testimony.events(untrusted))
        allowance = Allowance(redactor)
        artifacts, missing = _keep(untrusted, history.artifacts, contents, allowance)
    history = without_secrets(history, redactor)
    artifacts = redactor.of(artifacts)
    notes = [*history.notes, *testimony.remarks(), *verdict.notes]
    if allowance.with_secrets:
        notes.append(redactor.text(secrets_note(allowance.with_secrets)))
    if missing:
        notes.append(
            f"{missing} artifact{'s' if missing > 1 else ''} of the run could not be kept: not"
            " there, too large, or not what the run says."
        )
    return Evidence(history=history, artifacts=artifacts, notes=tuple(notes))


def _notebook(folder: RunFolder, request: RunRecord) -> Mapping[str, Any]:
    try:
        version = read_version(folder.version, repository=folder.path)
    except NotAVersion:
        return EMPTY_NOTEBOOK
    notebook: Mapping[str, Any] = prepare_notebook(version, request)
    return notebook


def _keep(
    untrusted: UntrustedFolder,
    claimed: tuple[Artifact, ...],
    contents: Contents,
    allowance: Allowance,
) -> tuple[tuple[Artifact, ...], int]:
    """Keep the artifacts that are there; also return how many of those claimed are not."""
    kept = []
    for artifact in claimed:
        content = _content(untrusted, artifact, allowance)
        if content is None or not allowance.is_clean(artifact.name, content):
            continue
        is_model = artifact.kind is ArtifactKind.MODEL
        found = artifact_of(contents, artifact.name, content, is_model=is_model)
        if found.sha256 == artifact.sha256:
            kept.append(found)
    return distinct(kept), len(claimed) - len(kept) - len(allowance.with_secrets)


def _content(untrusted: UntrustedFolder, artifact: Artifact, allowance: Allowance) -> bytes | None:
    if not _SHA256.match(artifact.sha256) or not 0 < len(artifact.name) <= MAX_NAME:
        return None
    stream = untrusted.open("artifacts", artifact.sha256)
    if stream is None:
        return None
    with stream:
        content = stream.read(MAX_ARTIFACT_BYTES + 1)
    return content if allowance.has_room(artifact.name, len(content)) else None


@dataclass
class _Testimony:
    """The events of a stranger's log that can be taken, and what had to be left out."""

    request: RunRecord
    notebook: Mapping[str, Any]
    verdict: Verdict
    has_ended: bool = False
    has_results: bool = False
    has_memory: bool = False
    unreadable: int = 0
    is_cut: bool = False
    notes: int = 0
    copied_bytes: int = 0
    running: int | None = None
    displays: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cells = enumerate(self.notebook["cells"], start=1)
        self._code = {number for number, cell in cells if cell["cell_type"] == "code"}
        self._from = self.request.created_at
        self._until = now()

    def events(self, untrusted: UntrustedFolder) -> Iterator[Event]:
        """Give the events in the order of the log, the last of them a `RunEnded`."""
        stream = untrusted.open("events.jsonl")
        if stream is not None:
            with stream:
                for line in read_lines(stream, MAX_LOG_BYTES):
                    event = None if line is None else read_event(line)
                    if event is None:
                        self.unreadable += 1
                    elif self._is_taken(event, len(line or b"")):
                        yield self._taken(event)
                self.is_cut = stream.tell() >= MAX_LOG_BYTES
        yield from self.close()

    def close(self) -> Iterator[Event]:
        """Give what the executor says of the run's end, where the run itself has not."""
        peak_mb = self.verdict.peak_memory_mb
        if not self.has_memory and peak_mb is not None:
            limit_mb = self.verdict.memory_limit_mb
            yield MemorySeen(at=self._until, peak_mb=peak_mb, limit_mb=limit_mb)
        if not self.has_ended:
            where = "" if self.running is None else f" Cell {self.running} was running."
            reason = f"{self.verdict.reason}{where}"
            yield RunEnded(at=self._until, status=self.verdict.status, reason=reason)

    def remarks(self) -> Iterator[str]:
        """Give sentences on what was left out."""
        if self.has_ended and not self.has_results:
            yield "The run's worker ended before it had gathered all results."
        if self.unreadable:
            lines = "line" if self.unreadable == 1 else "lines"
            yield f"{self.unreadable} {lines} of the run's log could not be read."
        if self.is_cut:
            yield f"The run's log is larger than {MAX_LOG_BYTES / 1e6:g} MB; the rest was not read."

    def _is_taken(self, event: Event, size_bytes: int) -> bool:  # noqa: C901, PLR0912 - one arm for each kind
        match event:
            case CellStarted() | CellEnded() | OutputsCleared():
                is_taken = event.number in self._code
            case OutputKept():
                is_taken = event.number is None or event.number in self._code
            case OutputAdded():
                is_taken = event.number in self._code and self._has_room(event, size_bytes)
            case DisplayUpdated() | WidgetChanged():
                is_taken = self._has_room(event, size_bytes)
            case FilesSeen() | FilesSettled():
                is_taken = len(event.files) <= MAX_FILES and all(map(_is_file, event.files))
            case MachineSeen():
                is_taken = _is_short(event.machine)
            case ConditionsFixed():
                is_taken = _is_short(event.conditions)
            case MemorySeen():
                figures = (event.peak_mb, event.limit_mb)
                is_taken = all(each is None or 0 <= each <= MAX_MEMORY_MB for each in figures)
                self.has_memory |= is_taken
            case KernelStarted():
                is_taken = len(event.kernel_name) <= MAX_NAME
            case ResultsKept():
                is_taken = self.has_results = True
            case Noted():
                self.notes += 1
                return self.notes <= MAX_NOTES
            case RunStarted():
                is_taken = event.run_id == self.request.id
            case TrackingStarted():
                is_taken = _MLFLOW_RUN_ID.match(event.mlflow_run_id) is not None
            case RunEnded():
                # The first one counts, and one that says nothing final is none.
                is_taken = not self.has_ended and event.status.is_final
                self.has_ended |= is_taken
            case _:
                is_taken = True
        self.unreadable += not is_taken
        return is_taken

    def _has_room(self, event: OutputAdded | DisplayUpdated | WidgetChanged, size: int) -> bool:
        places = 1
        display_id = None if isinstance(event, WidgetChanged) else event.display_id
        if display_id is not None:
            places += self.displays.get(display_id, 0)
            if isinstance(event, OutputAdded):
                self.displays[display_id] = places
        self.copied_bytes += size * places
        return self.copied_bytes <= MAX_COPIED_BYTES

    def _taken(self, event: Event) -> Event:
        """Return an event with times and texts as they can be."""
        event = replace(event, at=self._within(event.at))
        match event:
            case CellStarted():
                self.running = event.number
                return replace(event, heading=event.heading[:MAX_NAME])
            case CellEnded():
                self.running = None
                peak_mb = event.peak_memory_mb
                is_possible = peak_mb is not None and 0 <= peak_mb <= MAX_MEMORY_MB
                return replace(
                    event,
                    error=_cut(event.error),
                    peak_memory_mb=peak_mb if is_possible else None,
                )
            case Noted():
                return replace(event, text=event.text[:MAX_TEXT])
            case RunEnded():
                return self._ended(event)
            case ResultsKept():
                known = list(event.metrics.items())[:MAX_METRICS]
                metrics = {name: value for name, value in known if _is_metric(name, value)}
                return replace(event, metrics=metrics)
            case _:
                return event

    def _ended(self, event: RunEnded) -> RunEnded:
        status, reason = event.status, self._reason(event)
        if status is RunStatus.CANCELLED and not self.verdict.is_cancelled:
            status, reason = RunStatus.LOST, f"{_UNASKED} It said: {reason}"
        return replace(event, status=status, reason=reason[:MAX_TEXT])

    def _reason(self, event: RunEnded) -> str:
        # Halves of characters, which JSON can hold, no database can.
        said = event.reason.encode("utf-8", "replace").decode()
        if event.status is RunStatus.CANCELLED and self.verdict.cancelled_by:
            return said.replace("by SIGTERM", f"by {self.verdict.cancelled_by}")
        is_said = SHORTAGE in said or not self.verdict.remark
        if event.status is RunStatus.KERNEL_DIED and not is_said:
            return f"{said} {self.verdict.remark}"
        return said

    def _within(self, at: datetime) -> datetime:
        return min(max(at, self._from), self._until)


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT]


def _is_short(facts: Machine | Conditions) -> bool:
    return len(repr(facts)) <= MAX_TEXT


def _is_file(use: FileUse) -> bool:
    is_hashed = use.sha256 is None or _SHA256.match(use.sha256) is not None
    return is_hashed and 0 < len(use.path) <= MAX_NAME


def _is_metric(name: str, value: float) -> bool:
    # As `nb2prod.execution.tracking` gives them; NaN is not below infinity.
    is_text = not any("\ud800" <= character <= "\udfff" for character in name)
    return is_text and 0 < len(name) <= MAX_METRIC_NAME and abs(value) < float("inf")
