"""The gate before MLflow: identity, roles, forged requests, and what reaches MLflow."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from nb2prod_hub.mlflow_gate import MAX_BODY_BYTES, MlflowGate
from nb2prod_hub.mlflow_projects import ProjectDirectory
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nb2prod.server.admission import IDENTITY, SESSION
from nb2prod.server.sign_in import xsrf_token
from nb2prod.workspace.mlflow_workspaces import workspace_name
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace

PREFIX = "/services/mlflow"
HOST = "http://127.0.0.1:8000"
READ = "/api/2.0/mlflow/runs/get"
WRITE = "/api/2.0/mlflow/runs/create"


class RecordingBackend:
    """Stands for MLflow, which has a test of its own: notes what reaches it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.workspaces: list[str] = []
        self.answer = Response("{}", headers={"content-type": "application/json"})

    async def start(self) -> None:
        pass

    async def ensure_workspace(self, name: str) -> None:
        self.workspaces.append(name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.requests.append(request)
        self.bodies.append(await request.body())
        await self.answer(scope, receive, send)


class Mlflow:
    """The gate with its recording backend; who asks is given with each request."""

    def __init__(self, workspace: Workspace) -> None:
        self.backend = RecordingBackend()
        self.gate = MlflowGate(self.backend, ProjectDirectory(workspace), prefix=PREFIX)

    def send(
        self,
        method: str,
        path: str,
        identity: Identity | None,
        *,
        session: str | None = None,
        headers: Mapping[str, str] | None = None,
        content: Any = None,
    ) -> httpx.Response:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.gate({**scope, IDENTITY: identity, SESSION: session}, receive, send)

        async def request() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
                return await client.request(
                    method, HOST + PREFIX + path, headers=dict(headers or {}), content=content
                )

        return asyncio.run(request())


@pytest.fixture
def mlflow(workspace: Workspace) -> Mlflow:
    found_project(workspace, "seats", title="Seats", owner="olga")
    found_project(workspace, "other", title="Other", owner="otto")
    add_member(workspace, "seats", "edith", Role.EDITOR, person="olga")
    add_member(workspace, "seats", "vera", Role.VIEWER, person="olga")
    return Mlflow(workspace)


def a_person(name: str, project: str | None = None) -> Identity:
    return Identity(person=name, project=project, is_administrator=name == "grace")


@pytest.mark.parametrize(
    ("person", "reads", "writes"),
    [
        (None, 401, 401),
        ("stranger", 404, 404),
        ("vera", 200, 403),
        ("edith", 200, 200),
        ("olga", 200, 200),
        ("grace", 404, 404),
    ],
    ids=["anonymous", "non-member", "viewer", "editor", "owner", "administrator"],
)
def test_gate_role_decides(mlflow: Mlflow, person: str | None, reads: int, writes: int) -> None:
    identity = a_person(person) if person else None
    headers = {"x-mlflow-workspace": "seats"}

    assert mlflow.send("GET", READ, identity, headers=headers).status_code == reads
    assert mlflow.send("POST", WRITE, identity, headers=headers).status_code == writes
    assert len(mlflow.backend.requests) == [reads, writes].count(200)


@pytest.mark.parametrize(
    ("project", "named", "status"),
    [
        ("seats", "seats", 200),
        ("seats", None, 200),
        ("seats", "other", 404),
        ("other", "seats", 404),
        ("other", None, 404),
        (None, None, 422),
        (None, "", 422),
        (None, "default", 404),
        (None, "other", 404),
        (None, "seats--project", 200),
    ],
)
def test_gate_token_of_a_project_reaches_only_it(
    mlflow: Mlflow, project: str | None, named: str | None, status: int
) -> None:
    headers = {} if named is None else {"x-mlflow-workspace": named}

    answer = mlflow.send("GET", READ, a_person("olga", project), headers=headers)

    assert answer.status_code == status
    assert mlflow.backend.workspaces == (["seats"] if status == 200 else [])


def test_gate_membership_that_ended_counts_at_once(mlflow: Mlflow, workspace: Workspace) -> None:
    from nb2prod.workspace.projects import remove_member

    headers = {"x-mlflow-workspace": "seats"}
    before = mlflow.send("GET", READ, a_person("vera"), headers=headers)
    remove_member(workspace, "seats", "vera", person="olga")

    after = mlflow.send("GET", READ, a_person("vera"), headers=headers)

    assert (before.status_code, after.status_code) == (200, 404)


def test_gate_gives_mlflow_one_workspace_and_nobodys_secrets(mlflow: Mlflow) -> None:
    mlflow.send(
        "POST",
        "/api/2.0/mlflow/runs/search",
        a_person("olga"),
        headers={
            "X-MLFLOW-WORKSPACE": " seats ",
            "Authorization": "Bearer secret",
            "Cookie": "nb2prod-mlflow-8000=secret",
            "X-Forwarded-For": "1.2.3.4",
            "Content-Type": "application/json",
        },
        content=b'{"max_results": 1}',
    )

    (request,) = mlflow.backend.requests
    assert request.headers.getlist("x-mlflow-workspace") == ["seats"]
    assert {"authorization", "cookie", "x-forwarded-for"} & set(request.headers) == set()
    assert request.headers["content-type"] == "application/json"
    assert mlflow.backend.bodies == [b'{"max_results": 1}']
    assert request.scope["path"] == f"{PREFIX}/api/2.0/mlflow/runs/search"


def test_gate_request_with_two_workspaces_is_refused(mlflow: Mlflow) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"x-mlflow-workspace", b"seats"),
            (b"x-mlflow-workspace", b"other"),
        ]
        inner = {**scope, "headers": headers, IDENTITY: a_person("olga"), SESSION: None}
        await mlflow.gate(inner, receive, send)

    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
            return await client.get(HOST + PREFIX + READ)

    assert asyncio.run(request()).status_code == 404
    assert mlflow.backend.requests == []


