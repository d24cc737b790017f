"""Sweeps: asked for in one step, read as a table, cancelled and resumed as a whole.

A sweep knows the values of each of its positions. A run that did not succeed stays, with its
page, when its position is asked for anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from nb2prod.errors import Conflict
from nb2prod.execution.collect import OPEN, asked_record
from nb2prod.execution.models import Profile, RunRequest, RunStatus
from nb2prod.execution.record_json import record_to_json
from nb2prod.execution.recorder import now
from nb2prod.execution.runs import create_runs, full_values, new_id
from nb2prod.jobs.cancel import end_cancelled
from nb2prod.jobs.sweep_models import Sweep, SweepRow, SweepTable, TableQuery
from nb2prod.jobs.sweep_reading import (
    get_sweep,
    list_sweeps,
    newest_runs,
    read_table,
    sweep_not_found,
)
from nb2prod.jobs.sweep_table import table_csv
from nb2prod.jobs.sweep_values import SweepPlan, plan_sweep
from nb2prod.registry.models import Version
from nb2prod.store.schema import projects, runs, sweeps
from nb2prod.workspace.models import Project, Role
from nb2prod.workspace.rows import require
from nb2prod.workspace.workspace import Workspace

__all__ = [
    "Position",
    "Sweep",
    "SweepAsked",
    "SweepRow",
    "SweepTable",
    "TableQuery",
    "cancel_sweep",
    "create_sweep",
    "get_sweep",
    "list_sweeps",
    "missing_numbers",
    "missing_positions",
    "plan",
    "read_table",
    "resume_sweep",
    "table_csv",
]

log = logging.getLogger(__name__)

# Somebody else may ask for the same at the same moment.
_RESUME_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepAsked:
    """What a sweep is to go through; see `nb2prod.jobs.sweep_values.plan_sweep`."""

    axes: Mapping[str, object] = field(default_factory=dict)
    csv_text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A place in a sweep, from 1, and all parameters of its run."""

    number: int
    values: Mapping[str, object]


def plan(version: Version, asked: SweepAsked) -> SweepPlan:
    """Return what a sweep of a version would go through; makes nothing.

    Raises
    ------
    ParameterUnknown, ParameterInvalid, SweepInvalid
        It can't be.
    """
    return plan_sweep(version.manifest.parameters, asked.axes, asked.csv_text)


def create_sweep(
    workspace: Workspace,
    project: Project,
    version: Version,
    asked: SweepAsked,
    *,
    request: RunRequest,
) -> Sweep:
    """Make a sweep with all its runs: everything, or nothing.

    Without an executor there are no runs yet, since nobody would take them out of the queue: who
    asks runs what `missing_positions` gives.

    Parameters
    ----------
    request
        Who asks, and how each run is to go about it.

    Raises
    ------
    ParameterUnknown, ParameterInvalid, SweepInvalid
        What is asked can't be; nothing is made.
    ResourcesUnknown
        The version names a resource class that this workspace does not have.
    StorageFull, StorageUnusable
        It can't be written.
    """
    workspace.settings.resource_class(version.manifest.run.resources)
    planned = plan(version, asked)
    row = _new_row(project, version, asked, planned, request)
    if request.executor is None:
        with workspace.database.write() as connection:
            connection.execute(insert(sweeps).values(**row))
    else:
        positions = _positions(version, planned.names, planned.positions, request.profile)
        runs_asked = _asked(positions, replace(request, sweep=row["id"]))
        create_runs(workspace, version, runs_asked, project=project, sweep=row)
    log.info("Sweep made id=%s runs=%d by=%s", row["id"], len(planned.positions), request.by)
    return get_sweep(workspace, project.name, row["id"], person=request.by)


