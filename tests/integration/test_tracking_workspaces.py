"""A run whose MLflow database has workspaces, as a hub's has, while no hub runs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nb2prod.execution import tracking
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.tracking_store import TrackingStore, is_divided, without_password
from tests.helpers.kernels import Bench, open_bench
from tests.helpers.notebooks import code

# MLflow's own use of its libraries; ours stay errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MAKE = """
import sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
client.search_experiments()
if len(sys.argv) > 2:
    client.create_workspace(sys.argv[2])
"""


def make_database(path: Path, *workspaces: str) -> None:
    """MLflow's own, made by a process that ends: MLflow keeps each store open as it found it."""
    command = [sys.executable, "-W", "ignore", "-c", MAKE, f"sqlite:///{path}", *workspaces]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("divided")
    make_database(folder / "mlflow.db", "other")
    with open_bench(folder, mlflow=folder / "mlflow.db") as opened:
        yield opened


@pytest.fixture
def store(bench: Bench) -> TrackingStore:
    return TrackingStore.of(bench.workspace.settings, bench.project.name)


@pytest.fixture
def client(store: TrackingStore) -> Iterator[Any]:
    with tracking.asking_as(store):
        yield tracking.open_client(store)


def log_of(bench: Bench, record: RunRecord) -> str:
    return bench.workspace.blobs.get(record.sources["log"]).decode()


def test_notebooks_calls_join_the_run_in_its_projects_workspace(bench: Bench, client: Any) -> None:
    record = bench.run(
        code(
            "import mlflow\n"
            "mlflow.set_experiment('elsewhere')\n"
            "mlflow.log_metric('mape', 4.5)\n"
            "mlflow.log_text('hello', 'notes/hello.txt')\n"
            "mlflow.end_run()"
        ),
        code(
            "with mlflow.start_run(run_name='second'):\n"
            "    mlflow.log_metric('within', 2.5)\n"
            "    mlflow.log_text('again', 'notes/again.txt')"
        ),
        name="joins",
    )

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert record.metrics == {"mape": 4.5, "within": 2.5}
    assert {"notes/hello.txt", "notes/again.txt"} <= {item.name for item in record.artifacts}
    assert record.mlflow_run_id is not None
    run = client.get_run(record.mlflow_run_id)
    assert run.info.status == "FINISHED"
    experiment = client.get_experiment(run.info.experiment_id)
    assert (experiment.name, experiment.workspace) == ("joins", "seats")
    assert client.get_workspace("seats").name == "seats"
    place = bench.workspace.settings.home / f"mlflow/workspaces/seats/{experiment.experiment_id}"
    assert (place / record.mlflow_run_id / "artifacts/notes/hello.txt").read_text() == "hello"
    assert not (bench.repository.root / "mlruns").exists()


def test_second_run_of_a_pipeline_finds_its_experiment(bench: Bench, client: Any) -> None:
    cell = code("import mlflow\nmlflow.log_metric('m', 1)")
    first, second = bench.run(cell, name="twice"), bench.run(cell, name="twice")

    experiments = {
        client.get_run(record.mlflow_run_id).info.experiment_id for record in (first, second)
    }
    assert len(experiments) == 1


def test_tracked_run_leaves_no_variables_in_its_process(bench: Bench) -> None:
    before = dict(os.environ)

    record = bench.run(code("print('fine')"), name="quiet")

    assert record.mlflow_run_id is not None
    left = {name for name in os.environ if "WORKSPACE" in name or "TOKEN" in name}
    assert left == {name for name in before if "WORKSPACE" in name or "TOKEN" in name}


def test_notebook_with_a_tracking_server_of_its_own_takes_no_workspace_along(
    bench: Bench, tmp_path: Path
) -> None:
    make_database(tmp_path / "own.db")
    record = bench.run(
        code(
            "import mlflow, os\n"
            f"mlflow.set_tracking_uri('sqlite:///{tmp_path / 'own.db'}')\n"
            "print([name for name in os.environ if 'WORKSPACE' in name])\n"
            "mlflow.set_experiment('mine')\n"
            "with mlflow.start_run(): mlflow.log_metric('own', 1)"
        ),
        name="own",
    )

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert "[]" in bench.printed(record)
    assert not is_divided(f"sqlite:///{tmp_path / 'own.db'}")


def test_lost_run_is_ended_and_read_in_its_projects_workspace(
    bench: Bench, store: TrackingStore, client: Any, tmp_path: Path
) -> None:
    record = bench.run(code("import mlflow\nmlflow.log_metric('early', 1.5)"), name="lost")
    assert record.mlflow_run_id is not None
    client.update_run(record.mlflow_run_id, status="RUNNING")

    tracked = tracking.finish_lost(store, record.mlflow_run_id, record.id, tmp_path / "copies")

    assert tracked.metrics == {"early": 1.5}
    assert client.get_run(record.mlflow_run_id).info.status == "FAILED"


def test_database_divided_while_mlflow_had_it_open_is_noted(tmp_path: Path) -> None:
    make_database(tmp_path / "mlflow.db")
    with open_bench(tmp_path, mlflow=tmp_path / "mlflow.db") as bench:
        before = bench.run(code("print('fine')"), name="whole")
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
            connection.execute("INSERT INTO workspaces (name) VALUES ('seats')")
        after = bench.run(code("print('fine')"), name="whole")

        assert before.mlflow_run_id is not None
        assert after.status is RunStatus.SUCCEEDED
        assert after.mlflow_run_id is None
        assert "start this process again" in log_of(bench, after)


def test_store_that_is_no_database_or_missing_is_not_divided(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)

    assert not is_divided("http://127.0.0.1:1/services/mlflow")
    assert not is_divided(str(tmp_path / "mlruns"))
    assert not is_divided(f"sqlite:///{tmp_path / 'broken.db'}")
    assert not is_divided(f"sqlite:///{tmp_path / 'missing.db'}")
    assert not (tmp_path / "missing.db").exists()


def test_password_of_a_store_is_not_announced() -> None:
    assert "secret" not in without_password("postgresql://ada:secret@host/mlflow")
