"""Runs in real containers: what they may, how they end, and that none is lost or run twice."""

from __future__ import annotations

import json
import platform
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from nb2prod.errors import EngineUnreachable
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.docker_client import DockerEngine
from nb2prod.jobs.docker_executor import DockerExecutor
from nb2prod.jobs.docker_networks import interface_name
from nb2prod.jobs.models import Job, Standing
from nb2prod.knowledge.pages import get_page
from nb2prod.store.schema import access_tokens, runs
from nb2prod.workspace.policy import (
    Limits,
    Surroundings,
    network_name,
    project_gid,
    run_container_name,
)
from nb2prod.workspace.projects import found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.engine import Engine
from tests.helpers.jobs import JobBench, eventually, surroundings_of
from tests.helpers.notebooks import code, parameters

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def engine(docker_engine: Engine) -> Iterator[DockerEngine]:
    with DockerEngine.connect() as connected:
        yield connected


@pytest.fixture
def instance(docker_engine: Engine) -> Iterator[str]:
    """The name of this test's own workspace, of which nothing is left afterwards."""
    name = secrets.token_hex(4)
    yield name
    docker_engine.clear_workspace(name)


@pytest.fixture
def bench(workspace: Workspace) -> JobBench:
    return JobBench.found(workspace, executor="docker")


@pytest.fixture
def surroundings(workspace: Workspace, instance: str, base_image: str) -> Surroundings:
    return surroundings_of(
        workspace, instance=instance, image=base_image, limits=Limits(memory_mb=512, cpu_cores=1.0)
    )


@pytest.fixture
def executor(bench: JobBench, engine: DockerEngine, surroundings: Surroundings) -> DockerExecutor:
    return DockerExecutor(bench.workspace, engine, surroundings)


@pytest.fixture
def dispatcher(bench: JobBench, executor: DockerExecutor) -> Dispatcher:
    return Dispatcher(bench.workspace, [executor])


def tokens(bench: JobBench) -> int:
    with bench.workspace.database.read() as connection:
        return len(connection.execute(access_tokens.select()).all())


LOOK_ROUND = """
import json, os, pathlib, socket
def writable(path):
    try:
        (pathlib.Path(path) / "probe").write_text("x")
    except OSError as error:
        return error.strerror
    return True
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    "host": socket.gethostname(),
    "uid": os.getuid(), "gid": os.getgid(), "capabilities": status["CapBnd"],
    "privileges": status["NoNewPrivs"], "folder": os.getcwd(),
    "root": writable("/"), "opt": writable("/opt/kernel"), "tmp": writable("/tmp"),
    "engine": os.path.exists("/var/run/docker.sock"),
    "run": sorted(os.listdir("/run/nb2prod")), "token": os.environ["MLFLOW_TRACKING_TOKEN"][:5],
}))
"""


def test_run_in_a_container_is_recorded_and_leaves_a_page_and_no_container(
    bench: JobBench, dispatcher: Dispatcher, engine: DockerEngine, surroundings: Surroundings
) -> None:
    (bench.project.root / "seats.csv").write_text("seats\n180\n")
    run_id = bench.request(
        parameters("days: int = 2"),
        code("print('days', days, open('seats.csv').read())"),
        code(LOOK_ROUND),
        code("with open('out.csv', 'w') as file: file.write('a,b')"),
        values={"days": "3"},
    )

    record = bench.finish(dispatcher, run_id)

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert record.parameters == {"days": 3}
    log = bench.log(record)
    assert "days 3 seats\n180" in log
    assert {use.path: use.access.value for use in record.files} == {
        "seats.csv": "read",
        "out.csv": "written",
    }
    (artifact,) = record.artifacts
    assert bench.workspace.blobs.get(artifact.sha256) == b"a,b"
    assert (bench.project.root / "out.csv").read_text() == "a,b"
    page = get_page(bench.workspace, run_id, person="ada")
    assert page.record == record
    seen: dict[str, Any] = json.loads(next(line for line in log.splitlines() if line[:1] == "{"))
    gid = project_gid(bench.project)
    assert (seen["uid"], seen["gid"]) == (1000, gid)
    assert record.machine is not None
    assert record.machine.host == seen["host"] == platform.node()
    assert int(seen["capabilities"], 16) == 0
    assert seen["privileges"] == "1"
    assert seen["folder"] == "/home/jovyan/project"
    assert seen["root"] == seen["opt"] == "Read-only file system"
    assert seen["tmp"] is True
    assert not seen["engine"]
    assert "start.json" not in seen["run"]
    assert seen["token"] == "nb2p_"
    assert (bench.project.root / "out.csv").stat().st_gid == gid
    assert engine.find(run_container_name(surroundings, run_id)) is None
    assert tokens(bench) == 0
    assert b"The run has ended" in (bench.folder(run_id).path / "worker.log").read_bytes()


