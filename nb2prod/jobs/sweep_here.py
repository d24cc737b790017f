"""A sweep in this process: its runs one after the other, without a dispatcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sqlalchemy import update

from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.recorder import Listener
from nb2prod.execution.run import RunOptions, run_version
from nb2prod.execution.runs import reconcile
from nb2prod.jobs.sweeps import Position, Sweep, missing_numbers, missing_positions
from nb2prod.registry.models import Version
from nb2prod.store.schema import sweeps
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace

# Told of a run that is about to begin; gives what listens to it.
OnBegin = Callable[[Position], Listener | None]


def run_missing(
    workspace: Workspace,
    project: Project,
    version: Version,
    sweep: Sweep,
    *,
    options: RunOptions | None = None,
    on_begin: OnBegin = lambda _position: None,
) -> Iterator[RunRecord]:
    """Run what has no result in a sweep, and is not under way, one after the other.

    A run that does not succeed holds up no other. After one that was cancelled, as Ctrl-C does,
    nothing else is begun: what is missing then can be run by another call.

    Parameters
    ----------
    version
        The sweep's.
    options
        How each run is to go; the profile is the sweep's.

    Yields
    ------
    RunRecord
        Each run, once it has ended.

    Raises
    ------
    StorageFull, StorageUnusable
        A run can't be recorded.
    """
    # Runs of a process that was killed are under way no more.
    reconcile(workspace)
    with workspace.database.write() as connection:
        connection.execute(update(sweeps).where(sweeps.c.id == sweep.id).values(cancelled_at=None))
    options = replace(options or RunOptions(), profile=sweep.profile, sweep=sweep.id)
    for position in missing_positions(workspace, sweep, version):
        # Somebody may run the same sweep in another terminal.
        if position.number not in missing_numbers(workspace, sweep):
            continue
        record = run_version(
            workspace,
            project,
            version,
            position.values,
            options=replace(options, sweep_position=position.number),
            listener=on_begin(position),
        )
        yield record
        if record.status is RunStatus.CANCELLED:
            return
