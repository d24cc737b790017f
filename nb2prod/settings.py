"""What the environment says; the one module that reads environment variables."""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nb2prod import __version__
from nb2prod.errors import ResourcesUnknown, SettingInvalid

DEFAULT_PORT = 8000
DEFAULT_BIND_IP = "127.0.0.1"
MODES = ("process", "docker")
DEFAULT_IMAGE = f"nb2prod/torch:{__version__}"
# In nobody's defaults: Kubernetes, k3s, podman, Docker's swarm and the clouds begin elsewhere.
DEFAULT_NETWORK_POOL = "10.83.0.0/16"
# Each network's part of the pool: 61 servers and runs at once, and this machine.
SUBNET_PREFIX = 26
# RFC 1918, and RFC 6598 (what carriers share).
PRIVATE_RANGES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
# The resource class of pipelines that name none.
DEFAULT_RESOURCES = "standard"
RESOURCE_CLASS_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}\Z")
# More than any machine has, and less than any engine refuses as a number.
_CLASS_LIMITS = {"memory_mb": 100_000_000, "cpu_cores": 10_000, "pids": 4_000_000, "slots": 9999}


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceClass:
    """A kind of place for runs: what one may use, and how many may go on at once.

    Parameters
    ----------
    name
        1 to 30 of a–z, 0–9 and ``-``; begins with a letter.
    slots
        How many runs may go on at once; `None` for the workspace's limit.
    """

    name: str
    memory_mb: int = 4096
    cpu_cores: float = 2.0
    pids: int = 1024
    slots: int | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where a workspace lives, and for whom it works.

    Parameters
    ----------
    home
        Folder of everything that a workspace keeps (``NB2PROD_HOME``; by default the
        platform's folder for user data, so that every repository shows in one gallery).
    database_url
        SQLAlchemy URL (``NB2PROD_DATABASE_URL``; by default SQLite in ``home``).
    blob_url
        fsspec URL of the folder for content-addressed blobs (``NB2PROD_BLOB_URL``).
    mlflow_uri
        MLflow tracking store (``NB2PROD_MLFLOW_URI``; by default SQLite in ``home``).
    person
        Who acts (``NB2PROD_USER``; by default the system's account name).
    port
        Port that people open (``NB2PROD_PORT``; by default 8000).
    bind_ip
        Address of this machine where ``nb2prod up`` listens (``NB2PROD_BIND``; by default the
        loopback address, 127.0.0.1; 0.0.0.0 stands for all). Put TLS before any other one.
    mode
        How ``nb2prod up`` keeps people's servers and runs apart: ``process`` or ``docker``
        (``NB2PROD_MODE``; ``make up MODE=…`` sets it; by default ``docker`` where an engine
        answers).
    image
        Container image of projects that name none (``NB2PROD_IMAGE``; by default the one with
        torch that ``make images`` makes).
    hub_config
        A Python file that JupyterHub loads after ours, for instance with another authenticator
        (``NB2PROD_HUB_CONFIG``; by default there is none).
    run_limit
        How many runs of one resource class the dispatcher lets go on at once, where the class
        says nothing else (``NB2PROD_RUN_LIMIT``; by default the number of this machine's cores).
    person_run_limit, project_run_limit
        How many runs of one person, or of one project, go on at once (``NB2PROD_RUN_LIMIT_PERSON``,
        ``NB2PROD_RUN_LIMIT_PROJECT``; by default only the limit of the class counts).
    resource_classes
        Kinds of places for runs (``NB2PROD_RESOURCES``, as in ``standard:memory_mb=4096,cpu_cores=2
        large:memory_mb=32000,cpu_cores=8,slots=1``; by default ``standard`` alone, with 4096 MB,
        2 cores and 1024 processes and threads). ``standard`` is always there.
    jobs_database_url
        SQLAlchemy URL of the dispatcher's own database (``NB2PROD_JOBS_DATABASE_URL``; by default
        SQLite in ``home``, or, where the workspace's database is PostgreSQL, that one, in a schema
        of its own).
    network_pool
        Private addresses for the Docker networks of the workspace and its projects, 64 each, as
        CIDR (``NB2PROD_NETWORK_POOL``; by default 10.83.0.0/16, for 1024 networks). Networks
        that are there stay as they are.
    """

    home: Path
    database_url: str
    blob_url: str
    mlflow_uri: str
    person: str
    port: int = DEFAULT_PORT
    bind_ip: str = DEFAULT_BIND_IP
    mode: str | None = None
    image: str = DEFAULT_IMAGE
    hub_config: Path | None = None
    run_limit: int | None = None
    person_run_limit: int | None = None
    project_run_limit: int | None = None
    resource_classes: tuple[ResourceClass, ...] = (ResourceClass(name=DEFAULT_RESOURCES),)
    jobs_database_url: str | None = None
    network_pool: str = DEFAULT_NETWORK_POOL

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        options: Mapping[str, str | None] | None = None,
    ) -> Settings:
        """Read the settings from environment variables; see the class for their names.

        Parameters
        ----------
        environment
            By default that of this process.
        options
            What a command was told instead of a variable, by the variable's name; `None` where it
            was told nothing.

        Raises
        ------
        SettingInvalid
            The port is no number from 0 to 65535, the address is none, there is no such mode,
            a limit is no number from 1 to 9999, the resource classes can't be understood, or the
            pool is none of private addresses.
        """
        given = {name: value for name, value in (options or {}).items() if value is not None}
        env = {**(os.environ if environment is None else environment), **given}
        home = Path(env["NB2PROD_HOME"]) if env.get("NB2PROD_HOME") else _default_home()
        home = home.expanduser().absolute()
        return cls(
            home=home,
            database_url=env.get("NB2PROD_DATABASE_URL") or f"sqlite:///{home / 'nb2prod.db'}",
            blob_url=env.get("NB2PROD_BLOB_URL") or str(home / "blobs"),
            mlflow_uri=env.get("NB2PROD_MLFLOW_URI") or f"sqlite:///{home / 'mlflow.db'}",
            person=env.get("NB2PROD_USER") or getpass.getuser(),
            port=_read_port(env.get("NB2PROD_PORT") or str(DEFAULT_PORT)),
            bind_ip=_read_address(env.get("NB2PROD_BIND") or DEFAULT_BIND_IP),
            mode=_read_mode(env.get("NB2PROD_MODE") or None),
            image=env.get("NB2PROD_IMAGE") or DEFAULT_IMAGE,
            hub_config=_read_path(env.get("NB2PROD_HUB_CONFIG")),
            run_limit=_read_limit("NB2PROD_RUN_LIMIT", env),
            person_run_limit=_read_limit("NB2PROD_RUN_LIMIT_PERSON", env),
            project_run_limit=_read_limit("NB2PROD_RUN_LIMIT_PROJECT", env),
            resource_classes=_read_classes(env.get("NB2PROD_RESOURCES") or ""),
            jobs_database_url=env.get("NB2PROD_JOBS_DATABASE_URL") or None,
            network_pool=_read_pool(env.get("NB2PROD_NETWORK_POOL") or DEFAULT_NETWORK_POOL),
        )

    def resource_class(self, name: str) -> ResourceClass:
        """Return a resource class by name.

        Raises
        ------
        ResourcesUnknown
            This workspace has none of that name.
        """
        for item in self.resource_classes:
            if item.name == name:
                return item
        known = ", ".join(item.name for item in self.resource_classes)
        raise ResourcesUnknown(
            f"This workspace has no resource class {name!r}; it has {known}. Choose one of them, or"
            " let its administrator add one (NB2PROD_RESOURCES).",
            resources=name,
        )

    @property
    def jobs_url(self) -> str:
        """Address of the dispatcher's own database; see ``jobs_database_url``."""
        if self.jobs_database_url is not None:
            return self.jobs_database_url
        if self.database_url.startswith("postgresql"):
            return self.database_url
        return f"sqlite:///{self.home / 'jobs.db'}"

    @property
    def runs_folder(self) -> Path:
        """Folder of the event logs of runs."""
        return self.home / "runs"


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What a run's worker is told by its environment; the names are MLflow's own.

    Parameters
    ----------
    mlflow_uri
        MLflow's server (``MLFLOW_TRACKING_URI``); `None` for a run that is not tracked.
    mlflow_workspace
        The project's part of that server (``MLFLOW_WORKSPACE``), where it has such parts.
    """

    mlflow_uri: str | None = None
    mlflow_workspace: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> WorkerSettings:
        """Read the settings from environment variables; see the class for their names."""
        env = os.environ if environment is None else environment
        return cls(
            mlflow_uri=env.get("MLFLOW_TRACKING_URI") or None,
            mlflow_workspace=env.get("MLFLOW_WORKSPACE") or None,
        )


@dataclass(frozen=True, kw_only=True)
class RemoteSettings:
    """How a command reaches a workspace on another machine, and what CI says of itself.

    Parameters
    ----------
    server
        Address of the workspace, as people open it (``NB2PROD_SERVER``, as in
        ``https://hub.example.org``; by default commands work on this machine alone).
    token
        Secret of a token for one project, which its settings page makes (``NB2PROD_TOKEN``; it is
        sent to ``server`` and nowhere else).
    ci_commit
        Commit of the team's repository that CI works on (``GITHUB_SHA`` or ``CI_COMMIT_SHA``,
        which GitHub and GitLab set).
    ci_branch
        Its branch, or that of the pull request (``GITHUB_HEAD_REF``, ``GITHUB_REF_NAME``,
        ``CI_MERGE_REQUEST_SOURCE_BRANCH_NAME`` or ``CI_COMMIT_REF_NAME``).
    ci_url
        Address of the CI job (``CI_JOB_URL``, or made of ``GITHUB_SERVER_URL``,
        ``GITHUB_REPOSITORY`` and ``GITHUB_RUN_ID``).
    """

    server: str = ""
    token: str = field(default="", repr=False)
    ci_commit: str = ""
    ci_branch: str = ""
    ci_url: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> RemoteSettings:
        """Read the settings from environment variables; see the class for their names."""
        env = os.environ if environment is None else environment

        def first(*names: str) -> str:
            return next((env[name].strip() for name in names if env.get(name, "").strip()), "")

        parts = [env.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
        github = "{}/{}/actions/runs/{}".format(*parts) if all(parts) else ""
        return cls(
            server=first("NB2PROD_SERVER"),
            token=first("NB2PROD_TOKEN"),
            ci_commit=first("GITHUB_SHA", "CI_COMMIT_SHA"),
            ci_branch=first(
                "GITHUB_HEAD_REF",
                "GITHUB_REF_NAME",
                "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
                "CI_COMMIT_REF_NAME",
            ),
            ci_url=github or first("CI_JOB_URL"),
        )


def _read_port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise SettingInvalid(f"NB2PROD_PORT is {text!r}; it must be a number from 0 to 65535.")
    return int(text)


def _read_limit(name: str, env: Mapping[str, str]) -> int | None:
    text = env.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 10_000:
        raise SettingInvalid(f"{name} is {text!r}; it must be a number from 1 to 9999.")
    return int(text)


def _read_classes(text: str) -> tuple[ResourceClass, ...]:
    classes = {DEFAULT_RESOURCES: ResourceClass(name=DEFAULT_RESOURCES)}
    given = [_read_class(words) for words in text.split()]
    names = [item.name for item in given]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingInvalid(f"NB2PROD_RESOURCES says twice what {twice!r} is.")
    return tuple((classes | {item.name: item for item in given}).values())


def _read_class(words: str) -> ResourceClass:
    name, _, said = words.partition(":")
    if not RESOURCE_CLASS_NAME.match(name):
        raise SettingInvalid(
            f"NB2PROD_RESOURCES has a class {name!r}; a name is 1 to 30 of a–z, 0–9 and -, and"
            " begins with a letter."
        )
    values: dict[str, Any] = {}
    for pair in filter(None, said.split(",")):
        key, _, number = pair.partition("=")
        is_number = number.isascii() and number.replace(".", "", 1).isdecimal()
        if key not in _CLASS_LIMITS or not is_number:
            raise SettingInvalid(
                f"NB2PROD_RESOURCES says {pair!r} of {name}; write memory_mb=, cpu_cores=, pids= or"
                " slots=, each with a number."
            )
        values[key] = float(number) if key == "cpu_cores" else int(float(number))
        if not 0 < values[key] <= _CLASS_LIMITS[key]:
            raise SettingInvalid(
                f"NB2PROD_RESOURCES says {pair!r} of {name}; the number must be above 0 and at most"
                f" {_CLASS_LIMITS[key]}."
            )
    return ResourceClass(name=name, **values)


def _read_address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise SettingInvalid(
            f"NB2PROD_BIND is {text!r}; it must be an IPv4 address of this machine, or 0.0.0.0."
        ) from error


def _read_pool(text: str) -> str:
    try:
        pool = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise SettingInvalid(
            f"NB2PROD_NETWORK_POOL is {text!r}; it must be a network of IPv4 addresses, such as"
            f" {DEFAULT_NETWORK_POOL} ({error})."
        ) from error
    ranges = map(ipaddress.IPv4Network, PRIVATE_RANGES)
    if pool.prefixlen >= SUBNET_PREFIX or not any(pool.subnet_of(item) for item in ranges):
        raise SettingInvalid(
            f"NB2PROD_NETWORK_POOL is {text!r}; it must lie within {', '.join(PRIVATE_RANGES)}, and"
            f" have room for more than one network: /{SUBNET_PREFIX - 1} at least."
        )
    return str(pool)


def _read_mode(text: str | None) -> str | None:
    if text is not None and text not in MODES:
        raise SettingInvalid(f"NB2PROD_MODE is {text!r}; it must be one of {', '.join(MODES)}.")
    return text


def _read_path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _default_home() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("nb2prod", appauthor=False))
