"""Projects and members over HTTP, behind the hub's login and on a machine of one person."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI

from nb2prod.server.app import create_app
from nb2prod.server.servers import ServerState
from nb2prod.workspace.projects import Role, add_member, found_project, list_members
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import PREFIX, Client, browser_of, program_of, session_of
from tests.helpers.gallery import make_record, publish
from tests.helpers.servers import RememberedServers, UnreachableServers
from tests.helpers.shared import person


@pytest.fixture
def app(workspace: Workspace) -> FastAPI:
    """The gallery behind the hub's login."""
    return create_app(workspace, is_behind_login=True)


@pytest.fixture
def ada(app: FastAPI) -> Client:
    """Ada's program."""
    return program_of(app, person("ada"))


@pytest.fixture
def page(app: FastAPI) -> Client:
    """Ada's browser."""
    return browser_of(app, person("ada"))


@pytest.mark.parametrize(
    ("identity", "body"),
    [
        (person("ada"), {"person": "ada", "is_administrator": False, "project": None}),
        (person("adam"), {"person": "adam", "is_administrator": True, "project": None}),
        (
            person("ada", "seat-demand"),
            {"person": "ada", "is_administrator": False, "project": "seat-demand"},
        ),
    ],
    ids=["person", "administrator", "server"],
)
def test_me_says_who_asks(app: FastAPI, identity: Any, body: dict[str, Any]) -> None:
    assert program_of(app, identity).get("/api/v1/me").json() == body


def test_project_made_over_the_api_is_its_makers(ada: Client, workspace: Workspace) -> None:
    answer = ada.post("/api/v1/projects", json={"name": "seat-demand", "title": "Seat demand"})

    assert answer.status_code == 201
    body = answer.json()
    assert body.pop("created_at")
    assert body == {
        "name": "seat-demand",
        "title": "Seat demand",
        "role": "owner",
        "members": 1,
        "pipelines": [],
    }
    assert ada.get("/api/v1/projects").json()["items"] == [
        {name: answer.json()[name] for name in ("name", "title", "role", "members", "created_at")}
    ]
    assert (workspace.settings.home / "projects" / "seat-demand").is_dir()


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        ({"name": "Seat Demand"}, 422, "name_invalid", "1 to 30"),
        ({"name": "taken"}, 409, "project_exists", "taken"),
        ({"name": "a", "title": "x" * 201}, 422, "name_invalid", "200"),
        ({"name": "a", "owner": "eve"}, 422, "invalid_input", "body.owner"),
        ({"title": "a"}, 422, "invalid_input", "body.name"),
        ({"name": 7}, 422, "invalid_input", "body.name"),
        ([], 422, "invalid_input", "body"),
    ],
    ids=str,
)
def test_project_that_can_not_be_made_is_refused(
    ada: Client, workspace: Workspace, body: Any, status: int, code: str, said: str
) -> None:
    found_project(workspace, "taken", owner="grace")

    answer = ada.post("/api/v1/projects", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert said in answer.json()["message"]
    assert ada.get("/api/v1/projects").json()["total"] == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"name": "\\ud800"}'], ids=str)
def test_body_that_is_no_json_is_refused(ada: Client, content: bytes) -> None:
    answer = ada.post("/api/v1/projects", content=content)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


def test_body_that_is_too_large_is_refused(ada: Client) -> None:
    answer = ada.post("/api/v1/projects", content=b" " * (2**20 + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "1 MiB" in answer.json()["message"]


def test_members_are_added_changed_and_taken_out(ada: Client, workspace: Workspace) -> None:
    found_project(workspace, "seat-demand", owner="ada")
    grace = "/api/v1/projects/seat-demand/members/grace"

    added = ada.request("PUT", grace, json={"role": "viewer"})
    changed = ada.request("PUT", grace, json={"role": "editor"})

    assert (added.status_code, added.json()["role"]) == (200, "viewer")
    assert changed.json() == {**added.json(), "role": "editor"}
    listed = ada.get("/api/v1/projects/seat-demand/members").json()
    assert [(item["person"], item["role"]) for item in listed["items"]] == [
        ("ada", "owner"),
        ("grace", "editor"),
    ]
    assert ada.request("DELETE", grace).status_code == 204
    assert ada.get("/api/v1/projects/seat-demand").json()["members"] == 1


@pytest.mark.parametrize(
    ("method", "member", "body", "status"),
    [
        ("PUT", "ada", {"role": "viewer"}, 409),
        ("DELETE", "ada", None, 409),
        ("PUT", "grace", {"role": "king"}, 422),
        ("PUT", "%20", {"role": "viewer"}, 422),
        ("PUT", "x" * 256, {"role": "viewer"}, 422),
    ],
)
def test_change_of_members_that_makes_no_sense_is_refused(
    ada: Client, workspace: Workspace, method: str, member: str, body: Any, status: int
) -> None:
    found_project(workspace, "seat-demand", owner="ada")

    answer = ada.request(method, f"/api/v1/projects/seat-demand/members/{member}", json=body)

    assert answer.status_code == status
    assert [item.person for item in list_members(workspace, "seat-demand", person="ada")] == ["ada"]


def test_form_that_is_refused_keeps_what_was_typed(page: Client) -> None:
    answer = page.post("/projects", data={"name": 'Seat "Demand"', "title": "Seats <b>"})

    assert answer.status_code == 422
    assert 'value="Seat &#34;Demand&#34;"' in answer.text
    assert 'value="Seats &lt;b&gt;"' in answer.text
    assert "1 to 30" in answer.text


def test_form_that_is_accepted_leads_to_the_project(page: Client) -> None:
    answer = page.post("/projects", data={"name": " seat-demand ", "title": ""})

    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"{PREFIX}/projects/seat-demand",
    )
    assert "seat-demand" in page.get("/projects/seat-demand").text


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"person": "grace", "role": "king"}, 422, "&#39;king&#39; is no role"),
        ({"person": " ", "role": "viewer"}, 422, "no name of a person"),
        ({"person": "ada", "role": "viewer"}, 409, "last owner"),
    ],
)
def test_member_form_that_is_refused_says_why(
    page: Client, workspace: Workspace, form: dict[str, str], status: int, said: str
) -> None:
    found_project(workspace, "seat-demand", owner="ada")

    answer = page.post("/projects/seat-demand/members", data=form)

    assert answer.status_code == status
    assert said in answer.text
    assert f'value="{form["person"]}"' in answer.text


