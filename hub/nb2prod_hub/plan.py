"""The plan of a running workspace: what its processes agree on.

``nb2prod up`` writes it before it starts anything; the hub, the services and the dispatcher
read it, and nothing else, to find each other. What has to stay the same over restarts, because
running servers know it, does: the instance, the addresses and the ports.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from nb2prod.errors import Conflict, StorageUnusable, storage_error
from nb2prod.settings import DEFAULT_NETWORK_POOL
from nb2prod.workspace.policy import Surroundings

PLAN_FILE = "plan.json"
HUB_FOLDER = "hub"
# All addresses of a machine, which is not one that a browser can open.
_ALL = "0.0.0.0"  # noqa: S104


class Mode(StrEnum):
    """How people's servers and runs are kept apart: in containers, or not at all."""

    PROCESS = "process"
    DOCKER = "docker"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the processes of a workspace agree on.

    Parameters
    ----------
    home
        The workspace's folder.
    instance
        Eight hexadecimal digits that tell the workspaces of one machine apart.
    bind_ip, port
        Where the proxy listens: the address that people open.
    inner_ip
        Where everything behind the proxy listens: the loopback address, or, with Docker, the
        gateway of a bridge of ours, so that containers reach it and nobody outside does.
    inner_subnet
        The addresses of that bridge, so that it can be made again with the same gateway; empty
        in mode `process`.
    proxy_api_port, hub_port, service_port, mlflow_port
        On ``inner_ip``; the proxy's API always on the loopback address.
    default_image
        Image of projects that name none; empty in mode `process`.
    administrator
        Name of the first administrator.
    network_pool
        Where projects' networks have their addresses from; see `Settings`.
    """

    home: Path
    instance: str
    mode: Mode
    bind_ip: str
    port: int
    inner_ip: str
    inner_subnet: str
    proxy_api_port: int
    hub_port: int
    service_port: int
    mlflow_port: int
    default_image: str
    administrator: str
    network_pool: str = DEFAULT_NETWORK_POOL

    @property
    def folder(self) -> Path:
        """Folder of the hub's own state: database, secrets, logs, configuration."""
        return self.home / HUB_FOLDER

    @property
    def logs(self) -> Path:
        """Folder of the logs of the workspace's processes; those of servers are below it."""
        return self.folder / "logs"

    @property
    def public_url(self) -> str:
        """The address that people open, without a slash at its end."""
        host = "127.0.0.1" if self.bind_ip == _ALL else self.bind_ip
        return f"http://{host}:{self.port}"

    @property
    def service_url(self) -> str:
        """The workspace service behind the proxy, prefix included."""
        return f"http://{self.inner_ip}:{self.service_port}/services/workspace"

    @property
    def mlflow_url(self) -> str:
        """MLflow behind the proxy, prefix included."""
        return f"http://{self.inner_ip}:{self.mlflow_port}/services/mlflow"

    @property
    def hub_api_url(self) -> str:
        """The hub's API behind the proxy."""
        return f"http://{self.inner_ip}:{self.hub_port}/hub/api"

    @property
    def proxy_api_url(self) -> str:
        """The proxy's own API, for the hub only."""
        return f"http://127.0.0.1:{self.proxy_api_port}"

    @property
    def surroundings(self) -> Surroundings:
        """What containers of this workspace have in common."""
        return Surroundings(
            instance=self.instance,
            home=self.home,
            default_image=self.default_image,
            service_url=self.service_url,
            mlflow_url=self.mlflow_url,
            network_pool=self.network_pool,
        )


_ADAPTER = TypeAdapter(Plan)


def find_plan(home: Path) -> Plan | None:
    """Return the plan of a workspace; `None` if ``nb2prod up`` never ran there.

    Raises
    ------
    StorageUnusable
        The file can't be read, or says nothing that can be used.
    """
    file = home / HUB_FOLDER / PLAN_FILE
    try:
        return _ADAPTER.validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(file, error) from error
    except ValidationError as error:
        raise StorageUnusable(
            f"{file} can't be understood: {error.errors()[0]['msg']}. Move it away; a new one is"
            " made at the next start, and people's running servers have to be started anew."
        ) from error


def read_plan(home: Path) -> Plan:
    """Return the plan of a workspace that ``nb2prod up`` started.

    Raises
    ------
    Conflict
        It was never started.
    StorageUnusable
        The plan can't be read.
    """
    plan = find_plan(home)
    if plan is None:
        raise Conflict(f"The workspace in {home} was never started. Start it: `nb2prod up`.")
    return plan


def write_plan(plan: Plan) -> None:
    """Write the plan as a whole or not at all; raises `StorageUnusable` or `StorageFull`."""
    file = plan.folder / PLAN_FILE
    partial = file.with_name(f".{PLAN_FILE}.partial")
    try:
        plan.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with partial.open("wb") as stream:
            stream.write(_ADAPTER.dump_json(plan, indent=2))
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except OSError as error:
        raise storage_error(file, error) from error
