"""Sweeps that a real dispatcher brings to their end, with workers beside it."""

from __future__ import annotations

import pytest

from nb2prod.execution.models import CellStatus, RunRequest, RunStatus
from nb2prod.execution.processes import processes_of
from nb2prod.execution.runs import list_runs
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.process_executor import ProcessExecutor
from nb2prod.jobs.sweeps import (
    Sweep,
    SweepAsked,
    TableQuery,
    cancel_sweep,
    create_sweep,
    get_sweep,
    read_table,
    resume_sweep,
)
from nb2prod.registry.models import Version
from nb2prod.store.git import Repository
from tests.helpers.jobs import JobBench, eventually, surroundings_of
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code, parameters

PRINTED = code('print("days", days)')
# Those of alpha 0.5 wait until somebody makes the file.
GATE = code("import os, time\nwhile alpha == 0.5 and not os.path.exists('go'): time.sleep(0.05)")
REQUEST = RunRequest(by="ada", via="browser", executor="process")


@pytest.fixture
def version(bench: JobBench) -> Version:
    return make_version(
        Repository(bench.project.repository),
        parameters("alpha: float = 0.1\ndays: int = 7"),
        PRINTED,
        GATE,
    )


def sweep_of(bench: JobBench, version: Version, **axes: object) -> Sweep:
    return create_sweep(
        bench.workspace, bench.project, version, SweepAsked(axes=axes), request=REQUEST
    )


def now(bench: JobBench, sweep: Sweep) -> Sweep:
    return get_sweep(bench.workspace, "seats", sweep.id, person="ada")


def test_sweep_is_run_and_read_as_a_table(bench: JobBench, version: Version) -> None:
    asked = sweep_of(bench, version, alpha="0.2, 0.1", days=[7, 14])

    executor = ProcessExecutor(bench.workspace, surroundings_of(bench.workspace))
    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        bench.work(dispatcher, lambda: not now(bench, asked).is_open)
        for record in list_runs(bench.workspace, person="ada"):
            bench.await_page(record.id)

    assert now(bench, asked).counts == {"succeeded": 4}
    query = TableQuery(sort="parameter:days", is_descending=True)
    found = read_table(bench.workspace, "seats", asked.id, query, person="ada")
    assert [(row.position, row.parameters) for row in found.rows] == [
        (2, {"alpha": 0.2, "days": 14}),
        (4, {"alpha": 0.1, "days": 14}),
        # Equal ones stay by position.
        (1, {"alpha": 0.2, "days": 7}),
        (3, {"alpha": 0.1, "days": 7}),
    ]
    for row in found.rows:
        assert row.run_id is not None
        assert (row.has_page, row.duration_s is not None) == (True, True)
        record = bench.run(row.run_id)
        assert record.parameters == row.parameters
        assert f"days {row.parameters['days']}" in bench.log(record)


def test_sweep_is_cancelled_as_a_whole_and_resumed(bench: JobBench, version: Version) -> None:
    asked = sweep_of(bench, version, alpha="0.1, 0.5", days="7, 14")
    executor = ProcessExecutor(bench.workspace, surroundings_of(bench.workspace))
    with Dispatcher(bench.workspace, [executor], limit=1) as dispatcher:
        # One after the other: the first two pass, the third waits at its gate.
        bench.work(dispatcher, lambda: now(bench, asked).counts.get("succeeded") == 2)
        bench.work(dispatcher, lambda: now(bench, asked).counts.get("running") == 1)
        (going,) = list_runs(bench.workspace, person="ada", status=RunStatus.RUNNING)
        bench.reach_cell(dispatcher, going.id, 2)

        cancel_sweep(bench.workspace, "seats", asked.id, person="ada")
        bench.work(dispatcher, lambda: not now(bench, asked).is_open)

        assert now(bench, asked).counts == {"succeeded": 2, "cancelled": 2}
        assert bench.run(going.id).cells[0].status is CellStatus.SUCCEEDED
        eventually(lambda: processes_of(going.id) == ())

        (bench.project.root / "go").touch()
        resume_sweep(bench.workspace, bench.project, version, asked.id, request=REQUEST)
        bench.work(dispatcher, lambda: not now(bench, asked).is_open)

    assert now(bench, asked).counts == {"succeeded": 4}
    table = read_table(bench.workspace, "seats", asked.id, person="ada")
    assert [row.tries for row in table.rows] == [1, 1, 2, 2]
    assert len(list_runs(bench.workspace, person="ada")) == 6
