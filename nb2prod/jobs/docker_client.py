"""The Docker engine, as far as the workspace needs it; used by the executor and the hub.

Two pure functions translate a `ContainerSpec` into docker-py's words, and add to it what every
container of ours has: no capabilities, no new privileges, a read-only root, an init process,
a log of limited size, no restart. No image is ever pulled.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from nb2prod.errors import EngineRefused, EngineUnreachable
from nb2prod.jobs.docker_errors import asking
from nb2prod.jobs.docker_networks import DockerNetworks, Network
from nb2prod.jobs.overlay import volume_arguments
from nb2prod.workspace.policy import (
    ContainerSpec,
    NetworkKind,
    Overlay,
    Surroundings,
    network_name,
)
from nb2prod.workspace.projects import Project

log = logging.getLogger(__name__)

# Long enough for a machine whose disk is busy with images.
TIMEOUT_S = 60.0
KILL_TIMEOUT_S = 10
LOG_OPTIONS = {"max-size": "10m", "max-file": "2"}
# DNS's limit of a label (RFC 1035), one less than the kernel's (sethostname(2)).
HOSTNAME_LENGTH = 63

_NANO = 1_000_000_000
_MB = 1024 * 1024
_CREATED = "created"
_RUNNING = frozenset({"running", "paused", "restarting", "removing"})


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container as the engine has it.

    Parameters
    ----------
    status
        The engine's word: ``created``, ``running``, ``exited``, ….
    exit_status
        128 and a signal's number, where a signal ended it; `None` while it has not ended.
    is_out_of_memory
        Whether the system ended a process of it because its memory was used up.
    memory_mb
        How much memory it may use; `None` without limit.
    """

    id: str
    name: str
    status: str
    exit_status: int | None
    is_out_of_memory: bool
    memory_mb: int | None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_created(self) -> bool:
        """Whether it was made and never started."""
        return self.status == _CREATED

    @property
    def is_running(self) -> bool:
        """Whether something of it may still run."""
        return self.status in _RUNNING


def create_arguments(spec: ContainerSpec, *, hostname: str) -> dict[str, Any]:
    """Return the keywords of `docker.APIClient.create_container`, without ``host_config``.

    Parameters
    ----------
    hostname
        What programs in the container take for the name of their machine, and write into the
        records of runs: by default the engine gives each container a number of its own.
    """
    return {
        "name": spec.name,
        "hostname": hostname[:HOSTNAME_LENGTH],
        "image": spec.image,
        "command": list(spec.command),
        "environment": dict(spec.environment),
        "user": f"{spec.uid}:{spec.gid}",
        "working_dir": spec.working_folder,
        "labels": dict(spec.labels),
        "detach": True,
    }


def host_arguments(spec: ContainerSpec) -> dict[str, Any]:
    """Return the keywords of `docker.APIClient.create_host_config`."""
    from docker.types import LogConfig, Mount

    memory_bytes = spec.limits.memory_mb * _MB
    # Unlike `binds`, a mount fails where its folder is missing, and makes none as root.
    mounts = [
        Mount(
            target=mount.target,
            source=str(mount.source),
            type="bind",
            read_only=mount.is_read_only,
        )
        for mount in spec.mounts
    ]
    if spec.overlay is not None:
        # What the image has in that place is none of the project's.
        overlay = spec.overlay
        mounts.append(Mount(overlay.target, overlay.name, type="volume", no_copy=True))
    return {
        "network_mode": spec.network,
        "mounts": mounts,
        "dns": list(spec.name_servers),
        "tmpfs": dict(spec.tmpfs),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "init": True,
        "mem_limit": memory_bytes,
        # Memory and swap together: no swap.
        "memswap_limit": memory_bytes,
        "nano_cpus": round(spec.limits.cpu_cores * _NANO),
        "pids_limit": spec.limits.pids,
        "log_config": LogConfig(type=LogConfig.types.JSON, config=dict(LOG_OPTIONS)),
        "restart_policy": {"Name": "no"},
    }


