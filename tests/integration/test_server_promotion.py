"""Over HTTP from a notebook to a version and a queued run, as the JupyterLab extension does."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import nbformat
import pytest

from nb2prod.errors import KernelUnavailable
from nb2prod.execution.events import CellStarted, Noted, RunStarted
from nb2prod.execution.recorder import Recorder, now, run_folder
from nb2prod.registry.lock import ObservedEnvironment
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import load_version
from nb2prod.server.app import create_app
from nb2prod.workspace.projects import Project, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import HOST, PREFIX, Client, Introduced, program_of
from tests.helpers.notebooks import code, markdown, notebook_json
from tests.helpers.shared import environment_of, person

BASE = "/api/v1/projects/seat-demand"
PARAMETERS = """\
market: Literal["JFK-DL", "LGA-AA"] = "JFK-DL"  # a pair of airport and airline
alpha: float = 0.2
lags: list[int] = [1, 7]
limit: int | None = None"""


def train(source: str = "print(alpha)") -> dict[str, Any]:
    """A notebook with typed parameters."""
    return notebook_json(
        markdown("# Seats departed per day"),
        code("from typing import Literal"),
        code(PARAMETERS, tags=["parameters"]),
        code(source),
    )


def asked(notebook: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body of a proposal."""
    return {"path": "project/models/train.ipynb", "notebook": notebook, **more}


@pytest.fixture
def project(workspace: Workspace) -> Project:
    """Ada's project."""
    return found_project(workspace, "seat-demand", title="Seat demand", owner="ada")


@pytest.fixture
def lab(workspace: Workspace, project: Project) -> Client:
    """The server of Ada's for the project, with its own token."""
    app = create_app(
        workspace, is_behind_login=True, executor="process", environment_of=environment_of
    )
    return program_of(app, person("ada", project.name))


def promoted(lab: Client, notebook: dict[str, Any]) -> httpx.Response:
    """Propose a notebook and confirm what was proposed."""
    digest = lab.post(f"{BASE}/proposals", json=asked(notebook)).json()["digest"]
    return lab.post(f"{BASE}/versions", json=asked(notebook, digest=digest))


def test_proposal_says_all_that_a_panel_shows(lab: Client, project: Project) -> None:
    answer = lab.post(f"{BASE}/proposals", json=asked(train()))

    assert answer.status_code == 200
    body = answer.json()
    assert body["pipeline"] == "train"
    assert body["reference"] == "train@v1"
    assert body["former"] is None
    assert (body["is_unchanged"], body["is_blocked"]) == (False, False)
    assert len(body["digest"]) == 64
    assert "print(alpha)" in body["script"]
    assert body["diff"] == ""
    assert {finding["code"] for finding in body["findings"]} == {"environment-observed"}
    assert lab.get(f"{BASE}/versions").json()["total"] == 0


def test_parameters_are_given_so_that_a_form_can_be_made(lab: Client, project: Project) -> None:
    parameters = lab.post(f"{BASE}/proposals", json=asked(train())).json()["parameters"]

    market, alpha, lags, limit = parameters
    assert (market["type"], market["choices"]) == ("str", ["JFK-DL", "LGA-AA"])
    assert market["help"] == "a pair of airport and airline"
    assert (alpha["type"], alpha["default"], alpha["choices"]) == ("float", 0.2, [])
    assert (lags["type"], lags["item_type"], lags["default"]) == ("list", "int", [1, 7])
    assert (limit["type"], limit["is_optional"], limit["default"]) == ("int", True, None)


def test_proposal_that_blocks_says_where_and_can_not_be_promoted(
    lab: Client, project: Project
) -> None:
    notebook = train("%%cython\ncdef int x = 1")

    proposal = lab.post(f"{BASE}/proposals", json=asked(notebook)).json()
    answer = lab.post(f"{BASE}/versions", json=asked(notebook, digest=proposal["digest"]))

    assert proposal["is_blocked"] is True
    blocking = [item for item in proposal["findings"] if item["severity"] == "blocking"]
    assert [item["cell"] for item in blocking] == [4]
    assert all(item["message"] and item["way_out"] for item in blocking)
    assert (answer.status_code, answer.json()["code"]) == (409, "preflight_blocked")
    assert lab.get(f"{BASE}/versions").json()["total"] == 0


