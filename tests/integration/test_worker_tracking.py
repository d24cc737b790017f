"""A worker's run in MLflow's server, in the part of it that is its project's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nb2prod.execution.models import ArtifactKind, RunStatus
from nb2prod.execution.processes import end_processes_of, processes_of
from nb2prod.execution.redaction import Redactor
from nb2prod.execution.tracking import EXECUTED_NOTEBOOK, RUN_TAG, open_client
from nb2prod.execution.tracking_store import TrackingStore
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.process_executor import ProcessExecutor
from nb2prod.registry.models import RunSettings
from nb2prod.workspace.secrets import set_secret
from nb2prod.workspace.workspace import Workspace
from tests.helpers.jobs import JobBench, surroundings_of
from tests.helpers.notebooks import code, parameters
from tests.helpers.tracking_server import served_mlflow

# MLflow's own use of its libraries; ours stay errors.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def mlflow_url(mlflow_folder: Path) -> Iterator[str]:
    with served_mlflow(mlflow_folder, "seats") as url:
        yield url


@pytest.fixture
def client(mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_WORKSPACE", "seats")
    return open_client(TrackingStore(uri=mlflow_url, workspace="seats"))


@pytest.fixture
def bench(workspace: Workspace) -> JobBench:
    return JobBench.found(workspace, executor="process")


@pytest.fixture
def dispatcher(bench: JobBench, mlflow_url: str) -> Iterator[Dispatcher]:
    surroundings = surroundings_of(bench.workspace, mlflow_url=mlflow_url)
    executor = ProcessExecutor(bench.workspace, surroundings)
    with Dispatcher(bench.workspace, [executor], mlflow_url=mlflow_url) as opened:
        yield opened


def test_notebooks_calls_join_the_run_in_its_projects_part_of_the_server(
    bench: JobBench, dispatcher: Dispatcher, client: Any
) -> None:
    run_id = bench.request(
        parameters("alpha: float = 0.5"),
        code(
            "import mlflow\n"
            "mlflow.log_metric('mape', 4.1)\n"
            "mlflow.log_text('hello', 'notes/hello.txt')\n"
            "with open('out.csv', 'w') as file: file.write('a,b')"
        ),
    )

    record = bench.finish(dispatcher, run_id)

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert record.metrics == {"mape": 4.1}
    kept = {artifact.name: artifact for artifact in record.artifacts}
    assert {name: item.kind for name, item in kept.items()} == {
        "out.csv": ArtifactKind.TABLE,
        "notes/hello.txt": ArtifactKind.FILE,
    }
    assert bench.workspace.blobs.get(kept["notes/hello.txt"].sha256) == b"hello"
    run = client.get_run(record.mlflow_run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"alpha": "0.5"}
    assert client.get_experiment(run.info.experiment_id).name == "train"
    names = {item.path for item in client.list_artifacts(record.mlflow_run_id)}
    assert names == {"notes", "notebook", "files"}
    copies = Path(bench.folder(run_id).path)
    assert not [path for path in copies.rglob("*") if path.name == "downloads"]


def test_mlflow_run_of_a_killed_worker_is_ended_and_its_metrics_are_kept(
    bench: JobBench, dispatcher: Dispatcher, client: Any
) -> None:
    run_id = bench.request(
        code("import mlflow\nmlflow.log_metric('early', 1.5)"),
        code("import time; time.sleep(600)"),
    )
    bench.reach_cell(dispatcher, run_id, 2)
    for pid in processes_of(run_id):
        os.kill(pid, signal.SIGKILL)

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert record.metrics == {"early": 1.5}
    assert client.get_run(record.mlflow_run_id).info.status == "FAILED"
    end_processes_of(run_id)


def test_what_an_earlier_attempt_logged_is_not_the_runs(
    bench: JobBench, dispatcher: Dispatcher, client: Any, tmp_path: Path
) -> None:
    run_id = bench.request(
        code(
            "import mlflow\n"
            "with mlflow.start_run(nested=True), mlflow.start_run(nested=True):\n"
            "    mlflow.log_metric('inner', 2.5)"
        )
    )
    experiment = client.get_experiment_by_name("train")
    experiment_id = experiment.experiment_id if experiment else client.create_experiment("train")
    earlier = client.create_run(experiment_id, tags={RUN_TAG: run_id}).info.run_id
    client.log_metric(earlier, "stale", 1.0)
    stale = tmp_path / "executed.ipynb"
    stale.write_text("{}")
    client.log_artifact(earlier, str(stale), EXECUTED_NOTEBOOK)

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED
    assert record.metrics == {"inner": 2.5}
    assert record.artifacts == ()
    assert client.get_run(earlier).info.status == "FINISHED"


def test_mlflow_has_no_secret_of_what_a_notebook_logs_and_leaves(
    bench: JobBench, dispatcher: Dispatcher, client: Any, mlflow_folder: Path
) -> None:
    value = "correct 'horse' \"staple\""
    for name, content in (("DB_PASSWORD", value), ("PIN", "918273645")):
        set_secret(bench.workspace, "seats", name, content, person="ada")
    run_id = bench.request(
        code(
            "import json, os, urllib.parse, mlflow\n"
            "password, pin = os.environ['DB_PASSWORD'], os.environ['PIN']\n"
            "address = f'postgresql://ada:{urllib.parse.quote_plus(password)}@db/fares'"
        ),
        code(
            "mlflow.log_params({'password': password, 'all': json.dumps({'p': [password]})})\n"
            "mlflow.log_param('shown', {'p': password})\n"
            "mlflow.set_tags({'address': address, 'mlflow.note.content': f'with {password}.'})\n"
            "mlflow.log_metric(f'of {pin}', 1)\n"
            "mlflow.log_metric('pin', float(pin))\n"
            "mlflow.log_metric('mape', 4.1)\n"
            "with mlflow.start_run(run_name=f'as {password}', nested=True) as nested:\n"
            "    mlflow.log_metric('nested', 2)"
        ),
        code(
            "with open('notes.txt', 'w') as file: file.write(password)\n"
            "with open('clean.csv', 'w') as file: file.write('a,b')\nprint(password)"
        ),
        settings=RunSettings(secrets=("DB_PASSWORD", "PIN")),
    )

    record = bench.finish(dispatcher, run_id)

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert record.metrics == {"of secret PIN": 1.0, "mape": 4.1, "nested": 2.0}
    assert any("notes.txt" in note for note in record.notes)
    run = client.get_run(record.mlflow_run_id)
    assert run.data.params["password"] == "[secret DB_PASSWORD]"
    assert run.data.tags["address"] == "postgresql://ada:[secret DB_PASSWORD]@db/fares"
    assert run.data.tags["mlflow.note.content"] == "with [secret DB_PASSWORD]."
    files = {item.path for item in client.list_artifacts(record.mlflow_run_id, "files")}
    assert files == {"files/clean.csv"}
    redactor = Redactor({"DB_PASSWORD": value, "PIN": "918273645"})
    for path in mlflow_folder.rglob("*"):
        assert not path.is_file() or redactor.name_in(path.read_bytes()) is None, path
