"""Which run a run's metrics are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, func, select, tuple_

from nb2prod.execution.models import RunStatus
from nb2prod.store.schema import metrics, runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparable:
    """What of a run decides with which others it can be compared."""

    run_id: str
    project_id: int
    pipeline: str
    version: int
    parameters: Mapping[str, Any]
    profile: str
    created_at: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> Comparable:
        """Take it from a row that has the columns of `runs`."""
        return cls(
            run_id=row.id,
            project_id=row.project_id,
            pipeline=row.pipeline,
            version=row.version,
            parameters=row.parameters,
            profile=row.profile,
            created_at=row.created_at,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A baseline: ``is_like`` where it ran with the same values of all shared parameters."""

    run_id: str
    version: int
    has_same_parameters: bool
    is_like: bool


def find_baselines(connection: Connection, subjects: Sequence[Comparable]) -> dict[str, Found]:
    """Return the baseline of each run that has one, in one query for all.

    It is a succeeded run of a lower version that had ended when this one was asked for, so that
    it stays the same for good. A smoke run is compared with smoke runs only, a full one with full
    ones. One with the same parameters goes before one that
    agrees in the parameters that both versions have, and that before any other; then the
    highest version decides, then the newest run. Of several runs of one version with the same
    parameters it is the first.
    """
    pipelines = {(item.project_id, item.pipeline) for item in subjects}
    candidates: dict[tuple[int, str], list[Any]] = {}
    for row in connection.execute(_candidates(pipelines)) if pipelines else ():
        candidates.setdefault((row.project_id, row.pipeline), []).append(row)
    found = {}
    for subject in subjects:
        lower = [
            row
            for row in candidates.get((subject.project_id, subject.pipeline), ())
            if row.version < subject.version
            and row.ended_at <= subject.created_at
            and row.profile == subject.profile
        ]
        best = max(lower, key=lambda row: _rank(subject, row), default=None)
        if best is not None:
            is_same, is_like = _likeness(subject.parameters, best.parameters)
            found[subject.run_id] = Found(
                run_id=best.id,
                version=best.version,
                has_same_parameters=is_same,
                is_like=is_like,
            )
    return found


def metrics_of(
    connection: Connection, run_ids: Sequence[str], names: Sequence[str] | None = None
) -> dict[str, dict[str, float]]:
    """Return metrics by run and name; all names where none are given."""
    query = select(metrics).where(metrics.c.run_id.in_(run_ids))
    if names is not None:
        query = query.where(metrics.c.name.in_(names))
    found: dict[str, dict[str, float]] = {}
    for row in connection.execute(query) if run_ids else ():
        found.setdefault(row.run_id, {})[row.name] = row.value
    return found


def _candidates(pipelines: set[tuple[int, str]]) -> Any:
    # One of the many runs of a version with the same parameters is enough. The first is there
    # for every later run, so that one query serves a whole list of them.
    first = (
        func.row_number()
        .over(
            partition_by=(
                runs.c.project_id,
                runs.c.pipeline,
                runs.c.version,
                runs.c.profile,
                cast(runs.c.parameters, Text),
            ),
            order_by=(runs.c.ended_at.asc(), runs.c.id),
        )
        .label("place")
    )
    columns = ("id", "project_id", "pipeline", "version", "profile", "parameters", "ended_at")
    inner = (
        select(*(runs.c[name] for name in columns), first)
        .where(
            runs.c.status == RunStatus.SUCCEEDED.value,
            tuple_(runs.c.project_id, runs.c.pipeline).in_(sorted(pipelines)),
        )
        .subquery()
    )
    return select(*(inner.c[name] for name in columns)).where(inner.c.place == 1)


def _rank(subject: Comparable, row: Any) -> tuple[bool, bool, int, Any, str]:
    is_same, is_like = _likeness(subject.parameters, row.parameters)
    return is_same, is_like, row.version, row.ended_at, row.id


def _likeness(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[bool, bool]:
    is_like = all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys())
    return is_like and mine.keys() == theirs.keys(), is_like
