"""Sweeps on a real database: made, read as a table, cancelled and resumed as a whole."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, update

from nb2prod.errors import (
    Conflict,
    ParameterInvalid,
    ProjectNotFound,
    RoleInsufficient,
    StorageFull,
    SweepInvalid,
    SweepNotFound,
)
from nb2prod.execution import runs as execution_runs
from nb2prod.execution.models import Profile, RunRequest, RunStatus
from nb2prod.execution.runs import create_runs
from nb2prod.jobs import sweeps as domain
from nb2prod.jobs.sweeps import (
    Sweep,
    SweepAsked,
    TableQuery,
    cancel_sweep,
    create_sweep,
    get_sweep,
    list_sweeps,
    missing_positions,
    read_table,
    resume_sweep,
    table_csv,
)
from nb2prod.registry.models import RunSettings
from nb2prod.store.git import Repository
from nb2prod.store.schema import metrics, runs, sweeps
from nb2prod.workspace.projects import found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import parameters
from tests.helpers.postgresql import on_both_databases
from tests.helpers.sweeps import SweepBench

S = RunStatus


@pytest.fixture
def bench(workspace: Workspace) -> SweepBench:
    return SweepBench.found(workspace)


@pytest.fixture
def sweep(bench: SweepBench) -> Sweep:
    """Four runs, of which nothing has begun."""
    return bench.sweep(market="JFK-DL, LGA-AA", alpha="0.1, 0.2", days="7")


def table(bench: SweepBench, sweep: Sweep, **query: Any) -> domain.SweepTable:
    return read_table(bench.workspace, "seats", sweep.id, TableQuery(**query), person="vera")


def shown(bench: SweepBench, sweep: Sweep, **query: Any) -> list[int]:
    """The positions that a table shows."""
    return [row.position for row in table(bench, sweep, **query).rows]


def resume(bench: SweepBench, sweep: Sweep, by: str = "edda") -> Sweep:
    request = RunRequest(by=by, via="browser", executor="process")
    return resume_sweep(bench.workspace, bench.project, bench.version, sweep.id, request=request)


def count(bench: SweepBench, table_of: Any) -> int:
    with bench.workspace.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table_of)) or 0


def test_sweep_is_made_with_all_its_runs(bench: SweepBench, sweep: Sweep) -> None:
    assert (sweep.reference, sweep.count, sweep.counts) == ("train@v1", 4, {"queued": 4})
    assert sweep.is_open
    assert sweep.varied == ("market", "alpha")
    assert sweep.names == ("market", "alpha", "days")
    assert sweep.asked == {"market": "JFK-DL, LGA-AA", "alpha": "0.1, 0.2", "days": "7"}
    found = bench.records(sweep)
    assert [record.parameters for record in found] == [
        {"market": market, "alpha": alpha, "days": 7}
        for market in ("JFK-DL", "LGA-AA")
        for alpha in (0.1, 0.2)
    ]
    assert {record.sweep for record in found} == {sweep.id}
    assert {record.requested_by for record in found} == {"edda"}


def test_smoke_sweep_starts_from_small_values(bench: SweepBench) -> None:
    version = make_version(
        Repository(bench.project.repository),
        parameters("alpha: float = 0.1\ndays: int = 365"),
        name="small",
        settings=RunSettings(smoke={"days": 2}),
    )
    request = RunRequest(by="edda", via="ci", executor="process", profile=Profile.SMOKE)

    made = create_sweep(
        bench.workspace,
        bench.project,
        version,
        SweepAsked(axes={"alpha": "0.1, 0.2"}),
        request=request,
    )

    assert made.profile is Profile.SMOKE
    assert [record.parameters["days"] for record in bench.records(made)] == [2, 2]
    cancel_sweep(bench.workspace, "seats", made.id, person="edda")
    again = resume_sweep(
        bench.workspace,
        bench.project,
        version,
        made.id,
        request=RunRequest(by="edda", via="browser", executor="process"),
    )
    newest = [bench.records(again, position)[-1] for position in (1, 2)]
    assert [(record.profile, record.parameters["days"]) for record in newest] == [
        (Profile.SMOKE, 2)
    ] * 2


@pytest.mark.parametrize(
    ("axes", "error"),
    [({"alpha": "0.1, x"}, ParameterInvalid), ({"days": "1..1000000"}, SweepInvalid)],
    ids=["value", "million"],
)
def test_sweep_that_can_not_be_leaves_nothing(
    bench: SweepBench, axes: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        bench.sweep(csv_text="", executor="process", **axes)

    assert (count(bench, sweeps), count(bench, runs)) == (0, 0)


@on_both_databases
def test_sweep_is_made_whole_or_not_at_all(bench: SweepBench) -> None:
    @event.listens_for(bench.workspace.database.engine, "before_cursor_execute")
    def fill_up(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO runs"):
            raise StorageFull("No space is left.")

    with pytest.raises(StorageFull):
        bench.sweep(alpha="0.1, 0.2")

    assert (count(bench, sweeps), count(bench, runs)) == (0, 0)


def test_sweep_is_for_members_only(bench: SweepBench, sweep: Sweep) -> None:
    found_project(bench.workspace, "other", owner="otto")

    assert get_sweep(bench.workspace, "seats", sweep.id, person="vera") == sweep
    said = set()
    for project, sweep_id, person in (
        ("seats", sweep.id, "otto"),
        ("other", sweep.id, "otto"),
        ("seats", "absentabsent", "vera"),
    ):
        with pytest.raises(SweepNotFound) as caught:
            read_table(bench.workspace, project, sweep_id, person=person)
        message = caught.value.message.replace(sweep_id, "ID").replace(project, "PROJECT")
        said.add(message)
    assert len(said) == 1
    assert list_sweeps(bench.workspace, "seats", person="otto") == ((), 0)
    with pytest.raises(ProjectNotFound):
        cancel_sweep(bench.workspace, "seats", sweep.id, person="otto")
    with pytest.raises(SweepNotFound):
        cancel_sweep(bench.workspace, "other", sweep.id, person="otto")
    with pytest.raises(RoleInsufficient):
        cancel_sweep(bench.workspace, "seats", sweep.id, person="vera")
    assert bench.again(sweep).counts == {"queued": 4}


@on_both_databases
def test_sweeps_are_listed_newest_first_with_their_counts(bench: SweepBench) -> None:
    older = bench.sweep(alpha="0.1, 0.2")
    newer = bench.sweep(days="1..3")
    bench.end(older, 1, S.FAILED)
    resume(bench, older)
    bench.end(older, 1)

    found, total = list_sweeps(bench.workspace, "seats", person="vera")

    assert ([item.id for item in found], total) == ([newer.id, older.id], 2)
    assert [dict(item.counts) for item in found] == [
        {"queued": 3},
        {"queued": 1, "succeeded": 1},
    ]
    assert list_sweeps(bench.workspace, "seats", person="vera", limit=1, offset=1) == (
        (bench.again(older),),
        2,
    )
    assert list_sweeps(bench.workspace, "seats", person="vera", pipeline="absent") == ((), 0)


@on_both_databases
def test_table_shows_parameters_metrics_status_and_the_best(
    bench: SweepBench, sweep: Sweep
) -> None:
    bench.end(sweep, 1, metrics={"mape": 4.4, "fit_s": 2.0}, seconds=3)
    best = bench.end(sweep, 2, metrics={"mape": 4.1}, seconds=2)
    # What failed is no best, however good it looks.
    bench.end(sweep, 3, S.FAILED, metrics={"mape": 1.0}, has_page=False)
    bench.begin(sweep, 4)

    found = table(bench, sweep)

    assert found.sweep.counts == {"succeeded": 2, "failed": 1, "running": 1}
    assert (found.metrics, found.main_metric, found.lower_is_better) == (
        ("mape", "fit_s"),
        "mape",
        True,
    )
    assert [(row.status, dict(row.metrics), row.is_best) for row in found.rows] == [
        ("succeeded", {"mape": 4.4, "fit_s": 2.0}, False),
        ("succeeded", {"mape": 4.1}, True),
        ("failed", {"mape": 1.0}, False),
        ("running", {}, False),
    ]
    second = found.rows[1]
    assert (second.run_id, second.duration_s, second.tries) == (best.id, 2.0, 1)
    assert second.parameters == {"market": "JFK-DL", "alpha": 0.2, "days": 7}
    assert [row.has_page for row in found.rows] == [True, True, False, False]
    assert found.rows[2].reason == "Cell 3 failed."


@on_both_databases
def test_table_is_sorted_by_any_column(bench: SweepBench, sweep: Sweep) -> None:
    bench.end(sweep, 1, metrics={"mape": 4.4}, seconds=3)
    bench.end(sweep, 2, metrics={"mape": 4.1, "fit_s": 2.0}, seconds=5)
    bench.end(sweep, 3, S.FAILED, seconds=4)

    assert shown(bench, sweep) == [1, 2, 3, 4]
    assert shown(bench, sweep, is_descending=True) == [4, 3, 2, 1]
    assert shown(bench, sweep, sort="metric:mape") == [2, 1, 3, 4]
    # What has no value comes last, whichever way.
    assert shown(bench, sweep, sort="metric:mape", is_descending=True) == [1, 2, 3, 4]
    assert shown(bench, sweep, sort="metric:absent") == [1, 2, 3, 4]
    assert shown(bench, sweep, sort="duration", is_descending=True) == [2, 3, 1, 4]
    assert shown(bench, sweep, sort="parameter:market", is_descending=True) == [3, 4, 1, 2]
    assert shown(bench, sweep, sort="parameter:alpha") == [1, 3, 2, 4]
    assert shown(bench, sweep, sort="status") == [3, 4, 1, 2]
    assert shown(bench, sweep, sort="metric:mape", offset=1, limit=2) == [1, 3]
    assert shown(bench, sweep, status="succeeded") == [1, 2]
    assert table(bench, sweep, status="succeeded", limit=1).total == 2
    assert shown(bench, sweep, offset=9) == []


@pytest.mark.parametrize("sort", ["", "name", "parameter:", "parameter:absent", "metric"])
def test_table_has_no_such_column(bench: SweepBench, sweep: Sweep, sort: str) -> None:
    with pytest.raises(SweepInvalid, match="can't be sorted by"):
        table(bench, sweep, sort=sort)


def test_csv_has_the_whole_table_and_no_formula(bench: SweepBench) -> None:
    made = bench.sweep(market=["=HYPERLINK(1)", 'a "b", c', "-x", "@sum"], alpha="-0.5")
    bench.end(made, 1, metrics={"=mape": -4.1, "fit_s": 2.0}, seconds=2.0)

    text = table_csv(read_table(bench.workspace, "seats", made.id, person="vera"))

    assert text.endswith("\r\n")
    assert '"a ""b"", c"' in text
    head, *lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert head == [
        *("position", "market", "alpha", "status", "duration_s"),
        *("'=mape", "fit_s", "tries", "run", "reason"),
    ]
    assert [line[1] for line in lines] == ["'=HYPERLINK(1)", 'a "b", c', "'-x", "'@sum"]
    first = dict(zip(head, lines[0], strict=True))
    # A number stays one, also a negative one.
    assert (first["alpha"], first["'=mape"], first["duration_s"]) == ("-0.5", "-4.1", "2.0")
    assert lines[1][3:] == ["queued", "", "", "", "1", bench.records(made, 2)[0].id, ""]


@on_both_databases
def test_cancelled_sweep_has_ended_where_it_waited(bench: SweepBench, sweep: Sweep) -> None:
    bench.end(sweep, 1)
    bench.begin(sweep, 2)

    cancelled = cancel_sweep(bench.workspace, "seats", sweep.id, person="edda")

    assert cancelled.counts == {"succeeded": 1, "running": 1, "cancelled": 2}
    assert cancelled.cancelled_at is not None
    waiting = bench.records(sweep, 3)[0]
    assert (waiting.status, waiting.reason) == (S.CANCELLED, "Cancelled by edda before it began.")
    assert waiting.ended_at is not None
    with bench.workspace.database.read() as connection:
        asked = connection.execute(
            select(runs.c.cancel_requested_by).where(
                runs.c.sweep_id == sweep.id, runs.c.status == "running"
            )
        ).one()
    assert asked.cancel_requested_by == "edda"
    # The one that goes on may take its time; to ask again changes nothing.
    again = cancel_sweep(bench.workspace, "seats", sweep.id, person="olga")
    assert again.counts == cancelled.counts
    bench.end(sweep, 2, S.CANCELLED)
    with pytest.raises(Conflict, match="there is nothing to cancel"):
        cancel_sweep(bench.workspace, "seats", sweep.id, person="edda")


def test_run_that_waits_for_its_second_attempt_is_cancelled_too(
    bench: SweepBench, sweep: Sweep
) -> None:
    with bench.workspace.database.write() as connection:
        connection.execute(update(runs).where(runs.c.sweep_position == 2).values(attempt=2))

    assert cancel_sweep(bench.workspace, "seats", sweep.id, person="edda").counts == {
        "cancelled": 4
    }


@on_both_databases
def test_resumed_sweep_asks_for_what_is_missing_only(bench: SweepBench, sweep: Sweep) -> None:
    bench.end(sweep, 1)
    bench.end(sweep, 2, S.FAILED)
    bench.begin(sweep, 3)
    cancel_sweep(bench.workspace, "seats", sweep.id, person="edda")

    resumed = resume(bench, sweep, by="olga")

    assert resumed.counts == {"succeeded": 1, "queued": 2, "running": 1}
    assert resumed.cancelled_at is None
    assert [len(bench.records(sweep, position)) for position in (1, 2, 3, 4)] == [1, 2, 1, 2]
    failed, anew = bench.records(sweep, 2)
    assert (failed.status, anew.status) == (S.FAILED, S.QUEUED)
    assert failed.parameters == anew.parameters
    assert anew.requested_by == "olga"
    row = table(bench, sweep).rows[1]
    assert (row.run_id, row.status, row.tries) == (anew.id, "queued", 2)
    with pytest.raises(Conflict, match="Nothing is missing"):
        resume(bench, sweep)


@on_both_databases
def test_two_who_resume_at_once_ask_once(
    bench: SweepBench, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.end(sweep, 1, S.FAILED)
    calls = []

    def create_after_olga(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            resume(bench, sweep, by="olga")
        return create_runs(*arguments, **named)

    monkeypatch.setattr(domain, "create_runs", create_after_olga)

    with pytest.raises(Conflict, match="Nothing is missing"):
        resume(bench, sweep)

    assert [record.requested_by for record in bench.records(sweep, 1)] == ["edda", "olga"]


def test_sweep_without_executor_has_no_runs_until_somebody_runs_them(bench: SweepBench) -> None:
    made = bench.sweep(executor=None, alpha="0.1, 0.2")

    assert made.counts == {"not_run": 2}
    assert not made.is_open
    assert [row.status for row in table(bench, made).rows] == ["not_run"] * 2
    (first, second) = missing_positions(bench.workspace, made, bench.version)
    assert (first.number, first.values["alpha"], second.number) == (1, 0.1, 2)
    with pytest.raises(Conflict, match="there is nothing to cancel"):
        cancel_sweep(bench.workspace, "seats", made.id, person="edda")
    execution_runs.create_run(
        bench.workspace,
        bench.version,
        first.values,
        project=bench.project,
        request=RunRequest(by="edda", via="cli", sweep=made.id, sweep_position=1),
    )
    assert missing_positions(bench.workspace, made, bench.version) == (second,)
    with pytest.raises(Conflict, match="goes on in a terminal"):
        cancel_sweep(bench.workspace, "seats", made.id, person="edda")


def test_sweep_of_ten_thousand_is_read_by_a_fixed_number_of_queries(bench: SweepBench) -> None:
    large = bench.sweep(days="1..10000")
    small = bench.sweep(days="1..2")
    with bench.workspace.database.write() as connection:
        ids = list(connection.scalars(select(runs.c.id).where(runs.c.sweep_id == large.id)))
        connection.execute(
            insert(metrics),
            [
                {"run_id": run_id, "name": name, "value": float(number)}
                for number, run_id in enumerate(ids)
                for name in ("mape", "fit_s", "rows")
            ],
        )
    statements: list[str] = []

    @event.listens_for(bench.workspace.database.engine, "before_cursor_execute")
    def remember(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    read = {}
    for made in (small, large):
        statements.clear()
        found = table(
            bench, made, sort="metric:mape", is_descending=True, offset=made.count - 2, limit=50
        )
        read[made.count] = len(statements)
        assert len(found.rows) == 2
    assert read[10_000] == read[2]
    assert found.rows[-1].metrics == {"mape": 0.0, "fit_s": 0.0, "rows": 0.0}

    statements.clear()
    cancelled = cancel_sweep(bench.workspace, "seats", large.id, person="edda")
    assert cancelled.counts == {"cancelled": 10_000}
    assert sum(statement.startswith("BEGIN IMMEDIATE") for statement in statements) <= 1
    assert len(statements) < 30
