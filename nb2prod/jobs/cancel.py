"""Asking a run to end."""

from __future__ import annotations

from sqlalchemy import select, update

from nb2prod.errors import Conflict, RunEnded, RunNotFound
from nb2prod.execution.collect import OPEN, abandon
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.recorder import now
from nb2prod.execution.runs import get_run
from nb2prod.store.schema import runs
from nb2prod.workspace.models import Role
from nb2prod.workspace.rows import require
from nb2prod.workspace.workspace import Workspace


def cancel_run(workspace: Workspace, project: str, run_id: str, *, person: str) -> RunRecord:
    """Ask a run to end; returns at once.

    A run that still waits has ended when this returns. One that goes on is interrupted by the
    dispatcher, and ended by force where that does not suffice; what it had done by then is
    recorded. To ask twice changes nothing.

    Parameters
    ----------
    person
        Who asks; must be an editor of the project, or an owner.

    Returns
    -------
    RunRecord
        The run as it stands.

    Raises
    ------
    ProjectNotFound, RoleInsufficient
        There is no such project, or the person may not run anything in it.
    RunNotFound
        The project has no such run.
    RunEnded
        It has ended already.
    Conflict
        It belongs to a terminal, where Ctrl-C ends it.
    """
    with workspace.database.write() as connection:
        found = require(connection, project, person, Role.EDITOR)
        query = select(runs.c.status, runs.c.executor, runs.c.cancel_requested_at)
        row = connection.execute(
            query.where(runs.c.id == run_id, runs.c.project_id == found.id)
        ).first()
        if row is None:
            raise RunNotFound(f"There is no run {run_id!r} in {project}.")
        if row.status not in OPEN:
            raise RunEnded(f"The run {run_id} has ended already; it can't be cancelled.")
        if row.executor is None:
            raise Conflict(
                f"The run {run_id} goes on in a terminal, not in the workspace. Press Ctrl-C there."
            )
        if row.cancel_requested_at is None:
            connection.execute(
                update(runs)
                .where(runs.c.id == run_id)
                .values(cancel_requested_at=now(), cancel_requested_by=person)
            )
    if row.status == RunStatus.QUEUED.value:
        end_cancelled(workspace, run_id, by=person)
    return get_run(workspace, run_id, person=person)


def end_cancelled(workspace: Workspace, run_id: str, *, by: str) -> RunRecord | None:
    """End a run that waits as `cancelled`; `None` where it is not waiting any more."""
    return abandon(
        workspace,
        run_id,
        status=RunStatus.CANCELLED,
        reason=f"Cancelled by {by} before it began.",
        only_from=(RunStatus.QUEUED.value,),
    )
