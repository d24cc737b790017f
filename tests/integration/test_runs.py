"""Rows of runs: who sees them, and how those without a runner end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from nb2prod.errors import RunNotFound
from nb2prod.execution.collect import collect
from nb2prod.execution.events import CellEnded, CellStarted, ResultsKept, RunEnded, RunStarted
from nb2prod.execution.models import CellStatus, RunRecord, RunRequest, RunStatus
from nb2prod.execution.recorder import Recorder, now, run_folder, write_json
from nb2prod.execution.run import run_version
from nb2prod.execution.runs import create_run, get_run, list_runs, reconcile, start_run
from nb2prod.registry.models import Version
from nb2prod.store.schema import metrics, runs
from nb2prod.workspace.projects import Role, add_member
from tests.helpers.kernels import Bench, make_version, open_bench
from tests.helpers.notebooks import code, notebook_json, parameters
from tests.helpers.postgresql import on_both_databases

pytestmark = on_both_databases


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path, database_url=os.environ.get("NB2PROD_DATABASE_URL")) as opened:
        yield opened


@pytest.fixture
def version(bench: Bench) -> Version:
    return make_version(bench.repository, parameters("days: int = 2"), code("print(days)"))


def queue(bench: Bench, version: Version) -> str:
    return create_run(
        bench.workspace,
        version,
        {"days": 3},
        project=bench.project,
        request=RunRequest(by="ada", via="cli"),
    ).id


def test_queued_run_is_a_row_with_everything_it_consists_of(bench: Bench, version: Version) -> None:
    run_id = queue(bench, version)

    record = get_run(bench.workspace, run_id, person="ada")
    assert record.status is RunStatus.QUEUED
    assert set(run_id) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert len(run_id) == 12
    assert record.parameters == {"days": 3}
    assert record.lock_sha256 == version.lock.sha256
    contents = {name: bench.workspace.blobs.get(sha256) for name, sha256 in record.sources.items()}
    assert contents["script"].decode() == version.script
    assert contents["lock"].decode() == version.lock.text
    assert set(contents) == {"script", "notebook", "manifest", "lock"}


def test_run_is_found_by_its_beginning_and_by_members_only(bench: Bench, version: Version) -> None:
    run_id = queue(bench, version)

    assert get_run(bench.workspace, run_id[:6].upper(), person="ada").id == run_id
    with pytest.raises(RunNotFound):
        get_run(bench.workspace, run_id, person="eve")
    assert list_runs(bench.workspace, person="eve") == ()
    add_member(bench.workspace, "seats", "eve", Role.VIEWER, person="ada")
    assert get_run(bench.workspace, run_id, person="eve").id == run_id
    assert [record.id for record in list_runs(bench.workspace, person="eve")] == [run_id]


@pytest.mark.parametrize("text", ["", "%", "_", "zzzzzzzzzzzz", "a b"])
def test_run_that_is_not_there_is_not_found(bench: Bench, version: Version, text: str) -> None:
    queue(bench, version)

    with pytest.raises(RunNotFound):
        get_run(bench.workspace, text, person="ada")


def test_beginning_of_two_runs_is_refused(bench: Bench, version: Version) -> None:
    # Of 33 runs two begin with the same of 32 characters.
    first = [queue(bench, version)[0] for _ in range(33)]
    twice = next(letter for letter in first if first.count(letter) > 1)

    with pytest.raises(RunNotFound, match="Several runs"):
        get_run(bench.workspace, twice, person="ada")


def test_runs_are_listed_newest_first_and_filtered(bench: Bench, version: Version) -> None:
    other = make_version(bench.repository, code("1"), name="score")
    ids = [queue(bench, version), queue(bench, other), queue(bench, version)]
    start_run(bench.workspace, ids[0])

    def listed(**filters: object) -> list[str]:
        records = list_runs(bench.workspace, person="ada", **filters)  # type: ignore[arg-type]
        return [record.id for record in records]

    assert listed() == ids[::-1]
    assert listed(limit=1, offset=1) == [ids[1]]
    assert listed(pipeline="score") == [ids[1]]
    assert listed(status=RunStatus.RUNNING) == [ids[0]]
    assert listed(project="seats") == ids[::-1]
    assert listed(project="other") == []


def test_runs_of_a_sweep_are_left_out_of_a_list_of_those_alone(
    bench: Bench, version: Version
) -> None:
    alone = queue(bench, version)
    of_a_sweep = RunRequest(by="ada", via="cli", sweep="abcdefgh2345", sweep_position=1)
    create_run(bench.workspace, version, {}, project=bench.project, request=of_a_sweep)

    records = list_runs(bench.workspace, person="ada", is_alone=True)
    assert [record.id for record in records] == [alone]
    assert len(list_runs(bench.workspace, person="ada")) == 2


def test_reconcile_leaves_runs_with_a_runner_and_new_ones_alone(
    bench: Bench, version: Version
) -> None:
    running, queued = queue(bench, version), queue(bench, version)
    start_run(bench.workspace, running)
    lock = run_folder(bench.workspace, running).try_lock()
    assert lock is not None

    assert reconcile(bench.workspace) == ()
    lock.close()
    assert reconcile(bench.workspace) == (running,)
    assert get_run(bench.workspace, running, person="ada").status is RunStatus.LOST
    assert get_run(bench.workspace, queued, person="ada").status is RunStatus.QUEUED


def test_reconcile_ends_a_run_that_was_queued_long_ago(bench: Bench, version: Version) -> None:
    run_id = queue(bench, version)
    with bench.workspace.database.write() as connection:
        connection.execute(update(runs).values(created_at=now() - timedelta(minutes=2)))

    assert reconcile(bench.workspace) == (run_id,)
    record = get_run(bench.workspace, run_id, person="ada")
    assert record.status is RunStatus.LOST
    assert record.ended_at is not None


def test_reconcile_ends_a_run_whose_folder_is_gone(bench: Bench, version: Version) -> None:
    run_id = queue(bench, version)
    start_run(bench.workspace, run_id)
    assert not run_folder(bench.workspace, run_id).path.exists()

    assert reconcile(bench.workspace) == (run_id,)
    record = get_run(bench.workspace, run_id, person="ada")
    assert (record.status, record.parameters) == (RunStatus.LOST, {"days": 3})


def test_run_that_ended_just_before_its_runner_died_keeps_its_true_status(
    bench: Bench, version: Version
) -> None:
    run_id = queue(bench, version)
    start_run(bench.workspace, run_id)
    folder = run_folder(bench.workspace, run_id)
    folder.path.mkdir(parents=True)
    write_json(folder.notebook, notebook_json(code("print(1)")))
    events = (
        RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=1),
        CellStarted(at=now(), number=1, position=1, heading=""),
        CellEnded(at=now(), number=1, status=CellStatus.SUCCEEDED, execution_count=1),
        RunEnded(at=now(), status=RunStatus.SUCCEEDED, reason=""),
        ResultsKept(at=now(), metrics={"mape": 4.1}, artifacts=()),
    )
    with Recorder(folder) as recorder:
        for event in events:
            recorder.append(event)

    assert reconcile(bench.workspace) == (run_id,)
    record = get_run(bench.workspace, run_id, person="ada")
    assert record.status is RunStatus.SUCCEEDED
    assert record.metrics == {"mape": 4.1}
    with bench.workspace.database.read() as connection:
        rows = connection.execute(select(metrics)).all()
    assert [(row.run_id, row.name, row.value) for row in rows] == [(run_id, "mape", 4.1)]


def test_collecting_twice_gives_the_same_record_once(bench: Bench, version: Version) -> None:
    run_id = queue(bench, version)

    first = collect(bench.workspace, run_id)
    folder = run_folder(bench.workspace, run_id)
    folder.path.mkdir(parents=True)
    with Recorder(folder) as recorder:
        recorder.append(RunEnded(at=now(), status=RunStatus.SUCCEEDED, reason=""))

    assert collect(bench.workspace, run_id) == first
    assert get_run(bench.workspace, run_id, person="ada") == first


def test_run_that_counts_as_lost_before_it_begins_does_not_begin(
    bench: Bench, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_and_sleep(*arguments: Any, **named: Any) -> RunRecord:
        record = create_run(*arguments, **named)
        with bench.workspace.database.write() as connection:
            connection.execute(update(runs).values(created_at=now() - timedelta(minutes=2)))
        assert reconcile(bench.workspace) == (record.id,)
        return record

    monkeypatch.setattr("nb2prod.execution.run.create_run", create_and_sleep)

    record = run_version(bench.workspace, bench.project, version, {})

    assert record.status is RunStatus.LOST
    assert not run_folder(bench.workspace, record.id).events.exists()
