"""People's servers in mode `process`: who may start what, and what a server is given."""

from __future__ import annotations

import html
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from nb2prod_hub.secret_files import ALWAYS_THERE, read_secret

from nb2prod.workspace.projects import Role, add_member, found_project, remove_member
from tests.helpers.hub import Person, StartedHub, environment_of, eventually, is_alive

pytestmark = pytest.mark.timeout(400)

SERVICE = "/services/workspace/api/v1"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedHub]:
    with StartedHub(tmp_path_factory.mktemp("servers") / "home") as started:
        with started.open() as workspace:
            for name in ("demo", "secret"):
                found_project(workspace, name, owner="ada")
            add_member(workspace, "demo", "vera", Role.VIEWER, person="ada")
        yield started


@pytest.fixture(scope="module")
def ada(hub: StartedHub) -> Person:
    return hub.administrator()


@pytest.fixture(scope="module")
def vera(hub: StartedHub, ada: Person) -> Person:
    return hub.member("vera", administrator=ada)


@pytest.fixture(scope="module")
def environment(hub: StartedHub, vera: Person) -> dict[str, str]:
    """What a viewer's running server was given."""
    vera.start_server("demo")
    return environment_of(server_pid(hub, "vera", "demo"))


def server_pid(hub: StartedHub, person: str, project: str) -> int:
    found = hub.server_pid(person, project)
    assert found is not None
    return found


def ended(person: Person, project: str) -> None:
    eventually(lambda: person.server(project) is None, what=f"the end of {person.name}'s server")


def bearer(hub: StartedHub, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=hub.plan.public_url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
        trust_env=False,
    )


def test_server_opens_in_the_project_with_its_two_folders(hub: StartedHub, ada: Person) -> None:
    (hub.home / "projects" / "demo" / "train.ipynb").touch()
    ada.start_server("demo")

    landed = ada.visit("/hub/spawn/ada/demo")
    listed = ada.client.get("/user/ada/demo/api/contents").json()["content"]

    assert landed.url.path == "/user/ada/demo/lab/tree/project/train.ipynb"
    assert sorted(entry["name"] for entry in listed) == ["private", "project"]
    private = hub.home / "people" / "ada" / "demo"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_server_pages_can_not_be_looked_into_from_a_window_that_opened_them(
    hub: StartedHub, ada: Person
) -> None:
    with hub.open() as workspace:
        found_project(workspace, "windows", owner="ada")
    ada.start_server("windows")

    page = ada.visit("/user/ada/windows/lab")

    assert page.headers["Cross-Origin-Opener-Policy"] == "noopener-allow-popups"
    assert "frame-ancestors" in page.headers["Content-Security-Policy"]


def test_server_without_a_first_notebook_opens_the_projects_folder(
    vera: Person, hub: StartedHub, ada: Person
) -> None:
    ada.start_server("secret")

    assert ada.visit("/hub/spawn/ada/secret").url.path == "/user/ada/secret/lab/tree/project"


def test_server_environment_says_project_and_role_and_holds_no_secret(
    hub: StartedHub, environment: dict[str, str]
) -> None:
    home = hub.home / "people" / "vera" / ".homes" / "demo"

    assert environment["NB2PROD_ROLE"] == "viewer"
    assert environment["NB2PROD_PROJECT"] == environment["MLFLOW_WORKSPACE"] == "demo"
    assert environment["HOME"] == str(home)
    assert Path(environment["NB2PROD_PROJECT_FOLDER"]).resolve() == hub.home / "projects" / "demo"
    assert environment["NB2PROD_SERVICE_URL"] == hub.plan.service_url
    assert environment["MLFLOW_TRACKING_TOKEN"] == environment["JUPYTERHUB_API_TOKEN"]
    said = "\n".join(environment.values())
    for secret in ALWAYS_THERE:
        assert read_secret(hub.home, secret) not in said
    assert "NB2PROD_HOME" not in environment
    assert not [name for name in environment if name.startswith("CONFIGPROXY")]


