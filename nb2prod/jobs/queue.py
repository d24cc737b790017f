"""The rows of runs that executors bring to their end, and which of them may start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, or_, select, update

from nb2prod.execution.collect import OPEN, asked_record
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.recorder import now
from nb2prod.store.schema import access_tokens, projects, runs
from nb2prod.workspace.projects import Project
from nb2prod.workspace.rows import project_from
from nb2prod.workspace.workspace import Workspace

_PURPOSE = "run:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """What decides whether a run may start."""

    id: str
    person: str
    project_id: int
    resources: str
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run that has not ended.

    Parameters
    ----------
    asked
        The record as it was asked for, with the attempts that failed.
    attempt
        The one that is under way, or comes next; from 1.
    cancelled_by
        Who asked for its end; empty where nobody has.
    """

    id: str
    project: Project
    person: str
    status: RunStatus
    executor: str
    asked: RunRecord
    attempt: int
    not_before: datetime | None
    started_at: datetime | None
    cancelled_by: str

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked for its end."""
        return bool(self.cancelled_by)


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """How many runs may go on at once.

    Parameters
    ----------
    slots
        By resource class.
    person, project
        Of one person, and of one project; `None` is as many as the class has room for.
    """

    slots: dict[str, int]
    person: int | None = None
    project: int | None = None


def purpose_of(run_id: str) -> str:
    """Return what a run's access token is for."""
    return f"{_PURPOSE}{run_id}"


def find_open(workspace: Workspace, run_id: str) -> OpenRun | None:
    """Return a run of an executor as it stands; `None` where it has ended, or is no such run."""
    query = (
        select(runs, projects.c.name.label("project_name"))
        .join(projects, projects.c.id == runs.c.project_id)
        .where(runs.c.id == run_id, runs.c.status.in_(OPEN), runs.c.executor.is_not(None))
    )
    with workspace.database.read() as connection:
        row = connection.execute(query).first()
        if row is None:
            return None
        project = connection.execute(select(projects).where(projects.c.id == row.project_id)).one()
    return OpenRun(
        id=row.id,
        project=project_from(project),
        person=row.requested_by,
        status=RunStatus(row.status),
        executor=row.executor,
        asked=asked_record(workspace, row),
        attempt=row.attempt,
        not_before=row.not_before,
        started_at=row.started_at,
        cancelled_by=row.cancel_requested_by or "",
    )


def running(workspace: Workspace, executors: Collection[str]) -> tuple[Ticket, ...]:
    """Return the runs of some executors that have been started and have not ended."""
    return _tickets(workspace, _of(executors).where(runs.c.status == RunStatus.RUNNING.value))


def open_ids(workspace: Workspace, executors: Collection[str]) -> frozenset[str]:
    """Return the ids of all runs of some executors that have not ended."""
    query = _of(executors).where(runs.c.status.in_(OPEN))
    return frozenset(ticket.id for ticket in _tickets(workspace, query))


def waiting(workspace: Workspace, executors: Collection[str], *, each: int) -> tuple[Ticket, ...]:
    """Return the runs that wait for their turn, oldest first.

    Parameters
    ----------
    each
        How many, at most, of each person in each project and resource class: of somebody's ten
        thousand, a few are enough to choose from.
    """
    place = func.row_number().over(
        partition_by=(runs.c.requested_by, runs.c.project_id, runs.c.resources),
        order_by=(runs.c.created_at, runs.c.sweep_position, runs.c.id),
    )
    query = _of(executors).where(
        runs.c.status == RunStatus.QUEUED.value,
        or_(runs.c.not_before.is_(None), runs.c.not_before <= now()),
    )
    ranked = query.add_columns(
        runs.c.created_at, runs.c.sweep_position, place.label("place")
    ).subquery()
    first = select(ranked).where(ranked.c.place <= each)
    return _tickets(
        workspace, first.order_by(ranked.c.created_at, ranked.c.sweep_position, ranked.c.id)
    )


def chosen(waiting: Sequence[Ticket], going: Iterable[Ticket], *, room: Room) -> tuple[Ticket, ...]:
    """Choose which of the waiting runs may start now.

    Each resource class has its own room. In it, who has the fewest runs going comes first, then
    who asked first. Who has none going need not wait for those who have many: for each such
    person there is room for one run beyond the class's slots, up to twice as many in all. The
    limits of a person and of a project hold over all classes, and for everybody.

    Parameters
    ----------
    waiting
        Oldest first.
    """
    state = _State(going)
    left, found = list(waiting), list[Ticket]()
    while True:
        fitting = [ticket for ticket in left if state.has_room(ticket, room)]
        if not fitting:
            return tuple(found)
        ticket = min(fitting, key=lambda item: state.persons[item.resources, item.person])
        left.remove(ticket)
        state.add(ticket)
        found.append(ticket)


def put_back(workspace: Workspace, run_id: str) -> None:
    """Set a run to `queued` again, since it could not be started yet."""
    with workspace.database.write() as connection:
        connection.execute(
            update(runs)
            .where(runs.c.id == run_id, runs.c.status == RunStatus.RUNNING.value)
            .values(status=RunStatus.QUEUED.value, started_at=None)
        )


def tokens_of_runs(workspace: Workspace) -> frozenset[str]:
    """Return the purposes of all access tokens that runs have."""
    query = select(access_tokens.c.purpose).where(access_tokens.c.purpose.startswith(_PURPOSE))
    with workspace.database.read() as connection:
        return frozenset(connection.scalars(query))


class _State:
    """How many runs go on: in each class, of each person in it, of each person, in each project."""

    def __init__(self, going: Iterable[Ticket]) -> None:
        self.classes: Counter[str] = Counter()
        self.persons: Counter[tuple[str, str]] = Counter()
        self.all_persons: Counter[str] = Counter()
        self.projects: Counter[int] = Counter()
        for ticket in going:
            self.add(ticket)

    def add(self, ticket: Ticket) -> None:
        self.classes[ticket.resources] += 1
        self.persons[ticket.resources, ticket.person] += 1
        self.all_persons[ticket.person] += 1
        self.projects[ticket.project_id] += 1

    def has_room(self, ticket: Ticket, room: Room) -> bool:
        slots = room.slots.get(ticket.resources)
        if slots is None:
            # A class that is no more; it is let in, so that it can fail and say so.
            return True
        if not self.persons[ticket.resources, ticket.person]:
            slots *= 2
        return (
            self.classes[ticket.resources] < slots
            and (room.person is None or self.all_persons[ticket.person] < room.person)
            and (room.project is None or self.projects[ticket.project_id] < room.project)
        )


def _of(executors: Collection[str]) -> Select[Any]:
    return select(
        runs.c.id,
        runs.c.requested_by.label("person"),
        runs.c.project_id,
        runs.c.resources,
        runs.c.attempt,
    ).where(runs.c.executor.in_(executors))


def _tickets(workspace: Workspace, query: Select[Any]) -> tuple[Ticket, ...]:
    with workspace.database.read() as connection:
        return tuple(map(_ticket, connection.execute(query)))


def _ticket(row: Row[Any]) -> Ticket:
    return Ticket(
        id=row.id,
        person=row.person,
        project_id=row.project_id,
        resources=row.resources,
        attempt=row.attempt,
    )
