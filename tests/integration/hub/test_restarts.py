"""Whatever is killed comes back, nothing runs twice, and people's servers and sessions hold."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nb2prod_hub.secret_files import Secret, find_secret

from nb2prod.workspace.projects import found_project
from tests.helpers.hub import MARKS, Person, StartedHub, eventually, is_alive

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedHub]:
    with StartedHub(tmp_path_factory.mktemp("restarts") / "home") as started:
        with started.open() as workspace:
            found_project(workspace, "demo", owner="ada")
        yield started


@pytest.fixture(scope="module")
def ada(hub: StartedHub) -> Person:
    """The administrator, with a running server."""
    somebody = hub.administrator()
    somebody.start_server("demo")
    assert somebody.visit("/user/ada/demo/lab").status_code == 200
    return somebody


def server_pid(hub: StartedHub, ada: Person) -> int:
    """The process of the server, once it answers through the proxy to who is signed in."""
    eventually(
        lambda: ada.client.get("/user/ada/demo/api/status").status_code == 200,
        what="the server's answer",
    )
    found = hub.server_pid("ada", "demo")
    assert found is not None
    assert ada.ready_server("demo")
    return found


def assert_session_holds(ada: Person) -> None:
    assert ada.visit("/hub/token").url.path == "/hub/token"
    me = eventually(
        lambda: ada.client.get("/services/workspace/api/v1/me"), what="the service's answer"
    )
    assert me.json()["person"] == "ada"


@pytest.mark.parametrize("name", [*MARKS, "supervisor"])
def test_killed_process_is_healed_and_nothing_runs_twice(
    hub: StartedHub, ada: Person, name: str
) -> None:
    before, server = hub.wait_until_whole(), server_pid(hub, ada)

    os.kill(before[name], signal.SIGKILL)
    eventually(lambda: not is_alive(before[name]), what="its end")
    after = hub.wait_until_whole()

    changed = {other for other in after if after[other] != before[other]}
    assert changed == (set(after) if name == "supervisor" else {name})
    assert server_pid(hub, ada) == server
    assert_session_holds(ada)


def test_killed_command_takes_its_processes_along_and_the_next_finds_the_server(
    hub: StartedHub, ada: Person
) -> None:
    server = server_pid(hub, ada)

    hub.kill()
    assert is_alive(server)
    hub.start()
    hub.wait_until_whole()

    assert server_pid(hub, ada) == server
    assert_session_holds(ada)


def test_interrupted_command_ends_in_good_order_and_the_next_finds_the_server(
    hub: StartedHub, ada: Person
) -> None:
    server, processes, plan = server_pid(hub, ada), hub.pids(), hub.plan

    assert hub.interrupt() == 0
    assert "People's servers and runs go on" in hub.printed
    assert not [name for name, pid in processes.items() if is_alive(pid)]
    assert is_alive(server)
    hub.start()

    assert hub.plan == plan
    assert server_pid(hub, ada) == server
    assert_session_holds(ada)


def test_second_command_on_the_same_home_is_refused_with_a_sentence(hub: StartedHub) -> None:
    second = StartedHub(hub.home)
    process = second.launch()

    assert process.wait(timeout=60) == 4
    eventually(lambda: "runs already" in second.printed, what="the sentence", timeout_s=10)
    assert hub.plan.public_url in second.printed
    assert hub.answers()


def test_open_names_the_hubs_address_without_a_token(hub: StartedHub) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "nb2prod.cli", "open", "--json"],
        env=hub.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert json.loads(ended.stdout)["address"] == f"{hub.plan.public_url}/services/workspace/"


def test_password_of_the_administrator_is_printed_until_it_is_changed(
    hub: StartedHub, ada: Person
) -> None:
    former = find_secret(hub.home, Secret.ADMINISTRATOR_PASSWORD)
    assert former is not None
    assert former in hub.printed

    ada.submit(
        "/hub/change-password",
        {
            "old_password": former,
            "new_password": "a better horse battery",
            "new_password_confirmation": "a better horse battery",
        },
    )
    hub.interrupt()
    printed_before = len(hub.printed)
    hub.start()

    assert former not in hub.printed[printed_before:]
    assert "the one that you chose" in hub.printed[printed_before:]
    assert hub.person("ada").sign_in(former).status_code == 403
    assert hub.person("ada").sign_in("a better horse battery").status_code == 200


def test_inner_port_that_somebody_took_is_named_with_the_way_out(hub: StartedHub) -> None:
    hub.interrupt()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((hub.plan.inner_ip, hub.plan.service_port))
        taken.listen()
        process = hub.launch()
        status = process.wait(timeout=90)

    assert status == 5
    eventually(lambda: str(hub.plan.service_port) in hub.printed, what="the port", timeout_s=10)
    assert str(hub.plan.folder / "plan.json") in hub.printed


def test_first_start_that_was_interrupted_is_gone_on_with(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    started = StartedHub(tmp_path_factory.mktemp("interrupted") / "home")
    plan_file = started.home / "hub" / "plan.json"
    started.launch()
    try:
        eventually(plan_file.exists, what="the plan")
        started.interrupt()
        plan = json.loads(plan_file.read_text())
        started.start()
        assert json.loads(plan_file.read_text()) == plan
        assert started.administrator().hub_api("GET", "/user").json()["name"] == "ada"
    finally:
        started.destroy()


def test_own_configuration_is_loaded_after_ours(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("configured")
    own = folder / "own.py"
    own.write_text("c.AccountAuthenticator.enable_signup = False\n")

    with StartedHub(folder / "home", environment={"NB2PROD_HUB_CONFIG": str(own)}) as started:
        assert started.person("grace").visit("/hub/signup").status_code == 404
        assert "/hub/signup" not in started.person("grace").visit("/hub/login").text
        assert started.administrator().hub_api("GET", "/user").status_code == 200


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({"NB2PROD_HUB_CONFIG": "/nowhere/own.py"}, 2, "NB2PROD_HUB_CONFIG"),
        ({"NB2PROD_USER": "two words"}, 2, "NB2PROD_USER"),
        ({"NB2PROD_MODE": "docker", "DOCKER_HOST": "unix:///nowhere"}, 5, "does not answer"),
    ],
    ids=["own configuration", "administrator", "engine"],
)
def test_start_that_can_not_be_is_one_sentence(
    tmp_path: Path, environment: dict[str, str], status: int, said: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "nb2prod.cli", "up", "--port", "0"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert ended.returncode == status
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "home" / "hub" / "plan.json").exists()