def test_notebook_is_promoted_as_the_person_who_asked(lab: Client, project: Project) -> None:
    answer = promoted(lab, train())

    assert answer.status_code == 201
    body = answer.json()
    assert (body["reference"], body["author"], body["notebook"]) == (
        "train@v1",
        "ada",
        "models/train.ipynb",
    )
    assert len(body["parameters"]) == 4
    stored = load_version(project.repository, Reference("train", 1))
    assert stored.script == body["script"]
    assert stored.manifest.directory == "models"
    assert lab.get(f"{BASE}/versions/train/1").json() == body
    assert lab.get(BASE).json()["pipelines"][0]["reference"] == "train@v1"


def test_same_content_again_is_no_new_version(lab: Client, project: Project) -> None:
    first = promoted(lab, train())

    again = promoted(lab, train())

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert lab.post(f"{BASE}/proposals", json=asked(train())).json()["is_unchanged"] is True


def test_second_version_shows_its_difference(lab: Client, project: Project) -> None:
    promoted(lab, train())

    body = lab.post(f"{BASE}/proposals", json=asked(train("print(alpha * 2)"))).json()

    assert (body["former"], body["reference"]) == ("train@v1", "train@v2")
    assert "-print(alpha)\n+print(alpha * 2)\n" in body["diff"]
    assert promoted(lab, train("print(alpha * 2)")).json()["number"] == 2


def test_notebook_that_changed_after_the_check_is_not_promoted(
    lab: Client, project: Project
) -> None:
    digest = lab.post(f"{BASE}/proposals", json=asked(train())).json()["digest"]

    answer = lab.post(f"{BASE}/versions", json=asked(train("print(0)"), digest=digest))

    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_stale")
    fresh = answer.json()["detail"]["digest"]
    assert fresh != digest
    retried = lab.post(f"{BASE}/versions", json=asked(train("print(0)"), digest=fresh))
    assert retried.status_code == 201


def test_private_notebook_runs_in_the_projects_folder(lab: Client, project: Project) -> None:
    body = asked(train(), name="from-home") | {"path": "private/drafts/train.ipynb"}
    digest = lab.post(f"{BASE}/proposals", json=body).json()["digest"]

    version = lab.post(f"{BASE}/versions", json=body | {"digest": digest}).json()

    assert (version["reference"], version["notebook"]) == (
        "from-home@v1",
        "private/ada/drafts/train.ipynb",
    )
    stored = load_version(project.repository, Reference("from-home"))
    assert stored.manifest.directory == "."


