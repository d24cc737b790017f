"""From a run's folder to its final row: everything stored, then one transaction."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from nb2prod.errors import RunNotFound
from nb2prod.execution.artifacts import Allowance, distinct, keep_tracked
from nb2prod.execution.circumstances import secrets_note
from nb2prod.execution.evidence import Evidence, Verdict, read_evidence
from nb2prod.execution.models import Attempt, RunRecord, RunStatus
from nb2prod.execution.record import EMPTY_NOTEBOOK, History, fold, metrics_without_secrets
from nb2prod.execution.record_json import record_from_json, record_to_json
from nb2prod.execution.recorder import RunFolder, now, read_events, run_folder
from nb2prod.execution.redaction import Redactor, redactor_of
from nb2prod.execution.tracking import finish_lost
from nb2prod.execution.tracking_store import TrackingStore, forget_token, store_of
from nb2prod.store.schema import metrics, projects, runs
from nb2prod.workspace.secrets import known_values
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
    """Bring a run's row to its end with all that its event log says: `judge`, then `settle`."""
    record = settle(workspace, judge(workspace, run_id, verdict=verdict, store=store))
    assert record is not None
    return record


def judge(
    workspace: Workspace,
    run_id: str,
    *,
    verdict: Verdict | None = None,
    store: TrackingStore | None = None,
) -> RunRecord:
    """Return the record of a run by what its event log says; its row stays as it is.

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
        Something can't be stored.
    """
    row = _read_row(workspace, run_id)
    if row.record is not None:
        return record_from_json(row.record)
    folder = run_folder(workspace, run_id)
    asked = asked_record(workspace, row)
    redactor = redactor_of(tuple(known_values(workspace, row.project_id).items()))
    if row.executor is None:
        evidence = _own_evidence(workspace, folder, asked, redactor)
    else:
        evidence = read_evidence(folder, asked, workspace.blobs, verdict or Verdict(), redactor)
        evidence = _with_metrics(evidence, run_id, store, redactor)
    return _record(workspace, asked, row, evidence)


def settle(
    workspace: Workspace, record: RunRecord, *, only_from: Sequence[str] = OPEN
) -> RunRecord | None:
    """Write a run's end into its row; idempotent: the first end counts, and is returned.

    Parameters
    ----------
    only_from
        Statuses in which the row must be.

    Returns
    -------
    RunRecord or None
        `None` where the run has not ended and is in another status.

    Raises
    ------
    StorageFull, StorageUnusable
        It can't be written; the row is as it was.
    """
    with workspace.database.write() as connection:
        row = _row(connection, record.id)
        if not _finish(connection, record, only_from):
            if row.record is None:
                return None
            record = record_from_json(row.record)
    if row.executor is None:
        forget_token(workspace, record.id)
    _remove_copies(run_folder(workspace, record.id))
    return record


def try_again(workspace: Workspace, record: RunRecord, *, not_before: datetime) -> bool:
    """Queue a run anew that has failed; tell whether it is (it may have ended meanwhile).

    Its request says from now on how the attempt ended. What it left is still in its folder.

    Parameters
    ----------
    record
        What `judge` says of the attempt that failed.
    not_before
        When the next one may start.
    """
    number = len(record.attempts) + 1
    failed = Attempt(
        number=number,
        status=record.status,
        reason=record.reason,
        started_at=record.started_at,
        ended_at=record.ended_at or now(),
        log_sha256=record.sources["log"],
    )
    asked = asked_record(workspace, _read_row(workspace, record.id))
    with workspace.database.write() as connection:
        changed = connection.execute(
            update(runs)
            .where(
                runs.c.id == record.id,
                runs.c.status == RunStatus.RUNNING.value,
                runs.c.attempt == number,
                runs.c.cancel_requested_at.is_(None),
            )
            .values(
                status=RunStatus.QUEUED.value,
                started_at=None,
                attempt=number + 1,
                not_before=not_before,
                request=record_to_json(replace(asked, attempts=(*asked.attempts, failed))),
            )
        )
    return changed.rowcount > 0


