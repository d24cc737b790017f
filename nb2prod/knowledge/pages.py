"""The pages of the gallery: publish them, list them, read one, fetch what belongs to it.

What a person may not read is, to that person, not there: the same error for both.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from nb2prod.errors import BlobNotFound, PageNotFound
from nb2prod.execution.record_json import record_from_json
from nb2prod.knowledge.baselines import Comparable, find_baselines, metrics_of
from nb2prod.knowledge.documents import read_document
from nb2prod.knowledge.listing import cards_of, list_pages, readable
from nb2prod.knowledge.models import (
    Baseline,
    MetricChange,
    PageBlob,
    PageDocument,
    PageView,
)
from nb2prod.knowledge.publishing import catch_up, publish
from nb2prod.store.schema import members, page_blobs, pages, runs
from nb2prod.workspace.workspace import Workspace

__all__ = ["catch_up", "get_page", "list_pages", "open_blob", "publish"]

MAX_SIBLINGS = 20


def get_page(workspace: Workspace, run_id: str, *, person: str) -> PageView:
    """Return a page as a person reads it.

    Its baseline is a succeeded run of a lower version; see `find_baselines` for which.

    Raises
    ------
    PageNotFound
        There is no such page, or the person is no member of its project.
    """
    query = readable(person).add_columns(runs.c.record, pages.c.document)
    with workspace.database.read() as connection:
        row = connection.execute(query.where(runs.c.id == run_id)).first()
        if row is None:
            raise PageNotFound(f"There is no page {run_id} that you may read.")
        document = read_document(workspace.blobs.get(row.document))
        record = record_from_json(row.record)
        baseline, before = _baseline(connection, row)
        siblings = cards_of(connection, _siblings(connection, row, person))
    return PageView(
        document=document,
        record=record,
        baseline=baseline,
        metrics=_changes(document, record.metrics, before),
        siblings=siblings,
    )


def open_blob(
    workspace: Workspace, run_id: str, sha256: str, *, person: str
) -> tuple[PageBlob, bytes]:
    """Return a content that belongs to a page, and what it is.

    A content is not safe to be shown because it belongs to a page: only the raster pictures
    and SVG (the latter in ``<img>`` only) are; send everything else to be saved.

    Raises
    ------
    BlobNotFound
        It does not belong to that page, or the person may not read the page.
    """
    query = (
        select(page_blobs)
        .join(runs, runs.c.id == page_blobs.c.run_id)
        .join(members, members.c.project_id == runs.c.project_id)
        .where(
            page_blobs.c.run_id == run_id,
            page_blobs.c.sha256 == sha256,
            members.c.person == person,
        )
    )
    with workspace.database.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise BlobNotFound(f"The page {run_id} has no content {sha256} that you may read.")
    blob = PageBlob(
        sha256=row.sha256, media_type=row.media_type, name=row.name, size_bytes=row.size_bytes
    )
    return blob, workspace.blobs.get(sha256)


def _baseline(connection: Connection, row: Row[Any]) -> tuple[Baseline | None, dict[str, float]]:
    found = find_baselines(connection, [Comparable.of(row)]).get(row.id)
    if found is None:
        return None, {}
    baseline = Baseline(
        run_id=found.run_id,
        version=found.version,
        has_same_parameters=found.has_same_parameters,
    )
    return baseline, metrics_of(connection, [found.run_id]).get(found.run_id, {})


def _siblings(connection: Connection, row: Row[Any], person: str) -> list[Row[Any]]:
    query = readable(person).where(
        runs.c.project_id == row.project_id, runs.c.pipeline == row.pipeline, runs.c.id != row.id
    )
    newest = query.order_by(runs.c.created_at.desc(), runs.c.id).limit(MAX_SIBLINGS)
    return list(connection.execute(newest))


def _changes(
    document: PageDocument, values: dict[str, float], before: dict[str, float]
) -> tuple[MetricChange, ...]:
    main = document.main_metric
    return tuple(
        MetricChange(
            name=name,
            value=values[name],
            before=before.get(name),
            lower_is_better=document.lower_is_better if name == main else None,
        )
        for name in sorted(values, key=lambda name: (name != main, name))
    )