class DockerEngine:
    """A Docker engine. A context manager; safe to use from several threads.

    All its methods raise `EngineUnreachable` where the engine does not answer, and
    `EngineRefused` where it does not do what it is asked for.

    Parameters
    ----------
    api
        docker-py's client of the engine's API.
    """

    def __init__(self, api: Any) -> None:
        self.api = api
        self._networks = DockerNetworks(api)

    @classmethod
    def connect(cls, *, timeout_s: float = TIMEOUT_S) -> Self:
        """Connect to the engine that the environment names, by default the machine's own.

        Raises
        ------
        EngineUnreachable
            docker-py is not installed, or no engine answers.
        """
        try:
            import docker
            from docker.utils import kwargs_from_env
        except ImportError as error:
            raise EngineUnreachable(
                "docker-py is not installed: `pip install 'nb2prod[docker]'`."
            ) from error
        with asking("connect"):
            api = docker.APIClient(version="auto", timeout=timeout_s, **kwargs_from_env())
        return cls(api)

    def close(self) -> None:
        """Close the connections."""
        self.api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def image_id(self, name: str) -> str:
        """Return the id of an image, ``sha256:…``; raises `ImageMissing`."""
        with asking(f"find the image {name}", image=name):
            identity: str = self.api.inspect_image(name)["Id"]
        return identity

    def ensure_network(
        self, name: str, *, labels: Mapping[str, str], pool: str, subnet: str | None = None
    ) -> Network:
        """Return a bridge network, made where there is none; see `DockerNetworks.ensure`."""
        return self._networks.ensure(name, labels=labels, pool=pool, subnet=subnet)

    def ensure_project_network(
        self, surroundings: Surroundings, project: Project, kind: NetworkKind = NetworkKind.OPEN
    ) -> Network:
        """Return a network of a project's containers, made where there is none."""
        name = network_name(surroundings, project, kind)
        labels = {
            "nb2prod.instance": surroundings.instance,
            "nb2prod.project": project.name,
        }
        return self._networks.ensure(name, labels=labels, pool=surroundings.network_pool, kind=kind)

    def remove_network(self, name: str) -> None:
        """Remove a network that no container is in; nothing where there is none."""
        self._networks.remove(name)

    def create(self, spec: ContainerSpec) -> Container:
        """Make a container, without starting it; one of that name is left as it is.

        Raises
        ------
        ImageMissing
            Its image is not on this machine.
        """
        found = self.find(spec.name)
        if found is not None:
            return found
        with asking(f"make the container {spec.name}", image=spec.image):
            host_config = self.api.create_host_config(**host_arguments(spec))
            described = create_arguments(spec, hostname=platform.node())
            self.api.create_container(**described, host_config=host_config)
        found = self.find(spec.name)
        if found is None:
            raise EngineRefused(f"The container {spec.name} vanished as soon as it was made.")
        return found

    def make_volume(self, overlay: Overlay, labels: Mapping[str, str]) -> None:
        """Make the volume of an overlay; one of that name is left as it is."""
        with asking(f"make the volume {overlay.name}"):
            self.api.create_volume(**volume_arguments(overlay), labels=dict(labels))

    def volumes(self, labels: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
        """Return the engine's facts of all volumes with these labels."""
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with asking("list volumes"):
            listed = self.api.volumes(filters={"label": wanted})
        return tuple(listed["Volumes"] or ())

    def remove_volume(self, name: str) -> None:
        """Remove a volume that no container has; nothing where there is none."""
        with asking(f"remove the volume {name}", ignores_missing=True):
            self.api.remove_volume(name)

    def start(self, name: str) -> None:
        """Start a container that was made; one that runs is left as it is."""
        with asking(f"start the container {name}"):
            self.api.start(name)

    def find(self, name: str) -> Container | None:
        """Return a container by its name; `None` where there is none."""
        facts: dict[str, Any] | None = None
        with asking(f"find the container {name}", ignores_missing=True):
            facts = self.api.inspect_container(name)
        return None if facts is None else _container(facts)

    def containers(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        """Return all containers with these labels, ended ones too, by name."""
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with asking("list containers"):
            listed = self.api.containers(all=True, filters={"label": wanted})
        found = (self.find(item["Id"]) for item in listed)
        return tuple(sorted(filter(None, found), key=lambda item: item.name))

    def wait(self, name: str, *, timeout_s: float) -> Container | None:
        """Wait until a container has ended, or the time is over; return it as it is then."""
        import requests

        with asking(f"wait for the container {name}", ignores_missing=True):
            try:
                self.api.wait(name, timeout=timeout_s)
            except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
                log.debug("A container still runs, name=%s timeout_s=%s", name, timeout_s)
        return self.find(name)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a container's first process, which passes it on."""
        with asking(f"signal the container {name}", ignores_missing=True, ignores_conflict=True):
            self.api.kill(name, signal=int(number))

    def logs(self, name: str, *, tail_bytes: int) -> bytes:
        """Return the end of what a container's processes wrote."""
        kept = b""
        with asking(f"read the log of the container {name}", ignores_missing=True):
            for chunk in self.api.logs(name, stdout=True, stderr=True, stream=True, follow=False):
                kept = (kept + chunk)[-tail_bytes:]
        return kept

    def peak_memory_mb(self, name: str) -> int | None:
        """Return how much memory a running container has used at most; `None` if unknown."""
        facts: Mapping[str, Any] = {}
        with asking(f"ask how the container {name} stands", ignores_missing=True):
            facts = self.api.stats(name, stream=False, one_shot=True)
        memory = facts.get("memory_stats") or {}
        # With control groups of version 2 the engine knows only what is used now.
        used_bytes = memory.get("max_usage") or memory.get("usage")
        return None if used_bytes is None else round(used_bytes / _MB)

    def stop(self, name: str, *, grace_s: int = KILL_TIMEOUT_S) -> None:
        """End a container: politely, and after a grace by force; nothing where there is none."""
        with asking(f"stop the container {name}", ignores_missing=True):
            self.api.stop(name, timeout=grace_s)

    def remove(self, name: str) -> None:
        """Remove a container, by force where it runs; nothing where there is none."""
        with asking(f"remove the container {name}", ignores_missing=True, ignores_conflict=True):
            self.api.remove_container(name, force=True, v=True)


def _container(facts: Mapping[str, Any]) -> Container:
    state = facts["State"]
    status = str(state["Status"])
    memory_bytes = facts["HostConfig"].get("Memory") or 0
    return Container(
        id=facts["Id"],
        name=facts["Name"].lstrip("/"),
        status=status,
        exit_status=None if status == _CREATED or status in _RUNNING else int(state["ExitCode"]),
        is_out_of_memory=bool(state.get("OOMKilled")),
        memory_mb=memory_bytes // _MB or None,
        labels=facts["Config"].get("Labels") or {},
    )
