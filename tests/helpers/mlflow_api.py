"""MLflow over HTTP as one person in one project, and a project that has one of everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.helpers.services import TIMEOUT_S

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody with a token, in a workspace; `None` names none."""

    base: str
    token: str | None
    workspace: str | None

    def send(self, method: str, path: str, /, **options: Any) -> httpx.Response:
        """Send a request to a path below the prefix."""
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        if self.workspace is not None:
            headers["x-mlflow-workspace"] = self.workspace
        return httpx.request(
            method,
            self.base + path,
            headers=headers,
            timeout=TIMEOUT_S,
            trust_env=False,
            **options,
        )

    def get(self, path: str, /, **query: Any) -> httpx.Response:
        """Read something."""
        return self.send("GET", path, params=query)

    def post(self, path: str, /, **fields: Any) -> httpx.Response:
        """Send JSON."""
        return self.send("POST", path, json=fields)

    def done(self, path: str, /, **fields: Any) -> dict[str, Any]:
        """Send JSON to MLflow's own API, and insist that it works."""
        answer = self.post(API + path, **fields)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        content: dict[str, Any] = answer.json()
        return content


@dataclass(frozen=True, kw_only=True)
class Everything:
    """What `make_everything` made, by id; all its texts have ``mark`` in them."""

    mark: str
    experiment: str
    run: str
    model: str
    registered: str
    trace: str


def make_everything(caller: Caller, mark: str) -> Everything:
    """Make an experiment, a run with all that it can have, a model, a version, a trace."""
    experiment = caller.done("/experiments/create", name=f"experiment-{mark}")["experiment_id"]
    made = caller.done("/runs/create", experiment_id=experiment, run_name=f"run-{mark}")
    run = made["run"]["info"]["run_id"]
    caller.done("/runs/log-parameter", run_id=run, key=f"parameter-{mark}", value=mark)
    caller.done("/runs/set-tag", run_id=run, key=f"tag-{mark}", value=mark)
    for step in range(3):
        caller.done(
            "/runs/log-metric", run_id=run, key=f"metric-{mark}", value=step, timestamp=1, step=step
        )
    upload = caller.send(
        "PUT", f"{ARTIFACTS}/{experiment}/{run}/artifacts/file-{mark}.txt", content=mark.encode()
    )
    assert upload.status_code == 200, upload.text
    dataset = {"name": f"data-{mark}", "digest": "1", "source_type": "local", "source": mark}
    caller.done("/runs/log-inputs", run_id=run, datasets=[{"dataset": dataset, "tags": []}])
    logged = caller.done(
        "/logged-models", experiment_id=experiment, name=f"model-{mark}", source_run_id=run
    )
    model = logged["model"]["info"]["model_id"]
    location = logged["model"]["info"]["artifact_uri"]
    folder = location.removeprefix("mlflow-artifacts:/")
    upload = caller.send("PUT", f"{ARTIFACTS}/{folder}/MLmodel", content=mark.encode())
    assert upload.status_code == 200, upload.text
    caller.done("/registered-models/create", name=f"registered-{mark}", description=mark)
    caller.done(
        "/model-versions/create",
        name=f"registered-{mark}",
        source=f"models:/{model}",
        model_id=model,
        run_id=run,
    )
    caller.done("/registered-models/alias", name=f"registered-{mark}", alias="best", version="1")
    return Everything(
        mark=mark,
        experiment=experiment,
        run=run,
        model=model,
        registered=f"registered-{mark}",
        trace=_make_trace(caller, experiment, mark),
    )


def _make_trace(caller: Caller, experiment: str, mark: str) -> str:
    trace = f"tr-{mark.encode().hex():0<32.32}"
    info = {
        "trace_id": trace,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": experiment},
        },
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
        "tags": {"note": mark},
        "request_preview": mark,
    }
    answer = caller.post("/api/3.0/mlflow/traces", trace={"trace_info": info})
    assert answer.status_code == 200, answer.text
    answer = log_span(caller, experiment, trace, mark)
    assert answer.status_code == 200, answer.text
    return trace


def log_span(caller: Caller, experiment: str, trace: str, mark: str) -> httpx.Response:
    """Send a span of a trace, as OpenTelemetry does."""
    span = {
        "traceId": trace.removeprefix("tr-"),
        "spanId": mark.encode().hex()[:16].ljust(16, "1"),
        "name": f"span-{mark}",
        "startTimeUnixNano": "1767225600000000000",
        "endTimeUnixNano": "1767225601000000000",
    }
    return caller.send(
        "POST",
        "/v1/traces",
        headers={"x-mlflow-experiment-id": experiment, "content-type": "application/json"},
        json={"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]},
    )
