"""MLflow's own Python client, as a notebook has it, against MLflow behind the login."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nb2prod.workspace.projects import get_project
from nb2prod.workspace.tokens import issue_token
from tests.helpers.services import Services

LOG = """
import json, mlflow, sys
import numpy as np
from sklearn.linear_model import LinearRegression
mlflow.set_experiment("client")
with mlflow.start_run() as run:
    mlflow.log_param("alpha", 0.2)
    mlflow.log_metric("mape", 4.1)
    mlflow.log_text("hello", "notes/a b.txt")
    model = LinearRegression().fit(np.arange(6).reshape(3, 2), [1, 2, 3])
    logged = mlflow.sklearn.log_model(model, name="model", registered_model_name="client-model")
run_id = run.info.run_id
loaded = mlflow.sklearn.load_model(f"models:/client-model/1")
read = mlflow.get_run(run_id)
print(json.dumps({
    "run": run_id,
    "uri": read.info.artifact_uri,
    "metrics": read.data.metrics,
    "params": read.data.params,
    "text": mlflow.artifacts.load_text(read.info.artifact_uri + "/notes/a b.txt"),
    "predicted": float(loaded.predict(np.array([[0, 1]]))[0]),
    "experiments": sorted(e.name for e in mlflow.search_experiments()),
    "workspaces": [w.name for w in mlflow.list_workspaces()],
}))
"""
LOOK = """
import json, mlflow, sys
from mlflow.exceptions import MlflowException
found = {"experiments": sorted(e.name for e in mlflow.search_experiments())}
try:
    mlflow.get_run(sys.argv[1])
    found["run"] = "found"
except MlflowException as error:
    found["run"] = error.error_code
try:
    mlflow.artifacts.download_artifacts(sys.argv[2] + "/notes/a b.txt")
    found["artifact"] = "found"
except Exception as error:
    found["artifact"] = "refused"
print(json.dumps(found))
"""


def with_client(
    running: Services, folder: Path, code: str, *arguments: str, token: str, workspace: str
) -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        cwd=folder,
        env={
            **environment,
            "MLFLOW_TRACKING_URI": running.plan.mlflow_url,
            "MLFLOW_TRACKING_TOKEN": token,
            "MLFLOW_WORKSPACE": workspace,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    content: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return content


@pytest.mark.timeout(400)
def test_mlflow_client_logs_and_reads_back_and_another_project_sees_nothing(
    running: Services, tmp_path: Path
) -> None:
    project = get_project(running.workspace, "seats", person="edith")
    token = issue_token(
        running.workspace,
        person="edith",
        project=project,
        purpose="run:client",
        ttl=timedelta(hours=1),
    )

    logged = with_client(running, tmp_path, LOG, token=token, workspace="seats")
    looked = with_client(
        running,
        tmp_path,
        LOOK,
        logged["run"],
        logged["uri"],
        token=running.server_token("otto", "other"),
        workspace="other",
    )

    assert logged["metrics"] == {"mape": 4.1}
    assert logged["params"] == {"alpha": "0.2"}
    assert logged["text"] == "hello"
    assert round(logged["predicted"], 3) == 1.0
    assert logged["uri"].startswith("mlflow-artifacts:/workspaces/seats/")
    assert "client" in logged["experiments"]
    assert logged["workspaces"] == ["seats"]
    assert "client" not in looked["experiments"]
    assert looked["run"] == "RESOURCE_DOES_NOT_EXIST"
    assert looked["artifact"] == "refused"
