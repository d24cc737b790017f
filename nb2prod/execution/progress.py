"""How far a run is, for people who look at it while it goes on: its log in small portions.

A portion is asked for by where the last one ended, so that looking again and again costs what
is new. What is too large for a person to read along is cut; the page has all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from nb2prod.errors import RunNotFound
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    DisplayUpdated,
    Event,
    KernelStarted,
    Noted,
    OutputAdded,
    RunEnded,
    RunStarted,
    output_text,
)
from nb2prod.execution.models import RunStatus
from nb2prod.execution.outputs import without_ansi
from nb2prod.execution.recorder import RunFolder, run_folder
from nb2prod.execution.redaction import Redactor, redactor_of
from nb2prod.execution.untrusted import read_event
from nb2prod.store.schema import members, pages, projects, runs
from nb2prod.store.untrusted_folder import UntrustedFolder
from nb2prod.workspace.secrets import known_values
from nb2prod.workspace.workspace import Workspace

MAX_EVENTS = 500
# Of the log in one portion; a longer line (a picture) is passed over.
PORTION_BYTES = 2_000_000
MAX_TEXT = 20_000
MAX_HEADING = 500
# Of a log whose end is asked for: some screens full.
TAIL_BYTES = 100_000
# The line that a log begins with is short.
HEAD_BYTES = 4096

_TOLD = (CellEnded, CellStarted, DisplayUpdated, Noted, OutputAdded, RunEnded)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgressEvent:
    """Something that happened in a run, as a person may be told of it.

    Parameters
    ----------
    number
        Its place in the run's log: numbers grow, and are not consecutive.
    kind
        ``run_started``, ``kernel_started``, ``cell_started``, ``output``, ``cell_ended``,
        ``noted`` or ``run_ended``.
    text
        What was put out, noted, or the reason or error of an end; at most `MAX_TEXT`
        characters.
    cell
        Number of the cell among all cells.
    position, total
        Place of the cell among the code cells, and how many there are.
    status
        Of a cell or run that has ended.
    stream
        ``stdout`` or ``stderr``, of what was printed; `None` for other outputs.
    """

    number: int
    kind: str
    at: datetime
    text: str = ""
    cell: int | None = None
    position: int | None = None
    total: int | None = None
    heading: str = ""
    status: str | None = None
    stream: str | None = None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A portion of what happened in a run, and how it stands now.

    Parameters
    ----------
    next
        What to ask with for the next portion.
    status, reason
        Of the run itself. It has ended when this is final, a little after its last event:
        results are gathered between.
    attempt
        The one that is under way, or comes next; from 1. Each has a log of its own, which begins
        at 0.
    has_page
        Whether its page is published.
    total
        How many code cells there are; `None` before the run has begun.
    cancelled_by
        Who asked for its end; empty where nobody has.
    """

    events: tuple[ProgressEvent, ...]
    next: int
    status: RunStatus
    reason: str
    attempt: int
    has_page: bool
    total: int | None = None
    cancelled_by: str = ""


def read_progress(
    workspace: Workspace,
    run_id: str,
    *,
    person: str,
    project: str | None = None,
    after: int = 0,
    attempt: int | None = None,
) -> Progress:
    """Return what has happened in a run since the last look.

    Parameters
    ----------
    person
        Who looks; must be a member of the run's project.
    project
        Name of the project that the run has to be in; `None` for any.
    after
        `Progress.next` of the last portion, or the number of an event; 0 for the first.
    attempt
        Whose log is read: by default that of `Progress.attempt`. Logs of those that were tried
        again are kept.

    Raises
    ------
    RunNotFound
        There is no such run in a project of this person's.
    """
    # Before the log: a run that has ended by now has all its events in it.
    row = _row(workspace, run_id, person, project)
    folder = _log_folder(workspace, row, attempt or row.attempt)
    if folder is None:
        return _progress(row, [], max(0, after), None)
    found, reached = _portion(folder, max(0, after), _redactor(workspace, row))
    if found:
        _still_a_member(workspace, run_id, person, project)
    return _progress(row, found, reached, _total(folder))


def read_tail(
    workspace: Workspace, run_id: str, *, person: str, project: str | None = None
) -> Progress:
    """Return the last that happened in a run, of at most `TAIL_BYTES` of its log.

    Parameters and errors are those of `read_progress`.
    """
    row = _row(workspace, run_id, person, project)
    folder = _log_folder(workspace, row, row.attempt)
    if folder is None:
        return _progress(row, [], 0, None)
    redactor = _redactor(workspace, row)
    events: list[ProgressEvent] = []
    reached = max(0, _size(folder) - TAIL_BYTES)
    while True:
        found, place = _portion(folder, reached, redactor)
        events += found
        if place == reached:
            _still_a_member(workspace, run_id, person, project)
            return _progress(row, events, reached, _total(folder))
        reached = place


def _progress(
    row: Row[*tuple[Any, ...]], found: list[ProgressEvent], reached: int, total: int | None
) -> Progress:
    return Progress(
        events=tuple(_merged(found)),
        next=reached,
        status=RunStatus(row.status),
        reason=row.reason or "",
        attempt=row.attempt,
        has_page=row.page is not None,
        total=total,
        cancelled_by=row.cancel_requested_by or "",
    )


