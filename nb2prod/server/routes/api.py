"""The API for programs: pages, runs, projects and versions as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.security import HTTPBearer

from nb2prod import __version__
from nb2prod.execution import runs
from nb2prod.execution.models import RunStatus
from nb2prod.knowledge import pages
from nb2prod.knowledge.models import MAX_PAGE_SIZE, PageOrder, PageQuery
from nb2prod.registry import versions
from nb2prod.registry.models import check_pipeline_name
from nb2prod.server import api_models, page_view
from nb2prod.server.errors import ErrorBody
from nb2prod.server.gallery import Gallery, Reader, gallery_of, reader_of
from nb2prod.workspace import projects

_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorBody, "description": "Not signed in."},
    404: {"model": ErrorBody, "description": "Absent, or not for this person."},
    422: {"model": ErrorBody, "description": "What was asked can't be used."},
}

router = APIRouter(
    prefix="/api/v1",
    responses=_ERRORS,
    # Only for the description; `admission.admit` decides.
    dependencies=[Depends(HTTPBearer(auto_error=False))],
)

GalleryHere = Annotated[Gallery, Depends(gallery_of)]
ReaderHere = Annotated[Reader, Depends(reader_of)]
# Beyond it SQLite has no numbers, and nobody has so many pages.
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="How many to leave out.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="How many to return.")]
Name = Annotated[str | None, Query(max_length=100)]


@router.get("/health")
def health() -> api_models.Health:
    """Tell that the gallery answers, and its version."""
    return api_models.Health(version=__version__)


@router.get("/pages")
def list_pages(  # noqa: PLR0913 (one parameter per filter: FastAPI reads the signature)
    *,
    gallery: GalleryHere,
    reader: ReaderHere,
    q: Annotated[str, Query(max_length=300, description="Text to search.")] = "",
    project: Name = None,
    pipeline: Name = None,
    status: RunStatus | None = None,
    order: PageOrder | None = None,
    offset: Offset = 0,
    limit: Limit = 24,
) -> api_models.PageList:
    """List or search the pages that the reader may see."""
    query = PageQuery(
        text=q,
        project=project,
        pipeline=pipeline,
        status=status,
        order=order,
        offset=offset,
        limit=limit,
    )
    listing = pages.list_pages(gallery.workspace, query, person=reader.person)
    return api_models.PageList(
        items=[api_models.page_item(gallery, card) for card in listing.items],
        total=listing.total,
        offset=listing.offset,
        limit=limit,
        facets={
            name: [api_models.FacetBody.model_validate(value) for value in values]
            for name, values in listing.facets.items()
        },
    )


@router.get("/pages/{run_id}")
def get_page(gallery: GalleryHere, reader: ReaderHere, run_id: str) -> api_models.PageBody:
    """Return a page: what it says, its metrics and their change, and its run's record."""
    found = pages.get_page(gallery.workspace, run_id, person=reader.person)
    links = {
        item.name: gallery.path("pages", found.record.id, "download", item.name)
        for item in page_view.downloads(found.record)
    }
    return api_models.page_body(gallery, found, links)


@router.get("/runs")
def list_runs(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: Name = None,
    pipeline: Name = None,
    status: RunStatus | None = None,
    offset: Offset = 0,
    limit: Limit = 24,
) -> api_models.RunList:
    """List runs, newest first."""
    # One more than asked for tells whether there are more.
    found = runs.list_runs(
        gallery.workspace,
        person=reader.person,
        project=project,
        pipeline=pipeline,
        status=status,
        limit=limit + 1,
        offset=offset,
    )
    return api_models.RunList(
        items=[api_models.run_body(record) for record in found[:limit]],
        offset=offset,
        limit=limit,
        has_more=len(found) > limit,
    )


@router.get("/runs/{run_id}")
def get_run(gallery: GalleryHere, reader: ReaderHere, run_id: str) -> api_models.RunBody:
    """Return the record of a run; a beginning of its id that fits no other will do."""
    return api_models.run_body(runs.get_run(gallery.workspace, run_id, person=reader.person))


@router.get("/projects")
def list_projects(
    gallery: GalleryHere, reader: ReaderHere, offset: Offset = 0, limit: Limit = 24
) -> api_models.ProjectList:
    """List the projects that the reader is a member of."""
    found = projects.list_projects(gallery.workspace, person=reader.person)
    return api_models.ProjectList(
        items=[
            api_models.ProjectBody.model_validate(project)
            for project in found[offset : offset + limit]
        ],
        offset=offset,
        limit=limit,
        total=len(found),
    )


@router.get("/projects/{project}/versions")
def list_versions(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    pipeline: Name = None,
    offset: Offset = 0,
    limit: Limit = 24,
) -> api_models.VersionList:
    """List the versions that a project's repository has."""
    root = projects.get_project(gallery.workspace, project, person=reader.person).root
    name = None if pipeline is None else check_pipeline_name(pipeline)
    found = versions.list_versions(root, name)
    return api_models.VersionList(
        items=[api_models.version_body(version) for version in found[offset : offset + limit]],
        offset=offset,
        limit=limit,
        total=len(found),
    )


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """Describe this API."""
    description: dict[str, Any] = request.app.openapi()
    return description
