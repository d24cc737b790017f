"""What a container may be: from a project and a person to its whole description.

Pure: nothing here asks an engine, a hub or a file system. Spawners and executors translate a
description; what they may not do is add to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from nb2prod.settings import DEFAULT_NETWORK_POOL, ResourceClass
from nb2prod.workspace.models import Project, Role
from nb2prod.workspace.people import folder_name

# The one account of all containers; the project's group is what its members share.
PERSON_UID = 1000
FIRST_PROJECT_GID = 20_000

HOME_FOLDER = "/home/jovyan"
PROJECT_FOLDER = f"{HOME_FOLDER}/project"
PRIVATE_FOLDER = f"{HOME_FOLDER}/private"
RUN_FOLDER = "/run/nb2prod"
# What a run has written into the project's folder, and nothing else.
WRITTEN_FOLDER = "/run/nb2prod-written"

SERVER_COMMAND = ("/opt/server/bin/start-server",)
WORKER_COMMAND = ("/opt/server/bin/start-worker", RUN_FOLDER)

# A name server that is not there: an engine's own one would ask others about the outside, even
# for a container that can't reach it.
NO_NAME_SERVER = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a container may use of the machine; ``pids`` counts processes and threads."""

    memory_mb: int = 4096
    cpu_cores: float = 2.0
    pids: int = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """A folder of this machine in a container."""

    source: Path
    target: str
    is_read_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlay:
    """A folder of this machine that a container may write to, and that stays as it is.

    Parameters
    ----------
    name
        Of the engine's volume.
    target
        Where the container finds it.
    lower
        The folder.
    upper
        Where everything goes that the container writes to it.
    work
        What the system itself needs for that: an empty folder beside ``upper``.
    """

    name: str
    target: str
    lower: Path
    upper: Path
    work: Path


class NetworkKind(StrEnum):
    """Where one gets from a project's network: everywhere, or only to the workspace's services."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """A container, wholly described.

    Whoever makes it adds, always: all capabilities dropped, ``no-new-privileges``, a read-only
    root.

    Parameters
    ----------
    name
        Deterministic, so that a restarted process finds its own containers.
    uid, gid
        The account that all its processes have.
    tmpfs
        Options by path, as the engine has them.
    network
        The name of the one network that it is in.
    overlay
        `None` for a container that has none.
    name_servers
        Who is asked about names of the outside; empty for those of this machine.
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    tmpfs: Mapping[str, str]
    limits: Limits
    network: str
    labels: Mapping[str, str]
    uid: int
    gid: int
    working_folder: str = HOME_FOLDER
    overlay: Overlay | None = None
    name_servers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is the same for all containers of a workspace.

    Parameters
    ----------
    instance
        Eight hexadecimal digits that tell the workspaces of one machine apart.
    home
        The workspace's folder.
    default_image
        Image of a project that names none.
    service_url, mlflow_url
        Where containers reach the workspace service and MLflow, prefix included.
    limits
        Of a server.
    network_pool
        Where projects' networks have their addresses from, such as ``10.83.0.0/16``.
    """

    instance: str
    home: Path
    default_image: str
    service_url: str
    mlflow_url: str
    limits: Limits = field(default_factory=Limits)
    network_pool: str = DEFAULT_NETWORK_POOL


@dataclass(frozen=True, kw_only=True)
class RunNeeds:
    """What a run's container is given.

    Parameters
    ----------
    work
        Folder that its worker reads from and writes to.
    layers
        Folder for what it writes into the project's; no other container has it.
    resources
        What it may use.
    has_internet
        Whether it reaches more than the service and MLflow.
    environment
        The run's own variables: what lets it speak to MLflow for its project, its secrets.
    """

    run_id: str
    work: Path
    layers: Path
    resources: ResourceClass
    has_internet: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def limits_of(resources: ResourceClass) -> Limits:
    """Return what a run of a resource class may use."""
    return Limits(memory_mb=resources.memory_mb, cpu_cores=resources.cpu_cores, pids=resources.pids)


def project_gid(project: Project) -> int:
    """Return the group of a project's members in containers."""
    return FIRST_PROJECT_GID + project.id


def network_name(
    surroundings: Surroundings, project: Project, kind: NetworkKind = NetworkKind.OPEN
) -> str:
    """Return the name of a project's network: of its servers, or of runs without the internet."""
    name = f"nb2prod-{surroundings.instance}-{project.name}"
    # No project's own name has two hyphens.
    return f"{name}--runs" if kind is NetworkKind.CLOSED else name


