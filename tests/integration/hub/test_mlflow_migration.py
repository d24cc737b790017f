"""What MLflow kept before there was a hub: it comes along, and only to its project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from nb2prod.workspace.projects import found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.mlflow_api import API, Caller
from tests.helpers.services import Services, services

# As `nb2prod.execution.tracking` does it without a hub.
BEFORE = """
import json, sys
from pathlib import Path
from mlflow import MlflowClient
home = Path(sys.argv[1])
client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
made = {}
for project, pipeline in [("seats", "train"), ("gone", "train"), ("seats", "odd")]:
    location = (home / "mlflow" / project / pipeline).as_uri()
    if pipeline == "odd":
        location = "file:///etc"
    experiment = client.create_experiment(f"{project}/{pipeline}", artifact_location=location)
    run = client.create_run(experiment, run_name=f"{project} {pipeline}").info.run_id
    client.log_metric(run, "mape", 4.5)
    if pipeline != "odd":
        client.log_text(run, f"of {project}", "note.txt")
        client.create_logged_model(experiment, name="model", source_run_id=run)
    made[f"{project}/{pipeline}"] = run
print(json.dumps(made))
"""


def an_old_home(workspace: Workspace, found: dict[str, str]) -> None:
    found_project(workspace, "seats", title="Seats", owner="olga")
    home = workspace.settings.home
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEFORE, str(home)],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found |= json.loads(made.stdout.splitlines()[-1])
    (home / "mlflow" / "seats" / "train" / "way-out").symlink_to("/etc")


@pytest.mark.timeout(300)
def test_mlflow_store_of_before_comes_into_its_projects_workspace(tmp_path: Path) -> None:
    runs: dict[str, str] = {}
    home = tmp_path / "later"
    with services(
        home, set_up=lambda workspace: an_old_home(workspace, runs), names=("mlflow", "hub")
    ) as running:
        _check(running, runs)
        running.stop("mlflow")
        running.start("mlflow")
        running.wait_until_ready("mlflow")
        _check(running, runs)
    assert not list((home / "mlflow").rglob("way-out")), "no link came along"


def _check(running: Services, runs: dict[str, str]) -> None:
    olga = Caller(base=running.mlflow, token=running.token("olga"), workspace="seats")
    found = olga.done("/experiments/search", max_results=100)["experiments"]
    named = {each["name"]: each for each in found}
    run = olga.get(f"{API}/runs/get", run_id=runs["seats/train"])
    note = olga.get("/get-artifact", run_id=runs["seats/train"], path="note.txt")
    models = olga.done("/logged-models/search", experiment_ids=[named["train"]["experiment_id"]])

    assert "seats/train" not in named
    assert run.json()["run"]["data"]["metrics"][0]["value"] == 4.5
    assert note.text == "of seats"
    uri = run.json()["run"]["info"]["artifact_uri"]
    assert uri.startswith("mlflow-artifacts:/workspaces/seats/")
    assert len(models["models"]) == 1
    for hidden in ("gone/train", "seats/odd"):
        answer = olga.get(f"{API}/runs/get", run_id=runs[hidden])
        assert answer.status_code == 404
    _check_by_path(olga, uri)


def _check_by_path(olga: Caller, uri: str) -> None:
    # As a client in a container reads it: by the run's own address.
    path = uri.removeprefix("mlflow-artifacts:/")
    answer: httpx.Response = olga.get(f"/api/2.0/mlflow-artifacts/artifacts/{path}/note.txt")
    assert answer.text == "of seats"
