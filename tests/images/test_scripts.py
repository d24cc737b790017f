"""What the scripts round images and engine say where something is missing; no engine needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.engine import REPOSITORY

# What the scripts themselves call.
TOOLS = (
    *("bash", "cat", "dirname", "env", "id", "rm", "sed", "setsid", "sleep", "tail", "tee"),
    "timeout",
)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the usual tools, and none for containers: the PATH of a bare machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def put(folder: Path, name: str, program: str) -> None:
    """Put a program into a folder."""
    file = folder / name
    file.write_text(f"#!/usr/bin/env bash\n{program}\n")
    file.chmod(0o755)


def call(
    script: str, programs: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Call a script of ours with these programs only."""
    clean = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    # Not those of the engine that other tests use.
    own = {
        "NB2PROD_ENGINE_LOG": str(programs / "dockerd.log"),
        "NB2PROD_ENGINE_PID": str(programs / "dockerd.pid"),
    }
    return subprocess.run(
        [REPOSITORY / "scripts" / script, *arguments],
        env={**clean, **own, "PATH": str(programs), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_images_without_an_engine_name_the_script_that_starts_one(programs: Path) -> None:
    answer = call("images.sh", programs)

    assert answer.returncode == 1
    assert "scripts/engine.sh" in answer.stderr


def test_images_of_an_unknown_name_are_refused(programs: Path) -> None:
    answer = call("images.sh", programs, "cuda")

    assert answer.returncode == 1
    assert "there are base and torch" in answer.stderr


def test_engine_that_answers_is_left_alone(programs: Path) -> None:
    put(programs, "docker", "echo 27.0")
    put(programs, "dockerd", "echo started >&2; exit 9")

    answer = call("engine.sh", programs)

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_engine_is_not_started_where_setup_is_forbidden(programs: Path) -> None:
    put(programs, "docker", "exit 1")
    put(programs, "dockerd", "echo started >&2; exit 9")

    answer = call("engine.sh", programs, SETUP="0")

    assert answer.returncode == 1
    assert "No Docker engine answers" in answer.stderr
    assert "started" not in answer.stderr


def test_engine_is_not_started_where_another_machine_s_is_chosen(programs: Path) -> None:
    put(programs, "docker", "exit 1")
    put(programs, "dockerd", "echo started >&2; exit 9")

    answer = call("engine.sh", programs, DOCKER_HOST="tcp://192.0.2.1:2375")

    assert answer.returncode == 1
    assert "started" not in answer.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts engines")
def test_engine_that_dies_at_its_start_is_reported_with_its_last_words(programs: Path) -> None:
    put(programs, "docker", "exit 1")
    put(programs, "iptables", "exit 0")
    put(programs, "dockerd", "echo 'no room for layers' >&2; exit 9")

    answer = call("engine.sh", programs)

    assert answer.returncode == 1
    assert "no room for layers" in answer.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts engines")
def test_engine_that_comes_up_is_waited_for(programs: Path) -> None:
    mark = programs / "is-up"
    put(programs, "docker", f"[ -e {mark} ] && echo 27.0")
    put(programs, "iptables", "exit 0")
    # It stays a little longer than the wait for it looks again.
    put(programs, "dockerd", f"sleep 1; echo up > {mark}; sleep 5")

    answer = call("engine.sh", programs)

    assert (answer.returncode, answer.stderr) == (0, "")


def test_certificates_added_to_a_machine_are_written_once_each(tmp_path: Path) -> None:
    body = "-----BEGIN CERTIFICATE-----\nTUlJ{}\n-----END CERTIFICATE-----\n"
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(
        "# A company's\n" + body.format("one") + body.format("two") + body.format("one")
    )
    folder = tmp_path / "made"
    folder.mkdir()
    python = shutil.which("python3")
    assert python is not None

    subprocess.run(
        [python, REPOSITORY / "scripts/certificates.py", folder],
        env={"SSL_CERT_FILE": str(bundle)},
        timeout=60,
        check=True,
    )

    written = {file.read_text() for file in folder.glob("*.crt")}
    assert {body.format("one"), body.format("two")} <= written
    assert all(text.startswith("-----BEGIN") for text in written)
