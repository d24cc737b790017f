"""The command line in a workspace that a hub serves, has served, or will serve."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from nb2prod.store.git import Repository
from nb2prod.store.schema import access_tokens
from nb2prod.workspace.projects import found_project, get_project, list_all_projects
from nb2prod.workspace.tokens import identity_of, issue_token
from tests.helpers.hub import StartedHub, eventually
from tests.helpers.mlflow_api import API, ARTIFACTS, Caller
from tests.helpers.notebooks import code, parameters, write_notebook

CELLS = (
    parameters("score: float = 1.0"),
    code(
        "import mlflow\nmlflow.log_metric('score', score)\nmlflow.log_text(str(score), 'note.txt')"
    ),
    code(
        "import os\nwith open('token', 'w') as file: file.write("
        "os.environ.get('MLFLOW_TRACKING_TOKEN', ''))"
    ),
)


def nb2prod(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nb2prod.cli", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def answer_of(*arguments: str) -> Any:
    done = nb2prod(*arguments, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def run_with(score: float) -> Mapping[str, Any]:
    """Run the version; returns what the command says of it."""
    answer: Mapping[str, Any] = answer_of("run", "train@v1", "-p", f"score={score}")
    assert answer["run"]["status"] == "succeeded"
    assert answer["run"]["metrics"] == {"score": score}
    return answer


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository.create(tmp_path / "seats")
    monkeypatch.chdir(repository.root)
    write_notebook(repository.root / "train.ipynb", *CELLS)
    assert nb2prod("promote", "train.ipynb", "--yes").returncode == 0
    return repository


def caller(hub: StartedHub) -> Caller:
    """Ada, as MLflow's server sees her in her project."""
    with hub.open() as workspace:
        project = get_project(workspace, "seats", person="ada")
        token = issue_token(
            workspace, person="ada", project=project, purpose="test", ttl=timedelta(hours=1)
        )
    return Caller(base=f"{hub.plan.public_url}/services/mlflow", token=token, workspace="seats")


def check_in_mlflow(ada: Caller, answer: Mapping[str, Any]) -> str:
    """The run is in its project's workspace with its files; returns its experiment."""
    record = answer["run"]
    run = ada.get(f"{API}/runs/get", run_id=record["mlflow_run_id"]).json()["run"]
    score = record["parameters"]["score"]
    assert run["info"]["status"] == "FINISHED"
    assert [metric["value"] for metric in run["data"]["metrics"]] == [score]
    uri = run["info"]["artifact_uri"]
    experiment = str(run["info"]["experiment_id"])
    assert uri.startswith(f"mlflow-artifacts:/workspaces/seats/{experiment}/")
    note = ada.get("/get-artifact", run_id=record["mlflow_run_id"], path="note.txt")
    assert note.text == str(score)
    # As a client in a container reads it: by the run's own address.
    path = uri.removeprefix("mlflow-artifacts:/")
    assert ada.get(f"{ARTIFACTS}/{path}/note.txt").text == str(score)
    return experiment


@pytest.mark.timeout(600)
def test_runs_before_beside_and_after_a_hub_are_in_one_experiment_of_it(
    repository: Repository, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    answers = [run_with(1.0)]
    with StartedHub(home) as hub:
        answers.append(run_with(2.0))
        check_commands_name_the_hub(hub, answers[-1])
        check_token_is_taken_back(hub, repository)
        check_killed_run_is_ended(hub, repository)
        for answer in answers:
            check_in_mlflow(caller(hub), answer)
    answers.append(run_with(3.0))
    place = home / "mlflow" / "workspaces" / "seats"
    links = place.glob(f"*/{answers[-1]['run']['mlflow_run_id']}/artifacts")
    (next(links) / "way-out").symlink_to("/etc")
    with StartedHub(home) as hub:
        ada = caller(hub)
        experiments = {check_in_mlflow(ada, answer) for answer in answers}
        found = ada.done("/experiments/search", max_results=100)["experiments"]

        assert len(experiments) == 1
        assert [each["name"] for each in found if each["experiment_id"] in experiments] == ["train"]
        assert not list(place.rglob("way-out"))
        answers.append(run_with(4.0))
        assert check_in_mlflow(ada, answers[-1]) in experiments


def check_killed_run_is_ended(hub: StartedHub, repository: Repository) -> None:
    """By the next command, unless the service, which looks too, is at it just then."""
    write_notebook(
        repository.root / "slow.ipynb",
        code("import mlflow\nmlflow.log_metric('early', 1.5)\nopen('reached', 'w').close()"),
        code("import time\ntime.sleep(600)"),
    )
    assert nb2prod("promote", "slow.ipynb", "--yes").returncode == 0
    command = [sys.executable, "-m", "nb2prod.cli", "run", "slow", "--json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            eventually((repository.root / "reached").exists, what="the second cell")
        finally:
            process.kill()

    def ended() -> dict[str, Any] | None:
        (found,) = answer_of("runs", "slow")
        return None if found["status"] == "running" else found

    record = eventually(ended, what="the killed run's end")
    assert (record["status"], record["metrics"]) == ("lost", {"early": 1.5})
    run = caller(hub).get(f"{API}/runs/get", run_id=record["mlflow_run_id"]).json()["run"]
    assert run["info"]["status"] == "FAILED"
    with hub.open() as workspace, workspace.database.read() as connection:
        purposes = set(connection.scalars(select(access_tokens.c.purpose)))
    assert purposes == {"test"}


def check_commands_name_the_hub(hub: StartedHub, answer: Mapping[str, Any]) -> None:
    page = f"{hub.plan.public_url}/services/workspace/pages/{answer['run']['id']}"
    assert answer["page"] == page
    assert hub.administrator().visit(page).status_code == 200
    assert answer_of("open", answer["run"]["id"]) == {"address": page, "page": page}
    gallery = f"{hub.plan.public_url}/services/workspace/"
    assert answer_of("open") == {"address": gallery, "page": gallery}
    served = nb2prod("serve", "--port", "0")
    assert served.returncode == 4
    assert f"runs already, at {hub.plan.public_url}; `nb2prod open` opens it." in served.stderr


def check_token_is_taken_back(hub: StartedHub, repository: Repository) -> None:
    token = (repository.root / "token").read_text()
    assert token.startswith("nb2p_")
    with hub.open() as workspace:
        assert identity_of(workspace, token) is None


@pytest.mark.timeout(120)
@pytest.mark.parametrize("where", [".", "deep/below"])
def test_folder_of_a_founded_project_gets_no_repository_and_no_second_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    hub = StartedHub(tmp_path / "home")
    with hub.open() as workspace:
        project = found_project(workspace, "flights", title="Flights", owner="ada")
    folder = project.root / where
    folder.mkdir(parents=True, exist_ok=True)
    write_notebook(folder / "train.ipynb", *CELLS)
    monkeypatch.chdir(folder)

    for command in (
        ("promote", "train.ipynb", "--yes"),
        ("run", "train@v1"),
        ("project", "create", "mine"),
    ):
        done = nb2prod(*command)
        assert done.returncode == 4, done.stderr
        assert "the folder of flights, a project of the workspace" in done.stderr
        assert "buttons in JupyterLab" in done.stderr
    assert answer_of("versions") == []
    assert [member["person"] for member in answer_of("project", "members")] == ["ada"]
    assert not list(project.root.rglob(".git"))
    with hub.open() as workspace:
        assert [each.name for each in list_all_projects(workspace)] == ["flights"]