@pytest.mark.parametrize(
    "path",
    ["train.ipynb", "/etc/train.ipynb", "project", "project/../../x.ipynb", "shared/x.ipynb", ""],
)
def test_path_that_leads_elsewhere_is_refused(lab: Client, project: Project, path: str) -> None:
    answer = lab.post(f"{BASE}/proposals", json=asked(train()) | {"path": path})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"notebook": {}}, "notebook_unreadable"),
        ({"notebook": {"nbformat": 4, "cells": [7]}}, "notebook_unreadable"),
        ({"notebook": "text"}, "invalid_input"),
        ({"name": "../up"}, "name_invalid"),
        ({"script": "print(1)"}, "invalid_input"),
    ],
    ids=str,
)
def test_notebook_that_can_not_be_used_is_refused(
    lab: Client, project: Project, change: dict[str, Any], code: str
) -> None:
    answer = lab.post(f"{BASE}/proposals", json=asked(train()) | change)

    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_notebook_that_is_too_large_is_refused_with_or_without_its_length(
    lab: Client, project: Project
) -> None:
    piece = b" " * 2**20

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield piece

    for content in (piece * 64 + b" ", pieces()):
        answer = lab.post(f"{BASE}/proposals", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "64 MiB" in answer.json()["message"]


def test_environment_that_is_not_known_is_said(workspace: Workspace, project: Project) -> None:
    def unknown(_project: Project, kernel: str) -> ObservedEnvironment:
        raise KernelUnavailable(f"The image has no kernel {kernel!r}.")

    app = create_app(workspace, is_behind_login=True, environment_of=unknown)
    answer = program_of(app, person("ada")).post(f"{BASE}/proposals", json=asked(train()))

    assert (answer.status_code, answer.json()["code"]) == (503, "kernel_unavailable")


def test_notebook_of_a_version_is_a_notebook_with_its_hash(lab: Client, project: Project) -> None:
    promoted(lab, train())

    answer = lab.get(f"{BASE}/versions/train/1/notebook")

    notebook = nbformat.reads(answer.text, as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == [
        "".join(cell["source"]) for cell in train()["cells"]
    ]
    tag = answer.headers["etag"]
    again = lab.get(f"{BASE}/versions/train/1/notebook", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("versions/train/2", 404),
        ("versions/absent/1", 404),
        ("versions/train/0", 422),
        ("versions/..%2fx/1", 404),
        ("versions/--all/1", 422),
        ("versions/train/2/notebook", 404),
    ],
)
def test_version_that_is_not_there_is_not_found(
    lab: Client, project: Project, path: str, status: int
) -> None:
    promoted(lab, train())

    assert lab.get(f"{BASE}/{path}").status_code == status


def test_run_is_queued_for_the_executor(
    lab: Client, workspace: Workspace, project: Project
) -> None:
    promoted(lab, train())

    answer = lab.post(
        f"{BASE}/runs", json={"pipeline": "train", "parameters": {"alpha": "0.5", "lags": [3]}}
    )

    assert answer.status_code == 201
    body = answer.json()
    assert (body["status"], body["version"], body["requested_by"]) == ("queued", 1, "ada")
    assert body["parameters"] == {
        "market": "JFK-DL",
        "alpha": 0.5,
        "lags": [3],
        "limit": None,
    }
    assert lab.get(f"{BASE}/runs/{body['id']}").json() == body
    assert [item["id"] for item in lab.get(f"{BASE}/runs?pipeline=train").json()["items"]] == [
        body["id"]
    ]
    assert lab.get(f"{BASE}/runs?pipeline=other").json()["items"] == []


@pytest.mark.parametrize(
    ("parameters", "code", "name"),
    [
        ({"alfa": 1}, "parameter_unknown", "alfa"),
        ({"alpha": "much"}, "parameter_invalid", "alpha"),
        ({"market": "LHR-BA"}, "parameter_invalid", "market"),
    ],
)
def test_run_with_values_that_are_not_the_versions_is_refused(
    lab: Client, project: Project, parameters: dict[str, Any], code: str, name: str
) -> None:
    promoted(lab, train())

    answer = lab.post(f"{BASE}/runs", json={"pipeline": "train", "parameters": parameters})

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["detail"]["parameter"] == name
    assert lab.get(f"{BASE}/runs").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"pipeline": "absent"}, 404),
        ({"pipeline": "train", "version": 2}, 404),
        ({"pipeline": "train", "version": 0}, 422),
        ({"pipeline": "train", "person": "grace"}, 422),
    ],
)
def test_run_of_what_is_not_there_is_refused(
    lab: Client, project: Project, body: dict[str, Any], status: int
) -> None:
    promoted(lab, train())

    assert lab.post(f"{BASE}/runs", json=body).status_code == status


def test_gallery_without_an_executor_says_that_it_runs_nothing(
    workspace: Workspace, project: Project
) -> None:
    app = create_app(workspace, is_behind_login=True, environment_of=environment_of)
    program = program_of(app, person("ada"))
    promoted(program, train())

    answer = program.post(f"{BASE}/runs", json={"pipeline": "train"})

    assert answer.status_code == 409
    assert "nb2prod up" in answer.json()["message"]
    assert program.get(f"{BASE}/runs").json()["items"] == []


def test_events_are_given_from_where_the_last_look_ended(
    lab: Client, workspace: Workspace, project: Project
) -> None:
    promoted(lab, train())
    run_id = lab.post(f"{BASE}/runs", json={"pipeline": "train"}).json()["id"]
    events = f"{BASE}/runs/{run_id}/events"
    assert lab.get(events).json() == {
        "events": [],
        "next": 0,
        "status": "queued",
        "reason": "",
        "page": None,
        "attempt": 1,
        "cancelled_by": "",
        "total": None,
    }

    # Where the executor's worker writes.
    folder = run_folder(workspace, run_id).work
    folder.path.mkdir(parents=True)
    with Recorder(folder) as recorder:
        recorder.append(RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=3))
        recorder.append(CellStarted(at=now(), number=2, position=1, heading="Seats"))
    first = lab.get(events).json()
    with Recorder(folder) as recorder:
        recorder.append(Noted(at=now(), text="a remark"))
    second = lab.get(f"{events}?after={first['next']}").json()

    assert [event["kind"] for event in first["events"]] == ["run_started", "cell_started"]
    assert first["events"][0]["total"] == 3
    assert (first["events"][1]["position"], first["events"][1]["heading"]) == (1, "Seats")
    assert [(event["kind"], event["text"]) for event in second["events"]] == [("noted", "a remark")]
    assert lab.get(f"{events}?after={second['next']}").json()["events"] == []
    assert lab.get(f"{events}?after=-1").status_code == 422


