"""``nb2prod sweep``, as a person types it: here with kernels, and in a workspace with workers."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nb2prod.execution.models import CiContext
from nb2prod.execution.processes import end_processes_of
from nb2prod.execution.runs import list_runs
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.process_executor import ProcessExecutor
from nb2prod.jobs.sweeps import get_sweep, list_sweeps
from nb2prod.server.app import create_app
from nb2prod.store.git import Repository
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import served
from tests.helpers.client import Introduced
from tests.helpers.jobs import JobBench, eventually, surroundings_of
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code, parameters, write_notebook
from tests.helpers.shared import environment_of, person
from tests.integration.test_cli import COMMAND, hear_interrupts, nb2prod

IMPORT = code("from typing import Literal")
PARAMETERS = parameters('market: Literal["JFK-DL", "LGA-AA"] = "JFK-DL"\nalpha: float = 0.1')
LOGGED = code("import mlflow\nmlflow.log_metric('mape', 4 + alpha)")
# Fails for one combination until somebody makes the file; `wait` is for who presses Ctrl-C.
GATE = code(
    "import os, time\n"
    "assert alpha < 0.2 or market != 'LGA-AA' or os.path.exists('go'), 'no data yet'\n"
    "while os.path.exists('wait'):\n    open('waits', 'w').close(); time.sleep(0.05)"
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository.create(tmp_path / "seats")
    monkeypatch.chdir(repository.root)
    write_notebook(repository.root / "train.ipynb", IMPORT, PARAMETERS, LOGGED, GATE)
    promoted = nb2prod("promote", "train.ipynb", "--yes")
    assert promoted.returncode == 0, promoted.stderr
    return repository


def test_sweep_runs_each_combination_and_what_failed_once_more(
    repository: Repository, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"

    done = nb2prod(
        *("sweep", "train", "-p", "market=LGA-AA, JFK-DL", "-p", "alpha=0.1..0.2 step 0.1"),
        *("-o", str(table)),
    )

    assert done.returncode == 1, done.stderr
    assert "AssertionError: no data yet" in done.stdout
    assert "3 succeeded" in done.stderr
    assert "4.1" in done.stdout
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["market"], row["alpha"], row["status"], row["mape"]) for row in rows] == [
        ("LGA-AA", "0.1", "succeeded", "4.1"),
        ("LGA-AA", "0.2", "failed", "4.2"),
        ("JFK-DL", "0.1", "succeeded", "4.1"),
        ("JFK-DL", "0.2", "succeeded", "4.2"),
    ]

    (repository.root / "go").touch()
    sweep_id = done.stdout.split()[1]
    assert f"nb2prod sweep --resume {sweep_id}" in done.stderr
    resumed = nb2prod("sweep", "--resume", sweep_id, "--json")
    assert resumed.returncode == 0, resumed.stderr
    body = json.loads(resumed.stdout)
    assert body["sweep"]["counts"] == {"succeeded": 4}
    assert [row["tries"] for row in body["rows"]] == [1, 2, 1, 1]
    again = nb2prod("sweep", "--resume", sweep_id)
    assert again.returncode == 0, again.stderr
    assert len(json.loads(nb2prod("runs", "--json").stdout)) == 5


def started(*arguments: str, stderr: int = subprocess.STDOUT) -> subprocess.Popen[str]:
    """A sweep that goes on, and hears Ctrl-C as in a terminal."""
    return subprocess.Popen(
        [*COMMAND, "sweep", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        preexec_fn=hear_interrupts,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_interrupted_sweep_leaves_what_can_be_resumed(repository: Repository) -> None:
    (repository.root / "wait").touch()
    sweep = started("train", "-p", "alpha=0.1, 0.15", "--json", stderr=subprocess.PIPE)
    try:
        eventually((repository.root / "waits").exists)
        sweep.send_signal(signal.SIGINT)
        stdout, stderr = sweep.communicate(timeout=60)
    finally:
        end(sweep)
    body = json.loads(stdout)
    assert (sweep.returncode, body["sweep"]["counts"]) == (1, {"cancelled": 1, "not_run": 1})
    assert json.loads(stderr)["detail"]["counts"] == {"cancelled": 1, "not_run": 1}

    (repository.root / "wait").unlink()
    resumed = nb2prod("sweep", "--resume", body["sweep"]["id"])

    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.count("succeeded") == 4  # each as it ends, and in the table


REFUSED: tuple[tuple[list[str], int, str], ...] = (
    (["train", "-p", "alhpa=0.1"], 2, "Did you mean alpha?"),
    (["train", "-p", "alpha=0.1, much"], 2, "much"),
    (["train", "-p", "market=JFK-DL, EWR-UA"], 2, "LGA-AA"),
    (["train", "-p", "alpha=1..1000000 step 1"], 2, "1,000,000 runs"),
    (["train"], 2, "at least one parameter"),
    (["train@v9", "-p", "alpha=1"], 3, "v9"),
    (["train", "--csv", "absent.csv"], 2, "absent.csv can't be read"),
    (["train", "--csv", "empty.csv"], 2, "empty.csv is empty"),
    (["train", "--csv", "wrong.csv"], 2, "Line 3 of the CSV"),
    ([], 2, "Say which version"),
    (["--resume", "absentabsent"], 3, "no sweep"),
    (["train", "--resume", "absentabsent"], 2, "leave out the version"),
    (["train", "-p", "alpha=1", "--no-wait"], 2, "are for sweeps in a workspace"),
    (["train", "-p", "alpha=1", "--cancel-on-interrupt"], 2, "are for sweeps in a workspace"),
    (["train", "-p", "alpha=1", "--server", "http://127.0.0.1:9"], 2, "which project"),
)


def test_what_can_not_be_is_refused_with_its_sentence(repository: Repository) -> None:
    (repository.root / "empty.csv").touch()
    (repository.root / "wrong.csv").write_text("alpha\n0.1\nmuch\n")
    for arguments, status, said in REFUSED:
        done = nb2prod("sweep", *arguments)

        assert (done.returncode, done.stdout) == (status, ""), arguments
        assert said in done.stderr
    assert json.loads(nb2prod("runs", "--json").stdout) == []


def test_csv_and_small_values_of_a_smoke_run(repository: Repository) -> None:
    lines = "market;alpha\nJFK-DL;0.1\nLGA-AA;0.15\n"

    done = nb2prod("sweep", "train@v1", "--csv", "-", "--smoke", "--json", stdin=lines)

    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert (body["sweep"]["profile"], body["sweep"]["csv_columns"]) == (
        "smoke",
        ["market", "alpha"],
    )
    assert [row["parameters"]["market"] for row in body["rows"]] == ["JFK-DL", "LGA-AA"]


@pytest.fixture
def bench(workspace: Workspace) -> Iterator[JobBench]:
    opened = JobBench.found(workspace, executor="process")
    make_version(Repository(opened.project.repository), IMPORT, PARAMETERS, GATE)
    yield opened
    for record in list_runs(workspace, person="ada"):
        end_processes_of(record.id)


@contextmanager
def working(bench: JobBench) -> Iterator[str]:
    """The workspace on another machine: the service, and a dispatcher with workers."""
    app = create_app(
        bench.workspace, is_behind_login=True, executor="process", environment_of=environment_of
    )
    executor = ProcessExecutor(bench.workspace, surroundings_of(bench.workspace))
    stop = threading.Event()
    dispatcher = Dispatcher(bench.workspace, [executor])
    thread = threading.Thread(target=dispatcher.run_forever, args=[stop])
    with served(Introduced(app, person("ada", "seats"), None)) as address:
        thread.start()
        try:
            yield address
        finally:
            stop.set()
            thread.join()


def counts_of(bench: JobBench, sweep_id: str) -> dict[str, int]:
    return dict(get_sweep(bench.workspace, "seats", sweep_id, person="ada").counts)


def test_sweep_in_a_workspace_is_followed_to_its_end(
    bench: JobBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NB2PROD_TOKEN", "nb2p_any")
    values = ["-p", "market=JFK-DL, LGA-AA", "-p", "alpha=0.1, 0.2"]
    with working(bench) as address:
        there = ["--server", address]
        done = nb2prod("sweep", "seats/train", *values, *there, "-o", "table.csv")

        assert done.returncode == 1, done.stderr
        (made,), _ = list_sweeps(bench.workspace, "seats", person="ada")
        assert f"{address}/projects/seats/sweeps/{made.id}" in done.stdout
        assert "1 failed, 3 succeeded" in done.stdout
        assert f"nb2prod sweep --resume seats/{made.id}" in done.stderr
        assert len((tmp_path / "table.csv").read_text().splitlines()) == 5

        (bench.project.root / "go").touch()
        resumed: Any = nb2prod("sweep", "--resume", f"seats/{made.id}", *there, "--json")
        assert resumed.returncode == 0, resumed.stderr
        body = json.loads(resumed.stdout)
        assert body["sweep"]["counts"] == {"succeeded": 4}
        assert [row["tries"] for row in body["rows"]] == [1, 1, 1, 2]
        assert body["page"] == f"{address}/projects/seats/sweeps/{made.id}"

        nothing = nb2prod("sweep", "--resume", made.id, *there)
        assert (nothing.returncode, "Nothing is missing" in nothing.stderr) == (4, True)
        wrong = nb2prod("sweep", "seats/train", "-p", "alhpa=1", *there)
        assert (wrong.returncode, "Did you mean alpha?" in wrong.stderr) == (2, True)
        asked = nb2prod("sweep", "seats/train", "-p", "alpha=0.3, 0.4", *there, "--no-wait")
        assert asked.returncode == 0, asked.stderr
        assert "2 queued" in asked.stdout
        newest, _ = list_sweeps(bench.workspace, "seats", person="ada", limit=1)
        eventually(lambda: counts_of(bench, newest[0].id) == {"succeeded": 2})


def test_sweep_that_ci_asks_for_has_its_commit_on_each_run(
    bench: JobBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NB2PROD_TOKEN", "nb2p_any")
    monkeypatch.setenv("GITHUB_SHA", "c0ffee")
    with working(bench) as address:
        done = nb2prod("sweep", "seats/train", "-p", "alpha=0.1, 0.2", "--server", address)

    assert done.returncode == 0, done.stderr
    records = list_runs(bench.workspace, person="ada", project="seats")
    assert [(record.ci, record.requested_via) for record in records] == [
        (CiContext(commit="c0ffee"), "ci"),
        (CiContext(commit="c0ffee"), "ci"),
    ]


@pytest.mark.parametrize("cancels", [False, True], ids=["leaving it", "cancelling it"])
def test_interrupted_sweep_in_a_workspace_goes_on_or_is_cancelled_as_a_whole(
    bench: JobBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, cancels: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NB2PROD_TOKEN", "nb2p_any")
    (bench.project.root / "wait").touch()
    options = ["--cancel-on-interrupt"] if cancels else []
    with working(bench) as address:
        process = started(
            "seats/train", "-p", "alpha=0.1..0.15 step 0.01", "--server", address, *options
        )
        try:
            eventually((bench.project.root / "waits").exists)
            process.send_signal(signal.SIGTERM if cancels else signal.SIGINT)
            said, _ = process.communicate(timeout=60)
        finally:
            end(process)
        (made,), _ = list_sweeps(bench.workspace, "seats", person="ada")
        if cancels:
            assert process.returncode == 1, said
            assert f"nb2prod sweep --resume seats/{made.id}" in said
            assert made.counts == {"cancelled": 6}
            assert made.cancelled_at is not None
        else:
            assert process.returncode == 130, said
            assert f"Follow or cancel it: {address}/projects/seats/sweeps/{made.id}" in said
            assert made.is_open
            (bench.project.root / "wait").unlink()
            eventually(lambda: counts_of(bench, made.id) == {"succeeded": 6})
