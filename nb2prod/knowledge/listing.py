"""Lists of pages: one filter, of which the person's membership is part, for all that is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, func, select

from nb2prod.execution.models import Profile, RunStatus
from nb2prod.knowledge import search
from nb2prod.knowledge.baselines import Comparable, find_baselines, metrics_of
from nb2prod.knowledge.models import (
    MAX_PAGE_SIZE,
    FacetValue,
    Listing,
    MetricChange,
    PageCard,
    PageOrder,
    PageQuery,
)
from nb2prod.store.schema import members, metrics, pages, projects, runs
from nb2prod.workspace.workspace import Workspace

FACETS = ("project", "pipeline", "status")


def list_pages(workspace: Workspace, query: PageQuery, *, person: str) -> Listing[PageCard]:
    """Return the pages that a person may read and that a query finds.

    Total and facets count over the same filter, so nothing of a project shows to who is not
    in it. All of a listing is of one moment.

    Parameters
    ----------
    query
        At most 100 pages are given at once. Without an order a text is answered by relevance,
        all else newest first.
    """
    sought = search.search_for(workspace.database, query.text)
    if query.text.strip() and sought is None:
        return Listing(items=(), total=0, offset=query.offset, facets=dict.fromkeys(FACETS, ()))
    with workspace.database.read() as connection:
        groups = connection.execute(_counted(query, sought, person)).all()
        rows = connection.execute(_listed(query, sought, person)).all()
        cards = cards_of(connection, rows, sought)
    return Listing(
        items=cards,
        total=sum(row.pages for row in groups),
        offset=max(query.offset, 0),
        facets={name: _facet(groups, name) for name in FACETS},
    )


def readable(person: str) -> Select[Any]:
    """Return the query of all pages that a person may read, with what a card needs."""
    chosen = (
        runs.c.id,
        runs.c.project_id,
        projects.c.name.label("project"),
        runs.c.pipeline,
        runs.c.version,
        runs.c.parameters,
        runs.c.status,
        runs.c.requested_by,
        runs.c.created_at,
        runs.c.started_at,
        runs.c.ended_at,
        runs.c.profile,
        pages.c.title,
        pages.c.conclusion,
        pages.c.poster,
        pages.c.main_metric,
        pages.c.lower_is_better,
    )
    return _membership(select(*chosen), person)


def cards_of(
    connection: Connection, rows: Sequence[Row[Any]], sought: search.Search | None = None
) -> tuple[PageCard, ...]:
    """Make cards of rows of `readable`, with a fixed number of queries however many there are.

    The main metric's change is given only against a run with the same values of the shared
    parameters: a card has no room to say that another market was forecast.
    """
    subjects = [Comparable.of(row) for row in rows]
    baselines = {
        run_id: found.run_id
        for run_id, found in find_baselines(connection, subjects).items()
        if found.is_like
    }
    names = sorted({row.main_metric for row in rows if row.main_metric is not None})
    run_ids = tuple(row.id for row in rows)
    values = metrics_of(connection, (*run_ids, *baselines.values()), names)
    found = search.snippets(connection, sought, run_ids) if sought and run_ids else {}
    return tuple(
        PageCard(
            run_id=row.id,
            project=row.project,
            pipeline=row.pipeline,
            version=row.version,
            title=row.title,
            conclusion=row.conclusion,
            status=RunStatus(row.status),
            main_metric=_main_metric(row, values, baselines),
            author=row.requested_by,
            created_at=row.created_at,
            ended_at=row.ended_at,
            duration_s=_duration_s(row),
            poster=row.poster,
            profile=Profile(row.profile),
            snippet_html=found.get(row.id),
        )
        for row in rows
    )


def _membership(query: Select[Any], person: str) -> Select[Any]:
    return query.select_from(
        pages.join(runs, runs.c.id == pages.c.run_id)
        .join(projects, projects.c.id == runs.c.project_id)
        .join(members, members.c.project_id == projects.c.id)
    ).where(members.c.person == person)


def _narrowed(chosen: Select[Any], query: PageQuery) -> Select[Any]:
    if query.project is not None:
        chosen = chosen.where(projects.c.name == query.project)
    if query.pipeline is not None:
        chosen = chosen.where(runs.c.pipeline == query.pipeline)
    if query.status is not None:
        chosen = chosen.where(runs.c.status == query.status.value)
    return chosen


def _counted(query: PageQuery, sought: search.Search | None, person: str) -> Select[Any]:
    by = (projects.c.name.label("project"), runs.c.pipeline, runs.c.status)
    counted = _narrowed(_membership(select(*by, func.count().label("pages")), person), query)
    if sought is not None:
        found = select(search.page_search.c.run_id).where(sought.matches())
        counted = counted.where(pages.c.run_id.in_(found))
    return counted.group_by(*by)


def _listed(query: PageQuery, sought: search.Search | None, person: str) -> Select[Any]:
    order = query.order or (PageOrder.RELEVANCE if sought else PageOrder.NEWEST)
    listed = _narrowed(readable(person), query)
    if sought is not None:
        listed = listed.join(
            search.page_search, search.page_search.c.run_id == pages.c.run_id
        ).where(sought.matches())
    if order is PageOrder.METRIC:
        listed = listed.outerjoin(
            metrics,
            (metrics.c.run_id == pages.c.run_id) & (metrics.c.name == pages.c.main_metric),
        )
    limit = min(max(query.limit, 0), MAX_PAGE_SIZE)
    return listed.order_by(*_order_by(order, sought)).limit(limit).offset(max(query.offset, 0))


def _order_by(order: PageOrder, sought: search.Search | None) -> tuple[ColumnElement[Any], ...]:
    newest = (runs.c.created_at.desc(), runs.c.id)
    if order is PageOrder.RELEVANCE and sought is not None:
        return sought.relevance(), *newest
    if order is PageOrder.OLDEST:
        return runs.c.created_at.asc(), runs.c.id
    if order is PageOrder.TITLE:
        return func.lower(pages.c.title), *newest
    if order is PageOrder.METRIC:
        # Values of one metric can be compared; of two metrics, only their names.
        best = case((pages.c.lower_is_better, metrics.c.value), else_=-metrics.c.value)
        return metrics.c.value.is_(None), pages.c.main_metric, best, *newest
    return newest


def _facet(groups: Sequence[Row[Any]], name: str) -> tuple[FacetValue, ...]:
    counts: Counter[str] = Counter()
    for row in groups:
        counts[getattr(row, name)] += row.pages
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(FacetValue(value=value, count=count) for value, count in ordered)


def _main_metric(
    row: Row[Any], values: dict[str, dict[str, float]], baselines: dict[str, str]
) -> MetricChange | None:
    value = values.get(row.id, {}).get(row.main_metric)
    if value is None:
        return None
    before = values.get(baselines.get(row.id, ""), {}).get(row.main_metric)
    return MetricChange(
        name=row.main_metric, value=value, before=before, lower_is_better=row.lower_is_better
    )


def _duration_s(row: Row[Any]) -> float | None:
    if row.started_at is None or row.ended_at is None:
        return None
    return float((row.ended_at - row.started_at).total_seconds())
