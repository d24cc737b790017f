"""A project's schedules as their page shows them, and what is typed into its forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nb2prod.errors import (
    InvalidInput,
    Nb2prodError,
    NotAVersion,
    ParameterInvalid,
    ScheduleInvalid,
)
from nb2prod.execution.models import RunRecord
from nb2prod.execution.runs import runs_of_schedule
from nb2prod.jobs.cron import zone_names
from nb2prod.jobs.schedules import Missed, NewSchedule, Schedule, get_schedule, list_schedules
from nb2prod.notebook.parameters import Parameter
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import list_versions, load_version
from nb2prod.server.gallery import Reader
from nb2prod.server.presentation import now, value
from nb2prod.workspace.projects import Project, Role, get_project, role_of
from nb2prod.workspace.workspace import Workspace

MISSED_WORDS = {
    Missed.ONCE: "make one run for all of them",
    Missed.SKIP: "skip them",
    Missed.ALL: "make a run for each",
}


@dataclass(frozen=True, kw_only=True)
class ScheduleForm:
    """What stands in a form.

    Parameters
    ----------
    fields
        Texts by name, as they were typed or as the schedule has them.
    error
        Why it was refused.
    preview
        The next times, where somebody asked for them, and the time in plain English.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    error: Nb2prodError | None = None
    preview: tuple[datetime, ...] = ()
    words: str = ""

    def get(self, name: str) -> str:
        """Return what stands in a field."""
        return self.fields.get(name, "")


@dataclass(frozen=True, kw_only=True)
class ScheduleCard:
    """A schedule in the table; ``next_times`` are in its zone."""

    schedule: Schedule
    words: str
    next_times: tuple[datetime, ...]
    last_run: RunRecord | None


@dataclass(frozen=True, kw_only=True)
class PipelineHint:
    """A pipeline, and the parameters of its newest version."""

    name: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, kw_only=True)
class SchedulesView:
    """What the page shows.

    Parameters
    ----------
    may_change
        Whether the reader is an editor, or an owner.
    has_dispatcher
        False where nothing makes the runs.
    pipelines
        What a new one may be for; empty for who may make none.
    changed
        The schedule that the form changes; `None` for the form of a new one.
    """

    project: Project
    cards: tuple[ScheduleCard, ...]
    may_change: bool
    has_dispatcher: bool
    pipelines: tuple[PipelineHint, ...]
    changed: Schedule | None
    form: ScheduleForm
    zones: tuple[str, ...]
    missed: Mapping[Missed, str]


def words_of(schedule: Schedule) -> str:
    """Return a schedule's time in plain English; empty where it has none that can be read."""
    try:
        timing = schedule.timing
    except ScheduleInvalid:
        return ""
    return "" if timing is None else timing.words


def next_times(schedule: Schedule, moment: datetime) -> tuple[datetime, ...]:
    """Return a schedule's next five times in its zone; none where its zone is gone."""
    try:
        return schedule.upcoming(moment)
    except ScheduleInvalid:
        return ()


def compose_schedules(
    workspace: Workspace,
    reader: Reader,
    name: str,
    *,
    has_dispatcher: bool,
    changed: str | None = None,
    form: ScheduleForm | None = None,
) -> SchedulesView:
    """Make the view of a project's schedules.

    Parameters
    ----------
    changed
        Id of the schedule that the form is to change.
    form
        What was typed, where it is shown again.

    Raises
    ------
    ProjectNotFound, ScheduleNotFound
        There is none such that the reader may see.
    """
    project = get_project(workspace, name, person=reader.person)
    role = role_of(workspace, name, reader.person)
    may_change = role is not None and role.includes(Role.EDITOR)
    found = list_schedules(workspace, name, person=reader.person)
    schedule = None
    if changed is not None:
        schedule = get_schedule(workspace, name, changed, person=reader.person)
    return SchedulesView(
        project=project,
        cards=tuple(_card(workspace, reader, item) for item in found),
        may_change=may_change,
        has_dispatcher=has_dispatcher,
        pipelines=_pipelines(project) if may_change else (),
        changed=schedule,
        form=form or ScheduleForm(fields={} if schedule is None else fields_of(schedule)),
        zones=zone_names(),
        missed=MISSED_WORDS,
    )


def fields_of(schedule: Schedule) -> dict[str, str]:
    """Return what stands in the form of a schedule; `asked_from` reads it back."""
    return {
        "pipeline": schedule.pipeline,
        "version": "" if schedule.version is None else str(schedule.version),
        "cron": schedule.cron or "",
        "time_zone": schedule.time_zone,
        "parameters": "\n".join(
            f"{name} = {value(given)}" for name, given in schedule.parameters.items()
        ),
        "on_changed_data": "yes" if schedule.inputs else "",
        "inputs": "\n".join(schedule.inputs),
        "missed": schedule.missed.value,
    }


def asked_from(fields: Mapping[str, str]) -> NewSchedule:
    """Read what was typed into a form; raises `InvalidInput`."""
    inputs = tuple(_lines(fields.get("inputs", "")))
    on_changed_data = bool(fields.get("on_changed_data"))
    return NewSchedule(
        pipeline=fields.get("pipeline", "").strip(),
        version=_version(fields.get("version", "")),
        parameters=_parameters(fields.get("parameters", "")),
        cron=fields.get("cron", "").strip() or None,
        time_zone=fields.get("time_zone", "").strip() or "UTC",
        on_changed_data=on_changed_data,
        # What is typed there, and not wanted any more, is not watched.
        inputs=inputs if on_changed_data or not fields.get("cron", "").strip() else (),
        missed=_missed(fields.get("missed", "")),
    )


def _card(workspace: Workspace, reader: Reader, schedule: Schedule) -> ScheduleCard:
    newest = runs_of_schedule(workspace, schedule.id, person=reader.person, limit=1)
    return ScheduleCard(
        schedule=schedule,
        words=words_of(schedule),
        next_times=next_times(schedule, now()),
        last_run=newest[0] if newest else None,
    )


def _pipelines(project: Project) -> tuple[PipelineHint, ...]:
    newest = {entry.pipeline: entry for entry in reversed(list_versions(project.repository))}
    return tuple(
        PipelineHint(name=name, parameters=_parameters_of(project, newest[name].reference))
        for name in sorted(newest)
    )


def _parameters_of(project: Project, reference: Reference) -> tuple[Parameter, ...]:
    try:
        return load_version(project.repository, reference).manifest.parameters
    except NotAVersion:
        # Its form can be shown all the same.
        return ()


def _version(text: str) -> int | None:
    number = text.strip().removeprefix("v")
    if not number:
        return None
    if not (number.isascii() and number.isdecimal()) or not 0 < int(number[:9]) <= 1_000_000:
        raise InvalidInput(
            f"{text[:40]!r} is no version's number. Write one such as 3, or leave it empty for the"
            " newest at each time."
        )
    return int(number)


def _parameters(text: str) -> dict[str, object]:
    values: dict[str, object] = {}
    for line in _lines(text):
        name, equals, given = line.partition("=")
        if not equals or not name.strip():
            raise ParameterInvalid(
                f"{line[:80]!r} is no parameter. Write one a line, as in `alpha = 0.2`."
            )
        if name.strip() in values:
            raise ParameterInvalid(f"The parameter {name.strip()} is given twice.")
        values[name.strip()] = given.strip()
    return values


def _missed(text: str) -> Missed:
    try:
        return Missed(text or Missed.ONCE)
    except ValueError as error:
        raise InvalidInput(
            f"{text[:40]!r} is nothing that can be done; choose {', '.join(Missed)}."
        ) from error


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