def test_member_who_leaves_by_the_form_is_led_to_the_projects(
    page: Client, workspace: Workspace
) -> None:
    found_project(workspace, "seat-demand", owner="grace")
    add_member(workspace, "seat-demand", "ada", Role.VIEWER, person="grace")

    answer = page.post("/projects/seat-demand/members/remove", data={"person": "ada"})

    assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/projects")
    assert page.get("/projects/seat-demand").status_code == 404


def test_viewer_is_shown_members_and_no_way_to_change_them(
    page: Client, workspace: Workspace
) -> None:
    found_project(workspace, "seat-demand", owner="grace")
    add_member(workspace, "seat-demand", "ada", Role.VIEWER, person="grace")

    text = page.get("/projects/seat-demand").text

    assert "grace" in text
    assert "Add a person" not in text
    assert "<select" not in text
    assert text.count('name="person"') == 1
    assert "Leave" in text


def test_server_that_runs_is_shown_and_stopped(workspace: Workspace) -> None:
    found_project(workspace, "seat-demand", owner="ada")
    servers = RememberedServers(
        {
            ("ada", "seat-demand"): ServerState.STARTING,
            ("grace", "seat-demand"): ServerState.RUNNING,
        }
    )
    app = create_app(workspace, is_behind_login=True, servers=servers)
    browser = browser_of(app, person("ada"))

    for path in ("/projects", "/projects/seat-demand"):
        assert "Server starting" in browser.get(path).text
    answer = browser.post("/projects/seat-demand/stop")

    assert answer.status_code == 303
    assert servers.states == {("grace", "seat-demand"): ServerState.RUNNING}
    assert "Server" not in browser.get("/projects").text
    assert browser.post("/projects/seat-demand/stop").status_code == 404


def test_hub_that_does_not_answer_leaves_the_pages_but_not_the_button(
    workspace: Workspace,
) -> None:
    found_project(workspace, "seat-demand", owner="ada")
    app = create_app(workspace, is_behind_login=True, servers=UnreachableServers())
    browser = browser_of(app, person("ada"))

    for path in ("/projects", "/projects/seat-demand"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "The hub does not answer now" in answer.text
    assert browser.post("/projects/seat-demand/stop").status_code == 503


def test_name_of_a_person_is_escaped_in_links(workspace: Workspace) -> None:
    name = "ada l&ve <b>@example.org"
    found_project(workspace, "seat-demand", owner=name)
    browser = browser_of(create_app(workspace, is_behind_login=True), person(name))

    text = browser.get("/projects").text

    assert 'href="/hub/spawn/ada%20l%26ve%20%3Cb%3E@example.org/seat-demand"' in text
    assert "<b>@" not in text


def test_gallery_of_one_machine_shows_projects_without_a_hub(workspace: Workspace) -> None:
    publish(workspace, make_record())
    browser = Client(create_app(workspace), session=session_of(workspace))

    texts = {path: browser.get(path).text for path in ("/projects", "/projects/seat-demand", "/")}

    assert "All 1 page" in texts["/projects"]
    for text in texts.values():
        assert "/hub/" not in text
        assert "/services/mlflow" not in text


def test_page_behind_login_has_the_headers_of_the_design(
    page: Client, workspace: Workspace
) -> None:
    found_project(workspace, "seat-demand", owner="ada")

    for path in ("/projects", "/projects/seat-demand", "/compare?runs=a,b"):
        answer = page.get(path)
        nonces = set(re.findall(r'nonce="([^"]+)"', answer.text))
        assert len(nonces) == 1
        assert f"script-src 'nonce-{nonces.pop()}'" in answer.headers["content-security-policy"]
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", answer.text)
        assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)


def test_error_behind_login_leads_to_the_hubs_sign_in(app: FastAPI) -> None:
    answer = Client(app).get("/")

    assert answer.status_code == 401
    assert 'href="/hub/login"' in answer.text
    assert "nb2prod open" not in answer.text
