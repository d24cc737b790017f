"""Schedules as people keep them: made, changed, paused, removed. `due_runs` makes their runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from math import isfinite
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from nb2prod.errors import ScheduleInvalid, ScheduleNotFound
from nb2prod.execution.models import RunRecord, RunRequest
from nb2prod.execution.recorder import now
from nb2prod.execution.runs import new_id, request_run
from nb2prod.jobs.changed_inputs import check_inputs
from nb2prod.jobs.cron import read_cron, read_zone
from nb2prod.jobs.due_runs import make_due_runs
from nb2prod.jobs.schedule_models import (
    Missed,
    NewSchedule,
    Schedule,
    Seen,
    fitting,
    schedule_from,
    timing_of,
    with_project,
)
from nb2prod.registry.models import check_pipeline_name
from nb2prod.registry.versions import load_version
from nb2prod.store.schema import members, schedules
from nb2prod.workspace.members import require_role
from nb2prod.workspace.models import Project, Role
from nb2prod.workspace.rows import require
from nb2prod.workspace.workspace import Workspace

__all__ = [
    "MAX_SCHEDULES",
    "Missed",
    "NewSchedule",
    "Schedule",
    "change_schedule",
    "create_schedule",
    "delete_schedule",
    "get_schedule",
    "list_schedules",
    "make_due_runs",
    "pause_schedule",
    "resume_schedule",
    "run_now",
]

log = logging.getLogger(__name__)

# Of one project.
MAX_SCHEDULES = 100


def create_schedule(
    workspace: Workspace,
    project: str,
    asked: NewSchedule,
    *,
    person: str,
    at: datetime | None = None,
) -> Schedule:
    """Make a schedule. The runs that it makes are the person's.

    Parameters
    ----------
    person
        Who asks; must be an editor of the project, or an owner.
    at
        From when on it is due; by default from now on.

    Raises
    ------
    ProjectNotFound, RoleInsufficient
        There is no such project, or the person may not run anything in it.
    ScheduleInvalid
        Its time, zone or inputs can't be used, or the project has too many.
    NameInvalid, PipelineNotFound, VersionNotFound, NotAVersion
        There is no such version.
    ParameterUnknown, ParameterInvalid, ResourcesUnknown
        The version can't be run like that.
    """
    moment = at or now()
    found = require_role(workspace, project, person, Role.EDITOR)
    row = {
        "id": new_id(),
        "project_id": found.id,
        **_checked(workspace, found, asked),
        "is_paused": False,
        "created_by": person,
        "created_at": moment,
        "last_at": moment,
        "input_hashes": Seen().to_json(),
    }
    with workspace.database.write() as connection:
        require(connection, project, person, Role.EDITOR)
        count = select(func.count()).where(schedules.c.project_id == found.id)
        if connection.execute(count.select_from(schedules)).scalar_one() >= MAX_SCHEDULES:
            raise ScheduleInvalid(
                f"{project} has {MAX_SCHEDULES} schedules, and can have no more. Remove one."
            )
        connection.execute(insert(schedules).values(**row, next_at=_next(row, moment)))
    log.info("Made a schedule, schedule=%s project=%s", row["id"], project)
    return get_schedule(workspace, project, str(row["id"]), person=person)


def list_schedules(workspace: Workspace, project: str, *, person: str) -> tuple[Schedule, ...]:
    """Return a project's schedules by pipeline, then as they were made; for its members.

    Raises
    ------
    ProjectNotFound
        There is no such project that the person is a member of.
    """
    with workspace.database.read() as connection:
        found = require(connection, project, person, Role.VIEWER)
        query = with_project().where(schedules.c.project_id == found.id)
        order = (schedules.c.pipeline, schedules.c.created_at, schedules.c.id)
        return tuple(map(schedule_from, connection.execute(query.order_by(*order))))


def get_schedule(workspace: Workspace, project: str, schedule_id: str, *, person: str) -> Schedule:
    """Return a schedule of a project; for its members.

    Raises
    ------
    ProjectNotFound, ScheduleNotFound
        There is none such that the person may see.
    """
    with workspace.database.read() as connection:
        found = require(connection, project, person, Role.VIEWER)
        return _one(connection, found, schedule_id)


def change_schedule(
    workspace: Workspace,
    project: str,
    schedule_id: str,
    asked: NewSchedule,
    *,
    person: str,
    at: datetime | None = None,
) -> Schedule:
    """Make a schedule another one: its version, parameters, time, zone, inputs and missed times.

    Who changes the schedule of somebody who may not run anything any more takes it over.

    Parameters
    ----------
    asked
        All of it; `Schedule.asked` has what it is now.
    person, at
        As for `create_schedule`.

    Raises
    ------
    ScheduleNotFound
        The project has no such schedule.
    ScheduleInvalid, ParameterUnknown, and others
        As `create_schedule` does; nothing was changed then.
    """
    moment = at or now()
    found = require_role(workspace, project, person, Role.EDITOR)
    before = get_schedule(workspace, project, schedule_id, person=person)
    if asked.pipeline != before.pipeline:
        raise ScheduleInvalid(
            f"A schedule keeps its pipeline, here {before.pipeline}. Make a new one for"
            f" {asked.pipeline[:60]!r}."
        )
    values = _checked(workspace, found, asked)
    times = ("cron", "time_zone", "inputs")
    is_moved = any(values[name] != getattr(before.asked, name) for name in times[:2])
    is_moved = is_moved or tuple(values["inputs"]) != before.inputs
    with workspace.database.write() as connection:
        project_now = require(connection, project, person, Role.EDITOR)
        current = _one(connection, project_now, schedule_id)
        values |= {"created_by": _whose(connection, project_now, current, person)}
        values |= {"last_error": None}
        if is_moved:
            values["last_at"] = moment
            values["input_hashes"] = Seen().to_json()
            values["next_at"] = None if current.is_paused else _next(values, moment)
        _set(connection, schedule_id, values)
    return get_schedule(workspace, project, schedule_id, person=person)


def pause_schedule(
    workspace: Workspace, project: str, schedule_id: str, *, person: str
) -> Schedule:
    """Let a schedule make no runs until it is resumed; for editors. Idempotent.

    Raises
    ------
    ProjectNotFound, RoleInsufficient, ScheduleNotFound
        There is none such, or the person may not change it.
    """
    with workspace.database.write() as connection:
        found = require(connection, project, person, Role.EDITOR)
        current = _one(connection, found, schedule_id)
        _set(connection, schedule_id, {"is_paused": True, "next_at": None})
    return replace(current, is_paused=True)


def resume_schedule(
    workspace: Workspace,
    project: str,
    schedule_id: str,
    *,
    person: str,
    at: datetime | None = None,
) -> Schedule:
    """Let a paused schedule make runs again; for editors. Idempotent.

    What passed meanwhile was not missed: it counts from now on. Who resumes the schedule of
    somebody who may not run anything any more takes it over.

    Raises
    ------
    ProjectNotFound, RoleInsufficient, ScheduleNotFound
        There is none such, or the person may not change it.
    """
    moment = at or now()
    with workspace.database.write() as connection:
        found = require(connection, project, person, Role.EDITOR)
        current = _one(connection, found, schedule_id)
        if current.is_paused:
            row = {"cron": current.cron, "time_zone": current.time_zone, "inputs": current.inputs}
            values: dict[str, Any] = {
                "is_paused": False,
                "last_at": moment,
                "next_at": _next(row, moment),
                "last_error": None,
                "created_by": _whose(connection, found, current, person),
            }
            if current.cron is None:
                values["input_hashes"] = Seen().to_json()
            _set(connection, schedule_id, values)
    return get_schedule(workspace, project, schedule_id, person=person)


def delete_schedule(workspace: Workspace, project: str, schedule_id: str, *, person: str) -> None:
    """Remove a schedule; its runs stay. For editors.

    Raises
    ------
    ProjectNotFound, RoleInsufficient, ScheduleNotFound
        There is none such, or the person may not remove it.
    """
    with workspace.database.write() as connection:
        found = require(connection, project, person, Role.EDITOR)
        _one(connection, found, schedule_id)
        connection.execute(delete(schedules).where(schedules.c.id == schedule_id))
    log.info("Removed a schedule, schedule=%s project=%s", schedule_id, project)


def run_now(
    workspace: Workspace,
    project: str,
    schedule_id: str,
    *,
    person: str,
    executor: str,
    via: str,
) -> RunRecord:
    """Ask for a run as a schedule would make one, beside its times; for editors.

    Parameters
    ----------
    person
        Whose run it is.
    executor, via
        As in `RunRequest`.

    Raises
    ------
    ProjectNotFound, RoleInsufficient, ScheduleNotFound
        There is none such, or the person may not run anything.
    PipelineNotFound, VersionNotFound, ParameterUnknown, ParameterInvalid, ResourcesUnknown
        The version can't be run like that any more.
    """
    found = require_role(workspace, project, person, Role.EDITOR)
    schedule = get_schedule(workspace, project, schedule_id, person=person)
    return request_run(
        workspace,
        found,
        load_version(found.repository, schedule.reference),
        schedule.parameters,
        request=RunRequest(by=person, via=via, executor=executor, schedule=schedule.id),
    )


def _checked(workspace: Workspace, project: Project, asked: NewSchedule) -> dict[str, Any]:
    check_pipeline_name(asked.pipeline)
    zone = read_zone(asked.time_zone)
    cron = None if asked.cron is None else read_cron(asked.cron, zone.key).text
    version, full = fitting(workspace, project, asked.reference, asked.parameters)
    inputs = check_inputs(asked.inputs)
    if not inputs and (asked.on_changed_data or cron is None):
        inputs = check_inputs(version.manifest.run.inputs)
        if not inputs:
            raise ScheduleInvalid(
                f"A schedule needs a time, or data whose change makes a run; {version.reference}"
                " declares no inputs. Write a time such as `30 6 * * 1-5`, or the paths of files or"
                " folders in the project."
            )
    return {
        "pipeline": asked.pipeline,
        "version": asked.version,
        "parameters": {name: _storable(full[name]) for name in asked.parameters},
        "cron": cron,
        "time_zone": zone.key,
        "inputs": list(inputs),
        "missed": asked.missed.value,
    }


def _next(row: dict[str, Any], moment: datetime) -> datetime | None:
    if row["inputs"]:
        # The first look only remembers; see `due_runs`.
        return moment
    timing = timing_of(row["cron"], row["time_zone"])
    return None if timing is None else timing.next_after(moment)


def _one(connection: Connection, project: Project, schedule_id: str) -> Schedule:
    query = with_project().where(
        schedules.c.id == schedule_id, schedules.c.project_id == project.id
    )
    row = connection.execute(query).first()
    if row is None:
        raise ScheduleNotFound(
            f"There is no schedule {schedule_id[:40]!r} in {project.name}; `nb2prod schedule list`"
            " lists them."
        )
    return schedule_from(row)


def _set(connection: Connection, schedule_id: str, values: dict[str, Any]) -> None:
    connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(**values))


def _whose(connection: Connection, project: Project, schedule: Schedule, person: str) -> str:
    query = select(members.c.role).where(
        members.c.project_id == project.id, members.c.person == schedule.created_by
    )
    role = connection.execute(query).scalar()
    may_run = role is not None and Role(role).includes(Role.EDITOR)
    return schedule.created_by if may_run else person


def _storable(value: object) -> object:
    # JSON has no infinity; and no database has halves of characters.
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    return value
