"""Projects for browsers: the reader's own, one with its members, and forms to change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from nb2prod.errors import Conflict, InvalidInput, Nb2prodError, ProjectNotFound
from nb2prod.server import project_view
from nb2prod.server.bodies import read_form
from nb2prod.server.errors import status_of
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.project_view import Filled
from nb2prod.server.routes.common import GalleryHere, ReaderHere
from nb2prod.server.servers import states_of
from nb2prod.workspace import projects
from nb2prod.workspace.projects import Role

router = APIRouter(include_in_schema=False)


@router.get("/projects", name="projects")
async def show_projects(request: Request, gallery: GalleryHere, reader: ReaderHere) -> Response:
    """Show the reader's projects."""
    return await _projects_page(request, gallery, reader)


@router.post("/projects", name="create_project")
async def create_project(request: Request, gallery: GalleryHere, reader: ReaderHere) -> Response:
    """Make a project; what can't be used is shown beside what was typed."""
    fields = await read_form(request)
    name, title = fields.get("name", "").strip(), fields.get("title", "").strip()
    try:
        await _done(
            projects.found_project, gallery.workspace, name, title=title, owner=reader.person
        )
    except (InvalidInput, Conflict) as error:
        return await _projects_page(request, gallery, reader, Filled(fields=fields, error=error))
    return _to(gallery, name)


@router.get("/projects/{project}", name="project")
async def show_project(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Show a project with its members and pipelines."""
    return await _project_page(request, gallery, reader, project)


@router.post("/projects/{project}/members", name="set_member")
async def set_member(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Add a person, or change the person's role."""
    fields = await read_form(request)
    try:
        await _done(
            projects.add_member,
            gallery.workspace,
            project,
            fields.get("person", "").strip(),
            _role(fields.get("role", "")),
            person=reader.person,
            as_administrator=reader.is_administrator,
        )
    except (InvalidInput, Conflict) as error:
        form = Filled(fields=fields, error=error)
        return await _project_page(request, gallery, reader, project, form)
    return _to(gallery, project)


@router.post("/projects/{project}/members/remove", name="remove_member")
async def remove_member(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Take a person out of a project."""
    member = (await read_form(request)).get("person", "")
    try:
        await _done(
            projects.remove_member,
            gallery.workspace,
            project,
            member,
            person=reader.person,
            as_administrator=reader.is_administrator,
        )
    except (InvalidInput, Conflict) as error:
        return await _project_page(request, gallery, reader, project, Filled(error=error))
    has_left = member == reader.person and not reader.is_administrator
    return _to(gallery, "" if has_left else project)


@router.post("/projects/{project}/stop", name="stop_server")
async def stop_server(gallery: GalleryHere, reader: ReaderHere, project: str) -> Response:
    """Stop the reader's own server for a project; also for who is a member no more."""
    servers = gallery.means.servers
    if servers is None or project not in await servers.list(reader.person):
        raise ProjectNotFound(f"You have no running server for a project {project!r}.")
    await servers.stop(reader.person, project)
    return _to(gallery, "")


async def _projects_page(
    request: Request, gallery: Gallery, reader: Reader, form: Filled | None = None
) -> Response:
    states = await states_of(gallery.means.servers, reader.person)
    view = await run_in_threadpool(
        project_view.compose_projects, gallery.workspace, reader, states, form
    )
    return gallery.html(request, "projects.html", status=_status(form), view=view)


async def _project_page(
    request: Request, gallery: Gallery, reader: Reader, name: str, form: Filled | None = None
) -> Response:
    states = await states_of(gallery.means.servers, reader.person)
    view = await run_in_threadpool(
        project_view.compose_project,
        gallery.workspace,
        reader,
        name,
        states,
        form,
        has_executor=gallery.means.executor is not None,
    )
    return gallery.html(request, "project.html", status=_status(form), view=view, roles=tuple(Role))


async def _done(change: Callable[..., object], *arguments: Any, **named: Any) -> None:
    await run_in_threadpool(change, *arguments, **named)


def _to(gallery: Gallery, name: str) -> Response:
    # After a form a plain visit: to load the page again sends nothing again.
    parts = ("projects", quote(name, safe="")) if name else ("projects",)
    return RedirectResponse(gallery.path(*parts), 303)


def _status(form: Filled | None) -> int:
    error: Nb2prodError | None = form.error if form else None
    return status_of(error) if error else 200


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:40]!r} is no role; choose owner, editor or viewer.") from error
