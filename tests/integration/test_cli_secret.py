"""``nb2prod secret``, as a person types it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from typing import Any

import pytest

from nb2prod.settings import Settings
from nb2prod.workspace.projects import found_project, get_project
from nb2prod.workspace.secrets import read_secrets
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.jobs import eventually

NAME, VALUE = "DB_PASSWORD", "correct horse battery"


@pytest.fixture(autouse=True)
def project() -> None:
    """A project of ada's."""
    with open_workspace(Settings.from_environment()) as workspace:
        found_project(workspace, "seats", owner="ada")


def nb2prod(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "nb2prod.cli", "secret", *arguments],
        input=given,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def answer_of(*arguments: str, given: bytes = b"") -> Any:
    """What a command prints as JSON."""
    done = nb2prod(*arguments, "--json", given=given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def value() -> str:
    with open_workspace(Settings.from_environment()) as workspace:
        project = get_project(workspace, "seats", person="ada")
        return read_secrets(workspace, project, [NAME])[NAME]


def test_secret_is_read_from_standard_input_listed_and_removed() -> None:
    made = answer_of("set", "seats", NAME, given=f"{VALUE}\n".encode())

    assert (made["name"], made["set_by"]) == (NAME, "ada")
    assert value() == VALUE
    assert [item["name"] for item in answer_of("list", "seats")] == [NAME]
    assert VALUE not in nb2prod("list", "seats").stdout
    assert answer_of("rotate") == {"secrets": 1}
    assert value() == VALUE
    assert nb2prod("remove", "seats", NAME).stdout == f"Removed {NAME} of seats.\n"
    assert "seats has no secrets" in nb2prod("list", "seats").stdout


def test_secret_is_asked_for_at_a_terminal_and_not_shown() -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "nb2prod.cli", "secret", "set", "seats", NAME]
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ) as process:
        # What is typed before it has turned the echo off is thrown away.
        eventually(lambda: not termios.tcgetattr(slave)[3] & termios.ECHO)
        os.write(master, f"{VALUE}\n".encode())
        assert process.wait(timeout=60) == 0
    os.set_blocking(master, False)
    shown = os.read(master, 4096)
    os.close(slave)
    os.close(master)

    assert f"Value of {NAME}".encode() in shown
    assert VALUE.encode() not in shown
    assert value() == VALUE


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("db-password", b"", "is no name of a secret"),
        ("PATH", b"", "decides how programs run"),
        (NAME, b"short\n", "too short"),
        (NAME, b"\xff\xfe\xfd\xfc\xfb\xfa", "no text in UTF-8"),
        (NAME, b"ab3" * 20_000, "at most"),
    ],
)
def test_what_can_not_be_used_is_refused(name: str, given: bytes, said: str) -> None:
    done = nb2prod("set", "seats", name, given=given)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_project_that_is_not_there_is_said() -> None:
    done = nb2prod("list", "fares")

    assert done.returncode == 3
    assert "fares" in done.stderr