def _row(
    workspace: Workspace, run_id: str, person: str, project: str | None
) -> Row[*tuple[Any, ...]]:
    query = (
        select(
            runs.c.id,
            runs.c.project_id,
            runs.c.status,
            runs.c.reason,
            runs.c.attempt,
            runs.c.executor,
            runs.c.cancel_requested_by,
            pages.c.run_id.label("page"),
        )
        .join(projects, projects.c.id == runs.c.project_id)
        .join(members, members.c.project_id == projects.c.id)
        .outerjoin(pages, pages.c.run_id == runs.c.id)
        .where(runs.c.id == run_id, members.c.person == person)
    )
    if project is not None:
        query = query.where(projects.c.name == project)
    with workspace.database.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise RunNotFound(f"There is no run {run_id!r}; `nb2prod runs` lists them.")
    return row


def _still_a_member(workspace: Workspace, run_id: str, person: str, project: str | None) -> None:
    """Ask again once the log is read: what came after somebody was taken out is not for them."""
    _row(workspace, run_id, person, project)


def _log_folder(workspace: Workspace, row: Row[*tuple[Any, ...]], attempt: int) -> RunFolder | None:
    """Return the folder that has the log of an attempt; `None` for one that has not begun."""
    folder = run_folder(workspace, row.id)
    if row.executor is None:
        return folder
    is_queued = row.status == RunStatus.QUEUED.value
    if attempt < row.attempt:
        aside = RunFolder(folder.path / "attempts" / str(attempt)).work
        # A moment long it lies where it was.
        return folder.work if is_queued and not aside.path.is_dir() else aside
    has_not_begun = row.attempt > 1 and is_queued
    return None if has_not_begun or attempt > row.attempt else folder.work


def _redactor(workspace: Workspace, row: Row[*tuple[Any, ...]]) -> Redactor | None:
    """Return what takes secrets out of a log that the notebook itself could have written to."""
    if row.executor is None:
        return None
    return redactor_of(tuple(known_values(workspace, row.project_id).items()))


def _portion(
    folder: RunFolder, after: int, redactor: Redactor | None
) -> tuple[list[ProgressEvent], int]:
    """Read events from a place in the log; return them, and the place that was reached."""
    events: list[ProgressEvent] = []
    content = _content(folder, after, PORTION_BYTES)
    reached, start = after, 0
    while len(events) < MAX_EVENTS:
        end = content.find(b"\n", start) + 1
        if end == 0:
            break
        reached = after + end
        event = read_event(content[start:end])
        if event is not None and redactor is not None and isinstance(event, _TOLD):
            event = redactor.of(event)
        told = None if event is None else _told(event, reached)
        if told is not None:
            events.append(told)
        start = end
    if start == 0 and len(content) == PORTION_BYTES:
        # A part of a long line; its rest is no event.
        reached = after + PORTION_BYTES
    return events, reached


def _total(folder: RunFolder) -> int | None:
    line, newline, _ = _content(folder, 0, HEAD_BYTES).partition(b"\n")
    event = read_event(line + newline) if newline else None
    return event.code_cells if isinstance(event, RunStarted) else None


def _size(folder: RunFolder) -> int:
    try:
        return folder.events.lstat().st_size
    except OSError:
        return 0


def _content(folder: RunFolder, after: int, size_bytes: int) -> bytes:
    try:
        with UntrustedFolder(folder.path) as untrusted:
            stream = untrusted.open(folder.events.name)
            if stream is None:
                return b""
            with stream:
                stream.seek(after)
                return stream.read(size_bytes)
    # No such folder; a place that no file has.
    except (OSError, ValueError):
        return b""


def _told(event: Event, number: int) -> ProgressEvent | None:  # noqa: PLR0911 - one for each kind
    match event:
        case RunStarted():
            return ProgressEvent(
                number=number, kind="run_started", at=event.at, total=event.code_cells
            )
        case KernelStarted():
            return ProgressEvent(number=number, kind="kernel_started", at=event.at)
        case CellStarted():
            return ProgressEvent(
                number=number,
                kind="cell_started",
                at=event.at,
                cell=event.number,
                position=event.position,
                heading=event.heading[:MAX_HEADING],
            )
        case OutputAdded():
            stream = event.output.get("name")
            return _output(number, event, event.text, event.number, stream)
        case DisplayUpdated():
            return _output(number, event, output_text({"data": event.data}), None, None)
        case CellEnded():
            return ProgressEvent(
                number=number,
                kind="cell_ended",
                at=event.at,
                cell=event.number,
                status=event.status.value,
                text=_cut(event.error or ""),
            )
        case Noted():
            return ProgressEvent(number=number, kind="noted", at=event.at, text=_cut(event.text))
        case RunEnded():
            return ProgressEvent(
                number=number,
                kind="run_ended",
                at=event.at,
                status=event.status.value,
                text=_cut(event.reason),
            )
        case _:
            return None


def _output(
    number: int, event: Event, text: str, cell: int | None, stream: str | None
) -> ProgressEvent | None:
    text = without_ansi(text)
    if not text:
        return None
    return ProgressEvent(
        number=number, kind="output", at=event.at, text=_cut(text), cell=cell, stream=stream
    )


def _merged(events: list[ProgressEvent]) -> Iterator[ProgressEvent]:
    """Join neighbouring pieces of one stream: a cell may print a thousand times a second."""
    last: ProgressEvent | None = None
    for event in events:
        if last is not None and _is_more_of(last, event):
            last = replace(last, number=event.number, text=_cut(last.text + event.text))
            continue
        if last is not None:
            yield last
        last = event
    if last is not None:
        yield last


def _is_more_of(last: ProgressEvent, event: ProgressEvent) -> bool:
    is_stream = event.stream is not None and event.kind == last.kind == "output"
    return is_stream and (last.cell, last.stream) == (event.cell, event.stream)


def _cut(text: str) -> str:
    """Return the end of a text that is too long: who reads along wants what came last."""
    return text if len(text) <= MAX_TEXT else f"…{text[1 - MAX_TEXT :]}"