def test_server_token_speaks_for_its_person_in_its_project_only(
    hub: StartedHub, environment: dict[str, str], vera: Person
) -> None:
    with hub.open() as workspace:
        found_project(workspace, "veras", owner="vera")
    with bearer(hub, environment["JUPYTERHUB_API_TOKEN"]) as client:
        scopes = client.get("/hub/api/user").json()["scopes"]
        forbidden = [
            client.get("/hub/api/users").status_code,
            client.post("/hub/api/users/vera/tokens", json={}).status_code,
            client.post("/hub/api/users/vera/servers/veras").status_code,
            client.get("/user/ada/demo/api/contents").status_code,
        ]
        mine = client.get(f"{SERVICE}/projects/demo")
        others = client.get(f"{SERVICE}/projects/veras")
        me = client.get(f"{SERVICE}/me").json()

    assert "access:servers!server=vera/demo" in scopes
    assert not [scope for scope in scopes if scope.startswith(("tokens", "servers", "admin"))]
    assert set(forbidden) <= {403, 404}
    assert (mine.status_code, others.status_code) == (200, 404)
    assert (me["person"], me["project"]) == ("vera", "demo")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "A server belongs to a project"),
        ("/nowhere", "There is no project 'nowhere' that you are a member of."),
        ("/secret", "There is no project 'secret' that you are a member of."),
    ],
    ids=["default server", "unknown project", "not a member"],
)
def test_start_of_what_is_not_ones_own_is_refused_alike(vera: Person, path: str, said: str) -> None:
    page = vera.visit(f"/hub/spawn/vera{path}")
    asked = vera.hub_api("POST", f"/users/vera/servers{path}" if path else "/users/vera/server")

    assert page.status_code == asked.status_code == 404
    assert said in html.unescape(page.text)
    assert vera.server(path.removeprefix("/")) is None


def test_start_after_membership_ended_is_refused(hub: StartedHub, ada: Person) -> None:
    kurt = hub.member("kurt", administrator=ada)
    with hub.open() as workspace:
        add_member(workspace, "secret", "kurt", Role.EDITOR, person="ada")
        kurt.start_server("secret")
        kurt.stop_server("secret")
        remove_member(workspace, "secret", "kurt", person="ada")

    assert kurt.visit("/hub/spawn/kurt/secret").status_code == 404


def test_running_server_ends_when_its_person_is_taken_out_or_may_only_read(
    hub: StartedHub, ada: Person
) -> None:
    gone, reader = (hub.member(name, administrator=ada) for name in ("gerd", "rita"))
    with hub.open() as workspace:
        found_project(workspace, "revoked", owner="ada")
        for name in ("gerd", "rita"):
            add_member(workspace, "revoked", name, Role.EDITOR, person="ada")
        gone.start_server("revoked")
        reader.start_server("revoked")
        ada.start_server("revoked")
        pids = [server_pid(hub, name, "revoked") for name in ("gerd", "rita")]

        remove_member(workspace, "revoked", "gerd", person="ada")
        add_member(workspace, "revoked", "rita", Role.VIEWER, person="ada")

    for person, pid in zip((gone, reader), pids, strict=True):
        ended(person, "revoked")
        assert not is_alive(pid)
    assert ada.server("revoked") is not None
    reader.start_server("revoked")
    assert environment_of(server_pid(hub, "rita", "revoked"))["NB2PROD_ROLE"] == "viewer"


def test_start_with_posted_options_does_not_look_at_them(hub: StartedHub, ada: Person) -> None:
    with hub.open() as workspace:
        found_project(workspace, "options", owner="ada")

    answer = ada.hub_api(
        "POST",
        "/users/ada/servers/options",
        json={"user_options": {"image": "evil", "environment": {"EVIL": "1"}, "cmd": ["evil"]}},
    )
    ada.ready_server("options")

    assert answer.status_code in {201, 202}
    given = environment_of(server_pid(hub, "ada", "options"))
    assert "EVIL" not in given
    assert given["NB2PROD_PROJECT"] == "options"


def test_start_that_can_not_work_says_why_on_the_hubs_page(hub: StartedHub, ada: Person) -> None:
    with hub.open() as workspace:
        project = found_project(workspace, "broken", owner="ada")
    project.root.rmdir()
    project.root.touch()

    page = ada.visit("/hub/spawn/ada/broken")

    assert page.status_code == 503
    assert f"{project.root} is no folder" in page.text


def test_stop_ends_the_process_and_keeps_its_log(hub: StartedHub, ada: Person) -> None:
    with hub.open() as workspace:
        found_project(workspace, "stopped", owner="ada")
    ada.start_server("stopped")
    pid = server_pid(hub, "ada", "stopped")
    token = environment_of(pid)["JUPYTERHUB_API_TOKEN"]

    ada.stop_server("stopped")

    assert not is_alive(pid)
    log = hub.plan.logs / "servers" / f"nb2prod-{hub.plan.instance}-ada--stopped.log"
    assert "ServerApp" in log.read_text()
    with bearer(hub, token) as client:
        assert client.get("/hub/api/user").status_code == 403


def test_server_that_dies_is_noticed_and_can_be_started_again(hub: StartedHub, ada: Person) -> None:
    with hub.open() as workspace:
        found_project(workspace, "dies", owner="ada")
    ada.start_server("dies")
    pid = server_pid(hub, "ada", "dies")

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: ada.server("dies") is None, what="the hub's notice")
    ada.start_server("dies")
    assert server_pid(hub, "ada", "dies") != pid
