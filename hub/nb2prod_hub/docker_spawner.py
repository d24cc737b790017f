"""Servers as containers, described by the workspace's policy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from dockerspawner import DockerSpawner

from nb2prod.jobs.docker_client import DockerEngine
from nb2prod_hub.images import know_image
from nb2prod_hub.process_table import kill_group
from nb2prod_hub.project_spawner import ProjectSpawner
from nb2prod_hub.server_description import ServerDescription
from nb2prod_hub.server_logs import KEPT_BYTES, SHOWN_BYTES, new_log

PORT = 8888
STOP_GRACE_S = 10
THREADS = 8


class ProjectDockerSpawner(ProjectSpawner, DockerSpawner):  # type: ignore[misc]
    """Starts a person's server for a project in a container.

    A start always makes a new container, from the image, limits and folders that the project
    has now. When it ends, however it does, its log is kept and it is removed.
    """

    # DockerSpawner would keep the server's token for a container that is started again.
    will_resume = False

    @property
    def client(self) -> Any:
        """The one connection to the engine; DockerSpawner's own would lack a deadline."""
        return engine().api

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The threads that wait for the engine; DockerSpawner's one would queue everybody."""
        return _threads()

    async def launch(self, server: ServerDescription) -> tuple[str, int]:
        """Start the container; returns the address where it will answer."""
        spec = server.spec
        self.say(15, f"Looking for the image {spec.image}")
        await self.in_thread(know_image, engine(), self.plan, spec.image)
        self.say(25, "Preparing the project's network")
        await self.in_thread(
            engine().ensure_project_network, self.plan.surroundings, server.project
        )
        self.image, self.network_name = spec.image, spec.network
        self.object_name = spec.name
        # One of this name is left of a hub that lost its database; its token is worth nothing.
        await self.discard()
        self.say(35, "Making the container")
        self.notebook_dir = spec.working_folder
        described = replace(
            spec,
            command=(*spec.command, *self.get_args()),
            environment={**self.get_env(), **spec.environment},
        )
        await self.in_thread(engine().create, described)
        self.say(45, "Starting the container")
        await self.in_thread(engine().start, spec.name)
        found = await self.docker("inspect_container", spec.name)
        self.object_id = found["Id"]
        return self.get_network_ip(found["NetworkSettings"]), PORT

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002 (JupyterHub's own)
        """Stop the container; `run_post_stop_hook` keeps its log and removes it."""
        grace_s = 0 if now else STOP_GRACE_S
        await self.in_thread(engine().stop, self.object_name, grace_s=grace_s)

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a container that an earlier hub started."""
        super().load_state(state)
        # The mode was `process` until this start: that process knows no hub any more.
        if "started" in state:
            kill_group(state.get("pid", 0), state["started"])

    async def why_ended(self) -> str:
        """Say why the container is gone."""
        found = await self.in_thread(engine().find, self.object_name)
        if found is None:
            return "its container was removed"
        if found.is_out_of_memory:
            return f"it needed more than the {found.memory_mb} MB of memory that a server may use"
        return f"its container ended with status {found.exit_status}"

    async def read_log(self) -> bytes:
        """Return the end of the container's log."""
        return await self.in_thread(_read_log, self.object_name, SHOWN_BYTES)

    async def discard(self) -> None:
        """Keep the container's log, and remove the container; there may be none."""
        if self.object_name:
            await self.in_thread(_discard, self.plan.logs / "servers", self.object_name)
        self.object_id = ""


@cache
def engine() -> DockerEngine:
    """Return the hub's connection to the engine, for as long as the hub lives.

    Raises
    ------
    EngineUnreachable
        The engine does not answer.
    """
    return DockerEngine.connect()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="docker")


def _read_log(name: str, size_bytes: int) -> bytes:
    return engine().logs(name, tail_bytes=size_bytes)


def _discard(folder: Path, name: str) -> None:
    if engine().find(name) is None:
        return
    log = engine().logs(name, tail_bytes=KEPT_BYTES)
    if log:
        new_log(folder, name).write_bytes(log)
    engine().remove(name)
