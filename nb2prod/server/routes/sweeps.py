"""Sweeps for browsers: a project's list, one with its table, and forms to cancel and resume it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from nb2prod.errors import Conflict
from nb2prod.jobs.sweeps import cancel_sweep as cancel
from nb2prod.server import sweep_view
from nb2prod.server.errors import status_of
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.routes.common import GalleryHere, ReaderHere
from nb2prod.server.routes.sweeps_api import resumed
from nb2prod.server.sweep_view import MAX_PAGE_NUMBER, SweepRequest

router = APIRouter(include_in_schema=False)

PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE_NUMBER)]


@router.get("/projects/{project}/sweeps", name="sweeps")
def show_sweeps(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str, page: PageNumber = 1
) -> Response:
    """Show a project's sweeps, newest first."""
    view = sweep_view.compose_sweeps(gallery.workspace, reader, project, page=page)
    return gallery.html(request, "sweeps.html", view=view)


@router.get("/projects/{project}/sweeps/{sweep_id}", name="sweep")
def show_sweep(
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    sweep_id: str,
    asked: Annotated[SweepRequest, Query()],
) -> Response:
    """Show a sweep with its table."""
    return _page(request, gallery, reader, project, sweep_id, asked)


@router.post("/projects/{project}/sweeps/{sweep_id}/cancel", name="cancel_sweep")
def cancel_sweep(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str, sweep_id: str
) -> Response:
    """Ask all its runs to end; why it can't be is said on its page."""
    try:
        cancel(gallery.workspace, project, sweep_id, person=reader.person)
    except Conflict as error:
        return _page(request, gallery, reader, project, sweep_id, error=error)
    return _to(gallery, project, sweep_id)


@router.post("/projects/{project}/sweeps/{sweep_id}/resume", name="resume_sweep")
def resume_sweep(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str, sweep_id: str
) -> Response:
    """Ask anew for what is missing; why it can't be is said on its page."""
    try:
        resumed(gallery, reader, project, sweep_id)
    except Conflict as error:
        return _page(request, gallery, reader, project, sweep_id, error=error)
    return _to(gallery, project, sweep_id)


def _page(
    request: Request,
    gallery: Gallery,
    reader: Reader,
    project: str,
    sweep_id: str,
    asked: SweepRequest | None = None,
    *,
    error: Conflict | None = None,
) -> Response:
    view = sweep_view.compose_sweep(
        gallery.workspace,
        reader,
        project,
        sweep_id,
        asked or SweepRequest(),
        has_dispatcher=gallery.means.executor is not None,
        error=error,
    )
    return gallery.html(request, "sweep.html", status=status_of(error) if error else 200, view=view)


def _to(gallery: Gallery, project: str, sweep_id: str) -> Response:
    # After a form a plain visit: to load the page again sends nothing again.
    path = gallery.path("projects", quote(project, safe=""), "sweeps", quote(sweep_id, safe=""))
    return RedirectResponse(path, 303)
