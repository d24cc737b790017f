"""Who sees and changes what in MLflow: real MLflow, route by route, over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from nb2prod_hub.mlflow_app import MlflowSettings
from nb2prod_hub.mlflow_routes import RULES, Access, Rule, find_rule

from tests.helpers.mlflow_api import (
    API,
    ARTIFACTS,
    Caller,
    Everything,
    log_span,
    make_everything,
)
from tests.helpers.services import ADMINISTRATOR, Services

API_3 = "/api/3.0/mlflow"
PAGE_API = "/ajax-api/2.0/mlflow"

Call = Callable[[Caller, Everything], httpx.Response]

PEOPLE = ("anonymous", "stranger", "vera", "edith", "olga", ADMINISTRATOR)


@pytest.fixture(scope="session")
def callers(running: Services) -> dict[str, Caller]:
    """Everybody in the project `seats`; Otto in `other`, his own."""
    made = {
        name: Caller(
            base=running.mlflow,
            token=None if name == "anonymous" else running.token(name),
            workspace="seats",
        )
        for name in PEOPLE
    }
    made["otto"] = Caller(base=running.mlflow, token=running.token("otto"), workspace="other")
    return made


@pytest.fixture(scope="session")
def ours(callers: dict[str, Caller]) -> Everything:
    return make_everything(callers["olga"], "ours")


@pytest.fixture(scope="session")
def theirs(callers: dict[str, Caller]) -> Everything:
    return make_everything(callers["otto"], "theirs")


def graphql(query: str, variables: Callable[[Everything], dict[str, Any]]) -> Call:
    return lambda caller, it: caller.post("/graphql", query=query, variables=variables(it))


# Each way to read something by an id, or by a search that names one.
READS: dict[str, Call] = {
    "experiment": lambda c, it: c.get(f"{API}/experiments/get", experiment_id=it.experiment),
    "experiment-by-name": lambda c, it: c.get(
        f"{API}/experiments/get-by-name", experiment_name=f"experiment-{it.mark}"
    ),
    "experiments": lambda c, _: c.post(f"{API}/experiments/search", max_results=1000),
    "experiments-get": lambda c, _: c.get(f"{API}/experiments/search", max_results=1000),
    "run": lambda c, it: c.get(f"{API}/runs/get", run_id=it.run),
    "runs": lambda c, it: c.post(f"{API}/runs/search", experiment_ids=[it.experiment]),
    "metric-history": lambda c, it: c.get(
        f"{API}/metrics/get-history", run_id=it.run, metric_key=f"metric-{it.mark}"
    ),
    "metric-history-bulk": lambda c, it: c.get(
        f"{PAGE_API}/metrics/get-history-bulk", run_id=it.run, metric_key=f"metric-{it.mark}"
    ),
    "metric-history-interval": lambda c, it: c.get(
        f"{PAGE_API}/metrics/get-history-bulk-interval",
        run_ids=it.run,
        metric_key=f"metric-{it.mark}",
    ),
    "datasets": lambda c, it: c.post(
        f"{PAGE_API}/experiments/search-datasets", experiment_ids=[it.experiment]
    ),
    "artifacts": lambda c, it: c.get(f"{API}/artifacts/list", run_id=it.run),
    "artifact": lambda c, it: c.get("/get-artifact", run_id=it.run, path=f"file-{it.mark}.txt"),
    "artifact-by-path": lambda c, it: c.get(
        f"{ARTIFACTS}/{it.experiment}/{it.run}/artifacts/file-{it.mark}.txt"
    ),
    "artifact-folder": lambda c, it: c.get(ARTIFACTS, path=f"{it.experiment}/{it.run}/artifacts"),
    "model": lambda c, it: c.get(f"{API}/logged-models/{it.model}"),
    "models": lambda c, it: c.post(f"{API}/logged-models/search", experiment_ids=[it.experiment]),
    "model-files": lambda c, it: c.get(f"{API}/logged-models/{it.model}/artifacts/directories"),
    "model-file": lambda c, it: c.get(
        f"{PAGE_API}/logged-models/{it.model}/artifacts/files", artifact_file_path="MLmodel"
    ),
    "registered": lambda c, it: c.get(f"{API}/registered-models/get", name=it.registered),
    "registered-search": lambda c, _: c.get(f"{API}/registered-models/search"),
    "registered-latest": lambda c, it: c.post(
        f"{API}/registered-models/get-latest-versions", name=it.registered
    ),
    "registered-alias": lambda c, it: c.get(
        f"{API}/registered-models/alias", name=it.registered, alias="best"
    ),
    "version": lambda c, it: c.get(f"{API}/model-versions/get", name=it.registered, version="1"),
    "version-search": lambda c, it: c.get(
        f"{API}/model-versions/search", filter=f"run_id='{it.run}'"
    ),
    "version-address": lambda c, it: c.get(
        f"{API}/model-versions/get-download-uri", name=it.registered, version="1"
    ),
    "version-file": lambda c, it: c.get(
        "/model-versions/get-artifact", name=it.registered, version="1", path="MLmodel"
    ),
    "trace": lambda c, it: c.get(f"{API_3}/traces/{it.trace}"),
    "traces": lambda c, it: c.post(
        f"{API_3}/traces/search",
        locations=[
            {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": it.experiment}}
        ],
    ),
    "trace-infos": lambda c, it: c.post(f"{API_3}/traces/batchGetInfos", trace_ids=[it.trace]),
    "trace-whole": lambda c, it: c.get(f"{API_3}/traces/get", trace_id=it.trace),
    "traces-whole": lambda c, it: c.get(f"{API_3}/traces/batchGet", trace_ids=it.trace),
    "trace-metrics": lambda c, it: c.post(
        f"{API_3}/traces/metrics",
        experiment_ids=[it.experiment],
        view_type="SPANS",
        metric_name="span_count",
        aggregations=[{"aggregation_type": "COUNT"}],
        dimensions=["span_name"],
    ),
    "graphql-run": graphql(
        "query($id: String) { mlflowGetRun(input: {runId: $id}) { run { info { runName }"
        " data { tags { key value } } experiment { name } modelVersions { name } } } }",
        lambda it: {"id": it.run},
    ),
    "graphql-experiment": graphql(
        "query($id: String) { mlflowGetExperiment(input: {experimentId: $id})"
        " { experiment { name } } }",
        lambda it: {"id": it.experiment},
    ),
    "graphql-artifacts": graphql(
        "query($id: String) { mlflowListArtifacts(input: {runId: $id}) { files { path } } }",
        lambda it: {"id": it.run},
    ),
    "graphql-runs": graphql(
        "query($ids: [String]) { mlflowSearchRuns(input: {experimentIds: $ids})"
        " { runs { info { runName } } } }",
        lambda it: {"ids": [it.experiment]},
    ),
    "graphql-versions": graphql(
        "query($filter: String) { mlflowSearchModelVersions(input: {filter: $filter})"
        " { modelVersions { name } } }",
        lambda it: {"filter": f"run_id='{it.run}'"},
    ),
    "graphql-datasets": graphql(
        "mutation($ids: [String]) { mlflowSearchDatasets(input: {experimentIds: $ids})"
        " { datasetSummaries { name } } }",
        lambda it: {"ids": [it.experiment]},
    ),
}
# These say only numbers: the metric's name is the caller's own question.
WITHOUT_MARK = {
    "metric-history": '"step": 2',
    "metric-history-bulk": '"step":2',
    "metric-history-interval": '"step"',
    "model-files": '"MLmodel"',
    "version-address": '"artifact_uri": "mlflow-artifacts:',
}


def shows(name: str, answer: httpx.Response, it: Everything) -> bool:
    return answer.status_code == 200 and WITHOUT_MARK.get(name, it.mark) in answer.text


@pytest.mark.parametrize("name", READS)
def test_mlflow_read_shows_the_own_project_and_never_another(
    name: str, callers: dict[str, Caller], ours: Everything, theirs: Everything
) -> None:
    read = READS[name]

    own = read(callers["otto"], theirs)
    foreign = read(callers["olga"], theirs)

    assert shows(name, own, theirs), f"{own.status_code} {own.text}"
    assert not shows(name, foreign, theirs), foreign.text
    if name not in WITHOUT_MARK and not name.startswith("graphql"):
        hidden = foreign.text.replace(theirs.registered, "").replace(f"-{theirs.mark}", "")
        assert theirs.mark not in hidden.replace(theirs.trace, "")


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("person", PEOPLE)
def test_mlflow_read_by_role(
    name: str, person: str, callers: dict[str, Caller], ours: Everything
) -> None:
    expected = {"anonymous": 401, "stranger": 404, ADMINISTRATOR: 404}.get(person, 200)

    answer = READS[name](callers[person], ours)

    assert answer.status_code == expected
    assert shows(name, answer, ours) is (expected == 200)


# Each way to change something by an id.
WRITES: dict[str, Call] = {
    "experiment-update": lambda c, it: c.post(
        f"{API}/experiments/update", experiment_id=it.experiment, new_name=f"x-{uuid.uuid4()}"
    ),
    "experiment-tag": lambda c, it: c.post(
        f"{API}/experiments/set-experiment-tag", experiment_id=it.experiment, key="k", value="v"
    ),
    "experiment-delete": lambda c, it: c.post(
        f"{API}/experiments/delete", experiment_id=it.experiment
    ),
    "run-create": lambda c, it: c.post(f"{API}/runs/create", experiment_id=it.experiment),
    "run-update": lambda c, it: c.post(f"{API}/runs/update", run_id=it.run, status="FAILED"),
    "run-metric": lambda c, it: c.post(
        f"{API}/runs/log-metric", run_id=it.run, key="evil", value=1, timestamp=1
    ),
    "run-parameter": lambda c, it: c.post(
        f"{API}/runs/log-parameter", run_id=it.run, key="evil", value="1"
    ),
    "run-batch": lambda c, it: c.post(
        f"{API}/runs/log-batch", run_id=it.run, tags=[{"key": "evil", "value": "1"}]
    ),
    "run-tag": lambda c, it: c.post(f"{API}/runs/set-tag", run_id=it.run, key="evil", value="1"),
    "run-tag-delete": lambda c, it: c.post(
        f"{API}/runs/delete-tag", run_id=it.run, key=f"tag-{it.mark}"
    ),
    "run-inputs": lambda c, it: c.post(
        f"{API}/runs/log-inputs", run_id=it.run, models=[{"model_id": it.model}]
    ),
    "run-outputs": lambda c, it: c.post(
        f"{API}/runs/outputs", run_id=it.run, models=[{"model_id": it.model, "step": 9}]
    ),
    "run-delete": lambda c, it: c.post(f"{API}/runs/delete", run_id=it.run),
    "artifact": lambda c, it: c.send(
        "POST",
        f"{PAGE_API}/upload-artifact",
        params={"run_uuid": it.run, "path": "evil.txt"},
        content=b"evil",
    ),
    "model-create": lambda c, it: c.post(
        f"{API}/logged-models", experiment_id=it.experiment, name="evil"
    ),
    "model-finish": lambda c, it: c.send(
        "PATCH",
        f"{API}/logged-models/{it.model}",
        json={"model_id": it.model, "status": "LOGGED_MODEL_READY"},
    ),
    "model-params": lambda c, it: c.post(
        f"{API}/logged-models/{it.model}/params",
        model_id=it.model,
        params=[{"key": "evil", "value": "1"}],
    ),
    "model-tags": lambda c, it: c.send(
        "PATCH", f"{API}/logged-models/{it.model}/tags", json={"tags": [{"key": "e", "value": "1"}]}
    ),
    "model-delete": lambda c, it: c.send("DELETE", f"{API}/logged-models/{it.model}"),
    "registered-update": lambda c, it: c.send(
        "PATCH",
        f"{API}/registered-models/update",
        json={"name": it.registered, "description": "evil"},
    ),
    "registered-rename": lambda c, it: c.post(
        f"{API}/registered-models/rename", name=it.registered, new_name="evil"
    ),
    "registered-tag": lambda c, it: c.post(
        f"{API}/registered-models/set-tag", name=it.registered, key="evil", value="1"
    ),
    "registered-alias": lambda c, it: c.send(
        "DELETE", f"{API}/registered-models/alias", json={"name": it.registered, "alias": "best"}
    ),
    "registered-delete": lambda c, it: c.send(
        "DELETE", f"{API}/registered-models/delete", json={"name": it.registered}
    ),
    "version-create": lambda c, it: c.post(
        f"{API}/model-versions/create",
        name=it.registered,
        source=f"models:/{it.model}",
        model_id=it.model,
    ),
    "version-stage": lambda c, it: c.post(
        f"{API}/model-versions/transition-stage",
        name=it.registered,
        version="1",
        stage="Production",
        archive_existing_versions=False,
    ),
    "version-tag": lambda c, it: c.post(
        f"{API}/model-versions/set-tag", name=it.registered, version="1", key="evil", value="1"
    ),
    "version-delete": lambda c, it: c.send(
        "DELETE", f"{API}/model-versions/delete", json={"name": it.registered, "version": "1"}
    ),
    "trace-tag": lambda c, it: c.send(
        "PATCH", f"{API_3}/traces/{it.trace}/tags", json={"key": "evil", "value": "1"}
    ),
    "trace-delete": lambda c, it: c.post(
        f"{API_3}/traces/delete-traces", experiment_id=it.experiment, request_ids=[it.trace]
    ),
}


def snapshot(caller: Caller, it: Everything) -> dict[str, str]:
    return {name: read(caller, it).text for name, read in READS.items()}


def test_mlflow_write_by_foreign_ids_changes_nothing(
    callers: dict[str, Caller], theirs: Everything
) -> None:
    before = snapshot(callers["otto"], theirs)

    answers = {name: write(callers["olga"], theirs) for name, write in WRITES.items()}

    assert snapshot(callers["otto"], theirs) == before
    let_through = {n: a.text for n, a in answers.items() if a.status_code == 200}
    # MLflow answers a deletion of what is not there with "0 deleted".
    assert let_through.keys() <= {"trace-delete"}, let_through


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("person", ["anonymous", "stranger", "vera", ADMINISTRATOR])
def test_mlflow_write_by_who_may_not_is_refused(
    name: str, person: str, callers: dict[str, Caller], ours: Everything
) -> None:
    expected = {"anonymous": 401, "vera": 403}.get(person, 404)

    assert WRITES[name](callers[person], ours).status_code == expected


def test_mlflow_write_by_an_editor_works(callers: dict[str, Caller]) -> None:
    mine = make_everything(callers["edith"], f"edith-{uuid.uuid4().hex[:6]}")
    ending = [name for name in WRITES if "delete" in name or "rename" in name]
    order = [name for name in WRITES if name not in ending]
    # A thing goes after what lies in it.
    order += sorted(ending, key=lambda name: name.startswith(("experiment", "registered-")))

    answers = {name: WRITES[name](callers["edith"], mine) for name in order}

    refused = {name: a.text for name, a in answers.items() if a.status_code != 200}
    # The model is renamed before it would be deleted by its former name.
    assert refused.keys() == {"registered-delete"}, refused


REFERENCES: dict[str, Callable[[Caller, Everything, Everything], httpx.Response]] = {
    "metric": lambda c, it, other: c.post(
        f"{API}/runs/log-metric",
        run_id=it.run,
        key="evil",
        value=1,
        timestamp=1,
        model_id=other.model,
    ),
    "metric-in-camel-case": lambda c, it, other: c.post(
        f"{API}/runs/log-metric",
        run_id=it.run,
        key="evil",
        value=1,
        timestamp=1,
        modelId=other.model,
    ),
    "batch": lambda c, it, other: c.post(
        f"{API}/runs/log-batch",
        run_id=it.run,
        metrics=[
            {"key": "evil", "value": 1, "timestamp": 1, "step": 0, "model_id": other.model},
        ],
    ),
    "input": lambda c, it, other: c.post(
        f"{API}/runs/log-inputs", run_id=it.run, models=[{"model_id": other.model}]
    ),
    "output": lambda c, it, other: c.post(
        f"{API}/runs/outputs", run_id=it.run, models=[{"model_id": other.model, "step": 0}]
    ),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_mlflow_run_can_not_refer_to_a_model_of_another_project(
    name: str, callers: dict[str, Caller], ours: Everything, theirs: Everything
) -> None:
    before = READS["model"](callers["otto"], theirs).text

    foreign = REFERENCES[name](callers["olga"], ours, theirs)
    own = REFERENCES[name](callers["olga"], ours, ours)

    assert foreign.status_code == 404, foreign.text
    assert own.status_code == 200, own.text
    assert READS["model"](callers["otto"], theirs).text == before


@pytest.mark.parametrize(
    "location", ["file:///etc", "/etc", "s3://bucket/x", "mlflow-artifacts:/workspaces/other"]
)
@pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
def test_mlflow_experiment_with_a_place_of_its_own_is_refused(
    callers: dict[str, Caller], field: str, location: str
) -> None:
    name = f"placed-{uuid.uuid4()}"

    answer = callers["olga"].post(f"{API}/experiments/create", name=name, **{field: location})

    assert answer.status_code == 400, answer.text
    found = callers["olga"].get(f"{API}/experiments/get-by-name", experiment_name=name)
    assert found.status_code == 404


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc",
        "/etc",
        "../../etc",
        "http://169.254.169.254/latest",
        "https://example.org/model",
        "s3://bucket/x",
        "ftp://example.org/x",
        "mlflow-artifacts://other-host/x",
        "mlflow-artifacts:/workspaces/other/{experiment}/{run}/artifacts",
        "mlflow-artifacts:/../other",
        "mlflow-artifacts:/%2e%2e/other",
        "runs:/{run}/model",
        "models:/{model}",
        "models:/{registered}/1",
        "dummy-source",
        "x\nmlflow-artifacts:/a",
    ],
)
def test_mlflow_version_from_elsewhere_is_refused(
    callers: dict[str, Caller], ours: Everything, theirs: Everything, source: str
) -> None:
    fields = vars(theirs)
    place = source.format(**{n: fields[n] for n in ("experiment", "run", "model", "registered")})

    answers = [
        callers["olga"].post(
            f"{API}/model-versions/create", name=ours.registered, source=place, **lineage
        )
        for lineage in ({}, {"run_id": ours.run}, {"run_id": theirs.run}, {"model_id": ours.model})
    ]

    assert [answer.status_code for answer in answers if answer.status_code == 200] == []


@pytest.mark.parametrize(
    "path",
    [
        "workspaces/other/{experiment}/{run}/artifacts/file-theirs.txt",
        "../other/{experiment}/{run}/artifacts/file-theirs.txt",
        "..%2fother/{experiment}/{run}/artifacts/file-theirs.txt",
        "%2e%2e/other/{experiment}/{run}/artifacts/file-theirs.txt",
        "%252e%252e%252fother/{experiment}/{run}/artifacts/file-theirs.txt",
        "x/../../other/{experiment}/{run}/artifacts/file-theirs.txt",
        "/workspaces/other/{experiment}/{run}/artifacts/file-theirs.txt",
        "%2fetc/passwd",
        "workspaces/seats/../other/{experiment}/{run}/artifacts/file-theirs.txt",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_mlflow_artifact_path_does_not_lead_out(
    callers: dict[str, Caller], theirs: Everything, method: str, path: str
) -> None:
    place = path.format(experiment=theirs.experiment, run=theirs.run)
    address = httpx.URL(f"{callers['olga'].base}{ARTIFACTS}/{place}")

    answer = callers["olga"].send(method, str(address).removeprefix(callers["olga"].base))

    assert answer.status_code in (400, 404) or method == "PUT"
    kept = READS["artifact"](callers["otto"], theirs)
    assert kept.text == "theirs"
    assert theirs.mark not in answer.text.replace("file-theirs", "")


def test_mlflow_trace_of_another_project_takes_nothing(
    callers: dict[str, Caller], ours: Everything, theirs: Everything
) -> None:
    olga = callers["olga"]
    before = snapshot(callers["otto"], theirs)
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": ours.experiment}}
    info = {
        "trace_id": theirs.trace,
        "trace_location": place,
        "request_time": "2026-01-01T00:00:00Z",
        "state": "ERROR",
        "tags": {"note": "evil"},
        "request_preview": "evil",
    }

    log_span(olga, ours.experiment, theirs.trace, "evil")
    into_foreign = log_span(olga, theirs.experiment, f"tr-{uuid.uuid4().hex}", "evil")
    olga.post(f"{API_3}/traces", trace={"trace_info": info})

    assert into_foreign.status_code >= 400, into_foreign.text
    assert snapshot(callers["otto"], theirs) == before


PLACES = ["mlflow.artifactLocation", "mlflow.trace.archiveLocation", "mlflow.trace.spansLocation"]


@pytest.mark.parametrize("tag", PLACES)
def test_mlflow_trace_can_not_be_told_where_its_files_are(
    callers: dict[str, Caller], ours: Everything, tag: str
) -> None:
    olga = callers["olga"]
    place = {
        "type": "MLFLOW_EXPERIMENT",
        "mlflow_experiment": {"experiment_id": ours.experiment},
    }
    info = {
        "trace_id": f"tr-{uuid.uuid4().hex}",
        "trace_location": place,
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
    }

    set_later = olga.send(
        "PATCH", f"{API_3}/traces/{ours.trace}/tags", json={"key": tag, "value": "file:///etc"}
    )
    given = [
        olga.post(f"{API_3}/traces", trace={"trace_info": {**info, field: {tag: "file:///etc"}}})
        for field in ("tags", "trace_metadata")
    ]

    assert set_later.status_code == 400, set_later.text
    assert [answer.status_code for answer in given] == [400, 400]


def test_mlflow_default_workspace_is_nobodys(callers: dict[str, Caller]) -> None:
    for name in ("olga", ADMINISTRATOR):
        caller = Caller(base=callers[name].base, token=callers[name].token, workspace="default")
        assert caller.post(f"{API}/experiments/search", max_results=5).status_code == 404


def test_mlflow_token_of_a_server_reaches_its_project_without_naming_it(
    running: Services, ours: Everything
) -> None:
    token = running.server_token("olga", "seats")
    unnamed = Caller(base=running.mlflow, token=token, workspace=None)
    other = Caller(base=running.mlflow, token=token, workspace="other")

    assert shows("run", READS["run"](unnamed, ours), ours)
    assert READS["run"](other, ours).status_code == 404


LIST_ROUTES = """
import json, os
os.environ.update(json.loads(os.environ.pop("SETTINGS")))
from fastapi.routing import APIRoute
from mlflow.server import app as flask_app
from mlflow.server.fastapi_app import app
found = set()
def walk(routes, prefix=""):
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(route, APIRoute):
            found.update((method, prefix + route.path) for method in route.methods)
        elif inner is not None:
            walk(inner.routes, prefix + (getattr(route, "prefix", "") or ""))