def test_gate_link_to_a_file_names_its_workspace_in_the_query(mlflow: Mlflow) -> None:
    visit = {"sec-fetch-mode": "navigate"}
    path = "/get-artifact?path=a&run_uuid=1&workspace="

    mine = mlflow.send("GET", f"{path}seats", a_person("olga"), session="s", headers=visit)
    others = mlflow.send("GET", f"{path}other", a_person("olga"), session="s", headers=visit)

    assert (mine.status_code, others.status_code) == (200, 404)


SCRIPT = {
    "x-mlflow-workspace": "seats",
    "sec-fetch-mode": "cors",
    "sec-fetch-site": "same-origin",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({**SCRIPT, "x-xsrf-token": "{own}"}, True),
        (SCRIPT, False),
        ({**SCRIPT, "x-xsrf-token": "{foreign}"}, False),
        ({**SCRIPT, "x-xsrf-token": "00"}, False),
    ],
    ids=["own-token", "no-token", "token-of-another", "no-token-at-all"],
)
def test_gate_script_needs_the_token_of_its_session(
    mlflow: Mlflow, method: str, headers: dict[str, str], *, is_let_in: bool
) -> None:
    tokens = {"own": xsrf_token("mine"), "foreign": xsrf_token("theirs")}
    sent = {name: value.format(**tokens) for name, value in headers.items()}
    path = READ if method == "GET" else WRITE

    answer = mlflow.send(method, path, a_person("olga"), session="mine", headers=sent)

    assert answer.status_code == (200 if is_let_in else 403)
    assert answer.json().get("code") == (None if is_let_in else "cross_site_refused")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_gate_action_from_another_site_is_refused_with_any_token(
    mlflow: Mlflow, headers: dict[str, str]
) -> None:
    sent = {"x-mlflow-workspace": "seats", "x-xsrf-token": xsrf_token("mine"), **headers}

    answer = mlflow.send("POST", WRITE, a_person("olga"), session="mine", headers=sent)

    assert answer.status_code == 403


def test_gate_lists_the_projects_of_who_asks(mlflow: Mlflow) -> None:
    path = "/api/3.0/mlflow/workspaces"

    def names(identity: Identity) -> list[str]:
        return [each["name"] for each in mlflow.send("GET", path, identity).json()["workspaces"]]

    assert names(a_person("olga")) == ["seats"]
    assert names(a_person("olga", "seats")) == ["seats"]
    assert names(a_person("olga", "other")) == []
    assert names(a_person("grace")) == []
    assert mlflow.send("GET", f"{path}/seats", a_person("vera")).json() == {
        "workspace": {"name": "seats", "description": "Seats"}
    }
    assert mlflow.send("GET", f"{path}/other", a_person("vera")).status_code == 404