def test_container_of_a_run_has_its_limits_and_its_projects_network(
    bench: JobBench, dispatcher: Dispatcher, engine: DockerEngine, surroundings: Surroundings
) -> None:
    run_id = bench.request(code("import time; time.sleep(600)"))
    bench.reach_cell(dispatcher, run_id, 1)

    facts = engine.api.inspect_container(run_container_name(surroundings, run_id))

    limits, host = surroundings.limits, facts["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == limits.memory_mb * 1024**2
    assert host["PidsLimit"] == limits.pids
    assert host["NanoCpus"] == limits.cpu_cores * 1e9
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["LogConfig"]["Config"]["max-size"]
    assert {mount["Destination"] for mount in facts["Mounts"]} == {
        "/home/jovyan/project",
        "/run/nb2prod",
    }
    name = network_name(surroundings, bench.project)
    assert list(facts["NetworkSettings"]["Networks"]) == [name]
    network = engine.ensure_project_network(surroundings, bench.project)
    assert network.interface == interface_name(name)
    assert Path(f"/sys/class/net/{network.interface}").exists()
    assert network.gateway


def test_networks_of_projects_are_made_once_and_are_apart(
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings
) -> None:
    other = found_project(bench.workspace, "other", owner="otto")

    networks = [
        engine.ensure_project_network(surroundings, project)
        for project in (bench.project, other, bench.project)
    ]

    assert networks[0] == networks[2]
    assert networks[0].subnet != networks[1].subnet
    assert networks[0].interface != networks[1].interface


def ended(bench: JobBench, dispatcher: Dispatcher, source: str) -> RunRecord:
    return bench.finish(dispatcher, bench.request(code("print('before')"), code(source)))


def test_run_that_needs_too_much_memory_ends_and_names_its_limit(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    record = ended(bench, dispatcher, "held = b'x' * (2 * 10**9)")

    assert record.status is RunStatus.KERNEL_DIED
    assert "memory limit of 512 MB" in record.reason
    assert "before" in bench.log(record)


def test_run_whose_container_is_killed_is_lost_and_says_how(
    bench: JobBench, dispatcher: Dispatcher, engine: DockerEngine, surroundings: Surroundings
) -> None:
    run_id = bench.request(code("print('before')"), code("import time; time.sleep(600)"))
    bench.reach_cell(dispatcher, run_id, 2)

    engine.api.kill(run_container_name(surroundings, run_id))
    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert record.reason == "The run's worker was ended by SIGKILL. Cell 2 was running."
    assert "before" in bench.log(record)
    assert engine.find(run_container_name(surroundings, run_id)) is None


def test_run_that_is_cancelled_ends_so(
    bench: JobBench, dispatcher: Dispatcher, executor: DockerExecutor
) -> None:
    run_id = bench.request(code("print('before')"), code("import time; time.sleep(600)"))
    bench.reach_cell(dispatcher, run_id, 2)

    executor.cancel(run_id)
    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.CANCELLED
    assert record.reason == "Cancelled in cell 2, by SIGTERM."


def test_run_of_a_project_whose_image_is_missing_fails_and_says_what_to_do(
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings
) -> None:
    missing = replace(surroundings, default_image="nb2prod/nowhere:1")
    executor = DockerExecutor(bench.workspace, engine, missing)
    run_id = bench.request(code("1"))

    record = bench.finish(Dispatcher(bench.workspace, [executor]), run_id)

    assert record.status is RunStatus.FAILED
    assert "nb2prod/nowhere:1 is not on this machine" in record.reason
    assert "make images" in record.reason
    assert tokens(bench) == 0


class DyingEngine(DockerEngine):
    """An engine whose client dies between making a container and starting it."""

    def start(self, name: str) -> None:
        raise SystemExit(f"killed before {name} was started")


def test_run_whose_dispatcher_died_before_the_start_is_started_by_the_next_one(
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code("print('once')"))
    dying = DockerExecutor(bench.workspace, DyingEngine(engine.api), surroundings)
    with pytest.raises(SystemExit):
        Dispatcher(bench.workspace, [dying]).look()
    container = engine.find(run_container_name(surroundings, run_id))
    assert container is not None
    assert container.is_created
    assert bench.run(run_id).status is RunStatus.RUNNING

    dispatcher.reconcile()
    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED
    assert bench.log(record).count("once") == 1


def test_run_goes_on_without_a_dispatcher_and_the_next_one_ends_it(
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(
        code(
            "import os, time\nprint('once', flush=True)\n"
            "while not os.path.exists('go'): time.sleep(0.05)"
        )
    )
    # Nothing of it is kept in memory: what a killed one leaves is what this one leaves.
    former = Dispatcher(bench.workspace, [DockerExecutor(bench.workspace, engine, surroundings)])
    bench.reach_cell(former, run_id, 1)
    (bench.project.root / "go").touch()
    name = run_container_name(surroundings, run_id)
    ended = engine.wait(name, timeout_s=60)
    assert ended is not None
    assert not ended.is_running
    assert bench.run(run_id).status is RunStatus.RUNNING

    dispatcher.reconcile()
    record = bench.finish(dispatcher, run_id)

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert bench.log(record).count("once") == 1
    assert engine.find(name) is None


def test_every_verb_of_the_executor_may_be_repeated(
    bench: JobBench, executor: DockerExecutor, engine: DockerEngine, surroundings: Surroundings
) -> None:
    run_id = bench.request(code("print('once')"))
    issued: list[str] = []

    def issue() -> str:
        issued.append(run_id)
        return "nb2p_test"

    job = Job(
        run_id=run_id,
        project=bench.project,
        work=bench.folder(run_id).work.path,
        issue_token=issue,
    )
    assert executor.attach(run_id) is Standing.ABSENT
    executor.cancel(run_id)

    executor.start(job)
    first = engine.find(run_container_name(surroundings, run_id))
    executor.start(job)
    assert executor.known() == (run_id,)
    eventually(lambda: executor.attach(run_id) is Standing.ENDED)
    executor.start(job)
    assert engine.find(run_container_name(surroundings, run_id)) is not None
    outcome = executor.collect(run_id)

    assert first is not None
    assert issued == [run_id]
    assert outcome.exit_status == 0
    assert executor.collect(run_id) == outcome
    assert executor.attach(run_id) is Standing.ENDED
    executor.start(job)
    assert executor.known() == ()


def test_what_is_left_of_an_ended_run_is_removed_when_a_dispatcher_begins(
    bench: JobBench, dispatcher: Dispatcher, executor: DockerExecutor, engine: DockerEngine
) -> None:
    run_id = bench.request(code("import time; time.sleep(600)"))
    bench.reach_cell(dispatcher, run_id, 1)
    with bench.workspace.database.write() as connection:
        connection.execute(delete(runs))

    dispatcher.reconcile()

    assert executor.known() == ()
    assert tokens(bench) == 0


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_engine_that_does_not_answer_is_said_so(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)

    with pytest.raises(EngineUnreachable, match="does not answer"):
        DockerEngine.connect(timeout_s=2)


def test_run_waits_while_the_engine_is_away(
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings, dispatcher: Dispatcher
) -> None:
    class AbsentEngine(DockerEngine):
        """An engine that answers nothing."""

        def find(self, name: str) -> None:
            raise EngineUnreachable(f"nobody knows {name}")

    run_id = bench.request(code("print('later')"))
    absent = DockerExecutor(bench.workspace, AbsentEngine(engine.api), surroundings)

    Dispatcher(bench.workspace, [absent]).look()

    assert bench.run(run_id).status is RunStatus.QUEUED
    assert bench.finish(dispatcher, run_id).status is RunStatus.SUCCEEDED
