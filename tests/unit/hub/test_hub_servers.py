"""People's servers: as the service sees them, and what a process is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from nb2prod_hub.images import observing_container
from nb2prod_hub.process_spawner import make_home, process_environment
from nb2prod_hub.server_description import ServerDescription
from nb2prod_hub.servers import HubServers

from nb2prod.errors import ProjectNotFound, ServiceUnreachable
from nb2prod.server.servers import ServerState
from nb2prod.workspace.policy import server_container
from nb2prod.workspace.projects import Project, Role
from tests.unit.hub.test_hub_plan import plan_in

API = "http://hub.invalid/hub/api"
SERVERS = {
    "": {"ready": True, "pending": None},
    "runs": {"ready": True, "pending": None},
    "starts": {"ready": False, "pending": "spawn"},
    "stops": {"ready": False, "pending": "stop"},
    "gone": {"ready": False, "pending": None},
}

Answer = Callable[[httpx.Request], httpx.Response]


def listed(answer: Answer, person: str = "ada", times: int = 1) -> Mapping[str, ServerState]:
    async def ask() -> Mapping[str, ServerState]:
        servers = HubServers(API, "t0ken", transport=httpx.MockTransport(answer))
        for _ in range(times):
            found = await servers.list(person)
        await servers.close()
        return found

    return asyncio.run(ask())


def stop(answer: Answer) -> None:
    async def ask() -> None:
        servers = HubServers(API, "t0ken", transport=httpx.MockTransport(answer))
        await servers.stop("ada", "demo")

    asyncio.run(ask())


def test_servers_are_listed_by_project_without_stopped_and_default_ones() -> None:
    found = listed(lambda _: httpx.Response(200, json={"servers": SERVERS}))

    assert found == {
        "runs": ServerState.RUNNING,
        "starts": ServerState.STARTING,
        "stops": ServerState.STOPPING,
    }


def test_servers_of_somebody_whom_the_hub_does_not_know_are_none() -> None:
    assert listed(lambda _: httpx.Response(404)) == {}


def test_servers_are_asked_for_with_the_token_and_an_escaped_name_once() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"servers": {}})

    listed(answer, person="a/b c", times=3)

    assert [request.url.raw_path for request in asked] == [b"/hub/api/users/a%2Fb%20c"]
    assert asked[0].headers["Authorization"] == "token t0ken"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(403),
        httpx.Response(200, text="<html>"),
        httpx.ConnectError("refused"),
    ],
    ids=["error", "forbidden", "no JSON", "no connection"],
)
def test_servers_of_a_hub_that_does_not_answer_well_are_unreachable(
    answer: httpx.Response | httpx.HTTPError,
) -> None:
    def respond(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer

    with pytest.raises(ServiceUnreachable):
        listed(respond)


def test_stop_of_a_stopped_server_does_nothing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            return httpx.Response(404)
        return httpx.Response(200, json={"servers": {}})

    stop(answer)


def test_stop_of_a_server_that_starts_says_to_try_again() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            return httpx.Response(400)
        servers = {"demo": {"ready": False, "pending": "spawn"}}
        return httpx.Response(200, json={"servers": servers})

    with pytest.raises(ServiceUnreachable, match="try again"):
        stop(answer)


@pytest.fixture
def server(tmp_path: Path) -> ServerDescription:
    root = tmp_path / "projects" / "demo"
    root.mkdir(parents=True)
    project = Project(
        id=7,
        name="demo",
        title="Demo",
        root=root,
        repository=tmp_path / "repositories" / "demo.git",
        image=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    spec = server_container(plan_in(tmp_path).surroundings, project, "ada", Role.EDITOR)
    return ServerDescription(project=project, person="ada", role=Role.EDITOR, spec=spec)


def test_default_url_is_the_first_notebook_where_there_is_one(server: ServerDescription) -> None:
    assert server.default_url == "/lab/tree/project"
    (server.project.root / "train.ipynb").touch()
    assert server.default_url == "/lab/tree/project/train.ipynb"


def test_home_of_a_process_links_to_the_two_folders(
    server: ServerDescription, tmp_path: Path
) -> None:
    home = make_home(tmp_path, server)
    (home / "project").unlink()
    (home / "project").symlink_to(tmp_path)
    home = make_home(tmp_path, server)

    assert (home / "project").readlink() == server.project.root
    assert (home / "private").readlink() == tmp_path / "people" / "ada" / "demo"


def test_environment_of_a_process_names_this_machines_folders(
    server: ServerDescription, tmp_path: Path
) -> None:
    environment = process_environment(server, tmp_path / "there", "t0ken")

    assert environment["NB2PROD_PROJECT_FOLDER"] == str(tmp_path / "there" / "project")
    assert environment["IPYTHONDIR"] == str(tmp_path / "there" / "private" / ".ipython")
    assert environment["MLFLOW_TRACKING_TOKEN"] == "t0ken"
    assert not [value for value in environment.values() if "/home/jovyan" in value]


def test_container_that_looks_at_an_image_has_no_network_and_no_folder(tmp_path: Path) -> None:
    spec = observing_container(plan_in(tmp_path), "some:image", "sha256:" + "ab" * 32)

    assert spec.network == "none"
    assert spec.mounts == ()
    assert spec.name == "nb2prod-0a1b2c3d-observe-abababababab"


def test_project_not_found_is_what_an_unnamed_server_is() -> None:
    from nb2prod_hub.server_description import describe_server

    with pytest.raises(ProjectNotFound, match="belongs to a project"):
        describe_server(None, None, person="ada", name="")  # type: ignore[arg-type]
