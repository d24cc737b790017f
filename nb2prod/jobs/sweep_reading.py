"""Sweeps and their tables, as a person may read them.

The newest run at a position counts; how many it has had is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from nb2prod.errors import SweepNotFound
from nb2prod.execution.models import Profile
from nb2prod.jobs.sweep_models import NOT_RUN, Sweep, SweepRow, SweepTable, TableQuery
from nb2prod.jobs.sweep_table import METRIC, arranged, best_of, check_sort
from nb2prod.store.schema import members, metrics, pages, projects, runs, sweeps
from nb2prod.workspace.workspace import Workspace

LIST_LIMIT = 100


def get_sweep(workspace: Workspace, project: str, sweep_id: str, *, person: str) -> Sweep:
    """Return a sweep of a project.

    Raises
    ------
    SweepNotFound
        There is none such, or the person is no member of the project: the same answer.
    """
    with workspace.database.read() as connection:
        row = _require(connection, _visible(person), project, sweep_id)
        return _sweeps(connection, [row])[0]


def list_sweeps(
    workspace: Workspace,
    project: str,
    *,
    person: str,
    pipeline: str | None = None,
    limit: int = 24,
    offset: int = 0,
) -> tuple[tuple[Sweep, ...], int]:
    """Return the sweeps of a project that a person may see, newest first, and how many there are.

    At most `LIST_LIMIT` are given at once.
    """
    query = _visible(person).where(projects.c.name == project)
    if pipeline is not None:
        query = query.where(sweeps.c.pipeline == pipeline)
    newest = query.order_by(sweeps.c.created_at.desc(), sweeps.c.id)
    with workspace.database.read() as connection:
        total = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
        rows = connection.execute(newest.limit(min(limit, LIST_LIMIT)).offset(offset)).all()
        return _sweeps(connection, rows), total


def read_table(
    workspace: Workspace,
    project: str,
    sweep_id: str,
    query: TableQuery | None = None,
    *,
    person: str,
) -> SweepTable:
    """Return a sweep with a part of its table, by a few queries however many runs it has.

    Raises
    ------
    SweepNotFound
        As `get_sweep`.
    SweepInvalid
        There is no such column.
    """
    query = query or TableQuery()
    with workspace.database.read() as connection:
        row = _require(connection, _visible(person, sweeps.c.axes), project, sweep_id)
        sweep = _sweep(row, {})
        check_sort(sweep, query.sort)
        found = connection.execute(_runs_of(sweep_id)).all()
        rows = _rows(sweep, row.axes["values"], found)
        counts = Counter(item.status for item in rows)
        main, lower = _main_metric(found)
        names = _metric_names(connection, sweep_id, main)
        left = arranged(rows, query, _metric(connection, sweep_id, _metric_of(query.sort)))
        best = best_of(rows, _metric(connection, sweep_id, main), lower_is_better=lower)
        end = None if query.limit is None else query.offset + query.limit
        shown = left[query.offset : end]
        values = _metrics(connection, sweep_id, shown, is_all=query.limit is None)
    return SweepTable(
        sweep=replace(sweep, counts=dict(counts)),
        query=query,
        metrics=names,
        main_metric=main,
        lower_is_better=lower,
        rows=tuple(
            replace(item, metrics=values.get(item.run_id or "", {}), is_best=item.run_id in best)
            for item in shown
        ),
        total=len(left),
    )


def _visible(person: str, *more: Any) -> Select[Any]:
    """Select the sweeps in a person's projects, without the values of their positions."""
    axes = sweeps.c.axes
    return (
        select(
            sweeps.c.id,
            projects.c.name.label("project"),
            sweeps.c.pipeline,
            sweeps.c.version,
            axes["asked"].label("asked"),
            axes["csv"].label("csv"),
            axes["names"].label("names"),
            axes["varied"].label("varied"),
            axes["count"].as_integer().label("run_count"),
            axes["profile"].as_string().label("profile"),
            sweeps.c.requested_by,
            sweeps.c.requested_via,
            sweeps.c.created_at,
            sweeps.c.cancelled_at,
            *more,
        )
        .join(projects, projects.c.id == sweeps.c.project_id)
        .join(members, members.c.project_id == projects.c.id)
        .where(members.c.person == person)
    )


def _require(connection: Connection, visible: Select[Any], project: str, sweep_id: str) -> Row[Any]:
    row = connection.execute(
        visible.where(projects.c.name == project, sweeps.c.id == sweep_id)
    ).first()
    if row is None:
        raise sweep_not_found(project, sweep_id)
    return row


def sweep_not_found(project: str, sweep_id: str) -> SweepNotFound:
    """Return what to raise for a sweep that is absent, or not for a person: the same."""
    return SweepNotFound(f"There is no sweep {sweep_id[:80]!r} in {project[:80]} that you may see.")


