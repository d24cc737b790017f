"""The API for programs: runs of one project, asked for and followed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from nb2prod.errors import RunNotFound
from nb2prod.execution import progress, runs
from nb2prod.execution.models import Profile, RunRecord, RunRequest, RunStatus
from nb2prod.jobs import cancel
from nb2prod.registry import versions
from nb2prod.registry.models import Reference, check_pipeline_name
from nb2prod.registry.run_settings import MAX_TIMEOUT_S
from nb2prod.server import api_models
from nb2prod.server.bodies import described, json_body
from nb2prod.server.ci_models import NewCiContext, ci_context
from nb2prod.server.event_stream import (
    EVENT_SCHEMA,
    MEDIA_TYPE,
    PLACE,
    EventStream,
    Place,
    Telling,
)
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
    executor_of,
)
from nb2prod.workspace import projects
from nb2prod.workspace.projects import Role

router = api_router()

# A log is a file on disk; nobody reads further than this.
After = Annotated[int, Query(ge=0, le=2**53, description="The place to go on from.")]
AfterId = Annotated[
    str | None, Query(pattern=f"^{PLACE}$", description="Id of the last event that one has.")
]
Seconds = Annotated[float, Field(gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)]
Alone = Annotated[bool, Query(description="Only runs that are of no sweep.")]


class NewRun(Asked):
    """A run that is asked for."""

    pipeline: str
    version: int | None = Field(None, ge=1, le=1_000_000, description="By default the newest.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Values by name; others have their defaults."
    )
    profile: Profile = Field(
        Profile.FULL, description="Where values come from that are not given: smoke ones are small."
    )
    timeout_s: Seconds | None = Field(None, description="Of all cells; else the version's.")
    cell_timeout_s: Seconds | None = Field(None, description="Of one cell; else the version's.")
    ci: NewCiContext | None = Field(None, description="What CI says of itself.")

    def request(self, reader: Reader, executor: str) -> RunRequest:
        """Return who asks, and how the run is to go."""
        return RunRequest(
            by=reader.person,
            via=reader.via if self.ci is None else "ci",
            executor=executor,
            profile=self.profile,
            timeout_s=self.timeout_s,
            cell_timeout_s=self.cell_timeout_s,
            ci=ci_context(self.ci),
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
    executor = executor_of(gallery)
    reference = Reference(check_pipeline_name(asked.pipeline), asked.version)
    record = runs.request_run(
        gallery.workspace,
        found,
        versions.load_version(found.repository, reference),
        asked.parameters,
        request=asked.request(reader, executor),
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


@router.get(
    "/projects/{project}/runs/{run_id}/stream",
    status_code=200,
    responses={**answers(429), 200: {"content": {MEDIA_TYPE: {"schema": EVENT_SCHEMA}}}},
)
async def follow_run(
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    run_id: str,
    after: AfterId = None,
) -> Response:
    """Follow a run by server-sent events, until `end`.

    `state` says how it stands, `attempt` that it is tried again; `cell`, `output` and `note` are
    what happens in it, and `notice` says what of it is left out. Each has an id, from which one
    goes on by `Last-Event-ID`, or by `after`.
    """
    record = await run_in_threadpool(_run, gallery, reader, project, run_id)
    last = request.headers.get("last-event-id") or after or ""
    telling = Telling(
        gallery.workspace,
        record.id,
        person=reader.person,
        project=project,
        page=gallery.path("pages", record.id),
        place=Place.read(last),
    )
    return EventStream(telling, gallery.listeners, reader.person)


@router.post(
    "/projects/{project}/runs/{run_id}/cancel", status_code=202, responses=answers(403, 409)
)
def cancel_run(
    gallery: GalleryHere, reader: ReaderHere, project: str, run_id: str
) -> api_models.RunBody:
    """Ask a run to end; one that waits has ended then, one that goes on is interrupted."""
    record = cancel.cancel_run(gallery.workspace, project, run_id, person=reader.person)
    return api_models.run_body(record)


def _run(gallery: Gallery, reader: Reader, project: str, run_id: str) -> RunRecord:
    projects.get_project(gallery.workspace, project, person=reader.person)
    record = runs.get_run(gallery.workspace, run_id, person=reader.person)
    if record.project != project:
        raise RunNotFound(f"There is no run {run_id!r} in {project}.")
    return record
