"""The runs of schedules: which are due, made exactly once.

What a schedule has done is written in the transaction that makes its runs: whatever is killed,
either both are there, or neither, and then the next look makes them. A schedule counts its times
from ``last_at`` on, up to which all was settled; ``next_at`` is only when to look at it again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select, update

from nb2prod.errors import Nb2prodError, RoleInsufficient, Unavailable
from nb2prod.execution.models import RunRequest
from nb2prod.execution.runs import create_runs
from nb2prod.jobs.changed_inputs import Look, Looker, Unfinished
from nb2prod.jobs.cron import Cron
from nb2prod.jobs.schedule_models import Missed, Seen, fitting, timing_of
from nb2prod.registry.models import Reference
from nb2prod.store.schema import members, projects, schedules
from nb2prod.workspace.models import Role
from nb2prod.workspace.rows import project_from
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

# Who is later than that has missed a time.
GRACE = timedelta(seconds=60)
# Between two looks at data; what is the same in both is taken for whole.
LOOK_INTERVAL = timedelta(seconds=30)
# After something that may work later, such as a disk that is full.
RETRY_INTERVAL = timedelta(seconds=60)
# More runs of equal parameters than that are of no use to anybody.
MAX_MISSED_RUNS = 100
# Versions are read from git; the dispatcher has other things to do in between.
AT_ONCE = 20

# One dispatcher works in a process; what it knows of files is good for all schedules.
_LOOKER = Looker()


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """How many runs a schedule's times ask for, and what is to be said about the others."""

    count: int
    remark: str = ""


