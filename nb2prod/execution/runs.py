"""Runs as rows: asked for, looked up, and brought to an end when nobody else does.

A row is written before anything starts, and is the truth about a run's status. While a run
goes on, its runner holds a lock that the system frees with it; so a run that stands open
without its lock has lost its runner, and `reconcile` ends it.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from nb2prod.errors import RunEnded, RunNotFound
from nb2prod.execution.collect import OPEN, asked_record, collect
from nb2prod.execution.models import Profile, RunRecord, RunRequest, RunStatus
from nb2prod.execution.processes import end_processes_of, remove_socket_folders
from nb2prod.execution.record_json import record_from_json, record_to_json
from nb2prod.execution.recorder import now, run_folder
from nb2prod.notebook.languages import language_named
from nb2prod.notebook.parameters import read_values
from nb2prod.notebook.reading import to_node
from nb2prod.registry.manifest import write_manifest
from nb2prod.registry.models import Version
from nb2prod.registry.versions import version_notebook
from nb2prod.store.schema import members, projects, runs, sweeps
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

# A queued run's runner takes the lock right after the row is written.
QUEUED_GRACE = timedelta(seconds=60)
LIST_LIMIT = 500

_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz234567")


def create_run(
    workspace: Workspace,
    version: Version,
    values: Mapping[str, object],
    *,
    project: Project,
    request: RunRequest,
) -> RunRecord:
    """Ask for a run: its row is `queued`, and what it consists of is stored.

    Parameters
    ----------
    values
        All parameters, as `read_values` returns them.

    Returns
    -------
    RunRecord
        As it was asked for.
    """
    (record,) = create_runs(workspace, version, [(values, request)], project=project)
    return record


def create_runs(
    workspace: Workspace,
    version: Version,
    asked: Sequence[tuple[Mapping[str, object], RunRequest]],
    *,
    project: Project,
    sweep: Mapping[str, Any] | None = None,
    before: Callable[[Connection], None] | None = None,
) -> tuple[RunRecord, ...]:
    """Ask for several runs of a version at once: all of them, or none; see `create_run`.

    Parameters
    ----------
    sweep
        The row of the sweep that they are of, where it is to be made as well.
    before
        What else is to be done in the same transaction, first; where it fails there are no runs.
    """
    sources = _store_sources(workspace, version)
    rows = [
        _new_row(version, values, request, project=project, sources=sources)
        for values, request in asked
    ]
    with workspace.database.write() as connection:
        if before is not None:
            before(connection)
        if sweep is not None:
            connection.execute(insert(sweeps).values(**sweep))
        connection.execute(insert(runs), rows)
    # As everybody else will read it: halves of characters in a parameter are not kept.
    return tuple(record_from_json(row["request"]) for row in rows)


def request_run(
    workspace: Workspace,
    project: Project,
    version: Version,
    values: Mapping[str, object],
    *,
    request: RunRequest,
) -> RunRecord:
    """Ask for a run that an executor is to bring to its end; returns at once.

    Parameters
    ----------
    values
        Parameters by name; text is read by the parameter's type. Others have their defaults, or,
        in a smoke run, the version's small values.

    Raises
    ------
    ParameterUnknown, ParameterInvalid
        The values are not the version's; there is no run then.
    ResourcesUnknown
        The version names a resource class that this workspace does not have.
    StorageFull, StorageUnusable
        The request can't be written.
    """
    workspace.settings.resource_class(version.manifest.run.resources)
    return create_run(
        workspace,
        version,
        full_values(version, values, request.profile),
        project=project,
        request=request,
    )


def full_values(
    version: Version, values: Mapping[str, object], profile: Profile
) -> dict[str, object]:
    """Return all parameters of a run: those that are given, and those of the profile.

    Raises
    ------
    ParameterUnknown, ParameterInvalid
        The values are not the version's, or its language has no such value.
    """
    manifest = version.manifest
    small = manifest.run.smoke if profile is Profile.SMOKE else {}
    read = read_values(manifest.parameters, {**small, **values})
    # What can't be written must not fail only when the run begins.
    language_named(manifest.language).write(manifest.parameters, read)
    return read


def new_id() -> str:
    """Return a new id for a run, a sweep or a schedule: 12 characters of a–z and 2–7."""
    return base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12]


def _new_row(
    version: Version,
    values: Mapping[str, object],
    request: RunRequest,
    *,
    project: Project,
    sources: Mapping[str, str],
) -> dict[str, Any]:
    settings = version.manifest.run
    record = RunRecord(
        id=new_id(),
        project=project.name,
        pipeline=version.pipeline,
        version=version.number,
        commit=version.commit,
        parameters=dict(values),
        status=RunStatus.QUEUED,
        reason="",
        requested_by=request.by,
        requested_via=request.via,
        created_at=now(),
        started_at=None,
        ended_at=None,
        kernel_name=version.manifest.kernel_name,
        lock_sha256=version.lock.sha256,
        lock_is_observed=version.lock.is_observed,
        sources=dict(sources),
        profile=request.profile,
        resources=settings.resources,
        timeout_s=request.timeout_s or settings.timeout_s,
        cell_timeout_s=request.cell_timeout_s or settings.cell_timeout_s,
        sweep=request.sweep,
        schedule=request.schedule,
        ci=request.ci,
        language=version.manifest.language,
    )
    stored = record_to_json(record)
    return {
        "id": record.id,
        "project_id": project.id,
        "pipeline": record.pipeline,
        "version": record.version,
        "commit": record.commit,
        "parameters": stored["parameters"],
        "status": record.status.value,
        "requested_by": record.requested_by,
        "requested_via": record.requested_via,
        "executor": request.executor,
        "profile": record.profile.value,
        "resources": record.resources,
        "sweep_id": record.sweep,
        "sweep_position": request.sweep_position,
        "schedule_id": record.schedule,
        "created_at": record.created_at,
        "request": stored,
    }


def start_run(workspace: Workspace, run_id: str) -> None:
    """Set a queued run to `running`; only who holds its lock may.

    Raises
    ------
    RunEnded
        It is not queued any more: it waited so long that it counts as lost, for instance
        because the machine slept.
    """
    with workspace.database.write() as connection:
        changed = connection.execute(
            update(runs)
            .where(runs.c.id == run_id, runs.c.status == RunStatus.QUEUED.value)
            .values(status=RunStatus.RUNNING.value, started_at=now())
        )
    if changed.rowcount == 0:
        raise RunEnded(f"The run {run_id} has ended before it began; run the version again.")


def get_run(workspace: Workspace, run_id: str, *, person: str) -> RunRecord:
    """Return a run by its id, or by a part of it that begins only one.

    Raises
    ------
    RunNotFound
        There is none such in a project of this person's, or more than one.
    """
    text = run_id.strip().lower()
    rows: list[Row[Any]] = []
    if text and _ID_CHARACTERS.issuperset(text):
        query = _visible(person).where(runs.c.id.startswith(text)).limit(2)
        with workspace.database.read() as connection:
            rows = list(connection.execute(query))
    if not rows:
        raise RunNotFound(f"There is no run {run_id!r}; `nb2prod runs` lists them.")
    if len(rows) > 1:
        raise RunNotFound(f"Several runs begin with {run_id!r}; write more of it.")
    return _record(workspace, rows[0])


def list_runs(  # noqa: PLR0913 (one parameter per filter; all by name)
    workspace: Workspace,
    *,
    person: str,
    project: str | None = None,
    pipeline: str | None = None,
    status: RunStatus | None = None,
    is_alone: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> tuple[RunRecord, ...]:
    """Return the runs in a person's projects, newest first; at most `LIST_LIMIT`.

    Parameters
    ----------
    is_alone
        Only those that are of no sweep.
    """
    query = _visible(person).order_by(runs.c.created_at.desc(), runs.c.id)
    if project is not None:
        query = query.where(projects.c.name == project)
    if pipeline is not None:
        query = query.where(runs.c.pipeline == pipeline)
    if status is not None:
        query = query.where(runs.c.status == status.value)
    if is_alone:
        query = query.where(runs.c.sweep_id.is_(None))
    with workspace.database.read() as connection:
        rows = connection.execute(query.limit(min(limit, LIST_LIMIT)).offset(offset)).all()
    return tuple(_record(workspace, row) for row in rows)


def count_runs(
    workspace: Workspace, project: str, *, person: str, pipeline: str | None = None
) -> dict[RunStatus, int]:
    """Return how many runs of a project a person may see, by status."""
    query = (
        select(runs.c.status, func.count().label("count"))
        .join(projects, projects.c.id == runs.c.project_id)
        .join(members, members.c.project_id == projects.c.id)
        .where(members.c.person == person, projects.c.name == project)
        .group_by(runs.c.status)
    )
    if pipeline is not None:
        query = query.where(runs.c.pipeline == pipeline)
    with workspace.database.read() as connection:
        return {RunStatus(status): count for status, count in connection.execute(query)}


def delivered(workspace: Workspace, run_ids: Sequence[str]) -> frozenset[str]:
    """Return which of some runs an executor brings to their end, and not who asked for them."""
    query = select(runs.c.id).where(runs.c.id.in_(run_ids), runs.c.executor.is_not(None))
    with workspace.database.read() as connection:
        return frozenset(connection.scalars(query))


def runs_of_schedule(
    workspace: Workspace, schedule: str, *, person: str, limit: int
) -> tuple[RunRecord, ...]:
    """Return the runs of a schedule in a person's projects, newest first."""
    query = _visible(person).where(runs.c.schedule_id == schedule)
    newest = query.order_by(runs.c.created_at.desc(), runs.c.id).limit(limit)
    with workspace.database.read() as connection:
        rows = connection.execute(newest).all()
    return tuple(_record(workspace, row) for row in rows)


