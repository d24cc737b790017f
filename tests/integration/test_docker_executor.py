"""Runs in real containers: what they may, how they end, and that none is lost or run twice."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from nb2prod.errors import EngineRefused, EngineUnreachable, StorageUnusable
from nb2prod.execution.events import FilesSeen
from nb2prod.execution.models import FileAccess, RunRecord, RunStatus
from nb2prod.execution.request import prepare_folder
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.docker_client import DockerEngine
from nb2prod.jobs.docker_executor import DockerExecutor
from nb2prod.jobs.docker_networks import interface_name
from nb2prod.jobs.models import Job, Standing
from nb2prod.knowledge.pages import get_page
from nb2prod.notebook.models import Cell
from nb2prod.registry.models import Network, Reference, RunSettings
from nb2prod.registry.versions import load_version
from nb2prod.settings import Settings
from nb2prod.store.schema import access_tokens, runs
from nb2prod.workspace.folders import hand_over
from nb2prod.workspace.policy import (
    NetworkKind,
    Surroundings,
    network_name,
    project_gid,
    run_container_name,
)
from nb2prod.workspace.projects import found_project
from nb2prod.workspace.secrets import set_secret
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
def settings(tmp_path: Path) -> Settings:
    """Of a workspace with small classes, at a path with a space."""
    return Settings.from_environment(
        {
            "NB2PROD_HOME": str(tmp_path / "a home"),
            "NB2PROD_USER": "ada",
            "NB2PROD_RESOURCES": "standard:memory_mb=512,cpu_cores=1,pids=256 tiny:memory_mb=40",
        }
    )


@pytest.fixture
def surroundings(workspace: Workspace, instance: str, base_image: str) -> Surroundings:
    return surroundings_of(workspace, instance=instance, image=base_image)


@pytest.fixture
def executor(bench: JobBench, engine: DockerEngine, surroundings: Surroundings) -> DockerExecutor:
    return DockerExecutor(bench.workspace, engine, surroundings)


@pytest.fixture
def dispatcher(bench: JobBench, executor: DockerExecutor) -> Iterator[Dispatcher]:
    with Dispatcher(bench.workspace, [executor]) as opened:
        yield opened


def leavings(bench: JobBench, engine: DockerEngine, surroundings: Surroundings) -> list[str]:
    """What is there of runs: containers, volumes, mounts, layers."""
    labels = {"nb2prod.instance": surroundings.instance}
    return [
        *(item.name for item in engine.containers(labels)),
        *(item["Name"] for item in engine.volumes(labels)),
        *(line for line in Path("/proc/mounts").read_text().splitlines() if "/layers/" in line),
        *map(str, bench.workspace.settings.runs_folder.glob("*/layers")),
    ]


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
    "swap": open("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").read().strip()
    if os.path.exists("/sys/fs/cgroup/memory") else "",
    "devices": sorted(os.listdir("/dev")), "filters": status["Seccomp"],
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
    assert [path.name for path in bench.project.root.iterdir()] == ["seats.csv"]
    bench.await_page(run_id)
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
    assert seen["filters"] == "2"
    assert seen["swap"] in ("", str(512 * 1024**2))
    assert not {"kmsg", "mem", "sda", "vda", "fuse"} & set(seen["devices"])
    assert record.memory_limit_mb == 512
    assert record.peak_memory_mb is not None
    assert 0 < record.peak_memory_mb <= 512
    assert leavings(bench, engine, surroundings) == []
    assert tokens(bench) == 0
    assert b"The run has ended" in (bench.folder(run_id).path / "worker.log").read_bytes()


def test_container_of_a_run_has_its_limits_and_its_projects_network(
    bench: JobBench, dispatcher: Dispatcher, engine: DockerEngine, surroundings: Surroundings
) -> None:
    run_id = bench.request(code("import time; time.sleep(600)"))
    bench.reach_cell(dispatcher, run_id, 1)

    facts = engine.api.inspect_container(run_container_name(surroundings, run_id))

    host = facts["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 512 * 1024**2
    assert host["PidsLimit"] == 256
    assert host["NanoCpus"] == 1e9
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["LogConfig"]["Config"]["max-size"]
    assert {mount["Destination"] for mount in facts["Mounts"]} == {
        "/home/jovyan/project",
        "/run/nb2prod",
        "/run/nb2prod-written",
    }
    name = network_name(surroundings, bench.project, NetworkKind.CLOSED)
    assert list(facts["NetworkSettings"]["Networks"]) == [name]
    network = engine.ensure_project_network(surroundings, bench.project, NetworkKind.CLOSED)
    assert network.interface == interface_name(name, NetworkKind.CLOSED)
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


WRITE_ALL = """
import os, pathlib, shutil, subprocess
with open("shared.csv", "a") as file: file.write("1\\n")
os.remove("removed.csv")
os.rename("folder", "renamed")
pathlib.Path("renamed/new.txt").write_text("new")
pathlib.Path("made/below").mkdir(parents=True)
# Neither Python nor the probe sees what other programs open.
subprocess.run("cat shared.csv > made/below/copied.csv", shell=True, check=True)
pathlib.Path("gone.txt").write_text("x"); os.remove("gone.txt")
print(sorted(os.listdir(".")), oct(os.stat(".").st_mode), os.stat("made/below/copied.csv").st_gid)
"""


def test_what_a_run_writes_is_its_own_and_shared_files_stay_as_they_are(
    bench: JobBench, dispatcher: Dispatcher, engine: DockerEngine, surroundings: Surroundings
) -> None:
    root = bench.project.root
    (root / "folder").mkdir()
    shared = {"shared.csv": "seats\n", "removed.csv": "x", "folder/old.txt": "old"}
    for name, content in shared.items():
        (root / name).write_text(content)
    hand_over(root, bench.project)
    before = {path: path.stat() for path in (root, *root.rglob("*"))}

    record = bench.finish(dispatcher, bench.request(code(WRITE_ALL)))

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    gid, mode = project_gid(bench.project), oct(root.stat().st_mode)
    assert f"['made', 'renamed', 'shared.csv'] {mode} {gid}" in bench.log(record)
    # Of the two with one content one is kept, under its first name.
    contents = {item.name: bench.workspace.blobs.get(item.sha256) for item in record.artifacts}
    assert contents == {"made/below/copied.csv": b"seats\n1\n", "renamed/new.txt": b"new"}
    written = [use.path for use in record.files if use.access is FileAccess.WRITTEN]
    assert {"shared.csv", "made/below/copied.csv", "renamed/new.txt"} <= set(written)
    assert {name: (root / name).read_text() for name in shared} == shared
    after = {path: path.stat() for path in (root, *root.rglob("*"))}
    # Times of reading are no change.
    facts = ("st_mode", "st_uid", "st_gid", "st_mtime_ns", "st_ctime_ns", "st_size", "st_ino")
    assert {path: [getattr(found, name) for name in facts] for path, found in after.items()} == {
        path: [getattr(found, name) for name in facts] for path, found in before.items()
    }
    assert leavings(bench, engine, surroundings) == []


WAIT = "import os, time\nwhile not os.path.exists('/run/nb2prod/go'): time.sleep(0.05)"


def test_input_that_somebody_changes_under_a_run_is_said(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    root = bench.project.root
    for name in ("edited.csv", "replaced.csv", "same.csv"):
        (root / name).write_text("before\n")
    read = "for name in ('edited', 'replaced', 'same'): print(open(f'{name}.csv').read().strip())"
    run_id = bench.request(
        code(read), code(WAIT), code(read.replace("print", "print('then', ", 1) + ")")
    )
    bench.reach_cell(dispatcher, run_id, 2)
    eventually(lambda: any(isinstance(event, FilesSeen) for event in bench.events(run_id)))

    with (root / "edited.csv").open("a") as stream:
        stream.write("after\n")
    (root / "new").write_text("after\n")
    (root / "new").rename(root / "replaced.csv")
    (bench.folder(run_id).work.path / "go").touch()
    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED
    changed = {use.path: use.is_changed for use in record.files}
    hashes = {use.path: use.sha256 for use in record.files}
    assert changed["edited.csv"]
    assert not changed["same.csv"]
    assert hashes["edited.csv"] == hashes["same.csv"] == hashlib.sha256(b"before\n").hexdigest()
    # Another file took its place: the run goes on to read the one that it began with.
    assert hashes["replaced.csv"] == hashes["same.csv"]
    assert changed["replaced.csv"] == ("then after" in bench.log(record).splitlines()[-2])


MISCHIEF = """
import os, pathlib, socket
os.symlink("/etc", "link"); os.symlink("..", "up"); os.mkfifo("pipe")
socket.socket(socket.AF_UNIX).bind("socket")
os.link("shared.csv", "hard")
os.makedirs("closed/inner"); pathlib.Path("closed/inner/file").touch()
os.chmod("closed/inner", 0); os.chmod("closed", 0)
here = os.open(".", os.O_RDONLY)
for _ in range(2000):
    os.mkdir("d", dir_fd=here)
    below = os.open("d", os.O_RDONLY, dir_fd=here)
    os.close(here)
    here = below