def abandon(
    workspace: Workspace,
    run_id: str,
    *,
    status: RunStatus,
    reason: str,
    only_from: Sequence[str] = OPEN,
) -> RunRecord | None:
    """Bring a run's row to its end without a look at what it left; see `settle`.

    For a run that never began, and for one whose leavings can't be read.
    """
    row = _read_row(workspace, run_id)
    if row.record is not None:
        return record_from_json(row.record)
    asked = asked_record(workspace, row)
    record = replace(asked, status=status, reason=reason, started_at=row.started_at, ended_at=now())
    return settle(workspace, record, only_from=only_from)


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


def asked_record(workspace: Workspace, row: Row[Any]) -> RunRecord:
    """Return the record of a run as it was asked for.

    Parameters
    ----------
    row
        Of ``runs``, with ``project_name``.
    """
    if row.request is not None:
        # A project may have got another name since.
        return replace(record_from_json(row.request), project=row.project_name)
    # Asked for by a former release, which kept it in the run's folder.
    found = read_request(run_folder(workspace, row.id))
    return found or _bare_record(row, row.project_name)


def _bare_record(row: Row[Any], project: str) -> RunRecord:
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


def _read_row(workspace: Workspace, run_id: str) -> Row[Any]:
    with workspace.database.read() as connection:
        return _row(connection, run_id)


def _row(connection: Connection, run_id: str) -> Row[Any]:
    query = select(runs, projects.c.name.label("project_name")).join(projects)
    row = connection.execute(query.where(runs.c.id == run_id)).first()
    if row is None:
        raise RunNotFound(f"There is no run {run_id!r}.")
    return row


def _finish(connection: Connection, record: RunRecord, only_from: Sequence[str]) -> bool:
    changed = connection.execute(
        update(runs)
        .where(runs.c.id == record.id, runs.c.status.in_(only_from))
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


def _own_evidence(
    workspace: Workspace, folder: RunFolder, asked: RunRecord, redactor: Redactor
) -> Evidence:
    history = read_history(folder)
    evidence = Evidence(history=history, artifacts=history.artifacts, notes=history.notes)
    if history.has_results or history.mlflow_run_id is None:
        return evidence
    store = store_of(workspace, asked)
    tracked = finish_lost(store, history.mlflow_run_id, asked.id, folder.downloads)
    allowance = Allowance(redactor)
    kept = tuple(keep_tracked(workspace.blobs, tracked.files, allowance))
    notes = [secrets_note(allowance.with_secrets)] if allowance.with_secrets else []
    return replace(
        evidence,
        history=replace(history, metrics=metrics_without_secrets(tracked.metrics, redactor)),
        artifacts=distinct([*history.artifacts, *kept]),
        notes=(*history.notes, *notes),
    )


def _with_metrics(
    evidence: Evidence, run_id: str, store: TrackingStore | None, redactor: Redactor
) -> Evidence:
    # Only numbers: how much such a run has given MLflow's server to keep, nobody knows.
    history = evidence.history
    if history.has_results or history.mlflow_run_id is None or store is None:
        return evidence
    tracked = finish_lost(store, history.mlflow_run_id, run_id, None)
    metrics = metrics_without_secrets(tracked.metrics, redactor)
    return replace(evidence, history=replace(history, metrics=metrics))


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
        conditions=history.conditions,
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
        peak_memory_mb=history.peak_memory_mb,
        memory_limit_mb=history.memory_limit_mb,
    )


def _remove_copies(folder: RunFolder) -> None:
    """Remove what is in the workspace's blobs by now."""
    for path in (folder.downloads, folder.work.downloads, folder.work.artifacts):
        shutil.rmtree(path, ignore_errors=True)


def _stored(workspace: Workspace, text: str) -> str:
    return workspace.blobs.put_bytes(text.encode("utf-8", "replace")).sha256