def test_gate_refusal_says_it_in_our_shape_and_mlflows(mlflow: Mlflow) -> None:
    answer = mlflow.send("GET", "/api/2.0/mlflow/webhooks", a_person("olga"))

    assert answer.status_code == 404
    assert answer.json().keys() == {"code", "message", "detail", "error_code"}
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; sandbox")


def test_gate_answer_of_mlflow_is_inert(mlflow: Mlflow) -> None:
    mlflow.backend.answer = Response(
        "<script>alert(1)</script>",
        headers={
            "content-type": "text/html",
            "set-cookie": "a=b",
            "access-control-allow-origin": "*",
            "content-security-policy": "default-src *",
        },
    )

    answer = mlflow.send("GET", "/get-artifact?path=a&workspace=seats", a_person("olga"))

    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers.get_list("content-security-policy") == [
        "default-src 'none'; sandbox; frame-ancestors 'none'"
    ]
    assert answer.headers["cache-control"] == "no-store"
    assert {"set-cookie", "access-control-allow-origin"} & set(answer.headers) == set()


def test_gate_body_of_metadata_is_limited_and_of_an_upload_not(mlflow: Mlflow) -> None:
    headers = {"x-mlflow-workspace": "seats"}

    async def chunks(size: int) -> Any:
        for _ in range(size // 65_536):
            yield b"x" * 65_536

    said = mlflow.send(
        "POST", WRITE, a_person("olga"), headers=headers, content=b"x" * (MAX_BODY_BYTES + 1)
    )
    unsaid = mlflow.send(
        "POST", WRITE, a_person("olga"), headers=headers, content=chunks(MAX_BODY_BYTES + 65_536)
    )
    upload = mlflow.send(
        "PUT",
        "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/big.bin",
        a_person("olga"),
        headers=headers,
        content=chunks(MAX_BODY_BYTES + 65_536),
    )

    assert (said.status_code, unsaid.status_code, upload.status_code) == (413, 413, 200)
    # MLflow's own streaming route for uploads has no prefix.
    assert mlflow.backend.requests[-1].scope["path"].startswith("/api/2.0/mlflow-artifacts/")


def test_gate_page_has_our_script_and_a_policy_of_its_own(mlflow: Mlflow) -> None:
    visit = {"sec-fetch-mode": "navigate"}

    answer = mlflow.send("GET", "/", a_person("olga"), session="mine", headers=visit)

    policy = answer.headers["content-security-policy"]
    assert f'<script src="{PREFIX}/nb2prod.js" data-xsrf="' in answer.text
    assert answer.text.index("nb2prod.js") < answer.text.index("static-files/static/js/main")
    assert f"script-src {HOST}{PREFIX}/static-files/ {HOST}{PREFIX}/nb2prod.js " in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]


def test_gate_page_with_a_workspace_leads_to_it(mlflow: Mlflow) -> None:
    visit = {"sec-fetch-mode": "navigate"}

    answer = mlflow.send("GET", "/?workspace=seats", a_person("olga"), session="s", headers=visit)
    odd = mlflow.send("GET", "/?workspace=%0d%0a//x", a_person("olga"), session="s", headers=visit)

    assert answer.headers["location"] == f"{PREFIX}/#/experiments?workspace=seats"
    assert "location" not in odd.headers


def test_gate_code_of_the_page_is_for_anybody_and_nothing_else_is(mlflow: Mlflow) -> None:
    def status(path: str) -> int:
        return mlflow.send("GET", path, None).status_code

    assert status("/static-files/favicon.ico") == 200
    assert status("/nb2prod.js") == 200
    assert status("/health") == 200
    assert status("/static-files/index.html") == 404
    assert status("/static-files/lib/notebook-trace-renderer/index.html") == 404
    assert status("/static-files/nothing.js") == 404
    assert status("/") == 401
    assert status("/version") == 401
    assert status("/api/3.0/mlflow/server-info") == 401
    assert status("/api/2.0/mlflow/webhooks") == 401


def test_workspace_names_of_different_projects_differ_and_suit_mlflow() -> None:
    from mlflow.store.workspace.abstract_store import WorkspaceNameValidator

    reserved = sorted(WorkspaceNameValidator._RESERVED)
    projects = ["seats", "a", "default", "a" * 30, *reserved]
    names = [workspace_name(project) for project in projects]

    for name in names:
        WorkspaceNameValidator.validate(name)
    assert len(set(names)) == len(projects)
    assert "default" not in names