def cancel_sweep(workspace: Workspace, project: str, sweep_id: str, *, person: str) -> Sweep:
    """Ask all runs of a sweep to end; returns at once.

    Those that wait have ended when this returns; those that go on are interrupted by the
    dispatcher, as `nb2prod.jobs.cancel.cancel_run` says. To ask twice changes nothing.

    Parameters
    ----------
    person
        Who asks; must be an editor of the project, or an owner.

    Raises
    ------
    ProjectNotFound, RoleInsufficient, SweepNotFound
        There is no such project or sweep, or the person may not run anything in it.
    Conflict
        Nothing of it waits or goes on, or not in the workspace.
    """
    with workspace.database.read() as connection:
        found = require(connection, project, person, Role.EDITOR)
        _require_in(connection, found, sweep_id)
        waiting = connection.execute(_waiting_of(sweep_id)).all()
    fresh = [row for row in waiting if row.attempt == 1]
    ends = [_end(workspace, row, person) for row in fresh]
    with workspace.database.write() as connection:
        _require_cancellable(connection, sweep_id)
        connection.execute(
            update(runs)
            .where(*_open_of(sweep_id), runs.c.cancel_requested_at.is_(None))
            .values(cancel_requested_at=now(), cancel_requested_by=person)
        )
        connection.execute(update(sweeps).where(sweeps.c.id == sweep_id).values(cancelled_at=now()))
        if ends:
            connection.execute(_ENDING, ends)
    for row in waiting:
        # They have left something of an attempt, which is put away one by one.
        if row.attempt > 1:
            end_cancelled(workspace, row.id, by=person)
    log.info("Sweep cancelled id=%s by=%s", sweep_id, person)
    return get_sweep(workspace, project, sweep_id, person=person)


def resume_sweep(
    workspace: Workspace,
    project: Project,
    version: Version,
    sweep_id: str,
    *,
    request: RunRequest,
) -> Sweep:
    """Ask anew for all runs of a sweep that have not succeeded and are not under way.

    Parameters
    ----------
    project
        One in which the asking person is an editor, or an owner.
    version
        The sweep's.
    request
        Who asks, and the executor. The profile is the sweep's.

    Raises
    ------
    SweepNotFound
        As `get_sweep`.
    Conflict
        Nothing is missing.
    ResourcesUnknown, StorageFull, StorageUnusable
        As `create_sweep`.
    """
    workspace.settings.resource_class(version.manifest.run.resources)
    for _ in range(_RESUME_ATTEMPTS):
        sweep = get_sweep(workspace, project.name, sweep_id, person=request.by)
        positions = missing_positions(workspace, sweep, version)
        if not positions:
            raise Conflict(
                f"Nothing is missing in the sweep {sweep_id}: each of its runs has succeeded, or"
                " is under way.",
                sweep=sweep_id,
            )
        wanted = replace(request, sweep=sweep_id, profile=sweep.profile)
        numbers = frozenset(position.number for position in positions)
        try:
            create_runs(
                workspace,
                version,
                _asked(positions, wanted),
                project=project,
                before=partial(_claim, sweep_id, numbers),
            )
        except _Raced:
            continue
        log.info("Sweep resumed id=%s runs=%d by=%s", sweep_id, len(numbers), request.by)
        return get_sweep(workspace, project.name, sweep_id, person=request.by)
    raise Conflict(
        f"The runs of the sweep {sweep_id} change faster than they can be asked for; try again.",
        sweep=sweep_id,
    )


def missing_positions(workspace: Workspace, sweep: Sweep, version: Version) -> tuple[Position, ...]:
    """Return the positions of a sweep that have no result, and none under way, in order."""
    with workspace.database.read() as connection:
        axes = connection.execute(select(sweeps.c.axes).where(sweeps.c.id == sweep.id)).one().axes
        missing = _missing(connection, sweep.id, sweep.count)
    found = _positions(version, sweep.names, axes["values"], sweep.profile, only=missing)
    return tuple(found)


def missing_numbers(workspace: Workspace, sweep: Sweep) -> frozenset[int]:
    """Return the numbers of what `missing_positions` gives."""
    with workspace.database.read() as connection:
        return _missing(connection, sweep.id, sweep.count)


class _Raced(Exception):
    """What was found missing is not what is missing any more."""


def _claim(sweep_id: str, numbers: frozenset[int], connection: Connection) -> None:
    # With the row held, who resumes at the same time waits here, and then finds nothing missing.
    held = select(sweeps.c.axes["count"].as_integer()).where(sweeps.c.id == sweep_id)
    count = connection.scalar(held.with_for_update())
    if _missing(connection, sweep_id, count or 0) != numbers:
        raise _Raced
    connection.execute(update(sweeps).where(sweeps.c.id == sweep_id).values(cancelled_at=None))


