"""Why a run has not begun: what is before it, or until when it pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select, tuple_

from nb2prod.execution.models import RunStatus
from nb2prod.execution.recorder import now
from nb2prod.store.schema import runs
from nb2prod.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """What a queued run waits for.

    Parameters
    ----------
    before
        How many runs of its resource class wait as well and were asked for earlier. Who has fewer
        runs going comes first, so that it is no place in a row.
    not_before
        Until then it pauses before its next attempt; `None` where it does not.
    """

    before: int
    resources: str
    not_before: datetime | None


def waiting_of(workspace: Workspace, run_id: str) -> Waiting | None:
    """Return what a run waits for; `None` where it does not wait for a dispatcher."""
    position = func.coalesce(runs.c.sweep_position, 0)
    query = select(runs, position.label("position")).where(runs.c.id == run_id)
    with workspace.database.read() as connection:
        row = connection.execute(query).first()
        if row is None or row.executor is None or row.status != RunStatus.QUEUED.value:
            return None
        moment = now()
        before = connection.scalar(
            select(func.count()).where(
                runs.c.status == RunStatus.QUEUED.value,
                runs.c.executor == row.executor,
                runs.c.resources == row.resources,
                or_(runs.c.not_before.is_(None), runs.c.not_before <= moment),
                or_(
                    runs.c.created_at < row.created_at,
                    and_(
                        runs.c.created_at == row.created_at,
                        tuple_(position, runs.c.id) < tuple_(row.position, row.id),
                    ),
                ),
            )
        )
    is_paused = row.not_before is not None and row.not_before > moment
    return Waiting(
        before=before or 0,
        resources=row.resources,
        not_before=row.not_before if is_paused else None,
    )
