"""The rows of runs that executors bring to their end, as the dispatcher sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from nb2prod.execution.collect import OPEN
from nb2prod.execution.models import RunStatus
from nb2prod.store.schema import access_tokens, projects, runs
from nb2prod.workspace.projects import Project
from nb2prod.workspace.rows import project_from
from nb2prod.workspace.workspace import Workspace

_PURPOSE = "run:"


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run that has not ended."""

    id: str
    project: Project
    person: str
    status: RunStatus
    executor: str


def purpose_of(run_id: str) -> str:
    """Return what a run's access token is for."""
    return f"{_PURPOSE}{run_id}"


def open_runs(workspace: Workspace, executors: Collection[str]) -> tuple[OpenRun, ...]:
    """Return all runs of some executors that have not ended, oldest first."""
    query = (
        select(runs)
        .where(runs.c.status.in_(OPEN), runs.c.executor.in_(executors))
        .order_by(runs.c.created_at, runs.c.id)
    )
    with workspace.database.read() as connection:
        rows = connection.execute(query).all()
        wanted = {row.project_id for row in rows}
        found = connection.execute(select(projects).where(projects.c.id.in_(wanted))).all()
    known = {row.id: project_from(row) for row in found}
    return tuple(
        OpenRun(
            id=row.id,
            project=known[row.project_id],
            person=row.requested_by,
            status=RunStatus(row.status),
            executor=row.executor,
        )
        for row in rows
    )


def chosen(
    waiting: Sequence[OpenRun], going: Mapping[str, int], *, limit: int
) -> tuple[OpenRun, ...]:
    """Choose which of the waiting runs may start now.

    Who has the fewest runs going comes first, then who asked first. Who has none going need not
    wait for those who have many: for each such person there is room for one run beyond the limit,
    up to twice the limit in all.

    Parameters
    ----------
    waiting
        Oldest first.
    going
        How many runs each person has going.
    limit
        How many runs may go on at once.
    """
    counts, found = Counter(going), list[OpenRun]()
    left = list(waiting)
    while left:
        run = min(left, key=lambda candidate: counts[candidate.person])
        room = limit if counts[run.person] else 2 * limit
        if counts.total() >= room:
            break
        left.remove(run)
        counts[run.person] += 1
        found.append(run)
    return tuple(found)


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
