"""Executors' words: how an end is judged, and how a container is described to Docker."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb2prod.execution.models import RunStatus
from nb2prod.execution.recorder import RunFolder
from nb2prod.jobs.docker_client import create_arguments, host_arguments
from nb2prod.jobs.docker_networks import interface_name
from nb2prod.jobs.ledger import Ledger, started_runs
from nb2prod.jobs.models import Outcome
from nb2prod.workspace.policy import ContainerSpec, Limits, Mount

SPEC = ContainerSpec(
    name="nb2prod-0a1b2c3d-run-abc",
    image="nb2prod/base:1",
    command=("/opt/server/bin/start-worker", "/run/nb2prod"),
    environment={"MLFLOW_WORKSPACE": "seats"},
    mounts=(
        Mount(source=Path("/srv/seats"), target="/home/jovyan/project", is_read_only=True),
        Mount(source=Path("/srv/run"), target="/run/nb2prod"),
    ),
    tmpfs={"/tmp": "size=1g,mode=1777,exec"},
    limits=Limits(memory_mb=512, cpu_cores=1.5, pids=99),
    network="nb2prod-0a1b2c3d-seats",
    labels={"nb2prod.kind": "run"},
    uid=1000,
    gid=20001,
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
            Outcome(exit_status=137, is_out_of_memory=True, memory_mb=512),
            RunStatus.KERNEL_DIED,
            "The run was ended because it needed more than its memory limit of 512 MB.",
        ),
        (
            Outcome(exit_status=143, is_cancelled=True),
            RunStatus.CANCELLED,
            "Cancelled before the run could say how it stood.",
        ),
    ],
    ids=["unknown", "signal", "container", "odd", "zero", "words", "memory", "cancelled"],
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
        ("/srv/seats", "/home/jovyan/project", True),
        ("/srv/run", "/run/nb2prod", False),
    ]


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
    names = {interface_name(f"nb2prod-0a1b2c3d-{'x' * length}") for length in range(30)}

    assert len(names) == 30
    assert all(name.startswith("nb2p-") and len(name) <= 15 for name in names)


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
    outcome = Outcome(exit_status=137, is_out_of_memory=True, memory_mb=512, last_words="x")

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
