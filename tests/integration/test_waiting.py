"""Why a run has not begun."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from nb2prod.execution.collect import judge, try_again
from nb2prod.execution.models import RunRequest
from nb2prod.execution.recorder import now
from nb2prod.execution.runs import count_runs, create_run, delivered, start_run
from nb2prod.jobs.cancel import cancel_run
from nb2prod.jobs.waiting import Waiting, waiting_of
from nb2prod.registry.models import RunSettings
from nb2prod.store.git import Repository
from nb2prod.store.schema import runs
from nb2prod.workspace.workspace import Workspace
from tests.helpers.jobs import JobBench
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code


@pytest.fixture
def bench(workspace: Workspace) -> JobBench:
    return JobBench.found(workspace, executor="process")


def before(bench: JobBench, run_id: str) -> int:
    """How many wait that were asked for before a run."""
    found = waiting_of(bench.workspace, run_id)
    assert found is not None
    return found.before


def test_runs_that_were_asked_for_earlier_are_counted(bench: JobBench) -> None:
    first, second, third = (bench.request(code("1")) for _ in range(3))
    assert [before(bench, run_id) for run_id in (first, second, third)] == [0, 1, 2]

    start_run(bench.workspace, first)
    assert waiting_of(bench.workspace, first) is None
    assert [before(bench, run_id) for run_id in (second, third)] == [0, 1]

    cancel_run(bench.workspace, "seats", second, person="ada")
    assert waiting_of(bench.workspace, second) is None
    assert before(bench, third) == 0


def test_runs_of_one_moment_wait_in_the_order_of_their_sweep(bench: JobBench) -> None:
    found = [bench.request(code("1")) for _ in range(3)]
    at = now()
    with bench.workspace.database.write() as connection:
        for place, run_id in enumerate(reversed(found), start=1):
            connection.execute(
                update(runs)
                .values(created_at=at, sweep_id="sweepaaaaaaa", sweep_position=place)
                .where(runs.c.id == run_id)
            )

    assert [before(bench, run_id) for run_id in found] == [2, 1, 0]


def test_runs_of_another_class_do_not_count(bench: JobBench) -> None:
    first = bench.request(code("1"))
    with bench.workspace.database.write() as connection:
        connection.execute(update(runs).values(resources="large").where(runs.c.id == first))
    second = bench.request(code("1"))

    assert waiting_of(bench.workspace, second) == Waiting(
        before=0, resources="standard", not_before=None
    )


def test_run_that_pauses_waits_for_its_time_and_is_before_nobody(bench: JobBench) -> None:
    first, second = bench.request(code("1")), bench.request(code("1"))
    start_run(bench.workspace, first)
    due = now() + timedelta(minutes=1)
    bench.folder(first).work.path.mkdir(parents=True)
    try_again(bench.workspace, judge(bench.workspace, first), not_before=due)

    found = waiting_of(bench.workspace, first)

    assert found is not None
    assert found.not_before == due
    assert before(bench, second) == 0


def test_run_of_a_terminal_waits_for_no_dispatcher(bench: JobBench) -> None:
    version = make_version(Repository(bench.project.repository), code("1"), settings=RunSettings())
    request = RunRequest(by="ada", via="cli")
    own = create_run(bench.workspace, version, {}, project=bench.project, request=request)
    other = bench.request(code("1"))

    assert waiting_of(bench.workspace, own.id) is None
    assert waiting_of(bench.workspace, "absentaaaaaa") is None
    assert delivered(bench.workspace, [own.id, other, "absentaaaaaa"]) == {other}


def test_runs_are_counted_for_members_only(bench: JobBench) -> None:
    waiting, ended = bench.request(code("1")), bench.request(code("1"))
    cancel_run(bench.workspace, "seats", ended, person="ada")

    assert count_runs(bench.workspace, "seats", person="ada") == {"queued": 1, "cancelled": 1}
    assert count_runs(bench.workspace, "seats", person="ada", pipeline="other") == {}
    assert count_runs(bench.workspace, "seats", person="eve") == {}
    assert bench.run(waiting).id == waiting
