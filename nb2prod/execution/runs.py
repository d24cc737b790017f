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
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, select, update

from nb2prod.errors import RunEnded, RunNotFound
from nb2prod.execution.collect import OPEN, bare_record, collect, read_request
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.processes import end_processes_of, remove_socket_folders
from nb2prod.execution.record_json import record_from_json, record_to_json
from nb2prod.execution.recorder import now, run_folder, write_json
from nb2prod.execution.request import prepare_work, write_version
from nb2prod.notebook.parameters import read_values
from nb2prod.notebook.reading import to_node
from nb2prod.registry.manifest import write_manifest
from nb2prod.registry.models import Version
from nb2prod.registry.versions import version_notebook
from nb2prod.store.schema import members, projects, runs
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
    requested_by: str,
    requested_via: str,
    executor: str | None = None,
) -> RunRecord:
    """Ask for a run: its row is `queued`, and what it consists of is stored.

    Parameters
    ----------
    values
        All parameters, as `read_values` returns them.
    requested_via
        See `RunRecord`.
    executor
        Who is to bring it to its end (`nb2prod.jobs`); `None` for who calls this.

    Returns
    -------
    RunRecord
        As it was asked for.
    """
    run_id = base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12]
    record = RunRecord(
        id=run_id,
        project=project.name,
        pipeline=version.pipeline,
        version=version.number,
        commit=version.commit,
        parameters=dict(values),
        status=RunStatus.QUEUED,
        reason="",
        requested_by=requested_by,
        requested_via=requested_via,
        created_at=now(),
        started_at=None,
        ended_at=None,
        kernel_name=version.manifest.kernel_name,
        lock_sha256=version.lock.sha256,
        lock_is_observed=version.lock.is_observed,
        sources=_store_sources(workspace, version),
    )
    folder = run_folder(workspace, run_id)
    folder.path.mkdir(parents=True, mode=0o700)
    stored = record_to_json(record)
    write_json(folder.request, stored)
    if executor is not None:
        write_version(folder.version, version)
        prepare_work(folder)
    with workspace.database.write() as connection:
        connection.execute(
            runs.insert().values(
                id=run_id,
                project_id=project.id,
                pipeline=record.pipeline,
                version=record.version,
                commit=record.commit,
                parameters=record.parameters,
                status=record.status.value,
                requested_by=requested_by,
                requested_via=requested_via,
                executor=executor,
                created_at=record.created_at,
            )
        )
    # As everybody else will read it: halves of characters in a parameter are not kept.
    return record_from_json(stored)


def request_run(
    workspace: Workspace,
    project: Project,
    version: Version,
    values: Mapping[str, object],
    *,
    requested_by: str,
    requested_via: str,
    executor: str,
) -> RunRecord:
    """Ask for a run that an executor is to bring to its end; returns at once.

    Parameters
    ----------
    values
        Parameters by name; text is read by the parameter's type. Others have their defaults.
    requested_via, executor
        See `create_run`.

    Raises
    ------
    ParameterUnknown, ParameterInvalid
        The values are not the version's; there is no run then.
    StorageFull, StorageUnusable
        The request can't be written.
    """
    return create_run(
        workspace,
        version,
        read_values(version.manifest.parameters, values),
        project=project,
        requested_by=requested_by,
        requested_via=requested_via,
        executor=executor,
    )


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


def list_runs(
    workspace: Workspace,
    *,
    person: str,
    project: str | None = None,
    pipeline: str | None = None,
    status: RunStatus | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[RunRecord, ...]:
    """Return the runs in a person's projects, newest first; at most `LIST_LIMIT`."""
    query = _visible(person).order_by(runs.c.created_at.desc(), runs.c.id)
    if project is not None:
        query = query.where(projects.c.name == project)
    if pipeline is not None:
        query = query.where(runs.c.pipeline == pipeline)
    if status is not None:
        query = query.where(runs.c.status == status.value)
    with workspace.database.read() as connection:
        rows = connection.execute(query.limit(min(limit, LIST_LIMIT)).offset(offset)).all()
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
    asked = read_request(run_folder(workspace, row.id))
    return replace(
        asked or bare_record(row, row.project_name),
        status=RunStatus(row.status),
        started_at=row.started_at,
    )
