"""The API for programs: pages and runs, over all projects of the reader."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request

from nb2prod import __version__
from nb2prod.execution import runs
from nb2prod.execution.models import RunStatus
from nb2prod.knowledge import pages
from nb2prod.knowledge.models import PageOrder, PageQuery
from nb2prod.server import api_models, page_view
from nb2prod.server.routes.common import (
    GalleryHere,
    Limit,
    Name,
    Offset,
    ReaderHere,
    api_router,
)

router = api_router()


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
    return api_models.run_list(found, offset=offset, limit=limit)


@router.get("/runs/{run_id}")
def get_run(gallery: GalleryHere, reader: ReaderHere, run_id: str) -> api_models.RunBody:
    """Return the record of a run; a beginning of its id that fits no other will do."""
    return api_models.run_body(runs.get_run(gallery.workspace, run_id, person=reader.person))


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """Describe this API."""
    description: dict[str, Any] = request.app.openapi()
    return description
