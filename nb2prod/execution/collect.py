"""From a run's folder to its final row: everything stored, then one transaction."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from nb2prod.errors import RunNotFound
from nb2prod.execution.artifacts import Allowance, distinct, keep_tracked
from nb2prod.execution.evidence import Evidence, Verdict, read_evidence
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.record import EMPTY_NOTEBOOK, History, fold
from nb2prod.execution.record_json import record_from_json, record_to_json
from nb2prod.execution.recorder import RunFolder, now, read_events, run_folder
from nb2prod.execution.tracking import finish_lost
from nb2prod.execution.tracking_store import TrackingStore, forget_token, store_of
from nb2prod.store.schema import metrics, projects, runs
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

OPEN = (RunStatus.QUEUED.value, RunStatus.RUNNING.value)


def collect(
    workspace: Workspace,
    run_id: str,
    *,
    verdict: Verdict | None = None,
    store: TrackingStore | None = None,
) -> RunRecord:
    """Bring a run's row to its end with all that its event log says.

    Idempotent: a run that has ended already is returned as it is. To be called by who holds
    the run's lock, or, for a run of an executor, by its dispatcher once nothing of it runs.
    What such a run has left is read as a stranger's.

    Parameters
    ----------
    verdict
        What the executor says of the end, where the log has none.
    store
        Where the MLflow run of a lost run can be ended; by default the workspace's own.

    Raises
    ------
    RunNotFound
        There is no such run.
    StorageFull, StorageUnusable
        Something can't be stored; the row is as it was.
    """
    with workspace.database.read() as connection:
        row = _row(connection, run_id)
    if row.record is not None:
        return record_from_json(row.record)
    folder = run_folder(workspace, run_id)
    asked = read_request(folder) or bare_record(row, row.project_name)
    if row.executor is None:
        evidence = _own_evidence(workspace, folder, asked)
    else:
        evidence = read_evidence(folder, asked, workspace.blobs, verdict or Verdict())
        evidence = _with_metrics(evidence, run_id, store)
    record = _record(workspace, asked, row, evidence)
    with workspace.database.write() as connection:
        if not _finish(connection, record):
            record = record_from_json(_row(connection, run_id).record)
    if row.executor is None:
        forget_token(workspace, run_id)
    _remove_copies(folder)
    return record


def abandon(workspace: Workspace, run_id: str, *, status: RunStatus, reason: str) -> RunRecord:
    """Bring a run's row to its end without a look at what it left; idempotent.

    For a run that never began, and for one whose leavings can't be read.
    """
    with workspace.database.read() as connection:
        row = _row(connection, run_id)
    if row.record is not None:
        return record_from_json(row.record)
    folder = run_folder(workspace, run_id)
    asked = read_request(folder) or bare_record(row, row.project_name)
    record = replace(
        asked,
        status=status,
        reason=reason,
        started_at=row.started_at,
        ended_at=now(),
    )
    with workspace.database.write() as connection:
        if not _finish(connection, record):
            record = record_from_json(_row(connection, run_id).record)
    _remove_copies(folder)
    return record


def read_history(folder: RunFolder) -> History:
    """Compute what is known of a run from its folder."""
    try:
        notebook = json.loads(folder.notebook.read_bytes())
    except (FileNotFoundError, ValueError):
        notebook = EMPTY_NOTEBOOK
    return fold(notebook, read_events(folder.events))


def read_request(folder: RunFolder) -> RunRecord | None:
    """Return the record of a run as it was asked for; `None` where this machine has none."""
    try:
        return record_from_json(json.loads(folder.request.read_bytes()))
    except (FileNotFoundError, ValueError):
        return None


def bare_record(row: Row[Any], project: str) -> RunRecord:
    """Return what the row alone knows of a run."""
    return RunRecord(
        id=row.id,
        project=project,
        pipeline=row.pipeline,
        version=row.version,
        commit=row.commit,
        parameters=row.parameters,
        status=RunStatus(row.status),
        reason=row.reason or "",
        requested_by=row.requested_by,
        requested_via=row.requested_via,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        kernel_name="",
        lock_sha256="",
        lock_is_observed=False,
    )


def _row(connection: Connection, run_id: str) -> Row[Any]:
    query = select(runs, projects.c.name.label("project_name")).join(projects)
    row = connection.execute(query.where(runs.c.id == run_id)).first()
    if row is None:
        raise RunNotFound(f"There is no run {run_id!r}.")
    return row


def _finish(connection: Connection, record: RunRecord) -> bool:
    changed = connection.execute(
        update(runs)
        .where(runs.c.id == record.id, runs.c.status.in_(OPEN))
        .values(
            status=record.status.value,
            reason=record.reason,
            started_at=record.started_at,
            ended_at=record.ended_at,
            record=record_to_json(record),
        )
    )
    if changed.rowcount == 0:
        return False
    rows = [
        {"run_id": record.id, "name": name, "value": value}
        for name, value in record.metrics.items()
    ]
    if rows:
        connection.execute(insert(metrics), rows)
    return True


def _own_evidence(workspace: Workspace, folder: RunFolder, asked: RunRecord) -> Evidence:
    history = read_history(folder)
    evidence = Evidence(history=history, artifacts=history.artifacts, notes=history.notes)
    if history.has_results or history.mlflow_run_id is None:
        return evidence
    store = store_of(workspace, asked)
    tracked = finish_lost(store, history.mlflow_run_id, asked.id, folder.downloads)
    kept = keep_tracked(workspace.blobs, tracked.files, Allowance())
    return replace(
        evidence,
        history=replace(history, metrics=tracked.metrics),
        artifacts=distinct([*history.artifacts, *kept]),
    )


def _with_metrics(evidence: Evidence, run_id: str, store: TrackingStore | None) -> Evidence:
    # Only numbers: how much such a run has given MLflow's server to keep, nobody knows.
    history = evidence.history
    if history.has_results or history.mlflow_run_id is None or store is None:
        return evidence
    tracked = finish_lost(store, history.mlflow_run_id, run_id, None)
    return replace(evidence, history=replace(history, metrics=tracked.metrics))


def _record(workspace: Workspace, asked: RunRecord, row: Row[Any], evidence: Evidence) -> RunRecord:
    history = evidence.history
    executed = json.dumps(history.notebook, ensure_ascii=False, indent=1)
    return replace(
        asked,
        status=history.status,
        reason=history.reason,
        started_at=history.started_at or row.started_at,
        ended_at=history.ended_at or row.started_at or row.created_at,
        kernel_name=history.kernel_name or asked.kernel_name,
        machine=history.machine,
        cells=history.cells,
        files=history.files,
        is_lineage_complete=history.is_lineage_complete,
        metrics=history.metrics,
        artifacts=evidence.artifacts,
        sources={
            **asked.sources,
            "executed": _stored(workspace, executed),
            "log": _stored(workspace, history.log),
        },
        mlflow_run_id=history.mlflow_run_id,
        notes=evidence.notes,
    )


def _remove_copies(folder: RunFolder) -> None:
    """Remove what is in the workspace's blobs by now."""
    for path in (folder.downloads, folder.work.downloads, folder.work.artifacts):
        shutil.rmtree(path, ignore_errors=True)


def _stored(workspace: Workspace, text: str) -> str:
    return workspace.blobs.put_bytes(text.encode("utf-8", "replace")).sha256
