"""Servers as processes of the workspace's own account: no isolation, for one's own machine."""

from __future__ import annotations

import asyncio
import getpass
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from jupyterhub.utils import random_port

from nb2prod.errors import storage_error
from nb2prod.workspace.people import folder_name
from nb2prod.workspace.policy import PRIVATE_FOLDER, PROJECT_FOLDER, private_folder
from nb2prod_hub.process_table import is_alive, kill_group, started_at
from nb2prod_hub.project_spawner import ProjectSpawner
from nb2prod_hub.server_description import ServerDescription
from nb2prod_hub.server_logs import new_log, read_end

# Files in a shared folder can be changed by its other members, as in containers.
UMASK = 0o002
HOMES = ".homes"
LOOPBACK = "127.0.0.1"


class ProjectProcessSpawner(ProjectSpawner, LocalProcessSpawner):  # type: ignore[misc]
    """Starts a person's server for a project as a process on this machine.

    The process is its own session: it outlives the hub, which finds it again by its number and
    the time of its start.
    """

    proc: subprocess.Popen[bytes] | None
    started = 0
    log_path: Path | None = None

    async def launch(self, server: ServerDescription) -> tuple[str, int]:
        """Start the process; returns the address where it will answer."""
        self.say(20, "Making the folders")
        home = await self.in_thread(make_home, self.plan.home, server)
        self.notebook_dir = str(home)
        self.ip, self.port = LOOPBACK, random_port()
        environment = {**self.get_env(), **process_environment(server, home, self.api_token)}
        command = [sys.executable, "-m", "jupyterhub.singleuser", *self.get_args()]
        self.say(40, "Starting the process")
        self.log_path = await self.in_thread(new_log, self._logs, server.log_name)
        self._popen(command, environment, home)
        return LOOPBACK, self.port

    def _popen(self, command: list[str], environment: dict[str, str], home: Path) -> None:
        assert self.log_path is not None
        with self.log_path.open("ab") as log:
            self.proc = subprocess.Popen(
                command,
                env=environment,
                cwd=home,
                umask=UMASK,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self.proc.pid
        self.started = started_at(self.pid) or 0

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Name the account that the process has, which is not that of the person."""
        return {**env, "USER": getpass.getuser(), "SHELL": os.environ.get("SHELL", "/bin/sh")}

    def get_state(self) -> dict[str, Any]:
        """Return what finds the process again."""
        state: dict[str, Any] = super().get_state()
        if self.pid:
            state |= {"started": self.started, "log": str(self.log_path or "")}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a process that an earlier hub started."""
        super().load_state(state)
        self.started = state.get("started", 0)
        self.log_path = Path(state["log"]) if state.get("log") else None

    def clear_state(self) -> None:
        """Forget the process."""
        super().clear_state()
        self.started = 0

    async def poll(self) -> int | None:
        """Return `None` while the process lives, else its exit status, or 0 if nobody knows it."""
        if self.proc is not None:
            return self.proc.poll()
        return None if is_alive(self.pid, self.started) else 0

    async def why_ended(self) -> str:
        """Say why the process is gone."""
        return f"the process ended with status {await self.poll()}"

    async def read_log(self) -> bytes:
        """Return the end of the process's log."""
        return b"" if self.log_path is None else await self.in_thread(read_end, self.log_path)

    async def discard(self) -> None:
        """End what is left of the process; its log stays."""
        if self.pid and self.started:
            kill_group(self.pid, self.started)
        if self.proc is not None:
            await asyncio.to_thread(self.proc.wait, timeout=self.kill_timeout)
            self.proc = None

    @property
    def _logs(self) -> Path:
        return self.plan.logs / "servers"


def make_home(home: Path, server: ServerDescription) -> Path:
    """Make the folder that stands for a container's home, with links to the two real ones.

    Raises
    ------
    StorageFull, StorageUnusable
        It can't be made.
    """
    project = server.project
    folder = home / "people" / folder_name(server.person) / HOMES / project.name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _link(folder / Path(PROJECT_FOLDER).name, project.root)
        _link(folder / Path(PRIVATE_FOLDER).name, private_folder(home, project, server.person))
    except OSError as error:
        raise storage_error(folder, error) from error
    return folder


def process_environment(server: ServerDescription, home: Path, api_token: str) -> dict[str, str]:
    """Return what the description's environment is in a process.

    Parameters
    ----------
    home
        What stands for the container's home folder.
    api_token
        The server's token; MLflow's clients send it, too.
    """
    translated = {key: _moved(value, home) for key, value in server.spec.environment.items()}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {
        **translated,
        "HOME": str(home),
        "PATH": programs,
        "MLFLOW_TRACKING_TOKEN": api_token,
    }


def _moved(value: str, home: Path) -> str:
    for folder in (PROJECT_FOLDER, PRIVATE_FOLDER):
        if value == folder or value.startswith(f"{folder}/"):
            return str(home / Path(folder).name) + value.removeprefix(folder)
    return value


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    partial = link.with_name(f".{link.name}.partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(link)
