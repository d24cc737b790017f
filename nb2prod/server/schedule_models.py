"""What the API takes and gives of schedules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import Field

from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.jobs.schedules import Missed, NewSchedule, Schedule
from nb2prod.server.api_models import FromDomain
from nb2prod.server.project_models import Asked
from nb2prod.server.schedule_view import next_times, words_of

_CRON = (
    "Five fields as in crontab(5), or `@daily` and the like; null where only changed data decides."
)
_ZONE = "IANA name of the zone that `cron` is in."
_VERSION = "Null for the newest at each time."
_INPUTS = "Files and folders in the project; by default those that the version declares."
_MISSED = "What is done about times when no dispatcher worked: nothing, one run, or one for each."


class ScheduleAsked(Asked):
    """A schedule to be made."""

    pipeline: str
    version: int | None = Field(None, ge=1, le=1_000_000, description=_VERSION)
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Values by name; others have their defaults."
    )
    cron: str | None = Field(None, max_length=1000, description=_CRON)
    time_zone: str = Field("UTC", max_length=1000, description=_ZONE)
    on_changed_data: bool = Field(
        default=False,
        description="Make a run only where the inputs have changed since the last one.",
    )
    inputs: list[str] = Field(default_factory=list, max_length=1000, description=_INPUTS)
    missed: Missed = Field(Missed.ONCE, description=_MISSED)

    def asked(self) -> NewSchedule:
        """Return it as the domain has it."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        values["inputs"] = tuple(self.inputs)
        values["on_changed_data"] = self.on_changed_data or bool(self.inputs)
        return NewSchedule(**values)


class ScheduleChange(Asked):
    """What is to be another one; what is left out stays."""

    version: int | None = Field(None, ge=1, le=1_000_000, description=_VERSION)
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="All values that are no defaults, by name."
    )
    cron: str | None = Field(None, max_length=1000, description=_CRON)
    time_zone: str = Field("UTC", max_length=1000, description=_ZONE)
    on_changed_data: bool = Field(
        default=False, description="Whether data decides; false takes the inputs away."
    )
    inputs: list[str] = Field(default_factory=list, max_length=1000, description=_INPUTS)
    missed: Missed = Field(Missed.ONCE, description=_MISSED)

    def applied_to(self, schedule: Schedule) -> NewSchedule:
        """Return a schedule with what is to be changed."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        if "inputs" in values:
            values["inputs"] = tuple(self.inputs)
            values.setdefault("on_changed_data", bool(self.inputs))
        elif values.get("on_changed_data") is False:
            values["inputs"] = ()
        return replace(schedule.asked, **values)


class PreviewAsked(Asked):
    """A time that is to be tried."""

    cron: str = Field(max_length=1000, description="As in a schedule.")
    time_zone: str = Field("UTC", max_length=1000, description=_ZONE)


class Preview(FromDomain):
    """What a time means."""

    cron: str
    time_zone: str
    words: str = Field(description="In plain English.")
    next_times: list[datetime] = Field(description="The next five, in the zone.")


class ScheduledRun(FromDomain):
    """A run that a schedule has made."""

    id: str
    version: int
    status: RunStatus
    reason: str
    requested_by: str
    created_at: datetime
    ended_at: datetime | None


class ScheduleBody(FromDomain):
    """A schedule."""

    id: str
    project: str
    pipeline: str
    version: int | None = Field(description=_VERSION)
    parameters: dict[str, Any]
    cron: str | None = Field(description=_CRON)
    time_zone: str
    words: str = Field("", description="The time in plain English.")
    inputs: list[str] = Field(description="What is watched; empty where only time decides.")
    missed: Missed
    is_paused: bool
    created_by: str = Field(description="Whose runs it makes.")
    created_at: datetime
    last_error: str = Field(description="Why its last time made no run; empty where all is well.")
    next_times: list[datetime] = Field(
        default_factory=list, description="The next five, in its zone; none while it is paused."
    )
    last_runs: list[ScheduledRun] = Field(
        default_factory=list, description="Newest first; in a list only the last one."
    )


class ScheduleList(FromDomain):
    """All schedules of a project, by pipeline."""

    items: list[ScheduleBody]
    total: int


def schedule_body(schedule: Schedule, runs: tuple[RunRecord, ...], now: datetime) -> ScheduleBody:
    """Return a schedule with its next times and last runs."""
    body = ScheduleBody.model_validate(schedule)
    body.words = words_of(schedule)
    body.next_times = list(next_times(schedule, now))
    body.last_runs = [ScheduledRun.model_validate(record) for record in runs]
    return body
