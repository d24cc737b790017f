"""Schedules for browsers: a project's, with forms to make, change, pause and remove them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from nb2prod.errors import Conflict, InvalidInput, Nb2prodError, PipelineNotFound, VersionNotFound
from nb2prod.jobs import schedules
from nb2prod.jobs.cron import read_cron
from nb2prod.server import schedule_view
from nb2prod.server.bodies import read_form
from nb2prod.server.errors import status_of
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.presentation import now
from nb2prod.server.routes.common import GalleryHere, ReaderHere, executor_of
from nb2prod.server.routes.schedules_api import INSTEAD
from nb2prod.server.schedule_view import ScheduleForm
from nb2prod.workspace.projects import Role, require_role

router = APIRouter(include_in_schema=False)

# Shown beside what was typed; anything else has a page of its own.
_REFUSALS = (InvalidInput, Conflict, PipelineNotFound, VersionNotFound)

Changed = Annotated[str | None, Query(max_length=100, description="The schedule to change.")]


@router.get("/projects/{project}/schedules", name="schedules")
async def show_schedules(
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    change: Changed = None,
) -> Response:
    """Show a project's schedules."""
    return await _page(request, gallery, reader, project, changed=change)


@router.post("/projects/{project}/schedules", name="create_schedule")
async def create_schedule(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Make a schedule, or show when it would be due; what can't be used is shown beside it."""
    fields = await read_form(request)

    def create() -> None:
        executor_of(gallery, instead=INSTEAD)
        asked = schedule_view.asked_from(fields)
        schedules.create_schedule(gallery.workspace, project, asked, person=reader.person)

    return await _settled(request, gallery, reader, project, fields, create)


@router.post("/projects/{project}/schedules/{schedule_id}", name="change_schedule")
async def change_schedule(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: str
) -> Response:
    """Change a schedule, or show when it would be due."""
    fields = await read_form(request)

    def change() -> None:
        workspace, person = gallery.workspace, reader.person
        before = schedules.get_schedule(workspace, project, schedule_id, person=person)
        asked = schedule_view.asked_from({**fields, "pipeline": before.pipeline})
        schedules.change_schedule(workspace, project, schedule_id, asked, person=person)

    return await _settled(request, gallery, reader, project, fields, change, changed=schedule_id)


@router.post("/projects/{project}/schedules/{schedule_id}/pause", name="pause_schedule")
async def pause_schedule(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: str
) -> Response:
    """Let a schedule make no runs."""
    return await _done(gallery, reader, project, schedule_id, schedules.pause_schedule)


@router.post("/projects/{project}/schedules/{schedule_id}/resume", name="resume_schedule")
async def resume_schedule(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: str
) -> Response:
    """Let a schedule make runs again."""
    return await _done(gallery, reader, project, schedule_id, schedules.resume_schedule)


@router.post("/projects/{project}/schedules/{schedule_id}/delete", name="delete_schedule")
async def delete_schedule(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: str
) -> Response:
    """Remove a schedule."""
    return await _done(gallery, reader, project, schedule_id, schedules.delete_schedule)


@router.post("/projects/{project}/schedules/{schedule_id}/run", name="run_schedule")
async def run_schedule(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: str
) -> Response:
    """Ask for a run beside the schedule's times."""
    await run_in_threadpool(require_role, gallery.workspace, project, reader.person, Role.EDITOR)
    executor = executor_of(gallery, instead=INSTEAD)
    return await _done(
        gallery,
        reader,
        project,
        schedule_id,
        schedules.run_now,
        executor=executor,
        via="browser",
    )


async def _settled(
    request: Request,
    gallery: Gallery,
    reader: Reader,
    project: str,
    fields: Mapping[str, str],
    work: Callable[[], None],
    *,
    changed: str | None = None,
) -> Response:
    try:
        # A viewer has no forms, and whatever a viewer sends is refused before it is read.
        await run_in_threadpool(
            require_role, gallery.workspace, project, reader.person, Role.EDITOR
        )
        if fields.get("act") == "preview":
            form = await run_in_threadpool(_previewed, fields)
            return await _page(request, gallery, reader, project, changed=changed, form=form)
        await run_in_threadpool(work)
    except _REFUSALS as error:
        form = ScheduleForm(fields=fields, error=error)
        return await _page(request, gallery, reader, project, changed=changed, form=form)
    return _to(gallery, project)


def _previewed(fields: Mapping[str, str]) -> ScheduleForm:
    cron = read_cron(fields.get("cron", ""), fields.get("time_zone", "").strip() or "UTC")
    return ScheduleForm(fields=fields, preview=cron.upcoming(now()), words=cron.words)


async def _page(
    request: Request,
    gallery: Gallery,
    reader: Reader,
    project: str,
    *,
    changed: str | None = None,
    form: ScheduleForm | None = None,
) -> Response:
    view = await run_in_threadpool(
        schedule_view.compose_schedules,
        gallery.workspace,
        reader,
        project,
        has_dispatcher=gallery.means.executor is not None,
        changed=changed,
        form=form,
    )
    error: Nb2prodError | None = form.error if form else None
    return gallery.html(
        request, "schedules.html", status=status_of(error) if error else 200, view=view
    )


async def _done(
    gallery: Gallery,
    reader: Reader,
    project: str,
    schedule_id: str,
    verb: Callable[..., object],
    **named: Any,
) -> Response:
    await run_in_threadpool(
        verb, gallery.workspace, project, schedule_id, person=reader.person, **named
    )
    return _to(gallery, project)


def _to(gallery: Gallery, project: str) -> Response:
    # After a form a plain visit: to load the page again sends nothing again.
    return RedirectResponse(gallery.path("projects", quote(project, safe=""), "schedules"), 303)
