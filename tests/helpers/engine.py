"""A real Docker engine and our images, for tests that need containers."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import nb2prod

REPOSITORY = Path(__file__).parents[2]
BASE_IMAGE = f"nb2prod/base:{nb2prod.__version__}"
TORCH_IMAGE = f"nb2prod/torch:{nb2prod.__version__}"

ANSWER_TIMEOUT_S = 60
# Building both from nothing, on a slow machine.
IMAGES_TIMEOUT_S = 900
TEST_LABEL = "nb2prod.test"

# What the workspace gives to every container of its own.
HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--init",
    "--user=1000:20001",
    "--tmpfs=/tmp:size=256m,mode=1777,exec",
    "--tmpfs=/home/jovyan:size=256m,mode=0700,uid=1000,gid=20001",
)


@dataclass(frozen=True)
class Answer:
    """What a program said, and how it ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Engine:
    """A Docker engine; what is made through it is removed by `clear`."""

    label: str = field(default_factory=lambda: secrets.token_hex(4))

    def ask(self, *arguments: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Answer:
        """Call the client; a status other than 0 is for the caller to judge."""
        ended = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def say(self, *arguments: str, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """Call the client; it must succeed. Returns its output without the last line's end."""
        answer = self.ask(*arguments, timeout_s=timeout_s)
        assert answer.status == 0, f"docker {' '.join(arguments)}: {answer.err}"
        return answer.out.rstrip("\n")

    def run(
        self, image: str, *command: str, options: Sequence[str] = HARDENED, timeout_s: float = 120
    ) -> Answer:
        """Run a command in a container that is removed when it has ended."""
        return self.ask(
            "run", "--rm", *self._labelled(), *options, image, *command, timeout_s=timeout_s
        )

    def start(self, image: str, *command: str, options: Sequence[str] = HARDENED) -> str:
        """Start a container in the background; returns its id."""
        return self.say("run", "--detach", *self._labelled(), *options, image, *command)

    def network(self) -> tuple[str, str]:
        """Make a network; returns its name, and the address of this machine in it."""
        name = f"nb2prod-test-{self.label}-{secrets.token_hex(2)}"
        self.say("network", "create", *self._labelled(), name)
        form = "{{(index .IPAM.Config 0).Gateway}}"
        return name, self.say("network", "inspect", name, "--format", form)

    def logs(self, container: str) -> str:
        """Return what a container's programs have written."""
        answer = self.ask("logs", container)
        return answer.out + answer.err

    def clear(self) -> None:
        """Remove all that was made through this object."""
        self._remove(f"{TEST_LABEL}={self.label}")

    def clear_workspace(self, instance: str) -> None:
        """Remove the containers, volumes and networks of a workspace that a test started."""
        self._remove(f"nb2prod.instance={instance}")

    def _remove(self, label: str) -> None:
        chosen = f"--filter=label={label}"
        for container in self.say("ps", "--all", "--quiet", chosen).split():
            self.ask("rm", "--force", "--volumes", container)
        for volume in self.say("volume", "ls", "--quiet", chosen).split():
            self.ask("volume", "rm", volume)
        for network in self.say("network", "ls", "--quiet", chosen).split():
            self.ask("network", "rm", network)

    def _labelled(self) -> tuple[str, str]:
        return ("--label", f"{TEST_LABEL}={self.label}")


def require_engine() -> None:
    """Skip the test where no engine answers; in CI that is a failure.

    It starts no engine: `scripts/engine.sh` does, before the tests.
    """
    try:
        ended = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=ANSWER_TIMEOUT_S,
            check=False,
        )
        reason = ended.stderr.strip() if ended.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if reason:
        missing = f"no Docker engine answers: {reason}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


def require_images(*names: str) -> None:
    """Build those of our images (``base``, ``torch``) that are not up to date."""
    ended = subprocess.run(
        ["scripts/images.sh", *names],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=IMAGES_TIMEOUT_S,
        check=False,
    )
    if ended.returncode != 0:
        pytest.fail(f"the images can't be built:\n{ended.stdout}")


@contextmanager
def open_engine() -> Iterator[Engine]:
    """Give an engine, and remove at the end what was made through it."""
    require_engine()
    engine = Engine()
    try:
        yield engine
    finally:
        engine.clear()
