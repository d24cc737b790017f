"""The API for programs: who asks, projects and their members."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from nb2prod.errors import RoleInsufficient
from nb2prod.registry import versions
from nb2prod.server import project_models, project_view
from nb2prod.server.bodies import described, json_body
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.project_models import NewProject, NewRole
from nb2prod.server.routes.common import (
    GalleryHere,
    Limit,
    Offset,
    ReaderHere,
    answers,
    api_router,
)
from nb2prod.workspace import projects
from nb2prod.workspace.projects import Project

router = api_router()


@router.get("/me")
def get_me(reader: ReaderHere) -> project_models.Me:
    """Tell who asks."""
    return project_models.me(reader.identity)


@router.get("/projects", responses=answers(403))
def list_projects(
    *,
    gallery: GalleryHere,
    reader: ReaderHere,
    is_all: Annotated[
        bool, Query(alias="all", description="Those of others too; for administrators.")
    ] = False,
    offset: Offset = 0,
    limit: Limit = 24,
) -> project_models.ProjectList:
    """List the projects that the reader is a member of."""
    if is_all and not reader.is_administrator:
        raise RoleInsufficient("Only an administrator of the workspace may list all its projects.")
    found = project_view.known_projects(gallery.workspace, reader, is_all=is_all)
    return project_models.ProjectList(
        items=[_item(gallery, reader, project) for project in found[offset : offset + limit]],
        offset=offset,
        limit=limit,
        total=len(found),
    )


@router.post(
    "/projects", status_code=201, responses=answers(403, 409), openapi_extra=described(NewProject)
)
def create_project(
    gallery: GalleryHere,
    reader: ReaderHere,
    asked: Annotated[NewProject, Depends(json_body(NewProject))],
) -> project_models.ProjectBody:
    """Make a project; the reader owns it."""
    project = projects.found_project(
        gallery.workspace, asked.name, title=asked.title, owner=reader.person
    )
    return _body(gallery, reader, project)


@router.get("/projects/{project}")
def get_project(
    gallery: GalleryHere, reader: ReaderHere, project: str
) -> project_models.ProjectBody:
    """Return a project with its pipelines."""
    found = project_view.known_project(gallery.workspace, reader, project)
    return _body(gallery, reader, found)


@router.get("/projects/{project}/members")
def list_members(
    gallery: GalleryHere, reader: ReaderHere, project: str
) -> project_models.MemberList:
    """List a project's members."""
    members = projects.list_members(
        gallery.workspace, project, person=reader.person, as_administrator=reader.is_administrator
    )
    return project_models.MemberList(
        items=[project_models.MemberBody.model_validate(member) for member in members],
        total=len(members),
    )


@router.put(
    "/projects/{project}/members/{person}",
    responses=answers(403, 409),
    openapi_extra=described(NewRole),
)
def set_member(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    person: str,
    asked: Annotated[NewRole, Depends(json_body(NewRole))],
) -> project_models.MemberBody:
    """Add a person to a project, or change the person's role; for owners."""
    _require_person(gallery, reader, project)
    member = projects.add_member(
        gallery.workspace,
        project,
        person,
        asked.role,
        person=reader.person,
        as_administrator=reader.is_administrator,
    )
    return project_models.MemberBody.model_validate(member)


@router.delete("/projects/{project}/members/{person}", status_code=204, responses=answers(403, 409))
def remove_member(gallery: GalleryHere, reader: ReaderHere, project: str, person: str) -> Response:
    """Take a person out of a project; for owners."""
    _require_person(gallery, reader, project)
    projects.remove_member(
        gallery.workspace,
        project,
        person,
        person=reader.person,
        as_administrator=reader.is_administrator,
    )
    return Response(status_code=204)


def _require_person(gallery: Gallery, reader: Reader, project: str) -> None:
    # A program in a project runs what its other members wrote: it decides about nobody.
    if reader.identity.project is not None:
        projects.get_project(gallery.workspace, project, person=reader.person)
        raise RoleInsufficient(
            f"Members of {project} are changed by its owners in the browser or with a token of"
            " their own, not by a server or a run."
        )


def _item(gallery: Gallery, reader: Reader, project: Project) -> project_models.ProjectItem:
    members = projects.list_members(
        gallery.workspace,
        project.name,
        person=reader.person,
        as_administrator=reader.is_administrator,
    )
    return project_models.project_item(project, members, reader.person)


def _body(gallery: Gallery, reader: Reader, project: Project) -> project_models.ProjectBody:
    item = _item(gallery, reader, project)
    pipelines = None
    if item.role is not None:
        newest = {
            version.pipeline: version
            for version in reversed(versions.list_versions(project.repository))
        }
        pipelines = [project_models.pipeline_body(newest[name]) for name in sorted(newest)]
    return project_models.ProjectBody(**item.model_dump(), pipelines=pipelines)
