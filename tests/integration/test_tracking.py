"""MLflow joins a run, and never fails it."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nb2prod_kernels.probe import MLFLOW_WRITERS

from nb2prod.execution import execute, tracking
from nb2prod.execution.models import ArtifactKind, RunStatus
from nb2prod.execution.run import run_version
from nb2prod.execution.tracking_store import TrackingStore
from nb2prod.registry.models import RunSettings
from nb2prod.workspace.secrets import set_secret
from nb2prod.workspace.workspace import Workspace
from tests.helpers.kernels import Bench, make_version, open_bench
from tests.helpers.notebooks import code, parameters

# MLflow's own use of its libraries; ours stay errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    shared = tmp_path_factory.getbasetemp() / "mlflow.db"
    with open_bench(tmp_path_factory.mktemp("tracking"), mlflow=shared) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(bench: Bench) -> Any:
    return tracking.open_client(TrackingStore.of(bench.workspace.settings, bench.project.name))


def test_notebooks_calls_join_the_mlflow_run_of_the_run(bench: Bench, client: Any) -> None:
    record = bench.run(
        parameters("alpha: float = 0.5\nmarket: str = 'JFK-DL'"),
        code(
            "import mlflow\n"
            "mlflow.set_experiment('elsewhere')\n"
            "mlflow.log_metric('bare', 1.5)\n"
            "mlflow.log_param('alpha', 0.75)\n"
            "mlflow.log_text('hello', 'notes/hello.txt')\n"
            "mlflow.log_metric('bad', float('nan'))\n"
            "mlflow.end_run()"
        ),
        code("with mlflow.start_run(run_name='second'):\n    mlflow.log_metric('within', 2.5)"),
        code("mlflow.start_run()\nmlflow.log_metric('bare', 9)\nmlflow.log_metric('open', 3)"),
        code("with open('table.csv', 'w') as file: file.write('a,b')"),
        name="joins",
    )

    assert record.status is RunStatus.SUCCEEDED
    assert record.metrics == {"bare": 1.5, "within": 2.5, "open": 3.0}
    assert record.mlflow_run_id is not None
    run = client.get_run(record.mlflow_run_id)
    assert run.info.status == "FINISHED"
    # What the notebook logged stands; the rest is ours.
    assert run.data.params == {"alpha": "0.75", "market": "JFK-DL"}
    assert run.data.tags["nb2prod.run"] == record.id
    assert run.data.tags["nb2prod.version"] == "joins@v1"
    assert run.data.tags["mlflow.source.git.commit"] == record.commit
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.name == "seats/joins"
    assert str(bench.workspace.settings.home) in experiment.artifact_location
    others = client.search_runs(
        [run.info.experiment_id],
        filter_string=f"tags.`mlflow.parentRunId` = '{record.mlflow_run_id}'",
    )
    assert {other.info.status for other in others} == {"FINISHED"}
    assert len(others) == 2
    names = {item.path for item in client.list_artifacts(record.mlflow_run_id)}
    assert names == {"notes", "notebook", "files"}
    kept = {artifact.name: artifact.kind for artifact in record.artifacts}
    assert kept == {"table.csv": ArtifactKind.TABLE, "notes/hello.txt": ArtifactKind.FILE}
    assert not (bench.repository.root / "mlruns").exists()


def test_notebook_with_a_tracking_server_of_its_own_is_left_alone(
    bench: Bench, tmp_path: Path, client: Any
) -> None:
    own = tmp_path / "own.db"
    shutil.copy(bench.workspace.settings.mlflow_uri.removeprefix("sqlite:///"), own)
    uri = f"sqlite:///{own}"
    record = bench.run(
        code(
            "import mlflow\n"
            f"mlflow.set_tracking_uri({uri!r})\n"
            "mlflow.set_experiment('mine')\n"
            "with mlflow.start_run() as run:\n    mlflow.log_metric('own', 1)\n"
            "print(run.info.experiment_id)"
        ),
        name="own",
    )

    assert record.status is RunStatus.SUCCEEDED
    assert record.metrics == {}
    assert record.mlflow_run_id is not None
    assert client.get_run(record.mlflow_run_id).info.status == "FINISHED"


def test_child_process_finds_the_mlflow_run(bench: Bench) -> None:
    record = bench.run(
        code(
            "import subprocess, sys\n"
            "code = 'import os; print(os.environ[\"MLFLOW_RUN_ID\"])'\n"
            "print(subprocess.run([sys.executable, '-c', code], capture_output=True).stdout)"
        ),
        name="child",
    )

    assert record.mlflow_run_id is not None
    assert record.mlflow_run_id in bench.printed(record)


def test_failed_run_is_failed_in_mlflow_and_keeps_metrics_and_models(
    bench: Bench, client: Any
) -> None:
    record = bench.run(
        code(
            "import mlflow, warnings\nwarnings.simplefilter('ignore')\n"
            "class Mean(mlflow.pyfunc.PythonModel):\n"
            "    def predict(self, context, model_input, params=None): return 1\n"
            "with mlflow.start_run():\n"
            "    mlflow.log_metric('early', 1)\n"
            "    mlflow.pyfunc.log_model(name='mean', python_model=Mean(), pip_requirements=[])\n"
            "1 / 0"
        ),
        name="fails",
    )

    assert record.status is RunStatus.FAILED
    assert record.metrics == {"early": 1.0}
    assert client.get_run(record.mlflow_run_id).info.status == "FAILED"
    models = [item for item in record.artifacts if item.kind is ArtifactKind.MODEL]
    assert "models/mean/MLmodel" in {item.name for item in models}


def test_mlflow_out_of_reach_is_noted_and_fails_nothing(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    settings = replace(bench.workspace.settings, mlflow_uri=f"sqlite:///{tmp_path / 'broken.db'}")
    workspace = Workspace(
        settings=settings, database=bench.workspace.database, blobs=bench.workspace.blobs
    )
    version = make_version(bench.repository, code("print('fine')"), name="broken")

    record = run_version(workspace, bench.project, version, {})

    assert record.status is RunStatus.SUCCEEDED
    assert record.mlflow_run_id is None
    log = bench.workspace.blobs.get(record.sources["log"]).decode()
    assert "nb2prod: MLflow is not available" in log


def test_without_mlflow_a_run_works_and_has_no_metrics(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "is_installed", lambda: False)

    record = bench.run(code("print('fine')"), name="without")

    assert record.status is RunStatus.SUCCEEDED
    assert record.metrics == {}
    assert record.mlflow_run_id is None


def test_starting_to_track_imports_nothing_before_it_is_needed() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, nb2prod.execution.engine; print('mlflow' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_what_mlflow_does_not_take_costs_no_metrics(bench: Bench, client: Any) -> None:
    record = bench.run(
        code(
            "import mlflow\nmlflow.log_metric('early', 1)\n"
            "mlflow.log_metric('endless', float('inf'))\nrun = mlflow.active_run()\n"
            "mlflow.end_run()\nmlflow.MlflowClient().delete_run(run.info.run_id)"
        ),
        name="deletes",
    )

    assert record.status is RunStatus.SUCCEEDED
    assert record.metrics == {"early": 1.0}
    log = bench.workspace.blobs.get(record.sources["log"]).decode()
    assert "nb2prod: The MLflow run could not be ended" in log


def test_rest_that_can_not_be_logged_leaves_no_mlflow_run_open(
    bench: Bench, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space at http://ada:hunter2@host/x")

    monkeypatch.setattr(tracking.Tracking, "_log_rest", fail)

    record = bench.run(code("import mlflow\nmlflow.log_metric('early', 1)"), name="rest")

    assert record.metrics == {"early": 1.0}
    assert client.get_run(record.mlflow_run_id).info.status == "FINISHED"
    log = bench.workspace.blobs.get(record.sources["log"]).decode()
    assert "no space at http://host/x" in log


def test_file_with_a_secret_in_mlflow_is_not_kept_of_a_run_whose_end_nobody_saw(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(execute._Execution, "_keep_results", fail)
    value = "correct horse battery"
    set_secret(bench.workspace, bench.project.name, "DB_PASSWORD", value, person="ada")
    version = make_version(
        bench.repository,
        code(
            "import mlflow, os\nmlflow.log_text(os.environ['DB_PASSWORD'], 'notes.txt')\n"
            "mlflow.log_text('a,b', 'clean.csv')\n"
            "mlflow.log_param('password', os.environ['DB_PASSWORD'])"
        ),
        name="unseen",
        settings=RunSettings(secrets=("DB_PASSWORD",)),
    )

    record = run_version(bench.workspace, bench.project, version, {})

    assert [artifact.name for artifact in record.artifacts] == ["clean.csv"]
    assert any("secrets are in them: notes.txt" in note for note in record.notes)
    store = Path(bench.workspace.settings.mlflow_uri.removeprefix("sqlite:///"))
    assert not [path for path in store.parent.glob("mlflow.db*") if holds(path, value)]
    blobs = bench.workspace.settings.home / "blobs"
    assert not [path for path in blobs.rglob("*") if path.is_file() and holds(path, value)]


def holds(path: Path, value: str) -> bool:
    return value.encode() in path.read_bytes()


def test_what_mlflow_makes_of_what_is_logged_is_where_the_probe_looks_for_it() -> None:
    for name, attribute in MLFLOW_WRITERS:
        found: Any = importlib.import_module(name)
        for part in attribute.split("."):
            found = getattr(found, part)
        assert callable(found), name