def _sweeps(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Sweep, ...]:
    newest = newest_runs([row.id for row in rows]).subquery()
    counted = (
        select(newest.c.sweep_id, newest.c.status, func.count().label("positions"))
        .where(newest.c.place == 1)
        .group_by(newest.c.sweep_id, newest.c.status)
    )
    counts: dict[str, dict[str, int]] = {row.id: {} for row in rows}
    for found in connection.execute(counted):
        counts[found.sweep_id][found.status] = found.positions
    return tuple(_sweep(row, counts[row.id]) for row in rows)


def _sweep(row: Row[Any], counts: dict[str, int]) -> Sweep:
    rest = row.run_count - sum(counts.values())
    return Sweep(
        id=row.id,
        project=row.project,
        pipeline=row.pipeline,
        version=row.version,
        profile=Profile(row.profile),
        asked=row.asked,
        csv_columns=tuple(row.csv),
        names=tuple(row.names),
        varied=tuple(row.varied),
        count=row.run_count,
        counts={**counts, NOT_RUN: rest} if rest else counts,
        requested_by=row.requested_by,
        requested_via=row.requested_via,
        created_at=row.created_at,
        cancelled_at=row.cancelled_at,
    )


def newest_runs(sweep_ids: Sequence[str]) -> Select[Any]:
    """Select the runs of sweeps with their place at their position: 1 is the newest."""
    place = func.row_number().over(
        partition_by=(runs.c.sweep_id, runs.c.sweep_position),
        order_by=(runs.c.created_at.desc(), runs.c.id),
    )
    return select(
        runs.c.sweep_id, runs.c.sweep_position, runs.c.status, place.label("place")
    ).where(runs.c.sweep_id.in_(sweep_ids))


def _runs_of(sweep_id: str) -> Select[Any]:
    return (
        select(
            runs.c.id,
            runs.c.sweep_position,
            runs.c.status,
            runs.c.reason,
            runs.c.started_at,
            runs.c.ended_at,
            pages.c.run_id.label("page"),
            pages.c.main_metric,
            pages.c.lower_is_better,
        )
        .outerjoin(pages, pages.c.run_id == runs.c.id)
        .where(runs.c.sweep_id == sweep_id)
        # As `newest_runs`, the other way round: the last one at a position counts.
        .order_by(runs.c.sweep_position, runs.c.created_at, runs.c.id.desc())
    )


def _rows(
    sweep: Sweep, values: Sequence[Sequence[object]], found: Sequence[Row[Any]]
) -> list[SweepRow]:
    newest = {row.sweep_position: row for row in found}
    tries = Counter(row.sweep_position for row in found)
    rows = []
    for number, given in enumerate(values, start=1):
        row = SweepRow(position=number, parameters=dict(zip(sweep.names, given, strict=True)))
        run = newest.get(number)
        if run is not None:
            row = replace(
                row,
                run_id=run.id,
                status=run.status,
                reason=run.reason or "",
                tries=tries[number],
                started_at=run.started_at,
                ended_at=run.ended_at,
                has_page=run.page is not None,
            )
        rows.append(row)
    return rows


def _main_metric(found: Sequence[Row[Any]]) -> tuple[str | None, bool | None]:
    return next(
        ((row.main_metric, row.lower_is_better) for row in found if row.main_metric is not None),
        (None, None),
    )


def _metric_of(sort: str) -> str | None:
    return sort.removeprefix(METRIC) if sort.startswith(METRIC) else None


def _metric_names(connection: Connection, sweep_id: str, main: str | None) -> tuple[str, ...]:
    query = select(metrics.c.name).join(runs, runs.c.id == metrics.c.run_id)
    names = connection.scalars(query.where(runs.c.sweep_id == sweep_id).distinct())
    return tuple(sorted(names, key=lambda name: (name != main, name)))


def _metric(connection: Connection, sweep_id: str, name: str | None) -> dict[str, float]:
    """Return the values of one metric by run."""
    if name is None:
        return {}
    query = select(metrics.c.run_id, metrics.c.value).join(runs, runs.c.id == metrics.c.run_id)
    rows = connection.execute(query.where(runs.c.sweep_id == sweep_id, metrics.c.name == name))
    return {row.run_id: row.value for row in rows}


def _metrics(
    connection: Connection, sweep_id: str, rows: Sequence[SweepRow], *, is_all: bool
) -> dict[str, dict[str, float]]:
    """Return all metrics by run and name: of the sweep, or of some rows."""
    query = select(metrics).join(runs, runs.c.id == metrics.c.run_id)
    query = query.where(runs.c.sweep_id == sweep_id)
    if not is_all:
        query = query.where(runs.c.id.in_([row.run_id for row in rows if row.run_id]))
    found: dict[str, dict[str, float]] = {}
    for row in connection.execute(query):
        found.setdefault(row.run_id, {})[row.name] = row.value
    return found
