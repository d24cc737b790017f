"""People's servers in mode `docker`: containers as the policy describes them, and no more."""

from __future__ import annotations

import json
import os
import platform
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from nb2prod_hub.firewall import can_filter

from nb2prod.registry.environments import environment_of_image
from nb2prod.workspace.projects import Role, add_member, found_project, update_project
from tests.helpers.engine import BASE_IMAGE, Engine, require_engine, require_images
from tests.helpers.hub import Person, StartedHub, eventually

pytestmark = pytest.mark.timeout(900)

# Connects, and says what came of it.
REACH = """
import socket, sys
for place in sys.argv[1:]:
    ip, _, port = place.rpartition(":")
    link = socket.socket()
    link.settimeout(3)
    try:
        link.connect((ip, int(port)))
        print("open")
    except OSError:
        print("closed")
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    require_engine()
    require_images("base")
    return Engine()


@pytest.fixture(scope="module")
def hub(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedHub]:
    home = tmp_path_factory.mktemp("docker") / "home"
    image = {"NB2PROD_IMAGE": BASE_IMAGE}
    with StartedHub(home, mode="docker", environment=image) as started:
        with started.open() as workspace:
            for name in ("demo", "other"):
                found_project(workspace, name, owner="ada")
            add_member(workspace, "demo", "vera", Role.VIEWER, person="ada")
        yield started


@pytest.fixture(scope="module")
def ada(hub: StartedHub) -> Person:
    """The administrator, with a running server."""
    somebody = hub.administrator()
    somebody.start_server("demo")
    assert somebody.visit("/user/ada/demo/lab").status_code == 200
    return somebody


def container_name(hub: StartedHub, person: str, project: str) -> str:
    return f"nb2prod-{hub.plan.instance}-{person}--{project}"


def facts(engine: Engine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine.say("inspect", name))[0]
    return found


def servers(engine: Engine, hub: StartedHub) -> list[str]:
    chosen = f"label=nb2prod.instance={hub.plan.instance}"
    listed = engine.say("ps", "--all", "--filter", chosen, "--format", "{{.Names}}")
    return [name for name in listed.splitlines() if "--" in name]


def reach(engine: Engine, container: str, *places: str) -> list[str]:
    program = ("/opt/kernel/bin/python", "-I", "-c", REACH)
    return engine.say("exec", container, *program, *places).splitlines()


def test_container_has_the_limits_and_none_of_the_engines_rights(
    engine: Engine, hub: StartedHub, ada: Person
) -> None:
    found = facts(engine, container_name(hub, "ada", "demo"))
    host, config = found["HostConfig"], found["Config"]

    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["ReadonlyRootfs"] is True
    assert host["Memory"] == 4096 * 2**20
    assert host["PidsLimit"] == 1024
    assert host["PortBindings"] in (None, {})
    assert not [mount for mount in found["Mounts"] if "docker.sock" in mount["Source"]]
    assert config["User"] == "1000:20001"
    assert config["Labels"]["nb2prod.project"] == "demo"
    assert config["Labels"]["nb2prod.person"] == "ada"
    assert config["Image"] == BASE_IMAGE
    assert config["Hostname"] == platform.node()


def test_container_works_in_the_two_folders_of_the_project(
    engine: Engine, hub: StartedHub, ada: Person
) -> None:
    name = container_name(hub, "ada", "demo")

    engine.say("exec", name, "sh", "-c", "umask 002; touch ~/project/shared ~/private/mine")

    shared = (hub.home / "projects" / "demo" / "shared").stat()
    mine = (hub.home / "people" / "ada" / "demo" / "mine").stat()
    assert (shared.st_uid, shared.st_gid, mine.st_uid) == (1000, 20001, 1000)
    assert shared.st_mode & 0o777 == 0o664


def test_container_of_a_viewer_can_not_write_to_the_shared_folder(
    engine: Engine, hub: StartedHub, ada: Person
) -> None:
    vera = hub.member("vera", administrator=ada)
    vera.start_server("demo")

    written = engine.ask(
        "exec", container_name(hub, "vera", "demo"), "touch", "/home/jovyan/project/not-mine"
    )

    assert written.status != 0
    assert "Read-only" in written.err


def test_container_reaches_the_workspace_and_nothing_else_of_this_machine(
    engine: Engine, hub: StartedHub, ada: Person
) -> None:
    if not can_filter():
        pytest.skip("rules of the firewall take root, and iptables")
    plan, inner = hub.plan, hub.plan.inner_ip
    name = container_name(hub, "ada", "demo")
    gateway = facts(engine, name)["NetworkSettings"]["Networks"]
    own = next(iter(gateway.values()))["Gateway"]

    assert (
        reach(
            engine,
            name,
            f"{inner}:{plan.hub_port}",
            f"{inner}:{plan.service_port}",
            f"{inner}:{plan.mlflow_port}",
            f"{own}:{plan.port}",
            f"{inner}:{plan.proxy_api_port}",
            "169.254.169.254:80",
        )
        == ["open"] * 3 + ["closed"] * 3
    )


def test_container_does_not_reach_that_of_another_project(
    engine: Engine, hub: StartedHub, ada: Person
) -> None:
    ada.start_server("other")
    networks = facts(engine, container_name(hub, "ada", "other"))["NetworkSettings"]["Networks"]
    other = next(iter(networks.values()))["IPAddress"]

    assert reach(engine, container_name(hub, "ada", "demo"), f"{other}:8888") == ["closed"]
    assert reach(engine, container_name(hub, "ada", "other"), f"{other}:8888") == ["open"]


def test_environment_of_the_image_is_known_to_the_service(hub: StartedHub) -> None:
    observed = environment_of_image(hub.home, BASE_IMAGE)

    assert "ipykernel" in {line.split("==")[0].lower() for line in observed.lock.text.splitlines()}


def test_start_with_an_image_that_is_missing_says_how_to_make_it(
    hub: StartedHub, ada: Person
) -> None:
    with hub.open() as workspace:
        found_project(workspace, "imageless", owner="ada")
        update_project(workspace, "imageless", person="ada", image="nb2prod/none:0")

    page = ada.visit("/hub/spawn/ada/imageless")

    assert page.status_code == 503
    assert "nb2prod/none:0" in page.text
    assert "make images" in page.text


def test_start_that_fails_shows_the_end_of_the_log_and_leaves_no_container(
    engine: Engine, hub: StartedHub, ada: Person
) -> None:
    # An image with a kernel, whose server is something else.
    folder = hub.home / "failing"
    folder.mkdir()
    (folder / "start-server").write_text("#!/bin/sh\necho the disk is on fire >&2\nexit 3\n")
    (folder / "start-server").chmod(0o755)
    (folder / "Dockerfile").write_text(
        f"FROM {BASE_IMAGE}\nCOPY start-server /opt/server/bin/start-server\n"
    )
    engine.say("build", "--tag", "nb2prod/failing:test", str(folder), timeout_s=300)
    with hub.open() as workspace:
        found_project(workspace, "failing", owner="ada")
        update_project(workspace, "failing", person="ada", image="nb2prod/failing:test")
    try:
        ada.visit("/hub/spawn/ada/failing")
        eventually(
            lambda: ada.visit("/hub/spawn-pending/ada/failing").status_code == 500,
            what="the failure",
        )
        page = ada.visit("/hub/spawn-pending/ada/failing")
        assert "its container ended with status 3" in page.text
        assert "the disk is on fire" in page.text
        assert container_name(hub, "ada", "failing") not in servers(engine, hub)
        log = hub.plan.logs / "servers" / f"{container_name(hub, 'ada', 'failing')}.log"
        assert "the disk is on fire" in log.read_text()
    finally:
        engine.ask("rmi", "--force", "nb2prod/failing:test")


@pytest.mark.parametrize("name", ["hub", "supervisor"])
def test_killed_hub_finds_the_containers_again(
    engine: Engine, hub: StartedHub, ada: Person, name: str
) -> None:
    before = facts(engine, container_name(hub, "ada", "demo"))["Id"]
    all_before = servers(engine, hub)

    os.kill(hub.wait_until_whole()[name], signal.SIGKILL)
    hub.wait_until_whole()

    eventually(
        lambda: ada.client.get("/user/ada/demo/api/status").status_code == 200,
        what="the server's answer",
    )
    assert facts(engine, container_name(hub, "ada", "demo"))["Id"] == before
    assert servers(engine, hub) == all_before


def test_stopped_workspace_leaves_containers_running_and_the_next_finds_them(
    engine: Engine, hub: StartedHub, ada: Person
) -> None:
    before = facts(engine, container_name(hub, "ada", "demo"))

    hub.interrupt()
    meanwhile = facts(engine, container_name(hub, "ada", "demo"))
    hub.start()

    assert meanwhile["State"]["Running"] is True
    eventually(
        lambda: ada.client.get("/user/ada/demo/api/status").status_code == 200,
        what="the server's answer",
    )
    assert facts(engine, container_name(hub, "ada", "demo"))["Id"] == before["Id"]


def test_stop_keeps_the_log_and_removes_the_container(
    engine: Engine, hub: StartedHub, ada: Person
) -> None:
    ada.stop_server("demo")

    assert container_name(hub, "ada", "demo") not in servers(engine, hub)
    log = hub.plan.logs / "servers" / f"{container_name(hub, 'ada', 'demo')}.log"
    assert "ServerApp" in log.read_text()
