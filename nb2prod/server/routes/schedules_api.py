"""The API for programs: schedules of one project."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from starlette.responses import Response

from nb2prod.execution.runs import runs_of_schedule
from nb2prod.jobs import schedules
from nb2prod.jobs.cron import read_cron
from nb2prod.jobs.schedules import Schedule
from nb2prod.server import api_models, schedule_models
from nb2prod.server.bodies import described, json_body
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.presentation import now
from nb2prod.server.routes.common import (
    GalleryHere,
    ReaderHere,
    answers,
    api_router,
    executor_of,
)
from nb2prod.server.schedule_models import PreviewAsked, ScheduleAsked, ScheduleChange
from nb2prod.workspace import projects

RUNS_SHOWN = 10

router = api_router()

INSTEAD = ", so a schedule would make none. Start the whole workspace with `nb2prod up`."

Id = Annotated[str, Path(max_length=100, description="The schedule's id.")]


@router.get("/projects/{project}/schedules")
def list_schedules(
    gallery: GalleryHere, reader: ReaderHere, project: str
) -> schedule_models.ScheduleList:
    """List a project's schedules, each with its next times and last run."""
    found = schedules.list_schedules(gallery.workspace, project, person=reader.person)
    items = [_body(gallery, reader, schedule, runs=1) for schedule in found]
    return schedule_models.ScheduleList(items=items, total=len(items))


@router.post(
    "/projects/{project}/schedules",
    status_code=201,
    responses=answers(403, 409),
    openapi_extra=described(ScheduleAsked),
)
def create_schedule(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    asked: Annotated[ScheduleAsked, Depends(json_body(ScheduleAsked))],
) -> schedule_models.ScheduleBody:
    """Make a schedule; its runs are the asking person's. For editors and owners."""
    projects.require_role(gallery.workspace, project, reader.person, projects.Role.EDITOR)
    executor_of(gallery, instead=INSTEAD)
    schedule = schedules.create_schedule(
        gallery.workspace, project, asked.asked(), person=reader.person
    )
    return _body(gallery, reader, schedule)


@router.post("/projects/{project}/schedules/preview", openapi_extra=described(PreviewAsked))
def preview_schedule(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    asked: Annotated[PreviewAsked, Depends(json_body(PreviewAsked))],
) -> schedule_models.Preview:
    """Say what a time means, and when it comes next; nothing is made."""
    projects.get_project(gallery.workspace, project, person=reader.person)
    cron = read_cron(asked.cron, asked.time_zone)
    return schedule_models.Preview(
        cron=cron.text,
        time_zone=cron.zone.key,
        words=cron.words,
        next_times=list(cron.upcoming(now())),
    )


@router.get("/projects/{project}/schedules/{schedule_id}")
def get_schedule(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: Id
) -> schedule_models.ScheduleBody:
    """Return a schedule with its next times and last runs."""
    schedule = schedules.get_schedule(gallery.workspace, project, schedule_id, person=reader.person)
    return _body(gallery, reader, schedule)


@router.patch(
    "/projects/{project}/schedules/{schedule_id}",
    responses=answers(403, 409),
    openapi_extra=described(ScheduleChange),
)
def change_schedule(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    schedule_id: Id,
    asked: Annotated[ScheduleChange, Depends(json_body(ScheduleChange))],
) -> schedule_models.ScheduleBody:
    """Change a schedule; what is left out stays. For editors and owners."""
    workspace = gallery.workspace
    before = schedules.get_schedule(workspace, project, schedule_id, person=reader.person)
    schedule = schedules.change_schedule(
        workspace, project, schedule_id, asked.applied_to(before), person=reader.person
    )
    return _body(gallery, reader, schedule)


@router.delete(
    "/projects/{project}/schedules/{schedule_id}", status_code=204, responses=answers(403)
)
def delete_schedule(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: Id
) -> Response:
    """Remove a schedule; its runs stay. For editors and owners."""
    schedules.delete_schedule(gallery.workspace, project, schedule_id, person=reader.person)
    return Response(status_code=204)


@router.post("/projects/{project}/schedules/{schedule_id}/pause", responses=answers(403))
def pause_schedule(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: Id
) -> schedule_models.ScheduleBody:
    """Let a schedule make no runs until it is resumed. For editors and owners."""
    schedule = schedules.pause_schedule(
        gallery.workspace, project, schedule_id, person=reader.person
    )
    return _body(gallery, reader, schedule)


@router.post("/projects/{project}/schedules/{schedule_id}/resume", responses=answers(403))
def resume_schedule(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: Id
) -> schedule_models.ScheduleBody:
    """Let a schedule make runs again, from now on. For editors and owners."""
    schedule = schedules.resume_schedule(
        gallery.workspace, project, schedule_id, person=reader.person
    )
    return _body(gallery, reader, schedule)


@router.post(
    "/projects/{project}/schedules/{schedule_id}/run-now",
    status_code=201,
    responses=answers(403, 409),
)
def run_schedule_now(
    gallery: GalleryHere, reader: ReaderHere, project: str, schedule_id: Id
) -> api_models.RunBody:
    """Ask for a run as the schedule would make one, beside its times. For editors and owners."""
    projects.require_role(gallery.workspace, project, reader.person, projects.Role.EDITOR)
    record = schedules.run_now(
        gallery.workspace,
        project,
        schedule_id,
        person=reader.person,
        executor=executor_of(gallery, instead=INSTEAD),
        via=reader.via,
    )
    return api_models.run_body(record)


def _body(
    gallery: Gallery, reader: Reader, schedule: Schedule, runs: int = RUNS_SHOWN
) -> schedule_models.ScheduleBody:
    found = runs_of_schedule(gallery.workspace, schedule.id, person=reader.person, limit=runs)
    return schedule_models.schedule_body(schedule, found, now())
