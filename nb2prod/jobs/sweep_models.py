"""A sweep, its table, and what one asks of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nb2prod.execution.models import Profile, RunStatus

# Where a run would stand that nobody has asked for yet.
NOT_RUN = "not_run"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """A group of runs of one version over values of its parameters.

    Parameters
    ----------
    asked
        By parameter, what was written for it; those of a CSV are not in it.
    csv_columns
        The parameters whose values came from a CSV.
    names
        All parameters that values were given for.
    varied
        Those of ``names`` that do not have one value in all runs.
    count
        How many runs it is: its positions are 1 to this.
    counts
        How many positions there are of each status of their newest run; those that nobody has
        asked for are `NOT_RUN`. Only what occurs.
    cancelled_at
        When it was cancelled as a whole; `None` where it was not, or was resumed afterwards.
    """

    id: str
    project: str
    pipeline: str
    version: int
    profile: Profile
    asked: Mapping[str, object]
    csv_columns: tuple[str, ...]
    names: tuple[str, ...]
    varied: tuple[str, ...]
    count: int
    counts: Mapping[str, int]
    requested_by: str
    requested_via: str
    created_at: datetime
    cancelled_at: datetime | None

    @property
    def reference(self) -> str:
        """The version as people write it."""
        return f"{self.pipeline}@v{self.version}"

    @property
    def is_open(self) -> bool:
        """Whether something of it waits or goes on."""
        return bool(self.counts.get(RunStatus.QUEUED) or self.counts.get(RunStatus.RUNNING))

    @property
    def missing_count(self) -> int:
        """How many positions have no result, and none under way."""
        known = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.SUCCEEDED)
        return self.count - sum(self.counts.get(status, 0) for status in known)


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepRow:
    """A position of a sweep, with its newest run.

    Parameters
    ----------
    parameters
        The values that were given for it, by name.
    run_id
        `None` where nobody has asked for it.
    status
        The run's, or `NOT_RUN`.
    tries
        How many runs the position has had.
    is_best
        Whether no run of the sweep has a better main metric.
    """

    position: int
    parameters: Mapping[str, object]
    run_id: str | None = None
    status: str = NOT_RUN
    reason: str = ""
    tries: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    has_page: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    is_best: bool = False

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; `None` while it goes on."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, kw_only=True, slots=True)
class TableQuery:
    """Which rows of a table, in which order.

    Parameters
    ----------
    sort
        ``position``, ``status``, ``duration``, ``parameter:NAME`` or ``metric:NAME``.
    status
        Only rows of this status; `None` for all.
    limit
        `None` for all.
    """

    sort: str = "position"
    is_descending: bool = False
    status: str | None = None
    offset: int = 0
    limit: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepTable:
    """A part of a sweep's table; what it says is of one moment.

    Parameters
    ----------
    metrics
        Names of all metrics that its runs have, the main one first.
    lower_is_better
        For the main metric; `None` where nobody said.
    total
        How many rows the query's status leaves.
    """

    sweep: Sweep
    query: TableQuery
    metrics: tuple[str, ...]
    main_metric: str | None
    lower_is_better: bool | None
    rows: tuple[SweepRow, ...]
    total: int
