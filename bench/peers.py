"""Other programs that run notebooks, each in a virtual environment of its own under ``.bench/``.

They are as lean as their packages allow, their bytecode is compiled, and the kernel that they
start is this repository's, by its kernelspec: what differs is the program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nb2prod_kernels.kernelspecs import KERNEL_DISPLAY_NAME, KERNEL_NAME

from tests.helpers.engine import REPOSITORY

ENVIRONMENTS = REPOSITORY / ".bench"
# Of what a peer that failed has said.
LAST_LINES = 40
# A notebook's metadata, for whom the kernel is named there and not by an option.
KERNEL = {
    "kernelspec": {"name": KERNEL_NAME, "display_name": KERNEL_DISPLAY_NAME, "language": "python"}
}
INSTALL_TIMEOUT_S = 600


class PeerMissing(Exception):
    """A peer can't be had; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A package in an environment of its own.

    Parameters
    ----------
    scratch
        Where it keeps its own files while it is measured.
    """

    package: str
    version: str
    folder: Path
    scratch: Path

    @classmethod
    def install(cls, package: str, scratch: Path) -> Peer:
        """Install it, unless it was installed before.

        Raises
        ------
        PeerMissing
            It can't be installed.
        """
        folder = ENVIRONMENTS / package
        python = folder / "bin" / "python"
        if not (folder / ".ready").exists():
            print(f"Installing {package} into {folder.relative_to(REPOSITORY)}", flush=True)
            _uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder))
            _uv("pip", "install", "--quiet", "--compile-bytecode", package, into=folder)
            (folder / ".ready").touch()
        asked = subprocess.run(
            [
                *(str(python), "-c"),
                f"from importlib.metadata import version; print(version({package!r}))",
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        scratch.mkdir()
        return cls(package=package, version=asked.stdout.strip(), folder=folder, scratch=scratch)

    def program(self, name: str) -> str:
        """Return the path of one of its commands."""
        return str(self.folder / "bin" / name)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment in which it works."""
        return {
            **plain_environment(),
            "JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter"),
            "JUPYTER_DATA_DIR": str(self.scratch / "data"),
            "JUPYTER_CONFIG_DIR": str(self.scratch / "config"),
            "JUPYTER_RUNTIME_DIR": str(self.scratch / "runtime"),
            **(more or {}),
        }


@dataclass(frozen=True)
class Papermill:
    """papermill's command line."""

    peer: Peer

    def command(
        self, notebook: Path, output: Path, values: Mapping[str, object], *, folder: Path
    ) -> list[str]:
        """Return the command that runs a notebook in a folder."""
        pairs = [word for name, value in values.items() for word in ("-p", name, str(value))]
        return [
            *(self.peer.program("papermill"), str(notebook), str(output), "--no-progress-bar"),
            *("--kernel", KERNEL_NAME, "--cwd", str(folder), *pairs),
        ]

    def run(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        """Run a command to its end."""
        self._call(command, environment)

    def run_all(
        self,
        commands: Iterable[list[str]],
        *,
        parallel: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run commands to their end, so many at once, by ``xargs``."""
        lines = [" ".join(f'"{word}"' for word in command) for command in commands]
        xargs = ["xargs", "-P", str(parallel), "-L", "1", "env"]
        self._call(xargs, environment, given="\n".join(lines).encode())

    def _call(
        self, command: list[str], environment: Mapping[str, str] | None, *, given: bytes = b""
    ) -> None:
        log = self.peer.scratch / "log"
        with log.open("ab") as stream:
            ended = subprocess.run(
                command,
                check=False,
                env=self.peer.environment(environment),
                input=given,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        if ended.returncode:
            words = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
            sys.exit(f"papermill failed with status {ended.returncode}. It said last:\n{words}")


def plain_environment() -> dict[str, str]:
    """Return this process's environment, but for what would slow a contender or misguide it."""
    others = ("NB2PROD_", "JUPYTER", "MLFLOW_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def _uv(*words: str, into: Path | None = None) -> None:
    uv = shutil.which("uv") or str(REPOSITORY / ".uv" / "bin" / "uv")
    environment = plain_environment()
    if into is not None:
        environment["VIRTUAL_ENV"] = str(into)
    try:
        subprocess.run(
            [uv, *words],
            check=True,
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise PeerMissing("there is no uv to install it with") from error
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise PeerMissing(f"it can't be installed: {said[-1]}") from error
