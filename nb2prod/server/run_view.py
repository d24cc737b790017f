"""Runs as pages show them: one that has not ended, and all of a project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nb2prod.execution import runs
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.progress import Progress, ProgressEvent, read_tail
from nb2prod.jobs.waiting import Waiting, waiting_of
from nb2prod.server.gallery import Reader
from nb2prod.server.page_view import ShownParameter, shown_parameters
from nb2prod.server.presentation import LOOKS, Look, look_of
from nb2prod.workspace.projects import Project, Role, get_project, role_of
from nb2prod.workspace.workspace import Workspace

RUNS_SHOWN = 50
MAX_PAGE_NUMBER = 10_000
MAX_NAME_LENGTH = 100

_STATUSES = frozenset(status.value for status in RunStatus)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPart:
    """A piece of what a run has put out; ``is_error`` where it went to standard error."""

    text: str
    is_error: bool


@dataclass(frozen=True, kw_only=True)
class LiveView:
    """What the page of a run that has not ended shows.

    Parameters
    ----------
    cell
        The start of the cell that it is at, as far as the end of its log tells.
    looks
        All statuses that it may come to, with how they are shown.
    """

    record: RunRecord
    progress: Progress
    cell: ProgressEvent | None
    log: tuple[LogPart, ...]
    notes: tuple[str, ...]
    waiting: Waiting | None
    parameters: tuple[ShownParameter, ...]
    may_cancel: bool
    looks: dict[str, Look]

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has asked for its end."""
        return bool(self.progress.cancelled_by)


class RunsRequest(BaseModel):
    """What an address says of filter and place in the list of a project's runs."""

    model_config = ConfigDict(frozen=True)

    status: RunStatus | None = None
    pipeline: Annotated[str | None, Field(max_length=MAX_NAME_LENGTH)] = None
    page: Annotated[int, Field(ge=1, le=MAX_PAGE_NUMBER)] = 1

    @field_validator("*", mode="before")
    @classmethod
    def _leave_out_empty(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value == "" else value

    def link(self, **changes: object) -> str:
        """Return the query string of this request with changes; another filter starts anew.

        >>> RunsRequest(pipeline="train", page=3).link(status="failed")
        '?pipeline=train&status=failed'
        """
        merged = {**self.model_dump(exclude={"page"}, exclude_defaults=True), **changes}
        kept = {name: str(value) for name, value in merged.items() if value not in (None, "", 1)}
        return "?" + urlencode(kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusChoice:
    """A status by which the list is narrowed, with the address that chooses it or lets it go."""

    status: str
    look: Look
    count: int
    link: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class RunsView:
    """What the list of a project's runs shows.

    Parameters
    ----------
    cancellable
        Ids of those that the reader may cancel.
    may_run
        Whether the reader may have something run here.
    """

    project: Project
    asked: RunsRequest
    records: tuple[RunRecord, ...]
    statuses: tuple[StatusChoice, ...]
    cancellable: frozenset[str]
    may_run: bool
    total: int
    first: int
    last: int
    previous_link: str | None
    next_link: str | None


def may_run(workspace: Workspace, project: str, person: str) -> bool:
    """Tell whether a person may run what is in a project."""
    role = role_of(workspace, project, person)
    return role is not None and role.includes(Role.EDITOR)


def compose_live(workspace: Workspace, reader: Reader, record: RunRecord) -> LiveView:
    """Make the view of a run that has no page yet; raises `RunNotFound`."""
    progress = read_tail(workspace, record.id, person=reader.person)
    begun = (event for event in reversed(progress.events) if event.kind == "cell_started")
    is_open = not progress.status.is_final
    may_cancel = (
        is_open
        and bool(runs.delivered(workspace, [record.id]))
        and may_run(workspace, record.project, reader.person)
    )
    return LiveView(
        record=record,
        progress=progress,
        cell=next(begun, None),
        log=tuple(_log(progress.events)),
        notes=tuple(event.text for event in progress.events if event.kind == "noted"),
        waiting=waiting_of(workspace, record.id),
        parameters=shown_parameters(record, workspace),
        may_cancel=may_cancel,
        looks={status.value: look_of(status) for status in RunStatus},
    )


def compose_runs(
    workspace: Workspace, reader: Reader, name: str, asked: RunsRequest, *, has_executor: bool
) -> RunsView:
    """Make the view of a project's runs; raises `ProjectNotFound`."""
    project = get_project(workspace, name, person=reader.person)
    counts = runs.count_runs(workspace, name, person=reader.person, pipeline=asked.pipeline)
    offset = (asked.page - 1) * RUNS_SHOWN
    found = runs.list_runs(
        workspace,
        person=reader.person,
        project=name,
        pipeline=asked.pipeline,
        status=asked.status,
        limit=RUNS_SHOWN,
        offset=offset,
    )
    total = sum(counts.values()) if asked.status is None else counts.get(asked.status, 0)
    last = offset + len(found)
    is_editor = may_run(workspace, name, reader.person)
    open_ids = [record.id for record in found if not record.status.is_final]
    return RunsView(
        project=project,
        asked=asked,
        records=found,
        statuses=tuple(_choices(counts, asked)),
        cancellable=runs.delivered(workspace, open_ids) if is_editor else frozenset(),
        may_run=is_editor and has_executor,
        total=total,
        first=offset + 1 if found else 0,
        last=last,
        previous_link=asked.link(page=asked.page - 1) if asked.page > 1 else None,
        next_link=asked.link(page=asked.page + 1) if last < total else None,
    )


def _choices(counts: dict[RunStatus, int], asked: RunsRequest) -> Iterable[StatusChoice]:
    for name in LOOKS:
        if name not in _STATUSES:
            continue
        status = RunStatus(name)
        is_chosen = status is asked.status
        if counts.get(status) or is_chosen:
            yield StatusChoice(
                status=name,
                look=look_of(status),
                count=counts.get(status, 0),
                link=asked.link(status=None if is_chosen else name),
                is_chosen=is_chosen,
            )


def _log(events: Iterable[ProgressEvent]) -> Iterable[LogPart]:
    for event in events:
        if event.kind == "output":
            # Of a line that was drawn over, as a progress bar is, its last state.
            lines = event.text.replace("\r\n", "\n").split("\n")
            text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
            is_whole = event.stream is None and not text.endswith("\n")
            yield LogPart(text=text + "\n" * is_whole, is_error=event.stream == "stderr")