_TOO_MANY = Times(
    count=MAX_MISSED_RUNS,
    remark=f"More than {MAX_MISSED_RUNS} times had passed when no dispatcher worked;"
    f" {MAX_MISSED_RUNS} runs were made for them.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What becomes of a schedule: so many runs, and what its row has afterwards."""

    count: int
    next_at: datetime | None
    last_at: datetime
    last_error: str | None
    seen: Seen


def make_due_runs(
    workspace: Workspace,
    executor: str | None,
    *,
    now: datetime,
    looker: Looker | None = None,
) -> tuple[str, ...]:
    """Make the runs of all schedules that are due; to be called about once a second.

    Each time makes its runs exactly once, whatever is killed, and also where two processes call
    this at once. What is wrong with one schedule is kept with it, and is nothing to the others.

    Parameters
    ----------
    executor
        Who is to bring the runs to their end; with `None` no schedule is looked at.
    now
        A time before that of the last call makes nothing.
    looker
        Looks at data; by default the one of this process.

    Returns
    -------
    tuple of str
        Ids of the runs that were made.
    """
    if executor is None:
        return ()
    query = (
        select(schedules, members.c.role)
        .outerjoin(
            members,
            (members.c.project_id == schedules.c.project_id)
            & (members.c.person == schedules.c.created_by),
        )
        .where(
            schedules.c.next_at <= now,
            schedules.c.last_at <= now,
            schedules.c.is_paused.is_(False),
        )
        .order_by(schedules.c.next_at, schedules.c.id)
        .limit(AT_ONCE)
    )
    with workspace.database.read() as connection:
        rows = connection.execute(query).all()
    made: list[str] = []
    for row in rows:
        maker = _Maker(workspace, executor, row, now, looker or _LOOKER)
        try:
            made += maker.make()
        except Exception:
            # The others must not wait for it; the next look tries again.
            log.exception("A schedule failed, schedule=%s", row.id)
    return tuple(made)


def due_times(cron: Cron | None, missed: Missed, *, since: datetime, now: datetime) -> Times:
    """Say how many runs the times after a moment ask for, up to now.

    Parameters
    ----------
    missed
        What is done about times that are more than `GRACE` ago.
    """
    first = None if cron is None else next(cron.between(since, now), None)
    if cron is None or first is None:
        return Times(count=0)
    if missed is Missed.ONCE:
        return Times(count=1)
    if missed is Missed.ALL:
        count = sum(1 for _ in islice(cron.between(since, now), MAX_MISSED_RUNS + 1))
        return Times(count=count) if count <= MAX_MISSED_RUNS else _TOO_MANY
    if any(True for _ in cron.between(max(since, now - GRACE), now)):
        return Times(count=1)
    at = first.astimezone(cron.zone)
    remark = f"It was due at {at:%Y-%m-%d %H:%M %Z}, when no dispatcher worked, and was skipped."
    return Times(count=0, remark=remark)


def by_look(plan: Plan, look: Look, *, later: datetime) -> Plan:
    """Return what becomes of a schedule whose time has come, by a look at its data.

    Parameters
    ----------
    later
        When to look a second time at what has changed.
    """
    seen = plan.seen
    idle = replace(plan, count=0, seen=replace(seen, looked=look.hashes, is_due=False))
    if seen.used is None:
        first = Seen(used=look.hashes, looked=look.hashes)
        return replace(idle, seen=first, last_error=look.trouble or None)
    if look.trouble:
        return replace(idle, last_error=look.trouble)
    if look.hashes == seen.used:
        was_missing = None in (seen.looked or {}).values()
        return replace(idle, last_error=None if was_missing else plan.last_error)
    if look.hashes != seen.looked:
        # It may be half written.
        return replace(idle, next_at=later, seen=replace(idle.seen, is_due=True))
    used = Seen(used=look.hashes, looked=look.hashes)
    return replace(plan, count=1, last_error=None, seen=used)


class _Overtaken(Exception):
    """Somebody else has settled the schedule, or changed it, since it was read."""


@dataclass(frozen=True)
class _Maker:
    """Makes the runs of one schedule."""

    workspace: Workspace
    executor: str
    row: Row[Any]
    now: datetime
    looker: Looker

    def make(self) -> tuple[str, ...]:
        try:
            plan = self._plan()
            return self._carry_out(plan)
        except _Overtaken:
            return ()
        except Nb2prodError as error:
            self._put_off(error.message)
        except Exception:
            log.exception("A schedule can't be settled, schedule=%s", self.row.id)
            self._put_off("Something went wrong in the workspace; its log has it. It tries again.")
        return ()

    def _carry_out(self, plan: Plan) -> tuple[str, ...]:
        if plan.count == 0:
            self._write(plan)
            return ()
        try:
            return self._request(plan)
        except Unavailable:
            raise
        except Nb2prodError as error:
            log.warning("A schedule made no run, schedule=%s code=%s", self.row.id, error.code)
            self._write(replace(plan, last_error=error.message))
            return ()

    def _request(self, plan: Plan) -> tuple[str, ...]:
        row = self.row
        with self.workspace.database.read() as connection:
            found = connection.execute(select(projects).where(projects.c.id == row.project_id))
            project = project_from(found.one())
        if row.role is None or not Role(row.role).includes(Role.EDITOR):
            raise RoleInsufficient(
                f"{row.created_by}, whose schedule it is, may not run anything in {project.name}"
                " any more. An editor who changes or resumes it takes it over."
            )
        reference = Reference(row.pipeline, row.version)
        version, values = fitting(self.workspace, project, reference, row.parameters)
        request = RunRequest(
            by=row.created_by, via="schedule", executor=self.executor, schedule=row.id
        )
        records = create_runs(
            self.workspace,
            version,
            [(values, request)] * plan.count,
            project=project,
            before=lambda connection: self._claim(connection, plan),
        )
        log.info("A schedule made runs, schedule=%s count=%d", row.id, plan.count)
        return tuple(record.id for record in records)

    def _plan(self) -> Plan:
        row, cron = self.row, timing_of(self.row.cron, self.row.time_zone)
        times = due_times(cron, Missed(row.missed), since=row.last_at, now=self.now)
        plan = Plan(
            count=times.count,
            next_at=self.now + LOOK_INTERVAL if cron is None else cron.next_after(self.now),
            last_at=self.now,
            last_error=times.remark or (None if times.count else row.last_error),
            seen=Seen.read(row.input_hashes),
        )
        return self._by_data(plan) if row.inputs else plan

    def _by_data(self, plan: Plan) -> Plan:
        is_due = self.row.cron is None or plan.seen.is_due or plan.count > 0
        if plan.count > 0:
            # However many times have passed: there is one state of the data to run with.
            plan = replace(plan, count=1, last_error=None)
        if plan.seen.used is not None and not is_due:
            return plan
        try:
            look = self.looker.look(self._root(), self.row.inputs)
        except Unfinished as unfinished:
            pause = LOOK_INTERVAL if unfinished.is_written else timedelta(0)
            seen = replace(plan.seen, is_due=is_due)
            return replace(plan, count=0, seen=seen, next_at=self.now + pause)
        return by_look(plan, look, later=self.now + LOOK_INTERVAL)

    def _root(self) -> Path:
        with self.workspace.database.read() as connection:
            query = select(projects.c.root).where(projects.c.id == self.row.project_id)
            return Path(connection.execute(query).scalar_one())

    def _put_off(self, message: str) -> None:
        values = {"next_at": self.now + RETRY_INTERVAL, "last_error": message}
        with self.workspace.database.write() as connection:
            connection.execute(self._mine().values(**values))

    def _write(self, plan: Plan) -> None:
        with self.workspace.database.write() as connection:
            self._claim(connection, plan)

    def _claim(self, connection: Connection, plan: Plan) -> None:
        changed = connection.execute(
            self._mine().values(
                next_at=plan.next_at,
                last_at=plan.last_at,
                last_error=plan.last_error,
                input_hashes=plan.seen.to_json(),
            )
        )
        if changed.rowcount == 0:
            raise _Overtaken

    def _mine(self) -> Any:
        # Nobody has settled, changed, paused or removed it since it was read.
        return update(schedules).where(
            schedules.c.id == self.row.id,
            schedules.c.is_paused.is_(False),
            schedules.c.last_at == self.row.last_at,
            schedules.c.next_at == self.row.next_at,
        )