def run_container_name(surroundings: Surroundings, run_id: str) -> str:
    """Return the name of a run's container."""
    return f"nb2prod-{surroundings.instance}-run-{run_id}"


def private_folder(home: Path, project: Project, person: str) -> Path:
    """Return the folder that only one person sees in a project."""
    return home / "people" / folder_name(person) / project.name


def server_container(
    surroundings: Surroundings, project: Project, person: str, role: Role
) -> ContainerSpec:
    """Describe a person's server for a project; a viewer can't write to the shared folder."""
    environment = {
        "NB2PROD_SERVICE_URL": surroundings.service_url,
        "NB2PROD_PROJECT": project.name,
        "NB2PROD_PROJECT_FOLDER": PROJECT_FOLDER,
        "NB2PROD_PRIVATE_FOLDER": PRIVATE_FOLDER,
        "NB2PROD_ROLE": role.value,
        # What a person sets up stays: the home folder itself is empty at each start.
        "JUPYTERLAB_SETTINGS_DIR": f"{PRIVATE_FOLDER}/.jupyter/lab/user-settings",
        "JUPYTERLAB_WORKSPACES_DIR": f"{PRIVATE_FOLDER}/.jupyter/lab/workspaces",
        "IPYTHONDIR": f"{PRIVATE_FOLDER}/.ipython",
    }
    return _container(
        surroundings,
        project,
        name=f"{folder_name(person)}--{project.name}",
        command=SERVER_COMMAND,
        environment=environment,
        mounts=(
            Mount(source=project.root, target=PROJECT_FOLDER, is_read_only=role is Role.VIEWER),
            Mount(source=private_folder(surroundings.home, project, person), target=PRIVATE_FOLDER),
        ),
        labels={"nb2prod.kind": "server", "nb2prod.person": person},
    )


def run_container(surroundings: Surroundings, project: Project, needs: RunNeeds) -> ContainerSpec:
    """Describe a run's container.

    The project's folder is the lower layer of an overlay: shared files stay as they are, and what
    the run writes there is its own.
    """
    spec = _container(
        surroundings,
        project,
        name=f"run-{needs.run_id}",
        command=WORKER_COMMAND,
        environment={**needs.environment, "NB2PROD_RUN_ID": needs.run_id},
        mounts=(
            Mount(source=needs.work, target=RUN_FOLDER),
            Mount(source=needs.layers / "upper", target=WRITTEN_FOLDER, is_read_only=True),
        ),
        labels={
            "nb2prod.kind": "run",
            "nb2prod.run": needs.run_id,
            "nb2prod.resources": needs.resources.name,
        },
    )
    kind = NetworkKind.OPEN if needs.has_internet else NetworkKind.CLOSED
    return replace(
        spec,
        limits=limits_of(needs.resources),
        network=network_name(surroundings, project, kind),
        name_servers=() if needs.has_internet else (NO_NAME_SERVER,),
        overlay=Overlay(
            name=spec.name,
            target=PROJECT_FOLDER,
            lower=project.root,
            upper=needs.layers / "upper",
            work=needs.layers / "work",
        ),
    )


def _container(
    surroundings: Surroundings,
    project: Project,
    *,
    name: str,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    mounts: tuple[Mount, ...],
    labels: Mapping[str, str],
) -> ContainerSpec:
    gid = project_gid(project)
    return ContainerSpec(
        name=f"nb2prod-{surroundings.instance}-{name}",
        image=project.image or surroundings.default_image,
        command=command,
        environment={
            **environment,
            "MLFLOW_TRACKING_URI": surroundings.mlflow_url,
            "MLFLOW_WORKSPACE": project.name,
        },
        mounts=mounts,
        tmpfs={
            # Data loaders hand batches over through it; the engine's 64 MB are soon full.
            "/dev/shm": "size=1g,mode=1777",  # noqa: S108 (the container's own)
            "/tmp": "size=1g,mode=1777,exec",  # noqa: S108 (the container's own)
            HOME_FOLDER: f"size=256m,mode=0700,uid={PERSON_UID},gid={gid}",
        },
        limits=surroundings.limits,
        network=network_name(surroundings, project),
        labels={
            "nb2prod.instance": surroundings.instance,
            "nb2prod.project": project.name,
            **labels,
        },
        uid=PERSON_UID,
        gid=gid,
    )
