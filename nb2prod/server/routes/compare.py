"""Two runs, or two versions, side by side, for browsers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from nb2prod.server import compare_view, version_view
from nb2prod.server.routes.common import GalleryHere, ReaderHere

router = APIRouter(include_in_schema=False)

Chosen = Annotated[int | None, Query(ge=1, le=1_000_000)]
RunIds = Annotated[list[str], Query(max_length=100)]


@router.get("/compare", name="compare")
def compare(request: Request, gallery: GalleryHere, reader: ReaderHere, runs: RunIds) -> Response:
    """Show what differs between two runs."""
    view = compare_view.compose(gallery.workspace, compare_view.run_ids(runs), person=reader.person)
    return gallery.html(request, "compare.html", view=view)


@router.get("/projects/{project}/versions/{pipeline}", name="compare_versions")
def compare_versions(
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    pipeline: str,
    before: Chosen = None,
    after: Chosen = None,
) -> Response:
    """Show what differs between two versions of a pipeline; by default the newest two."""
    view = version_view.compose(
        gallery.workspace, project, pipeline, before, after, person=reader.person
    )
    return gallery.html(request, "version_diff.html", view=view)