def test_others_are_answered_while_a_notebook_is_checked(
    workspace: Workspace, project: Project
) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def slow(found: Project, kernel: str) -> ObservedEnvironment:
        has_begun.set()
        assert may_end.wait(60)
        return environment_of(found, kernel)

    app = create_app(workspace, is_behind_login=True, environment_of=slow)

    async def ask() -> tuple[list[int], int]:
        transport = httpx.ASGITransport(app=Introduced(app, person("ada"), None))
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            url = f"{PREFIX}{BASE}/proposals"
            # More than the pool has threads: the last ones wait for the first.
            checks = [asyncio.create_task(client.post(url, json=asked(train()))) for _ in range(5)]
            assert await asyncio.to_thread(has_begun.wait, 60)
            answered = await client.get(f"{PREFIX}{BASE}/versions")
            waiting = sum(not check.done() for check in checks)
            may_end.set()
            found = await asyncio.gather(*checks)
            assert answered.status_code == 200
            return [answer.status_code for answer in found], waiting

    statuses, waiting = asyncio.run(ask())

    assert waiting == 5
    assert statuses == [200] * 5


def test_openapi_describes_what_requests_bring(lab: Client, workspace: Workspace) -> None:
    description = create_app(workspace).openapi()

    bodies = {
        (path.removeprefix(PREFIX), method): operation["requestBody"]["content"][
            "application/json"
        ]["schema"]
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
        if method in ("post", "put", "patch") and "requestBody" in operation
    }
    assert len(bodies) > 10
    for schema in bodies.values():
        assert schema["additionalProperties"] is False
        # A reference would lead out of the body, to where nothing is.
        assert "$ref" not in json.dumps(schema)


def test_modules_of_the_projects_folder_become_part_of_the_version(
    lab: Client, project: Project
) -> None:
    folder = project.root / "models"
    folder.mkdir()
    (folder / "helpers.py").write_text("WORD = 'from the folder'\n")
    secret = project.root.parent / "secret.py"
    secret.write_text("WORD = 'of another'\n")
    (folder / "stolen.py").symlink_to(secret)
    notebook = train("import helpers\nimport stolen\nprint(alpha)")

    findings = lab.post(f"{BASE}/proposals", json=asked(notebook)).json()["findings"]
    answer = promoted(lab, notebook)

    version = load_version(project.repository, Reference("train", answer.json()["number"]))
    assert version.modules == {"helpers.py": b"WORD = 'from the folder'\n"}
    said = {item["code"]: item for item in findings}
    assert "models/helpers.py" in said["local-modules"]["message"]
    assert (said["import-not-covered"]["cell"], said["import-not-covered"]["line"]) == (4, 2)


def test_modules_that_come_along_with_the_notebook_are_those_that_count(
    lab: Client, project: Project
) -> None:
    (project.root / "models").mkdir()
    (project.root / "models/helpers.py").write_text("WORD = 'from the folder'\n")
    notebook = train("import helpers\nprint(alpha)")
    files = {
        "models/helpers.py": base64.b64encode(b"WORD = 'from CI'\n").decode(),
        "../outside.py": base64.b64encode(b"x = 1").decode(),
    }

    digest = lab.post(f"{BASE}/proposals", json=asked(notebook, files=files)).json()["digest"]
    answer = lab.post(f"{BASE}/versions", json=asked(notebook, files=files, digest=digest))
    refused = lab.post(f"{BASE}/proposals", json=asked(notebook, files={"x.py": "a"}))

    assert answer.status_code == 201
    version = load_version(project.repository, Reference("train"))
    assert version.modules == {"helpers.py": b"WORD = 'from CI'\n"}
    assert refused.status_code == 422
    assert refused.json()["code"] == "invalid_input"
