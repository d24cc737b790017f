"""The API for programs: what a run of a project has left, its page and its contents."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from nb2prod.errors import BlobNotFound, RunNotFound
from nb2prod.execution import runs
from nb2prod.execution.models import RunRecord
from nb2prod.knowledge import pages
from nb2prod.server import api_models, page_view
from nb2prod.server.contents import attachment
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.routes.common import GalleryHere, ReaderHere, answers, api_router
from nb2prod.workspace import projects

router = api_router()


@router.get("/projects/{project}/runs/{run_id}/page")
def get_page(
    gallery: GalleryHere, reader: ReaderHere, project: str, run_id: str
) -> api_models.PageBody:
    """Return the page of a run of this project: its metrics, and how they have changed."""
    record = _run(gallery, reader, project, run_id)
    found = pages.get_page(gallery.workspace, record.id, person=reader.person)
    links = {
        item.name: f"{_path(gallery, project, record.id)}/contents/{item.name}"
        for item in page_view.downloads(record)
    }
    return api_models.page_body(gallery, found, links)


@router.get(
    "/projects/{project}/runs/{run_id}/contents/{name}",
    response_class=Response,
    responses={
        **answers(),
        200: {"content": {"application/octet-stream": {"schema": {"format": "binary"}}}},
    },
)
def get_content(
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    run_id: str,
    name: str,
) -> Response:
    """Return a content of a run or its version: script, notebook, executed, lock, manifest, log."""
    record = _run(gallery, reader, project, run_id)
    source = next((item for item in page_view.downloads(record) if item.name == name), None)
    if source is None:
        raise BlobNotFound(f"The run {record.id} left no {name[:40]!r}, or has not yet.")
    content = gallery.workspace.blobs.get(source.sha256)
    return attachment(request, content, sha256=source.sha256, file_name=source.file_name)


def _path(gallery: Gallery, project: str, run_id: str) -> str:
    return gallery.path("api", "v1", "projects", project, "runs", run_id)


def _run(gallery: Gallery, reader: Reader, project: str, run_id: str) -> RunRecord:
    projects.get_project(gallery.workspace, project, person=reader.person)
    record = runs.get_run(gallery.workspace, run_id, person=reader.person)
    if record.project != project:
        raise RunNotFound(f"There is no run {run_id!r} in {project}.")
    return record