def reconcile(workspace: Workspace) -> tuple[str, ...]:
    """End all runs that have lost their runner, with what is known of them.

    Their kernels, and whatever these started, are ended too. Runs that an executor brings to
    their end are its own affair. Idempotent, and safe to call from several processes at once.

    Returns
    -------
    tuple of str
        Ids of the runs that were ended.
    """
    query = select(runs.c.id, runs.c.status, runs.c.created_at).where(
        runs.c.status.in_(OPEN), runs.c.executor.is_(None)
    )
    with workspace.database.read() as connection:
        rows = connection.execute(query).all()
    return tuple(row.id for row in rows if _end_if_lost(workspace, row))


def _end_if_lost(workspace: Workspace, row: Row[*tuple[Any, ...]]) -> bool:
    if row.status == RunStatus.QUEUED.value and row.created_at + QUEUED_GRACE > now():
        return False
    lock = run_folder(workspace, row.id).try_lock()
    if lock is None:
        return False
    with lock:
        end_processes_of(row.id)
        remove_socket_folders(row.id)
        record = collect(workspace, row.id)
        log.info("Ended a run without a runner, run=%s status=%s", row.id, record.status)
    return True


def _store_sources(workspace: Workspace, version: Version) -> dict[str, str]:
    notebook = to_node(version_notebook(version))
    contents = {
        "script": version.script.encode(),
        "notebook": json.dumps(notebook, ensure_ascii=False, indent=1).encode("utf-8", "replace"),
        "manifest": write_manifest(version.manifest).encode(),
        "lock": version.lock.text.encode(),
    }
    return {name: workspace.blobs.put_bytes(content).sha256 for name, content in contents.items()}


def _visible(person: str) -> Select[Any]:
    return (
        select(runs, projects.c.name.label("project_name"))
        .join(projects, projects.c.id == runs.c.project_id)
        .join(members, members.c.project_id == projects.c.id)
        .where(members.c.person == person)
    )


def _record(workspace: Workspace, row: Row[Any]) -> RunRecord:
    if row.record is not None:
        # A project may have got another name since.
        return replace(record_from_json(row.record), project=row.project_name)
    return replace(
        asked_record(workspace, row),
        status=RunStatus(row.status),
        started_at=row.started_at,
    )
