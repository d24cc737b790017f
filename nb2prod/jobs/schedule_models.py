"""What a schedule is, and its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, select

from nb2prod.execution.models import Profile
from nb2prod.execution.runs import full_values
from nb2prod.jobs.cron import Cron, known_zone
from nb2prod.registry.models import Reference, Version
from nb2prod.registry.versions import load_version
from nb2prod.store.schema import projects, schedules
from nb2prod.workspace.models import Project
from nb2prod.workspace.workspace import Workspace

DEFAULT_TIME_ZONE = "UTC"


class Missed(StrEnum):
    """What is done about times that passed while no dispatcher worked.

    ``skip``: nothing. ``once``: one run for all of them. ``all``: a run for each, of which there
    are `due_runs.MAX_MISSED_RUNS` at most.
    """

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class NewSchedule:
    """A schedule as it is asked for.

    Parameters
    ----------
    version
        `None` for the newest at each time.
    parameters
        By name; text is read by the parameter's type. Others have their defaults.
    cron
        See `nb2prod.jobs.cron`; `None` where only data decides.
    time_zone
        IANA name of the zone that ``cron`` is in.
    on_changed_data
        Whether a run is made only where the inputs have changed since the last one; without
        ``cron`` that alone decides.
    inputs
        Files and folders beneath the project's folder. By default those that the version declares.
    """

    pipeline: str
    version: int | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    cron: str | None = None
    time_zone: str = DEFAULT_TIME_ZONE
    on_changed_data: bool = False
    inputs: tuple[str, ...] = ()
    missed: Missed = Missed.ONCE

    @property
    def reference(self) -> Reference:
        """What it runs."""
        return Reference(self.pipeline, self.version)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What makes runs by time, by changed data, or by both.

    Parameters
    ----------
    project
        Name of the project.
    inputs
        What is watched; empty where only time decides.
    created_by
        Whose runs it makes.
    last_error
        Why its last time made no run, or fewer than it should; empty where all is well.
    """

    id: str
    project: str
    pipeline: str
    version: int | None
    parameters: dict[str, Any]
    cron: str | None
    time_zone: str
    inputs: tuple[str, ...]
    missed: Missed
    is_paused: bool
    created_by: str
    created_at: datetime
    last_error: str

    @property
    def reference(self) -> Reference:
        """What it runs."""
        return Reference(self.pipeline, self.version)

    @property
    def timing(self) -> Cron | None:
        """When it is due; `None` where only data decides. Raises `ScheduleInvalid`."""
        return timing_of(self.cron, self.time_zone)

    @property
    def asked(self) -> NewSchedule:
        """What would have to be asked for to get this one; to change some of it."""
        return NewSchedule(
            pipeline=self.pipeline,
            version=self.version,
            parameters=self.parameters,
            cron=self.cron,
            time_zone=self.time_zone,
            on_changed_data=bool(self.inputs),
            inputs=self.inputs,
            missed=self.missed,
        )

    def upcoming(self, moment: datetime, count: int = 5) -> tuple[datetime, ...]:
        """Return its next times in its zone; none where only data decides, or while it pauses."""
        timing = self.timing
        return () if timing is None or self.is_paused else timing.upcoming(moment, count)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a schedule has seen of its inputs.

    Parameters
    ----------
    used
        The hashes at its last run, or at its first look; `None` before that.
    looked
        The hashes at its last look.
    is_due
        Whether its time has come, and only the second of two equal looks is missing.
    """

    used: dict[str, str | None] | None = None
    looked: dict[str, str | None] | None = None
    is_due: bool = False

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Seen:
        """Read what the row has."""
        return cls(
            used=content.get("used"),
            looked=content.get("looked"),
            is_due=bool(content.get("is_due")),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what the row is to have."""
        return {"used": self.used, "looked": self.looked, "is_due": self.is_due}


def timing_of(cron: str | None, time_zone: str) -> Cron | None:
    """Return when a schedule is due, from what was checked once; raises `ScheduleInvalid`."""
    return None if cron is None else Cron(text=cron, zone=known_zone(time_zone))


def with_project() -> Select[Any]:
    """Select schedules, each with the name of its project."""
    return select(schedules, projects.c.name.label("project_name")).join(
        projects, projects.c.id == schedules.c.project_id
    )


def schedule_from(row: Row[Any]) -> Schedule:
    """Read a schedule from a row of `with_project`."""
    return Schedule(
        id=row.id,
        project=row.project_name,
        pipeline=row.pipeline,
        version=row.version,
        parameters=dict(row.parameters),
        cron=row.cron,
        time_zone=row.time_zone,
        inputs=tuple(row.inputs),
        missed=Missed(row.missed),
        is_paused=row.is_paused,
        created_by=row.created_by,
        created_at=row.created_at,
        last_error=row.last_error or "",
    )


def fitting(
    workspace: Workspace, project: Project, reference: Reference, values: Mapping[str, object]
) -> tuple[Version, dict[str, object]]:
    """Return the version that a schedule runs, and all its parameters.

    Raises
    ------
    PipelineNotFound, VersionNotFound, NotAVersion
        There is no such version.
    ParameterUnknown, ParameterInvalid
        The values are not the version's.
    ResourcesUnknown
        The version names a resource class that this workspace does not have.
    """
    version = load_version(project.repository, reference)
    workspace.settings.resource_class(version.manifest.run.resources)
    return version, full_values(version, values, Profile.FULL)
