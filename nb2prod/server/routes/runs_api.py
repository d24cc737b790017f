"""The API for programs: runs of one project, asked for and followed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import Field

from nb2prod.errors import Conflict, RunNotFound
from nb2prod.execution import progress, runs
from nb2prod.execution.models import RunRecord, RunRequest, RunStatus
from nb2prod.registry import versions
from nb2prod.registry.models import Reference, check_pipeline_name
from nb2prod.server import api_models
from nb2prod.server.bodies import described, json_body
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.project_models import Asked
from nb2prod.server.routes.common import (
    GalleryHere,
    Limit,
    Name,
    Offset,
    ReaderHere,
    answers,
    api_router,
)
from nb2prod.workspace import projects
from nb2prod.workspace.projects import Role

router = api_router()

# A log is a file on disk; nobody reads further than this.
After = Annotated[int, Query(ge=0, le=2**53, description="The place to go on from.")]
Alone = Annotated[bool, Query(description="Only runs that are of no sweep.")]


class NewRun(Asked):
    """A run that is asked for."""

    pipeline: str
    version: int | None = Field(None, ge=1, le=1_000_000, description="By default the newest.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Values by name; others have their defaults."
    )


@router.post(
    "/projects/{project}/runs",
    status_code=201,
    responses=answers(403, 409),
    openapi_extra=described(NewRun),
)
def create_run(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    asked: Annotated[NewRun, Depends(json_body(NewRun))],
) -> api_models.RunBody:
    """Ask for a run of a version; it is queued, and the dispatcher brings it to its end."""
    found = projects.require_role(gallery.workspace, project, reader.person, Role.EDITOR)
    if gallery.means.executor is None:
        raise Conflict(
            "This gallery only shows runs, it starts none. Run the version in a terminal, as in"
            " `nb2prod run train@v1`, or start the whole workspace with `nb2prod up`."
        )
    reference = Reference(check_pipeline_name(asked.pipeline), asked.version)
    record = runs.request_run(
        gallery.workspace,
        found,
        versions.load_version(found.repository, reference),
        asked.parameters,
        request=RunRequest(by=reader.person, via="browser", executor=gallery.means.executor),
    )
    return api_models.run_body(record)


@router.get("/projects/{project}/runs")
def list_runs(  # noqa: PLR0913 (one parameter per filter: FastAPI reads the signature)
    *,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    pipeline: Name = None,
    status: RunStatus | None = None,
    is_alone: Alone = False,
    offset: Offset = 0,
    limit: Limit = 24,
) -> api_models.RunList:
    """List a project's runs, newest first."""
    name = projects.get_project(gallery.workspace, project, person=reader.person).name
    found = runs.list_runs(
        gallery.workspace,
        person=reader.person,
        project=name,
        pipeline=pipeline,
        status=status,
        is_alone=is_alone,
        limit=limit + 1,
        offset=offset,
    )
    return api_models.run_list(found, offset=offset, limit=limit)


@router.get("/projects/{project}/runs/{run_id}")
def get_run(
    gallery: GalleryHere, reader: ReaderHere, project: str, run_id: str
) -> api_models.RunBody:
    """Return the record of a run of this project."""
    return api_models.run_body(_run(gallery, reader, project, run_id))


@router.get("/projects/{project}/runs/{run_id}/events")
def list_events(
    gallery: GalleryHere, reader: ReaderHere, project: str, run_id: str, after: After = 0
) -> api_models.EventList:
    """Return what happened in a run since a place in its log; a final status says it is over."""
    record = _run(gallery, reader, project, run_id)
    found = progress.read_progress(
        gallery.workspace, record.id, person=reader.person, project=project, after=after
    )
    return api_models.event_list(gallery, record.id, found)


def _run(gallery: Gallery, reader: Reader, project: str, run_id: str) -> RunRecord:
    projects.get_project(gallery.workspace, project, person=reader.person)
    record = runs.get_run(gallery.workspace, run_id, person=reader.person)
    if record.project != project:
        raise RunNotFound(f"There is no run {run_id!r} in {project}.")
    return record
