"""Schedules on a real database, with real versions and files, and a clock that the test sets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text, update

from nb2prod.errors import (
    ParameterUnknown,
    PipelineNotFound,
    ProjectNotFound,
    RoleInsufficient,
    ScheduleInvalid,
    ScheduleNotFound,
    StorageFull,
    VersionNotFound,
)
from nb2prod.execution.runs import create_runs, runs_of_schedule
from nb2prod.jobs import due_runs, schedules
from nb2prod.jobs.changed_inputs import Looker
from nb2prod.jobs.schedules import (
    Missed,
    NewSchedule,
    Schedule,
    change_schedule,
    create_schedule,
    delete_schedule,
    get_schedule,
    list_schedules,
    make_due_runs,
    pause_schedule,
    resume_schedule,
    run_now,
)
from nb2prod.registry.models import RunSettings
from nb2prod.store import schema
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import Project, Role, add_member, found_project, remove_member
from nb2prod.workspace.workspace import Workspace
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import parameters
from tests.helpers.postgresql import on_both_databases

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)
DAILY = NewSchedule(pipeline="train", cron="0 2 * * *", time_zone="UTC")
NIGHT = datetime(2026, 3, 3, 2, tzinfo=UTC)
ON_DATA = NewSchedule(pipeline="train", on_changed_data=True, inputs=("flights.csv",))


@dataclass
class Clock:
    """A project of olga's, its schedules, and a dispatcher's clock."""

    workspace: Workspace
    project: Project
    looker: Looker = field(default_factory=Looker)

    def promote(self, source: str = "alpha: float = 0.2", **settings: Any) -> None:
        make_version(
            Repository(self.project.repository),
            parameters(source),
            settings=RunSettings(**settings),
        )

    def create(self, asked: NewSchedule = DAILY, *, person: str = "edda") -> Schedule:
        return create_schedule(self.workspace, "seats", asked, person=person, at=NOON)

    def change(self, schedule: Schedule, *, at: datetime = NOON, **values: Any) -> Schedule:
        asked = replace(schedule.asked, **values)
        return change_schedule(self.workspace, "seats", schedule.id, asked, person="edda", at=at)

    def get(self, schedule: Schedule) -> Schedule:
        return get_schedule(self.workspace, "seats", schedule.id, person="vera")

    def at(self, now: datetime) -> tuple[str, ...]:
        """Let a dispatcher look once."""
        return make_due_runs(self.workspace, "process", now=now, looker=self.looker)

    def between(self, start: datetime, end: datetime, step: timedelta) -> list[datetime]:
        """Let a dispatcher look again and again; return when it made a run, once for each."""
        made = []
        while start <= end:
            made += [start] * len(self.at(start))
            start += step
        return made

    def write(self, content: str, name: str = "flights.csv") -> None:
        (self.project.root / name).write_text(content)


@pytest.fixture
def clock(workspace: Workspace) -> Clock:
    """A project with a version, an editor and a viewer."""
    project = found_project(workspace, "seats", owner="olga")
    add_member(workspace, "seats", "edda", Role.EDITOR, person="olga")
    add_member(workspace, "seats", "vera", Role.VIEWER, person="olga")
    clock = Clock(workspace, project)
    clock.promote()
    return clock


def rows(workspace: Workspace) -> list[Mapping[str, Any]]:
    """All runs, oldest first."""
    with workspace.database.read() as connection:
        found = connection.execute(select(schema.runs).order_by(schema.runs.c.created_at))
        return [dict(row) for row in found.mappings()]


def test_time_makes_a_run_of_its_persons(clock: Clock) -> None:
    schedule = clock.create(replace(DAILY, parameters={"alpha": "0.7"}))

    assert clock.between(NOON, NIGHT - SECOND, 10 * MINUTE) == []
    (run_id,) = clock.at(NIGHT)

    (row,) = rows(clock.workspace)
    assert (row["id"], row["requested_by"], row["requested_via"]) == (run_id, "edda", "schedule")
    assert (row["executor"], row["status"]) == ("process", "queued")
    assert row["parameters"] == {"alpha": 0.7}
    (record,) = runs_of_schedule(clock.workspace, schedule.id, person="vera", limit=5)
    assert (record.id, record.schedule) == (run_id, schedule.id)
    assert runs_of_schedule(clock.workspace, schedule.id, person="otto", limit=5) == ()


@on_both_databases
def test_each_time_makes_one_run_however_often_one_looks(clock: Clock) -> None:
    clock.create()

    made = clock.between(NIGHT - MINUTE, NIGHT + MINUTE, SECOND)
    made += clock.between(NIGHT + DAY - MINUTE, NIGHT + DAY + MINUTE, SECOND)

    assert made == [NIGHT, NIGHT + DAY]


@pytest.mark.parametrize(
    ("missed", "counts"),
    [(Missed.SKIP, (0, 1)), (Missed.ONCE, (1, 1)), (Missed.ALL, (3, 1))],
)
@on_both_databases
def test_missed_times_make_runs_by_the_setting(
    clock: Clock, missed: Missed, counts: tuple[int, int]
) -> None:
    schedule = clock.create(replace(DAILY, missed=missed))

    late = clock.at(NIGHT + 2 * DAY + HOUR)
    said = clock.get(schedule).last_error
    on_time = clock.at(NIGHT + 3 * DAY)

    assert (len(late), len(on_time)) == counts
    assert ("was skipped" in said) == (missed is Missed.SKIP)
    assert clock.get(schedule).last_error == ""


def test_more_missed_times_than_are_made_up_for_are_said(clock: Clock) -> None:
    schedule = clock.create(replace(DAILY, cron="* * * * *", missed=Missed.ALL))

    made = clock.at(NOON + 3 * HOUR)

    assert len(made) == due_runs.MAX_MISSED_RUNS
    assert "More than 100 times" in clock.get(schedule).last_error
    assert clock.at(NOON + 3 * HOUR + SECOND) == ()


def test_clock_that_goes_back_makes_nothing_twice(clock: Clock) -> None:
    clock.create()
    assert len(clock.at(NIGHT)) == 1

    assert clock.between(NIGHT - 2 * HOUR, NIGHT + HOUR, 5 * MINUTE) == []


def test_paused_schedule_misses_nothing(clock: Clock) -> None:
    schedule = clock.create(replace(DAILY, missed=Missed.ALL))
    paused = pause_schedule(clock.workspace, "seats", schedule.id, person="edda")
    assert paused.is_paused
    assert paused.upcoming(NOON) == ()
    assert clock.between(NOON, NIGHT + DAY, HOUR) == []

    resumed = resume_schedule(
        clock.workspace, "seats", schedule.id, person="edda", at=NIGHT + DAY + HOUR
    )

    assert not resumed.is_paused
    assert clock.between(NIGHT + DAY + HOUR, NIGHT + 2 * DAY, HOUR) == [NIGHT + 2 * DAY]


def test_resume_of_one_that_works_loses_no_time(clock: Clock) -> None:
    schedule = clock.create()

    resume_schedule(clock.workspace, "seats", schedule.id, person="edda", at=NIGHT + SECOND)

    assert len(clock.at(NIGHT + 2 * SECOND)) == 1


def test_newest_version_is_that_of_the_time(clock: Clock) -> None:
    clock.create()
    clock.create(replace(DAILY, version=1))
    clock.promote("alpha: float = 0.4")

    clock.at(NIGHT)

    found = {(row["version"], row["parameters"]["alpha"]) for row in rows(clock.workspace)}
    assert found == {(1, 0.2), (2, 0.4)}


def test_parameters_that_no_longer_fit_make_no_run_but_an_error(clock: Clock) -> None:
    schedule = clock.create(replace(DAILY, parameters={"alpha": 0.5}))
    other = clock.create()
    clock.promote("beta: float = 0.2")

    made = clock.at(NIGHT)

    assert len(made) == 1
    assert "There is no parameter 'alpha'" in clock.get(schedule).last_error
    assert clock.get(other).last_error == ""
    # It is tried at its next time, and not before.
    assert clock.between(NIGHT + SECOND, NIGHT + HOUR, MINUTE) == []
    clock.change(schedule, at=NIGHT + HOUR, parameters={})
    assert clock.get(schedule).last_error == ""
    assert len(clock.at(NIGHT + DAY)) == 2


@pytest.mark.parametrize("role", [Role.VIEWER, None])
def test_schedule_of_who_may_not_run_any_more_makes_no_run(clock: Clock, role: Role | None) -> None:
    schedule = clock.create()
    if role is None:
        remove_member(clock.workspace, "seats", "edda", person="olga")
    else:
        add_member(clock.workspace, "seats", "edda", role, person="olga")

    assert clock.at(NIGHT) == ()
    assert "edda, whose schedule it is, may not run" in clock.get(schedule).last_error

    pause_schedule(clock.workspace, "seats", schedule.id, person="olga")
    taken = resume_schedule(clock.workspace, "seats", schedule.id, person="olga", at=NIGHT)
    assert (taken.created_by, taken.last_error) == ("olga", "")
    assert len(clock.at(NIGHT + DAY)) == 1
    assert rows(clock.workspace)[0]["requested_by"] == "olga"


def test_change_by_another_editor_leaves_it_its_persons(clock: Clock) -> None:
    schedule = clock.create(person="olga")

    assert clock.change(schedule, missed=Missed.SKIP).created_by == "olga"


def test_without_an_executor_nothing_is_made_and_nothing_lost(clock: Clock) -> None:
    clock.create()

    assert make_due_runs(clock.workspace, None, now=NIGHT) == ()
    assert len(clock.at(NIGHT + SECOND)) == 1


def test_changed_time_counts_from_the_change_on(clock: Clock) -> None:
    schedule = clock.create(replace(DAILY, missed=Missed.ALL))

    clock.change(schedule, at=NIGHT + HOUR, cron="30 1 * * *")

    assert clock.between(NIGHT + HOUR, NIGHT + DAY, 10 * MINUTE) == [NIGHT + DAY - 30 * MINUTE]


def test_nothing_due_costs_one_query_by_an_index(clock: Clock) -> None:
    for _ in range(3):
        clock.create()
    asked: list[tuple[str, Any]] = []
    engine = clock.workspace.database.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        asked.append((statement, values))

    clock.at(NOON + HOUR)

    (found,) = [item for item in asked if not item[0].startswith(("BEGIN", "COMMIT"))]
    with clock.workspace.database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {found[0]}", found[1]).all()
    assert any("SEARCH schedules USING INDEX ix_schedules_next_at" in str(row) for row in plan)


class TestData:
    """Runs on changed data."""

    def test_change_makes_a_run_once_it_is_whole(self, clock: Clock) -> None:
        clock.write("a")
        clock.create(ON_DATA)
        assert clock.between(NOON, NOON + 5 * MINUTE, SECOND) == []

        start = NOON + 5 * MINUTE
        clock.write("a, b")
        assert clock.between(start, start + 20 * SECOND, SECOND) == []
        clock.write("a, b, c")
        made = clock.between(start + 21 * SECOND, start + 10 * MINUTE, SECOND)

        assert len(made) == 1
        assert start + 30 * SECOND <= made[0] <= start + 2 * MINUTE

    def test_half_written_file_starts_nothing(self, clock: Clock) -> None:
        clock.write("a")
        clock.create(ON_DATA)
        clock.at(NOON)

        for number in range(1, 20):
            clock.write("a" * number * 2)
            assert clock.at(NOON + number * 31 * SECOND) == ()

    def test_change_while_no_dispatcher_worked_is_not_lost(self, clock: Clock) -> None:
        clock.write("a")
        clock.create(ON_DATA)
        clock.at(NOON)
        clock.write("b")

        later = Clock(clock.workspace, clock.project)
        made = later.between(NOON + DAY, NOON + DAY + 5 * MINUTE, SECOND)

        assert len(made) == 1

    def test_inputs_are_by_default_those_of_the_version(self, clock: Clock) -> None:
        clock.promote("alpha: float = 0.3", inputs=("flights.csv", "data"))

        schedule = clock.create(replace(ON_DATA, inputs=()))

        assert schedule.inputs == ("flights.csv", "data")

    def test_no_inputs_at_all_are_refused(self, clock: Clock) -> None:
        for asked in (NewSchedule(pipeline="train"), replace(DAILY, on_changed_data=True)):
            with pytest.raises(ScheduleInvalid, match="declares no inputs"):
                clock.create(asked)

    def test_time_makes_a_run_only_if_data_has_changed(self, clock: Clock) -> None:
        clock.write("a")
        clock.create(replace(DAILY, on_changed_data=True, inputs=("flights.csv",)))
        assert clock.between(NOON, NIGHT + HOUR, 5 * MINUTE) == []

        clock.write("b")
        assert clock.between(NIGHT + HOUR, NIGHT + DAY - MINUTE, 5 * MINUTE) == []
        made = clock.between(NIGHT + DAY, NIGHT + DAY + HOUR, 10 * SECOND)
        assert made == [NIGHT + DAY + 30 * SECOND]

        assert clock.between(NIGHT + 2 * DAY, NIGHT + 2 * DAY + HOUR, MINUTE) == []

    def test_missed_times_make_one_run_of_changed_data(self, clock: Clock) -> None:
        clock.write("a")
        asked = replace(DAILY, on_changed_data=True, inputs=("flights.csv",), missed=Missed.ALL)
        schedule = clock.create(asked)
        clock.at(NOON)
        clock.write("b")

        made = clock.between(NIGHT + 3 * DAY + HOUR, NIGHT + 3 * DAY + 2 * HOUR, MINUTE)

        assert len(made) == 1
        assert clock.get(schedule).last_error == ""

    def test_missing_file_is_said_and_makes_a_run_when_it_comes(self, clock: Clock) -> None:
        schedule = clock.create(ON_DATA)
        clock.at(NOON)
        assert "flights.csv is not there" in clock.get(schedule).last_error

        clock.write("a")

        assert len(clock.between(NOON + MINUTE, NOON + 5 * MINUTE, SECOND)) == 1
        assert clock.get(schedule).last_error == ""

    def test_file_that_vanishes_makes_no_run(self, clock: Clock) -> None:
        clock.write("a")
        schedule = clock.create(ON_DATA)
        clock.at(NOON)
        (clock.project.root / "flights.csv").unlink()

        assert clock.between(NOON + MINUTE, NOON + 5 * MINUTE, SECOND) == []
        assert "flights.csv is not there" in clock.get(schedule).last_error

        clock.write("a")
        assert clock.between(NOON + 6 * MINUTE, NOON + 10 * MINUTE, SECOND) == []
        assert clock.get(schedule).last_error == ""

    def test_link_out_of_the_project_is_not_followed(self, clock: Clock) -> None:
        secret = clock.workspace.settings.home / "secret"
        secret.write_text("one")
        (clock.project.root / "flights.csv").symlink_to(secret)
        schedule = clock.create(ON_DATA)
        clock.at(NOON)

        secret.write_text("two")

        assert clock.between(NOON + MINUTE, NOON + 5 * MINUTE, SECOND) == []
        assert "is a link" in clock.get(schedule).last_error

    def test_change_while_paused_counts_for_nothing(self, clock: Clock) -> None:
        clock.write("a")
        schedule = clock.create(ON_DATA)
        clock.at(NOON)
        pause_schedule(clock.workspace, "seats", schedule.id, person="edda")
        clock.write("b")
        resume_schedule(clock.workspace, "seats", schedule.id, person="edda", at=NOON + HOUR)

        assert clock.between(NOON + HOUR, NOON + HOUR + 5 * MINUTE, SECOND) == []
        clock.write("c")
        assert len(clock.between(NOON + 2 * HOUR, NOON + 2 * HOUR + 5 * MINUTE, SECOND)) == 1

    def test_data_that_takes_long_to_read_holds_up_nothing(self, clock: Clock) -> None:
        (clock.project.root / "data").mkdir()
        for number in range(5):
            clock.write("a" * 2**20, f"data/{number}.bin")
        clock.looker = Looker(budget_bytes=2**20 + 1)
        asked = replace(DAILY, on_changed_data=True, inputs=("data",), missed=Missed.SKIP)
        clock.create(asked)
        # Files that were written just now are not remembered yet, and so never all read.
        assert clock.between(NOON, NOON + MINUTE, SECOND) == []
        clock.looker = Looker()
        clock.at(NOON + 2 * MINUTE)

        clock.write("b" * 2**20, "data/4.bin")
        clock.looker = Looker(budget_bytes=2**20 + 1)
        assert clock.between(NIGHT, NIGHT + 5 * MINUTE, 10 * SECOND) == []
        clock.looker = Looker()

        # Its time was not missed: it only could not be decided yet.
        assert len(clock.between(NIGHT + 6 * MINUTE, NIGHT + 8 * MINUTE, SECOND)) == 1


@on_both_databases
class TestExactlyOnce:
    """What is killed or fails in between loses nothing and makes nothing twice."""

    @pytest.mark.parametrize("place", ["before", "within", "after"])
    def test_process_that_is_killed(self, clock: Clock, place: str) -> None:
        schedule = clock.create()
        program = textwrap.dedent(
            f"""
            import os, signal
            from contextlib import contextmanager
            from datetime import datetime
            from nb2prod.execution import runs
            from nb2prod.jobs import due_runs
            from nb2prod.settings import Settings
            from nb2prod.store.database import Database
            from nb2prod.workspace.workspace import open_workspace

            def die(*_arguments, **_named):
                os.kill(os.getpid(), signal.SIGKILL)

            original = due_runs.create_runs

            def create_runs(*arguments, before, **named):
                if {place!r} == "before":
                    die()
                made = original(*arguments, before=before, **named)
                die()

            @contextmanager
            def write(self, write=Database.write):
                with write(self) as connection:
                    yield connection
                    # All is written, and not committed.
                    die()

            with open_workspace(Settings.from_environment()) as workspace:
                due_runs.create_runs = create_runs
                if {place!r} == "within":
                    Database.write = write
                due_runs.make_due_runs(
                    workspace, "process", now=datetime.fromisoformat({NIGHT.isoformat()!r})
                )
            """
        )

        ended = subprocess.run([sys.executable, "-c", program], check=False, env={**os.environ})

        assert ended.returncode == -signal.SIGKILL
        assert len(rows(clock.workspace)) == (1 if place == "after" else 0)
        clock.between(NIGHT + SECOND, NIGHT + MINUTE, SECOND)
        clock.at(NIGHT + HOUR)
        assert [row["schedule_id"] for row in rows(clock.workspace)] == [schedule.id]

    def test_two_that_look_at_once_make_one_run(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock.create()
        others: list[tuple[str, ...]] = []

        def overtaken(*arguments: Any, **named: Any) -> Any:
            monkeypatch.setattr(due_runs, "create_runs", create_runs)
            others.append(clock.at(NIGHT))
            return create_runs(*arguments, **named)

        monkeypatch.setattr(due_runs, "create_runs", overtaken)

        assert clock.at(NIGHT) == ()
        assert len(others[0]) == len(rows(clock.workspace)) == 1

    @pytest.mark.parametrize("change", ["paused", "removed"])
    def test_schedule_that_is_taken_back_meanwhile_makes_no_run(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch, change: str
    ) -> None:
        schedule = clock.create()
        take_back = {"paused": pause_schedule, "removed": delete_schedule}[change]

        def overtaken(*arguments: Any, **named: Any) -> Any:
            take_back(clock.workspace, "seats", schedule.id, person="edda")
            return create_runs(*arguments, **named)

        monkeypatch.setattr(due_runs, "create_runs", overtaken)

        assert clock.at(NIGHT) == ()
        assert rows(clock.workspace) == []

    def test_full_disk_is_said_and_the_time_is_not_lost(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        schedule = clock.create()

        def full(*_arguments: Any, **_named: Any) -> Any:
            raise StorageFull("No space is left for blobs. Free some space.")

        with monkeypatch.context() as patched:
            patched.setattr(due_runs, "create_runs", full)
            assert clock.between(NIGHT, NIGHT + 5 * MINUTE, 10 * SECOND) == []
        assert clock.get(schedule).last_error.startswith("No space is left")

        assert len(clock.between(NIGHT + 6 * MINUTE, NIGHT + HOUR, MINUTE)) == 1
        assert clock.get(schedule).last_error == ""

    def test_trouble_of_one_is_not_the_others(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        troubled, gone, fine = (clock.create() for _ in range(3))
        with clock.workspace.database.write() as connection:
            for schedule, values in (
                (troubled, {"missed": "once", "cron": "no cron"}),
                (gone, {"time_zone": "Europe/Atlantis"}),
            ):
                connection.execute(
                    update(schema.schedules)
                    .where(schema.schedules.c.id == schedule.id)
                    .values(**values)
                )

        assert len(clock.at(NIGHT)) == 1
        assert "Europe/Atlantis" in clock.get(gone).last_error
        assert "Something went wrong" in clock.get(troubled).last_error
        assert clock.get(fine).last_error == ""
        assert rows(clock.workspace)[0]["schedule_id"] == fine.id

    def test_more_than_are_made_at_once_are_made_at_the_next_look(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(due_runs, "AT_ONCE", 2)
        for _ in range(3):
            clock.create()

        assert [len(clock.at(NIGHT + number * SECOND)) for number in range(3)] == [2, 1, 0]


class TestPeople:
    """Who may do what with a schedule, and what is refused."""

    def test_members_read_and_editors_change(self, clock: Clock) -> None:
        schedule = clock.create()
        workspace = clock.workspace
        named: Any = {"person": "vera"}

        assert list_schedules(workspace, "seats", person="vera") == (schedule,)
        with pytest.raises(RoleInsufficient):
            create_schedule(workspace, "seats", DAILY, **named)
        with pytest.raises(RoleInsufficient):
            change_schedule(workspace, "seats", schedule.id, schedule.asked, **named)
        for verb in (pause_schedule, resume_schedule, delete_schedule):
            with pytest.raises(RoleInsufficient):
                verb(workspace, "seats", schedule.id, **named)
        with pytest.raises(RoleInsufficient):
            run_now(workspace, "seats", schedule.id, executor="process", via="api", **named)
        assert list_schedules(workspace, "seats", person="vera") == (schedule,)

    def test_strangers_learn_nothing(self, clock: Clock) -> None:
        schedule = clock.create()
        found_project(clock.workspace, "other", owner="otto")

        for person, project, error in (
            ("otto", "seats", ProjectNotFound),
            ("otto", "other", ScheduleNotFound),
            ("olga", "other", ProjectNotFound),
        ):
            for verb in (get_schedule, pause_schedule, resume_schedule, delete_schedule):
                with pytest.raises(error):
                    verb(clock.workspace, project, schedule.id, person=person)
        assert clock.get(schedule) == schedule

    @pytest.mark.parametrize(
        ("asked", "error", "said"),
        [
            (replace(DAILY, cron="0 0 30 2 *"), ScheduleInvalid, "never comes"),
            (replace(DAILY, time_zone="Berlin"), ScheduleInvalid, "Europe/Berlin"),
            (replace(DAILY, pipeline="tren"), PipelineNotFound, "tren"),
            (replace(DAILY, version=7), VersionNotFound, "train@v7"),
            (replace(DAILY, parameters={"alhpa": 1}), ParameterUnknown, "alpha"),
            (replace(ON_DATA, inputs=("../secrets",)), ScheduleInvalid, "can't be watched"),
        ],
    )
    def test_what_can_not_be_used_is_refused_in_whole(
        self, clock: Clock, asked: NewSchedule, error: type[Exception], said: str
    ) -> None:
        with pytest.raises(error, match=said):
            clock.create(asked)
        assert list_schedules(clock.workspace, "seats", person="olga") == ()

        schedule = clock.create()
        with pytest.raises((error, ScheduleInvalid)):
            change_schedule(clock.workspace, "seats", schedule.id, asked, person="edda")
        assert clock.get(schedule) == schedule

    def test_project_has_no_more_than_so_many(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schedules, "MAX_SCHEDULES", 1)
        clock.create()

        with pytest.raises(ScheduleInvalid, match="can have no more"):
            clock.create()

    def test_run_by_hand_is_beside_the_times(self, clock: Clock) -> None:
        schedule = clock.create(replace(DAILY, parameters={"alpha": 0.9}))

        record = run_now(
            clock.workspace, "seats", schedule.id, person="olga", executor="process", via="api"
        )

        assert (record.requested_by, record.schedule) == ("olga", schedule.id)
        assert record.parameters == {"alpha": 0.9}
        assert len(clock.at(NIGHT)) == 1

    def test_runs_stay_when_their_schedule_goes(self, clock: Clock) -> None:
        schedule = clock.create()
        clock.at(NIGHT)

        delete_schedule(clock.workspace, "seats", schedule.id, person="edda")

        assert len(runs_of_schedule(clock.workspace, schedule.id, person="edda", limit=5)) == 1
        with pytest.raises(ScheduleNotFound):
            delete_schedule(clock.workspace, "seats", schedule.id, person="edda")

    def test_parameters_that_no_json_has_are_kept(self, clock: Clock) -> None:
        schedule = clock.create(replace(DAILY, parameters={"alpha": float("inf")}))
        with clock.workspace.database.read() as connection:
            stored = connection.execute(text("SELECT parameters FROM schedules")).scalar_one()
        assert "Infinity" not in stored

        clock.at(NIGHT)

        assert rows(clock.workspace)[0]["parameters"] == {"alpha": float("inf")}
        assert schedule.parameters == {"alpha": "inf"}