def _missing(connection: Connection, sweep_id: str, count: int) -> frozenset[int]:
    newest = newest_runs([sweep_id]).subquery()
    kept = (*OPEN, RunStatus.SUCCEEDED.value)
    query = select(newest.c.sweep_position).where(newest.c.status.in_(kept), newest.c.place == 1)
    return frozenset(range(1, count + 1)) - frozenset(connection.scalars(query))


def _new_row(
    project: Project, version: Version, asked: SweepAsked, planned: SweepPlan, request: RunRequest
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "project_id": project.id,
        "pipeline": version.pipeline,
        "version": version.number,
        "axes": {
            "asked": dict(asked.axes),
            "csv": [name for name in planned.names if name not in asked.axes],
            "names": list(planned.names),
            "varied": list(planned.varied),
            "count": len(planned.positions),
            "profile": request.profile.value,
            "values": [list(values) for values in planned.positions],
        },
        "requested_by": request.by,
        "requested_via": request.via,
        "created_at": now(),
    }


def _positions(
    version: Version,
    names: Sequence[str],
    values: Iterable[Sequence[object]],
    profile: Profile,
    *,
    only: frozenset[int] | None = None,
) -> list[Position]:
    return [
        Position(
            number=number, values=full_values(version, dict(zip(names, row, strict=True)), profile)
        )
        for number, row in enumerate(values, start=1)
        if only is None or number in only
    ]


def _asked(
    positions: Iterable[Position], request: RunRequest
) -> list[tuple[Mapping[str, object], RunRequest]]:
    return [
        (position.values, replace(request, sweep_position=position.number))
        for position in positions
    ]


def _require_in(connection: Connection, project: Project, sweep_id: str) -> None:
    here = select(sweeps.c.id).where(sweeps.c.id == sweep_id, sweeps.c.project_id == project.id)
    if connection.scalar(here) is None:
        raise sweep_not_found(project.name, sweep_id)


def _open_of(sweep_id: str) -> tuple[Any, ...]:
    """Return what the open runs of a sweep fulfil that the dispatcher brings to their end."""
    return (
        runs.c.sweep_id == sweep_id,
        runs.c.status.in_(OPEN),
        runs.c.executor.is_not(None),
    )


def _waiting_of(sweep_id: str) -> Select[Any]:
    return (
        select(runs, projects.c.name.label("project_name"))
        .join(projects, projects.c.id == runs.c.project_id)
        .where(*_open_of(sweep_id), runs.c.status == RunStatus.QUEUED.value)
    )


def _require_cancellable(connection: Connection, sweep_id: str) -> None:
    if connection.scalar(select(func.count()).where(*_open_of(sweep_id))):
        return
    in_terminal = select(func.count()).where(runs.c.sweep_id == sweep_id, runs.c.status.in_(OPEN))
    if connection.scalar(in_terminal):
        raise Conflict(
            f"The sweep {sweep_id} goes on in a terminal, not in the workspace. Press Ctrl-C"
            " there.",
            sweep=sweep_id,
        )
    raise Conflict(
        f"Nothing of the sweep {sweep_id} waits or goes on; there is nothing to cancel.",
        sweep=sweep_id,
    )


_ENDING = (
    update(runs)
    .where(
        runs.c.id == bindparam("run"),
        runs.c.status == RunStatus.QUEUED.value,
        runs.c.attempt == 1,
    )
    .values(
        status=RunStatus.CANCELLED.value,
        reason=bindparam("why"),
        ended_at=bindparam("at"),
        record=bindparam("whole"),
    )
)


def _end(workspace: Workspace, row: Row[Any], person: str) -> dict[str, Any]:
    # As `cancel.end_cancelled`, for thousands in one transaction.
    why, at = f"Cancelled by {person} before it began.", now()
    asked = asked_record(workspace, row)
    record = replace(asked, status=RunStatus.CANCELLED, reason=why, ended_at=at)
    return {"run": row.id, "why": why, "at": at, "whole": record_to_json(record)}
