"""Two runs side by side, for browsers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from nb2prod.server import compare_view
from nb2prod.server.routes.common import GalleryHere, ReaderHere

router = APIRouter(include_in_schema=False)

RunIds = Annotated[list[str], Query(max_length=100)]


@router.get("/compare", name="compare")
def compare(request: Request, gallery: GalleryHere, reader: ReaderHere, runs: RunIds) -> Response:
    """Show what differs between two runs."""
    view = compare_view.compose(gallery.workspace, compare_view.run_ids(runs), person=reader.person)
    return gallery.html(request, "compare.html", view=view)
