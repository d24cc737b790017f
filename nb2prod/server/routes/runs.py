"""Runs for browsers: a project's list, the form that asks for one, and cancelling."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from nb2prod.errors import Conflict, Nb2prodError, ResourcesUnknown, RunEnded
from nb2prod.execution.models import Profile
from nb2prod.jobs import cancel
from nb2prod.server import run_form, run_view
from nb2prod.server.bodies import read_form
from nb2prod.server.errors import status_of
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.routes.common import GalleryHere, ReaderHere, executor_of
from nb2prod.server.run_form import RunAsked, RunForm
from nb2prod.server.run_view import RunsRequest
from nb2prod.workspace.projects import Role, require_role

router = APIRouter(include_in_schema=False)

# Shown above what was typed; anything else has a page of its own.
_REFUSALS = (Conflict, ResourcesUnknown)

Text = Annotated[str | None, Query(max_length=100)]


@router.get("/projects/{project}/runs", name="runs")
def show_runs(
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    asked: Annotated[RunsRequest, Query()],
) -> Response:
    """Show a project's runs, newest first, those that wait and go on among them."""
    view = run_view.compose_runs(
        gallery.workspace,
        reader,
        project,
        asked,
        has_executor=gallery.means.executor is not None,
    )
    return gallery.html(request, "runs.html", view=view)


@router.get("/projects/{project}/runs/new", name="new_run")
def show_form(  # noqa: PLR0913 (one parameter per part of the address: FastAPI reads the signature)
    *,
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    like: Text = None,
    pipeline: Text = None,
    version: Annotated[int | None, Query(ge=1, le=run_form.MAX_NUMBER)] = None,
    profile: Profile | None = None,
) -> Response:
    """Show the form that runs a version, with another run's values or its defaults."""
    asked = RunAsked(like=like, pipeline=pipeline, version=version, profile=profile)
    form = run_form.compose_form(gallery.workspace, reader, project, asked)
    executor_of(gallery)
    return gallery.html(request, "run_form.html", form=form)


@router.post("/projects/{project}/runs", name="create_run")
async def create_run(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Ask for a run; what can't be used is said beside it, and what was typed stays."""
    fields = await read_form(request)
    return await run_in_threadpool(_created, request, gallery, reader, project, fields)


@router.post("/projects/{project}/runs/{run_id}/cancel", name="cancel_run")
async def cancel_run(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str, run_id: str
) -> Response:
    """Ask a run to end, and go back to where one was."""
    fields = await read_form(request)
    try:
        await run_in_threadpool(
            cancel.cancel_run, gallery.workspace, project, run_id, person=reader.person
        )
    except RunEnded:
        # Just now: its page says how.
        return _to_page(gallery, run_id)
    if fields.get("back") == "runs":
        path = gallery.path("projects", quote(project, safe=""), "runs")
        return RedirectResponse(path, 303)
    return _to_page(gallery, run_id)


def _created(
    request: Request, gallery: Gallery, reader: Reader, project: str, fields: dict[str, str]
) -> Response:
    workspace = gallery.workspace
    error: Nb2prodError | None = None
    try:
        # Whatever a viewer sends is refused before it is read.
        require_role(workspace, project, reader.person, Role.EDITOR)
        record = run_form.request_from(workspace, reader, project, fields, executor_of(gallery))
        if record is not None:
            return _to_page(gallery, record.id)
    except _REFUSALS as refusal:
        error = refusal
    form = run_form.refused_form(workspace, reader, project, fields, error=error)
    return _form_again(request, gallery, form)


def _form_again(request: Request, gallery: Gallery, form: RunForm) -> Response:
    status = status_of(form.error) if form.error else 422
    return gallery.html(request, "run_form.html", status=status, form=form)


def _to_page(gallery: Gallery, run_id: str) -> Response:
    # After a form a plain visit: to load the page again sends nothing again.
    return RedirectResponse(gallery.path("pages", quote(run_id, safe="")), 303)
