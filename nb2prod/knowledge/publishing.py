"""From an ended run to its page: rendered once, published in one transaction."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from nb2prod.errors import Unavailable
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.record_json import record_from_json
from nb2prod.knowledge import search
from nb2prod.knowledge.documents import search_text, write_document
from nb2prod.knowledge.models import PageDocument
from nb2prod.knowledge.render import render, render_nothing
from nb2prod.store.schema import page_blobs, pages, runs
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

_FINAL = tuple(status.value for status in RunStatus if status.is_final)


def catch_up(workspace: Workspace) -> tuple[str, ...]:
    """Render and publish every ended run that has no page; return their ids.

    Safe to call at any time and from several processes: who comes second finds the page there
    and changes nothing. A run that can't be rendered gets a page that says so, with its
    downloads, and holds up no other.

    Raises
    ------
    StorageFull, StorageUnusable
        Nothing can be stored; what was published before stays.
    """
    return tuple(run_id for run_id in _without_page(workspace) if publish(workspace, run_id))


def publish(workspace: Workspace, run_id: str) -> bool:
    """Render and publish the page of a run that has ended, unless it has one; see `catch_up`.

    Returns
    -------
    bool
        Whether this call has published it.

    Raises
    ------
    StorageFull, StorageUnusable
        It can't be stored.
    """
    if run_id not in _without_page(workspace, run_id):
        return False
    record = _record(workspace, run_id)
    return record is not None and _publish(workspace, _render(workspace, record))


def _without_page(workspace: Workspace, run_id: str | None = None) -> list[str]:
    query = (
        select(runs.c.id)
        .outerjoin(pages, pages.c.run_id == runs.c.id)
        .where(runs.c.status.in_(_FINAL), pages.c.run_id.is_(None))
        .order_by(runs.c.created_at, runs.c.id)
    )
    if run_id is not None:
        query = query.where(runs.c.id == run_id)
    with workspace.database.read() as connection:
        return list(connection.scalars(query))


def _record(workspace: Workspace, run_id: str) -> RunRecord | None:
    with workspace.database.read() as connection:
        stored = connection.scalar(select(runs.c.record).where(runs.c.id == run_id))
    try:
        return record_from_json(stored or {})
    except ValueError:
        log.exception("Run has no readable record, run=%s", run_id)
        return None


def _render(workspace: Workspace, record: RunRecord) -> PageDocument:
    if "executed" not in record.sources:
        return render_nothing(
            record, workspace.blobs, "This run left no notebook: it ended before one was made."
        )
    try:
        return render(_executed(workspace, record), record, workspace.blobs)
    except Unavailable:
        raise
    except Exception:
        log.exception("Page not rendered, run=%s", record.id)
        return render_nothing(
            record,
            workspace.blobs,
            "This run's notebook could not be rendered; download it to read it.",
        )


def _executed(workspace: Workspace, record: RunRecord) -> Mapping[str, Any]:
    content = workspace.blobs.get(record.sources["executed"])
    notebook = json.loads(content)
    if not isinstance(notebook, dict):
        raise TypeError("the executed notebook is no JSON object")
    return notebook


def _publish(workspace: Workspace, document: PageDocument) -> bool:
    """Publish a page in one transaction; False where another process did it meanwhile."""
    content = workspace.blobs.put_bytes(write_document(document))
    with workspace.database.write() as connection:
        known = select(pages.c.run_id).where(pages.c.run_id == document.run_id)
        if connection.execute(known).first() is not None:
            return False
        _insert(connection, document, content.sha256)
    log.info("Page published, run=%s", document.run_id)
    return True


def _insert(connection: Connection, document: PageDocument, sha256: str) -> None:
    connection.execute(
        insert(pages).values(
            run_id=document.run_id,
            title=document.title,
            conclusion=document.conclusion,
            poster=document.poster,
            document=sha256,
            main_metric=document.main_metric,
            lower_is_better=document.lower_is_better,
            published_at=datetime.now(UTC),
        )
    )
    if document.blobs:
        connection.execute(
            insert(page_blobs),
            [
                {
                    "run_id": document.run_id,
                    "sha256": blob.sha256,
                    "media_type": blob.media_type,
                    "name": blob.name,
                    "size_bytes": blob.size_bytes,
                }
                for blob in document.blobs
            ],
        )
    search.index(connection, document.run_id, search_text(document))
