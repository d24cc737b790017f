"""The API for programs: sweeps of one project, asked for, followed, cancelled and resumed."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from nb2prod.execution.models import RunRequest, RunStatus
from nb2prod.jobs import sweeps
from nb2prod.jobs.sweeps import Sweep, TableQuery
from nb2prod.knowledge.models import MAX_PAGE_SIZE
from nb2prod.registry.models import Reference, Version, check_pipeline_name
from nb2prod.registry.versions import load_version
from nb2prod.server import sweep_models
from nb2prod.server.bodies import described, json_body
from nb2prod.server.ci_models import ci_context
from nb2prod.server.gallery import Gallery, Reader
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
from nb2prod.server.sweep_models import NewSweep, Order
from nb2prod.workspace import projects
from nb2prod.workspace.projects import Project, Role

router = api_router()

ROWS = 50
_INSTEAD = (
    ". Run the sweep in a terminal, as in `nb2prod sweep train@v1 -p 'alpha=0.1, 0.2'`, or start"
    " the whole workspace with `nb2prod up`."
)

AskedHere = Annotated[NewSweep, Depends(json_body(NewSweep))]
Sort = Annotated[
    str,
    Query(
        max_length=300,
        description="`position`, `status`, `duration`, `parameter:NAME` or `metric:NAME`; rows"
        " without a value come last.",
    ),
]
Rows = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="How many rows to return.")]
RowStatus = RunStatus | Literal["not_run"]


@router.post(
    "/projects/{project}/sweeps/preview",
    responses=answers(),
    openapi_extra=described(NewSweep),
)
def preview_sweep(
    gallery: GalleryHere, reader: ReaderHere, project: str, asked: AskedHere
) -> sweep_models.SweepPreview:
    """Tell how many runs a sweep would be, and the first of them; nothing is made."""
    found = projects.require_role(gallery.workspace, project, reader.person, Role.VIEWER)
    return sweep_models.sweep_preview(sweeps.plan(_version(found, asked), asked.asked))


@router.post(
    "/projects/{project}/sweeps",
    status_code=201,
    responses=answers(403, 409),
    openapi_extra=described(NewSweep),
)
def create_sweep(
    gallery: GalleryHere, reader: ReaderHere, project: str, asked: AskedHere
) -> sweep_models.SweepBody:
    """Ask for a run of a version for each combination of values: for all of them, or none."""
    found = projects.require_role(gallery.workspace, project, reader.person, Role.EDITOR)
    sweep = sweeps.create_sweep(
        gallery.workspace,
        found,
        _version(found, asked),
        asked.asked,
        request=RunRequest(
            by=reader.person,
            via=reader.via if asked.ci is None else "ci",
            executor=executor_of(gallery, instead=_INSTEAD),
            profile=asked.profile,
            ci=ci_context(asked.ci),
        ),
    )
    return _body(gallery, reader, sweep)


@router.get("/projects/{project}/sweeps")
def list_sweeps(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    pipeline: Name = None,
    offset: Offset = 0,
    limit: Limit = 24,
) -> sweep_models.SweepList:
    """List a project's sweeps, newest first."""
    name = projects.get_project(gallery.workspace, project, person=reader.person).name
    found, total = sweeps.list_sweeps(
        gallery.workspace,
        name,
        person=reader.person,
        pipeline=pipeline,
        limit=limit,
        offset=offset,
    )
    return sweep_models.SweepList(
        items=[sweep_models.sweep_item(gallery, sweep) for sweep in found],
        total=total,
        offset=offset,
        limit=limit,
    )


@router.get("/projects/{project}/sweeps/{sweep_id}")
def get_sweep(  # noqa: PLR0913 (one parameter per filter: FastAPI reads the signature)
    *,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    sweep_id: str,
    sort: Sort = "position",
    order: Order = "asc",
    status: RowStatus | None = None,
    offset: Offset = 0,
    limit: Rows = ROWS,
) -> sweep_models.SweepBody:
    """Return a sweep with a part of its table: parameters, status and metrics of each run."""
    query = TableQuery(
        sort=sort,
        is_descending=order == "desc",
        status=status,
        offset=offset,
        limit=limit,
    )
    table = sweeps.read_table(gallery.workspace, project, sweep_id, query, person=reader.person)
    return sweep_models.sweep_body(gallery, table, limit=limit)


@router.get("/projects/{project}/sweeps/{sweep_id}/csv", response_class=Response)
def get_table(gallery: GalleryHere, reader: ReaderHere, project: str, sweep_id: str) -> Response:
    """Answer with the whole table as CSV; no text in it is a formula for a spreadsheet."""
    table = sweeps.read_table(gallery.workspace, project, sweep_id, person=reader.person)
    name = f"{table.sweep.pipeline}-v{table.sweep.version}-sweep-{table.sweep.id}.csv"
    return Response(
        sweeps.table_csv(table),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.post("/projects/{project}/sweeps/{sweep_id}/cancel", responses=answers(403, 409))
def cancel_sweep(
    gallery: GalleryHere, reader: ReaderHere, project: str, sweep_id: str
) -> sweep_models.SweepBody:
    """Ask all its runs to end: those that wait end at once."""
    sweep = sweeps.cancel_sweep(gallery.workspace, project, sweep_id, person=reader.person)
    return _body(gallery, reader, sweep)


@router.post("/projects/{project}/sweeps/{sweep_id}/resume", responses=answers(403, 409))
def resume_sweep(
    gallery: GalleryHere, reader: ReaderHere, project: str, sweep_id: str
) -> sweep_models.SweepBody:
    """Ask anew for the runs that have not succeeded and are not under way."""
    return _body(gallery, reader, resumed(gallery, reader, project, sweep_id))


def resumed(gallery: Gallery, reader: Reader, project: str, sweep_id: str) -> Sweep:
    """Ask anew for what is missing in a sweep, for the reader; see `sweeps.resume_sweep`."""
    workspace, person = gallery.workspace, reader.person
    found = projects.require_role(workspace, project, person, Role.EDITOR)
    sweep = sweeps.get_sweep(workspace, project, sweep_id, person=person)
    version = load_version(found.repository, Reference(sweep.pipeline, sweep.version))
    request = RunRequest(by=person, via=reader.via, executor=executor_of(gallery, instead=_INSTEAD))
    return sweeps.resume_sweep(workspace, found, version, sweep_id, request=request)


def _version(project: Project, asked: NewSweep) -> Version:
    reference = Reference(check_pipeline_name(asked.pipeline), asked.version)
    return load_version(project.repository, reference)


def _body(gallery: Gallery, reader: Reader, sweep: Sweep) -> sweep_models.SweepBody:
    table = sweeps.read_table(
        gallery.workspace, sweep.project, sweep.id, TableQuery(limit=ROWS), person=reader.person
    )
    return sweep_models.sweep_body(gallery, table, limit=ROWS)
