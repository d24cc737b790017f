"""Executors' words: how an end is judged, and how a container is described to Docker."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from nb2prod.errors import ExecutorMissing, StorageUnusable
from nb2prod.execution.models import RunStatus
from nb2prod.execution.recorder import RunFolder
from nb2prod.jobs import executors
from nb2prod.jobs.docker_client import create_arguments, host_arguments
from nb2prod.jobs.docker_networks import interface_name
from nb2prod.jobs.executors import executor_names, open_executor
from nb2prod.jobs.ledger import Ledger, started_runs
from nb2prod.jobs.models import Outcome
from nb2prod.jobs.overlay import make_layers, volume_arguments
from nb2prod.settings import ResourceClass
from nb2prod.workspace.models import Project
from nb2prod.workspace.policy import (
    ContainerSpec,
    Limits,
    Mount,
    NetworkKind,
    Overlay,
    RunNeeds,
    Surroundings,
    run_container,
)
from nb2prod.workspace.workspace import Workspace

SPEC = ContainerSpec(
    name="nb2prod-0a1b2c3d-run-abc",
    image="nb2prod/base:1",
    command=("/opt/server/bin/start-worker", "/run/nb2prod"),
    environment={"MLFLOW_WORKSPACE": "seats"},
    mounts=(
        Mount(source=Path("/srv/layers"), target="/run/nb2prod-written", is_read_only=True),
        Mount(source=Path("/srv/run"), target="/run/nb2prod"),
    ),
    tmpfs={"/tmp": "size=1g,mode=1777,exec"},
    limits=Limits(memory_mb=512, cpu_cores=1.5, pids=99),
    network="nb2prod-0a1b2c3d-seats",
    overlay=Overlay(
        name="nb2prod-0a1b2c3d-run-abc",
        target="/home/jovyan/project",
        lower=Path("/srv/seats"),
        upper=Path("/srv/layers/upper"),
        work=Path("/srv/layers/work"),
    ),
    name_servers=("127.0.0.1",),
    labels={"nb2prod.kind": "run"},
    uid=1000,
    gid=20001,
)
PROJECT = Project(
    id=1,
    name="seats",
    title="Seats",
    root=Path("/srv/seats"),
    repository=Path("/srv/seats.git"),
    image=None,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
SURROUNDINGS = Surroundings(
    instance="0a1b2c3d",
    home=Path("/srv"),
    default_image="nb2prod/base:1",
    service_url="http://10.83.0.1:1/services/workspace",
    mlflow_url="http://10.83.0.1:2/services/mlflow",
)


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        (Outcome(), RunStatus.LOST, "The run's worker ended without a word: it was killed, or"),
        (Outcome(exit_status=-9), RunStatus.LOST, "The run's worker was ended by SIGKILL."),
        (Outcome(exit_status=137), RunStatus.LOST, "The run's worker was ended by SIGKILL."),
        (Outcome(exit_status=128 + 99), RunStatus.LOST, "The run's worker was ended by signal 99."),
        (
            Outcome(exit_status=0),
            RunStatus.LOST,
            "The run's worker ended with exit status 0 before the run had an end.",
        ),
        (
            Outcome(exit_status=2, last_words="No module named nb2prod"),
            RunStatus.LOST,
            "The run's worker ended with exit status 2 before the run had an end; it said: No",
        ),
        (
            Outcome(
                exit_status=137,
                is_out_of_memory=True,
                memory_mb=512,
                peak_memory_mb=511,
                resources="small",
            ),
            RunStatus.KERNEL_DIED,
            "The run was ended because it needed more memory than it may have: it reached 511 MB",
        ),
        (
            Outcome(exit_status=137, is_out_of_memory=True),
            RunStatus.KERNEL_DIED,
            "The run was ended because it needed more memory than it may have.",
        ),
        (
            Outcome(exit_status=143, is_cancelled=True),
            RunStatus.CANCELLED,
            "Cancelled before the run could say how it stood.",
        ),
        (Outcome(exit_status=3), RunStatus.FAILED, "No space was left on the disk"),
    ],
    ids=[
        *("unknown", "signal", "container", "odd", "zero", "words", "memory", "memory-of-old"),
        *("cancelled", "disk"),
    ],
)
def test_end_without_a_word_is_judged_by_what_the_executor_saw(
    outcome: Outcome, status: RunStatus, reason: str
) -> None:
    verdict = outcome.verdict

    assert verdict.status is status
    assert verdict.reason.startswith(reason)
    assert verdict.reason.endswith(".")


def test_container_is_always_hardened() -> None:
    host = host_arguments(SPEC)

    assert host["cap_drop"] == ["ALL"]
    assert host["security_opt"] == ["no-new-privileges"]
    assert host["read_only"] is True
    assert host["init"] is True
    assert host["mem_limit"] == host["memswap_limit"] == 512 * 1024 * 1024
    assert host["nano_cpus"] == 1_500_000_000
    assert host["pids_limit"] == 99
    assert host["network_mode"] == SPEC.network
    assert host["tmpfs"] == SPEC.tmpfs
    assert host["restart_policy"] == {"Name": "no"}
    assert host["log_config"].config["max-size"] == "10m"
    assert not {"privileged", "cap_add", "devices", "pid_mode", "ipc_mode"} & set(host)
    assert [(mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in host["mounts"]] == [
        ("/srv/layers", "/run/nb2prod-written", True),
        ("/srv/run", "/run/nb2prod", False),
        ("nb2prod-0a1b2c3d-run-abc", "/home/jovyan/project", False),
    ]
    assert [mount["Type"] for mount in host["mounts"]] == ["bind", "bind", "volume"]
    assert host["mounts"][-1]["VolumeOptions"] == {"NoCopy": True}
    assert host["dns"] == ["127.0.0.1"]


def test_container_is_made_as_described() -> None:
    assert create_arguments(SPEC, hostname="seats-1") == {
        "name": SPEC.name,
        "hostname": "seats-1",
        "image": SPEC.image,
        "command": list(SPEC.command),
        "environment": {"MLFLOW_WORKSPACE": "seats"},
        "user": "1000:20001",
        "working_dir": "/home/jovyan",
        "labels": {"nb2prod.kind": "run"},
        "detach": True,
    }


def test_container_of_a_machine_with_a_long_name_has_its_beginning() -> None:
    assert create_arguments(SPEC, hostname="n" * 70)["hostname"] == "n" * 63


def test_interface_of_a_network_is_short_and_its_own() -> None:
    names = {
        interface_name(f"nb2prod-0a1b2c3d-{'x' * length}", kind)
        for length in range(30)
        for kind in NetworkKind
    }

    assert len(names) == 60
    assert all(name.startswith(("nb2p-", "nb2r-")) and len(name) <= 15 for name in names)


def test_volume_of_a_run_is_an_overlay_that_keeps_whole_copies() -> None:
    assert SPEC.overlay is not None
    arguments = volume_arguments(SPEC.overlay)

    assert (arguments["name"], arguments["driver"]) == (SPEC.name, "local")
    assert arguments["driver_opts"] == {
        "type": "overlay",
        "device": "overlay",
        "o": "nosuid,nodev,index=off,metacopy=off,redirect_dir=on,lowerdir=/srv/seats,"
        "upperdir=/srv/layers/upper,workdir=/srv/layers/work",
    }


@pytest.mark.parametrize("character", [",", ":", "\\", "\n"])
def test_volume_of_a_folder_that_no_mount_can_name_is_refused(character: str) -> None:
    assert SPEC.overlay is not None
    overlay = replace(SPEC.overlay, lower=Path(f"/srv/a{character}b"))

    with pytest.raises(StorageUnusable, match="Move the workspace"):
        volume_arguments(overlay)


def test_run_is_in_the_network_that_it_asked_for_and_over_the_projects_folder(
    tmp_path: Path,
) -> None:
    closed = run_container(SURROUNDINGS, PROJECT, needs(tmp_path))
    opened = run_container(SURROUNDINGS, PROJECT, needs(tmp_path, has_internet=True))

    assert closed.network == "nb2prod-0a1b2c3d-seats--runs"
    assert closed.name_servers == ("127.0.0.1",)
    assert opened.network == "nb2prod-0a1b2c3d-seats"
    assert opened.name_servers == ()
    assert closed.limits == Limits(memory_mb=64, cpu_cores=0.5, pids=32)
    assert closed.labels["nb2prod.resources"] == "small"
    assert closed.overlay is not None
    assert (closed.overlay.lower, closed.overlay.target) == (PROJECT.root, "/home/jovyan/project")
    assert {mount.target: mount.is_read_only for mount in closed.mounts} == {
        "/run/nb2prod": False,
        "/run/nb2prod-written": True,
    }


def needs(folder: Path, *, has_internet: bool = False) -> RunNeeds:
    return RunNeeds(
        run_id="abc",
        work=folder / "work",
        layers=folder / "layers",
        resources=ResourceClass(name="small", memory_mb=64, cpu_cores=0.5, pids=32),
        has_internet=has_internet,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    (tmp_path / "abc" / "work").mkdir(parents=True)
    return Ledger(RunFolder(tmp_path / "abc"))


def test_ledger_of_a_new_run_is_empty(ledger: Ledger) -> None:
    assert (ledger.start, ledger.outcome) == (None, None)
    assert not ledger.is_started
    assert not ledger.is_cancelled
    assert ledger.last_words() == ""


def test_ledger_gives_back_what_was_written(ledger: Ledger, tmp_path: Path) -> None:
    outcome = Outcome(
        exit_status=137,
        is_out_of_memory=True,
        memory_mb=512,
        peak_memory_mb=512,
        resources="small",
        last_words="x",
        notes=("Ran on a bicycle.",),
    )

    ledger.write_start(pid=1)
    assert started_runs(tmp_path) == ("abc",)
    ledger.mark_cancelled()
    ledger.write_outcome(outcome)

    again = Ledger(ledger.folder)
    assert again.start == {"pid": 1}
    assert again.is_started
    assert again.is_cancelled
    assert again.outcome == outcome
    assert started_runs(tmp_path) == ()


def test_run_whose_worker_has_written_anything_counts_as_started(ledger: Ledger) -> None:
    ledger.folder.work.events.write_bytes(b"{}\n")

    assert ledger.is_started


def test_last_words_are_the_last_line_of_a_long_log(ledger: Ledger) -> None:
    ledger.worker_log.write_bytes(b"\xff" * 10_000 + b"\nlast line \n\n")

    assert ledger.last_words() == "last line"


def overlay_in(folder: Path) -> Overlay:
    assert SPEC.overlay is not None
    layers = folder / "layers"
    return replace(
        SPEC.overlay, lower=folder / "seats", upper=layers / "upper", work=layers / "work"
    )


def test_layers_of_a_run_look_as_the_projects_folder_and_are_empty(tmp_path: Path) -> None:
    overlay = overlay_in(tmp_path)
    overlay.lower.mkdir()
    overlay.lower.chmod(0o2750)
    (overlay.upper / "of" / "before").mkdir(parents=True)

    make_layers(overlay)

    found, like = overlay.upper.stat(), overlay.lower.stat()
    assert (found.st_mode, found.st_uid, found.st_gid) == (like.st_mode, like.st_uid, like.st_gid)
    assert list(overlay.upper.iterdir()) == list(overlay.work.iterdir()) == []


def test_layers_over_a_folder_that_is_gone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageUnusable, match=r"The project's folder .* can't be read"):
        make_layers(overlay_in(tmp_path))


def test_executors_of_both_modes_are_installed() -> None:
    assert {"docker", "process"} <= set(executor_names())


def test_executor_of_its_name_is_opened(workspace: Workspace) -> None:
    with open_executor("process", workspace, SURROUNDINGS) as executor:
        assert executor.name == "process"
        assert executor.known() == ()


def test_executor_that_nobody_installed_names_those_that_are(workspace: Workspace) -> None:
    with (
        pytest.raises(ExecutorMissing, match=r"No executor 'ray' .* docker, process"),
        open_executor("ray", workspace, SURROUNDINGS),
    ):
        pass


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nb2prod.nowhere:open", "can't be loaded from nb2prod.nowhere:open"),
        ("nb2prod.jobs.process_executor:nothing", "can't be loaded"),
        ("nb2prod.jobs.process_executor:open_process_executor", "calls itself 'process'"),
    ],
    ids=["no-module", "no-factory", "another-name"],
)
def test_executor_that_can_not_be_used_says_why(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    entry = EntryPoint(name="ray", value=value, group=executors.GROUP)
    monkeypatch.setattr(executors, "entry_points", lambda **_: [entry])

    with pytest.raises(ExecutorMissing, match=words), open_executor("ray", workspace, SURROUNDINGS):
        pass
