"""The gallery for browsers: the index, a page, and what can be downloaded from it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from nb2prod.errors import BlobNotFound, PageNotFound, RunNotFound
from nb2prod.execution import runs
from nb2prod.execution.models import RunStatus
from nb2prod.knowledge import pages
from nb2prod.knowledge.models import PageOrder
from nb2prod.server import index_view, page_view, run_view
from nb2prod.server.contents import attachment, blob_response
from nb2prod.server.routes.common import GalleryHere, Number, ReaderHere

router = APIRouter(include_in_schema=False)

ACTIVE_RUNS_SHOWN = 5


@router.get("/", name="index")
def index(
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    asked: Annotated[index_view.IndexRequest, Query()],
) -> Response:
    """Show the pages that a filter leaves, as cards or as a table."""
    listing = pages.list_pages(gallery.workspace, asked.query(), person=reader.person)
    active = [
        record
        for status in (RunStatus.RUNNING, RunStatus.QUEUED)
        for record in runs.list_runs(
            gallery.workspace, person=reader.person, status=status, limit=ACTIVE_RUNS_SHOWN
        )
    ]
    view = index_view.compose(listing, asked, active[:ACTIVE_RUNS_SHOWN])
    return gallery.html(request, "index.html", view=view, orders=tuple(PageOrder))


@router.get("/pages/{run_id}", name="page")
def page(request: Request, gallery: GalleryHere, reader: ReaderHere, run_id: str) -> Response:
    """Show a run's page; for a run that has none yet, how it stands."""
    try:
        found = pages.get_page(gallery.workspace, run_id, person=reader.person)
    except PageNotFound as absent:
        try:
            record = runs.get_run(gallery.workspace, run_id, person=reader.person)
        except RunNotFound:
            raise absent from None
        if record.id != run_id:
            return RedirectResponse(gallery.path("pages", record.id), 307)
        live = run_view.compose_live(gallery.workspace, reader, record)
        return gallery.html(request, "pending.html", view=live)
    may_run = gallery.means.executor is not None and run_view.may_run(
        gallery.workspace, found.record.project, reader.person
    )
    view = page_view.compose(found, gallery.workspace, may_run=may_run)
    return gallery.html(request, "page.html", view=view)


@router.get("/pages/{run_id}/blobs/{sha256}", name="blob")
def blob(
    request: Request, gallery: GalleryHere, reader: ReaderHere, run_id: str, sha256: str
) -> Response:
    """Answer with a content of a page: pictures to be shown, all else to be saved."""
    found, content = pages.open_blob(gallery.workspace, run_id, sha256, person=reader.person)
    return blob_response(request, found, content)


@router.get("/pages/{run_id}/download/{name}", name="download")
def download(
    request: Request, gallery: GalleryHere, reader: ReaderHere, run_id: str, name: str
) -> Response:
    """Answer with something of the version that ran: its script, notebook, lock, log, …."""
    record = runs.get_run(gallery.workspace, run_id, person=reader.person)
    source = next((item for item in page_view.downloads(record) if item.name == name), None)
    if source is None:
        raise BlobNotFound(f"The run {record.id} left no {name!r}.")
    content = gallery.workspace.blobs.get(source.sha256)
    return attachment(request, content, sha256=source.sha256, file_name=source.file_name)


@router.get("/pages/{run_id}/attempts/{number}/log", name="attempt_log")
def attempt_log(
    request: Request, gallery: GalleryHere, reader: ReaderHere, run_id: str, number: Number
) -> Response:
    """Answer with what an attempt that was tried again had printed."""
    record = runs.get_run(gallery.workspace, run_id, person=reader.person)
    source = page_view.attempt_log(record, number)
    if source is None:
        raise BlobNotFound(f"The run {record.id} has no attempt {number} that was tried again.")
    content = gallery.workspace.blobs.get(source.sha256)
    return attachment(request, content, sha256=source.sha256, file_name=source.file_name)