pathlib.Path("kept.txt").write_text("kept")
"""


def test_layer_of_a_run_is_removed_whatever_it_made_there(
    bench: JobBench, dispatcher: Dispatcher, engine: DockerEngine, surroundings: Surroundings
) -> None:
    (bench.project.root / "shared.csv").write_text("seats")
    hand_over(bench.project.root, bench.project)

    record = bench.finish(dispatcher, bench.request(code(MISCHIEF)))

    assert record.status is RunStatus.SUCCEEDED
    assert "kept.txt" in {item.name for item in record.artifacts}
    assert (bench.project.root / "shared.csv").read_text() == "seats"
    assert Path("/etc/passwd").exists()
    assert leavings(bench, engine, surroundings) == []


def ended(
    bench: JobBench, dispatcher: Dispatcher, source: str, *, resources: str = "standard"
) -> RunRecord:
    settings = RunSettings(resources=resources)
    cells = (code("print('before')"), code(source))
    return bench.finish(dispatcher, bench.request(*cells, settings=settings))


def test_run_that_needs_too_much_memory_ends_and_says_what_it_reached(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    record = ended(bench, dispatcher, "held = b'x' * (2 * 10**9)")

    assert record.status is RunStatus.KERNEL_DIED
    assert record.reason == (
        "The run was ended in cell 2 because it needed more memory than it may have: it reached"
        " 512 MB of 512 MB (class standard)."
    )
    assert (record.peak_memory_mb, record.memory_limit_mb) == (512, 512)
    assert "before" in bench.log(record)


def test_run_whose_worker_itself_finds_no_memory_ends_and_says_what_it_reached(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    record = ended(bench, dispatcher, "1", resources="tiny")

    assert record.status is RunStatus.KERNEL_DIED
    assert record.reason == (
        "The run was ended because it needed more memory than it may have: it reached 40 MB of"
        " 40 MB (class tiny)."
    )
    assert (record.peak_memory_mb, record.memory_limit_mb) == (40, 40)


def test_run_whose_child_finds_no_memory_says_so_and_goes_on(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    program = (
        "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', {!r}]).returncode)"
    )

    record = ended(bench, dispatcher, program.format("held = b'x' * (2 * 10**9)"))

    assert record.status is RunStatus.SUCCEEDED
    assert "-9" in bench.log(record)
    shortage = (
        "A process of the run was ended because it needed more memory than it may have: it reached"
        " 512 MB of 512 MB (class standard)."
    )
    assert shortage in record.notes


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


def test_run_gets_the_secrets_that_it_names_and_puts_none_out(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    for name, value in (("DB_PASSWORD", "correct horse"), ("OTHER_KEY", "battery staple")):
        set_secret(bench.workspace, bench.project.name, name, value, person="ada")
    run_id = bench.request(
        code("import os\nprint('OTHER_KEY' in os.environ, len(os.environ['DB_PASSWORD']))"),
        code("print(os.environ['DB_PASSWORD'])"),
        code("open('notes.txt', 'w').write(os.environ['DB_PASSWORD'])"),
        settings=RunSettings(secrets=("DB_PASSWORD",)),
    )

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED, record.reason
    assert "False 13" in bench.log(record)
    assert "[secret DB_PASSWORD]" in bench.log(record)
    assert record.artifacts == ()
    for path in bench.workspace.settings.home.rglob("*"):
        assert not path.is_file() or b"correct horse" not in path.read_bytes(), path


def test_run_of_a_project_whose_image_is_missing_fails_and_says_what_to_do(
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings
) -> None:
    missing = replace(surroundings, default_image="nb2prod/nowhere:1")
    executor = DockerExecutor(bench.workspace, engine, missing)
    run_id = bench.request(code("1"))

    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.FAILED
    assert "nb2prod/nowhere:1 is not on this machine" in record.reason
    assert "make images" in record.reason
    assert tokens(bench) == 0
    assert leavings(bench, engine, missing) == []


def job_of(bench: JobBench, run_id: str, **changes: Any) -> Job:
    job = Job(
        run_id=run_id,
        project=bench.project,
        work=bench.folder(run_id).work.path,
        resources=bench.workspace.settings.resource_class("standard"),
        network=Network.WORKSPACE,
        environment=lambda: {"MLFLOW_TRACKING_TOKEN": "nb2p_test"},
    )
    return replace(job, **changes)


def prepared(bench: JobBench, *cells: Cell) -> str:
    """Ask for a run, and prepare its folder as a dispatcher does."""
    run_id = bench.request(*cells)
    record = bench.run(run_id)
    version = load_version(bench.project.repository, Reference(record.pipeline, record.version))
    prepare_folder(bench.folder(run_id), record, version)
    return run_id


def test_run_over_a_folder_that_no_mount_can_name_is_refused(
    bench: JobBench, engine: DockerEngine, executor: DockerExecutor, surroundings: Surroundings
) -> None:
    run_id = prepared(bench, code("1"))
    moved = replace(bench.project, root=bench.project.root.with_name("seats, all"))
    bench.project.root.rename(moved.root)

    with pytest.raises(StorageUnusable, match="Move the workspace"):
        executor.start(job_of(bench, run_id, project=moved))
    executor.collect(run_id)

    assert leavings(bench, engine, surroundings) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="to mount takes root")
def test_run_where_there_can_be_no_layer_is_refused_with_what_to_do(
    bench: JobBench,
    engine: DockerEngine,
    executor: DockerExecutor,
    surroundings: Surroundings,
    tmp_path: Path,
) -> None:
    run_id = prepared(bench, code("1"))
    folder = bench.folder(run_id).path
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    options = ",".join(f"{name}dir={tmp_path / name}" for name in ("lower", "upper", "work"))
    # An overlay itself can be no upper layer.
    shutil.copytree(folder, tmp_path / "lower", dirs_exist_ok=True)
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", folder], check=True)
    try:
        with pytest.raises(EngineRefused, match="on ext4, XFS or btrfs"):
            executor.start(job_of(bench, run_id))
        executor.collect(run_id)
    finally:
        subprocess.run(["umount", folder], check=True)

    assert leavings(bench, engine, surroundings) == []


class DyingEngine(DockerEngine):
    """An engine whose client dies just before, or just after, it asks for one thing."""

    def __init__(self, api: Any, step: str, *, is_done: bool) -> None:
        super().__init__(api)
        self._step, self._is_done = step, is_done

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name != self._step:
            return found

        def die(*arguments: Any, **options: Any) -> None:
            if self._is_done:
                found(*arguments, **options)
            raise SystemExit(f"killed at {name}")

        return die


class ForgetfulEngine(DockerEngine):
    """As an engine answers that was killed while it started something, and began anew."""

    def start(self, name: str) -> None:
        raise EngineRefused(f"The engine could not start {name}: task 56ee75: already exists.")


def test_run_that_a_killed_engine_has_lost_sight_of_is_lost_and_leaves_nothing(
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings
) -> None:
    run_id = prepared(bench, code("1"))
    dying = DockerExecutor(
        bench.workspace, DyingEngine(engine.api, "start", is_done=False), surroundings
    )
    with pytest.raises(SystemExit):
        dying.start(job_of(bench, run_id))

    executor = DockerExecutor(bench.workspace, ForgetfulEngine(engine.api), surroundings)
    executor.start(job_of(bench, run_id))

    assert executor.attach(run_id) is Standing.ENDED
    assert executor.collect(run_id).verdict.status is RunStatus.LOST
    assert leavings(bench, engine, surroundings) == []


STARTING = ("ensure_project_network", "remove_volume", "make_volume", "create", "start")
ENDING = ("logs", "remove", "remove_volume")


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STARTING)
def test_run_whose_start_was_cut_off_is_started_once_by_the_next_one(
    bench: JobBench,
    engine: DockerEngine,
    executor: DockerExecutor,
    surroundings: Surroundings,
    step: str,
    *,
    is_done: bool,
) -> None:
    run_id = prepared(bench, code("print('once')"))
    dying = DockerExecutor(
        bench.workspace, DyingEngine(engine.api, step, is_done=is_done), surroundings
    )
    with pytest.raises(SystemExit):
        dying.start(job_of(bench, run_id))

    executor.start(job_of(bench, run_id))
    eventually(lambda: executor.attach(run_id) is Standing.ENDED)
    outcome = executor.collect(run_id)

    assert outcome.exit_status == 0
    words = (bench.folder(run_id).path / "worker.log").read_bytes()
    assert words.count(b"The run has ended") == 1
    assert leavings(bench, engine, surroundings) == []


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ENDING)
def test_run_whose_end_was_cut_off_is_found_again_and_leaves_nothing(
    bench: JobBench,
    engine: DockerEngine,
    executor: DockerExecutor,
    surroundings: Surroundings,
    step: str,
    *,
    is_done: bool,
) -> None:
    run_id = prepared(bench, code("print('once')"))
    executor.start(job_of(bench, run_id))
    eventually(lambda: executor.attach(run_id) is Standing.ENDED)
    dying = DockerExecutor(
        bench.workspace, DyingEngine(engine.api, step, is_done=is_done), surroundings
    )
    with pytest.raises(SystemExit):
        dying.collect(run_id)

    assert executor.known() == (run_id,)
    outcome = executor.collect(run_id)

    assert outcome.exit_status == 0
    assert executor.known() == ()
    assert leavings(bench, engine, surroundings) == []


def test_start_that_was_cut_off_and_is_not_taken_up_leaves_nothing(
    bench: JobBench, engine: DockerEngine, executor: DockerExecutor, surroundings: Surroundings
) -> None:
    for step in STARTING:
        run_id = prepared(bench, code("1"))
        dying = DockerExecutor(
            bench.workspace, DyingEngine(engine.api, step, is_done=True), surroundings
        )
        with pytest.raises(SystemExit):
            dying.start(job_of(bench, run_id))

    for run_id in executor.known():
        executor.collect(run_id)

    assert leavings(bench, engine, surroundings) == []


def test_run_goes_on_without_a_dispatcher_and_the_next_one_ends_it(
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings
) -> None:
    run_id = bench.request(code(f"print('once', flush=True)\n{WAIT}"))
    # Nothing of it is kept in memory: what a killed one leaves is what this one leaves.
    executor = DockerExecutor(bench.workspace, engine, surroundings)
    with Dispatcher(bench.workspace, [executor]) as former:
        bench.reach_cell(former, run_id, 1)
    (bench.folder(run_id).work.path / "go").touch()
    name = run_container_name(surroundings, run_id)
    ended = engine.wait(name, timeout_s=60)
    assert ended is not None
    assert not ended.is_running
    assert bench.run(run_id).status is RunStatus.RUNNING

    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        dispatcher.reconcile()
        record = bench.finish(dispatcher, run_id)

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert bench.log(record).count("once") == 1
    assert engine.find(name) is None


def test_every_verb_of_the_executor_may_be_repeated(
    bench: JobBench, executor: DockerExecutor, engine: DockerEngine, surroundings: Surroundings
) -> None:
    run_id = prepared(bench, code("print('once')"))
    issued: list[str] = []

    def environment() -> dict[str, str]:
        issued.append(run_id)
        return {"MLFLOW_TRACKING_TOKEN": "nb2p_test"}

    job = job_of(bench, run_id, environment=environment)
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
    bench: JobBench, engine: DockerEngine, surroundings: Surroundings
) -> None:
    class AbsentEngine(DockerEngine):
        """An engine that answers nothing."""

        def find(self, name: str) -> None:
            raise EngineUnreachable(f"nobody knows {name}")

    run_id = bench.request(code("print('later')"))
    absent = DockerExecutor(bench.workspace, AbsentEngine(engine.api), surroundings)

    with Dispatcher(bench.workspace, [absent]) as dispatcher:
        dispatcher.look()
        eventually(bench.folder(run_id).version.exists)
        assert bench.run(run_id).status in (RunStatus.QUEUED, RunStatus.RUNNING)

    present = DockerExecutor(bench.workspace, engine, surroundings)
    with Dispatcher(bench.workspace, [present]) as dispatcher:
        assert bench.finish(dispatcher, run_id).status is RunStatus.SUCCEEDED
