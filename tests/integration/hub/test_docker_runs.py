"""Runs in mode `docker`: what a run's container may reach, and what not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nb2prod_hub.firewall import can_filter

from nb2prod.execution.events import OutputAdded
from nb2prod.execution.models import RunRecord, RunRequest, RunStatus
from nb2prod.execution.recorder import read_events, run_folder
from nb2prod.execution.runs import get_run, request_run
from nb2prod.jobs.cancel import cancel_run
from nb2prod.registry.models import Network, RunSettings
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import Project, found_project, get_project
from tests.helpers.engine import BASE_IMAGE, Engine, require_engine, require_images
from tests.helpers.hub import Person, StartedHub, eventually
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code, parameters

pytestmark = pytest.mark.timeout(900)

LISTEN = """
import socket
print(socket.gethostbyname(socket.gethostname()), flush=True)
server = socket.create_server(("0.0.0.0", 4711))
while True: server.accept()[0].close()
"""
REACH = """
import socket
for place in places.split():
    ip, _, port = place.rpartition(":")
    link = socket.socket()
    link.settimeout(3)
    try:
        link.connect((ip, int(port)))
        print(place, "open")
    except OSError:
        print(place, "closed")
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedHub]:
    require_engine()
    require_images("base")
    home = tmp_path_factory.mktemp("runs") / "home"
    with StartedHub(home, mode="docker", environment={"NB2PROD_IMAGE": BASE_IMAGE}) as started:
        with started.open() as workspace:
            found_project(workspace, "demo", owner="ada")
        yield started


@pytest.fixture(scope="module")
def ada(hub: StartedHub) -> Person:
    """The administrator, with a running server."""
    somebody = hub.administrator()
    somebody.start_server("demo")
    return somebody


def ask(
    hub: StartedHub, source: str, places: str = "", network: Network = Network.WORKSPACE
) -> str:
    """Ask for a run of a notebook with one parameter, ``places``; returns its id."""
    with hub.open() as workspace:
        project: Project = get_project(workspace, "demo", person="ada")
        version = make_version(
            Repository(project.repository),
            parameters("places: str = ''"),
            code(source),
            settings=RunSettings(network=network),
        )
        record = request_run(
            workspace,
            project,
            version,
            {"places": places},
            request=RunRequest(by="ada", via="api", executor="docker"),
        )
    return record.id


def ended(hub: StartedHub, run_id: str) -> RunRecord:
    """The record of a run, once it has ended."""

    def look() -> RunRecord | None:
        with hub.open() as workspace:
            record = get_run(workspace, run_id, person="ada")
        return record if record.status.is_final else None

    return eventually(look, what=f"the end of {run_id}", timeout_s=120)


def reached(hub: StartedHub, places: list[str], network: Network) -> list[str]:
    """What a run says of some addresses: open or closed."""
    record = ended(hub, ask(hub, REACH, " ".join(places), network))
    assert record.status is RunStatus.SUCCEEDED, record.reason
    with hub.open() as workspace:
        log = workspace.blobs.get(record.sources["log"]).decode()
    said = dict(line.split() for line in log.splitlines() if line.endswith(("open", "closed")))
    return [said[place] for place in places]


@pytest.fixture
def listening(hub: StartedHub) -> Iterator[str]:
    """The address of a run that listens in the project's closed network, and of nothing else."""
    run_id = ask(hub, LISTEN)

    def address() -> str | None:
        with hub.open() as workspace:
            work = run_folder(workspace, run_id).work
        texts = [event.text for event in read_events(work.events) if isinstance(event, OutputAdded)]
        return "".join(texts).strip() or None

    yield eventually(address, what="a run that listens", timeout_s=90)
    with hub.open() as workspace:
        cancel_run(workspace, "demo", run_id, person="ada")
    assert ended(hub, run_id).status is RunStatus.CANCELLED


def address_of(hub: StartedHub, name: str) -> str:
    """The address of a container in its network."""
    facts = json.loads(Engine().say("inspect", f"nb2prod-{hub.plan.instance}-{name}"))[0]
    (network,) = facts["NetworkSettings"]["Networks"].values()
    found: str = network["IPAddress"]
    return found


def test_run_reaches_the_service_and_mlflow_and_nothing_else(
    hub: StartedHub, ada: Person, listening: str
) -> None:
    if not can_filter():
        pytest.skip("rules of the firewall take root, and iptables")
    plan, inner = hub.plan, hub.plan.inner_ip
    open_places = [f"{inner}:{plan.service_port}", f"{inner}:{plan.mlflow_port}"]
    closed_places = [
        f"{inner}:{plan.hub_port}",
        f"{inner}:{plan.proxy_api_port}",
        f"{inner}:{plan.port}",
        f"{listening}:4711",
        f"{address_of(hub, 'ada--demo')}:8888",
        "169.254.169.254:80",
        "192.0.2.1:80",
    ]

    said = reached(hub, [*open_places, *closed_places], Network.WORKSPACE)

    assert said == ["open"] * len(open_places) + ["closed"] * len(closed_places)


def test_run_with_the_internet_is_in_the_projects_open_network(
    hub: StartedHub, ada: Person
) -> None:
    server = f"{address_of(hub, 'ada--demo')}:8888"

    assert reached(hub, [server], Network.INTERNET) == ["open"]


def test_shared_files_stay_as_they_are_and_what_a_run_writes_is_its_artifact(
    hub: StartedHub, ada: Person
) -> None:
    with hub.open() as workspace:
        root = get_project(workspace, "demo", person="ada").root
    shared = root / "shared.csv"
    shared.write_text("seats")
    # As a member's own file, which the containers' account may write.
    shared.chmod(0o666)

    source = "open('shared.csv', 'a').write(' changed'); open('own.csv', 'w').write('a,b')"
    record = ended(hub, ask(hub, source))

    assert record.status is RunStatus.SUCCEEDED
    assert shared.read_text() == "seats"
    assert not (root / "own.csv").exists()
    assert {item.name for item in record.artifacts} == {"shared.csv", "own.csv"}
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(root) in line]
    assert mounts == [line for line in mounts if "overlay" not in line]