walk(app.routes)
native = len(found)
for rule in flask_app.url_map.iter_rules():
    found.update((method, rule.rule) for method in rule.methods)
print(json.dumps([native, sorted(found)]))
"""


@pytest.fixture(scope="session")
def routes(running: Services) -> list[tuple[str, str]]:
    """All routes of MLflow's server, from its own tables, below our prefix."""
    settings = MlflowSettings(
        database_url="sqlite://",
        artifact_folder=running.plan.home / "unused",
        prefix="/services/mlflow",
    )
    listed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIST_ROUTES],
        env={"PATH": "/usr/bin:/bin", "SETTINGS": json.dumps(settings.environment())},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    native, found = json.loads(listed.stdout.splitlines()[-1])
    assert native > 20, "MLflow's routes of its own framework are among them"
    assert len(found) > 300
    # Its mount, which has no path of its own.
    return [(method, rule) for method, rule in found if rule]


def test_mlflow_route_is_on_the_list_or_not_there(
    routes: list[tuple[str, str]], callers: dict[str, Caller], ours: Everything
) -> None:
    let_through: set[Rule] = set()
    answered: dict[str, int] = {}
    for method, path in routes:
        below = _example(path.removeprefix("/services/mlflow"))
        rule = find_rule(method, below)
        if rule is not None:
            let_through.add(rule)
            continue
        # Asked as an owner: what is not on the list is there for nobody.
        answer = callers["olga"].send(method, below)
        # Below what is open to anybody, nobody is identified.
        code = {404: "not_found", 401: "not_signed_in"}.get(answer.status_code)
        if code is None or (method != "HEAD" and answer.json().get("code") != code):
            answered[f"{method} {path}"] = answer.status_code

    assert answered == {}
    ours_alone = {rule for rule in RULES if rule.path == "/nb2prod.js"}
    own_answers = {r for r in RULES if r.access in (Access.WORKSPACES, Access.WORKSPACE)}
    assert set(RULES) - let_through - own_answers == ours_alone, "a rule for no route of MLflow"


def _example(path: str) -> str:
    """Fill the variables of a route, as Flask or FastAPI write them."""
    parts = path.split("/")
    filled = ["x" if part[:1] in ("<", "{") else part for part in parts]
    return "/".join(filled)
