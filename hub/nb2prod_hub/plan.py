"""The plan of a running workspace: what its processes agree on.

``nb2prod up`` writes it before it starts anything; the hub, the services and the dispatcher
read it, and nothing else, to find each other. What has to stay the same over restarts, because
running servers know it, does: the instance, the addresses and the ports.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from nb2prod.workspace.policy import Surroundings


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
    proxy_api_port, hub_port, service_port, mlflow_port
        On ``inner_ip``; the proxy's API always on the loopback address.
    default_image
        Image of projects that name none; empty in mode `process`.
    administrator
        Name of the first administrator.
    """

    home: Path
    instance: str
    mode: Mode
    bind_ip: str
    port: int
    inner_ip: str
    proxy_api_port: int
    hub_port: int
    service_port: int
    mlflow_port: int
    default_image: str
    administrator: str

    @property
    def folder(self) -> Path:
        """Folder of the hub's own state: database, secrets, logs, configuration."""
        return self.home / "hub"

    @property
    def public_url(self) -> str:
        """The address that people open, without a slash at its end."""
        host = "127.0.0.1" if self.bind_ip in {"0.0.0.0", "127.0.0.1"} else self.bind_ip  # noqa: S104
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
    def surroundings(self) -> Surroundings:
        """What containers of this workspace have in common."""
        return Surroundings(
            instance=self.instance,
            home=self.home,
            default_image=self.default_image,
            service_url=self.service_url,
            mlflow_url=self.mlflow_url,
        )
