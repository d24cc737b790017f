"""A workspace on another machine, as far as commands can tell: hub, service and dispatcher."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nb2prod.execution.models import RunRecord
from nb2prod.execution.runs import get_run
from nb2prod.notebook.models import Cell
from nb2prod.registry.models import RunSettings, Version
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import Project, Role, add_member, found_project, get_project
from nb2prod.workspace.tokens import create_project_token
from nb2prod.workspace.workspace import Workspace
from tests.helpers.kernels import make_version
from tests.helpers.services import Services, services

ROOT = Path(__file__).parents[2]
PROJECT = "seats"
COMMAND = [sys.executable, "-m", "nb2prod.cli"]
TIMEOUT_S = 150


@dataclass(frozen=True, kw_only=True)
class RemoteWorkspace:
    """It, and what one needs to ask it.

    Parameters
    ----------
    token
        Of edda, an editor of the project ``seats``.
    """

    running: Services
    token: str

    @property
    def workspace(self) -> Workspace:
        """The workspace itself, as its machine has it."""
        return self.running.workspace

    @property
    def project(self) -> Project:
        """The project ``seats``, which olga owns."""
        return get_project(self.workspace, PROJECT, person="olga")

    @property
    def environment(self) -> Mapping[str, str]:
        """What CI is told to reach it."""
        return {"NB2PROD_SERVER": self.running.url, "NB2PROD_TOKEN": self.token}

    def make_version(
        self, *cells: Cell, name: str = "train", settings: RunSettings | None = None
    ) -> Version:
        """Make a version at once, without checks."""
        repository = Repository(self.project.repository)
        return make_version(repository, *cells, name=name, settings=settings)

    def run(self, run_id: str) -> RunRecord:
        """The record of a run, as an owner sees it."""
        return get_run(self.workspace, run_id, person="olga")

    def nb2prod(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command that may ask it; variables are put over those that reach it."""
        return self.call(*COMMAND, *arguments, **environment)

    def call(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run any program, as `nb2prod` runs one of ours."""
        return subprocess.run(
            command,
            env={**os.environ, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that asks it, as `nb2prod` runs one."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def remote_workspace(folder: Path, *, is_tracked: bool = False) -> Iterator[RemoteWorkspace]:
    """Run one in a folder, with a project and people in it.

    Parameters
    ----------
    is_tracked
        Whether MLflow, which takes long to start, tracks the runs.
    """
    names = ("hub", "workspace", *(("mlflow",) if is_tracked else ()))
    program = "nb2prod_hub.dispatcher" if is_tracked else "bench.dispatcher"
    with services(folder / "remote", set_up=_people, names=names) as running:
        _, secret = create_project_token(running.workspace, PROJECT, person="edda", title="CI")
        with _dispatcher(running, program):
            yield RemoteWorkspace(running=running, token=secret)


def _people(workspace: Workspace) -> None:
    found_project(workspace, PROJECT, owner="olga")
    add_member(workspace, PROJECT, "edda", Role.EDITOR, person="olga")
    add_member(workspace, PROJECT, "vera", Role.VIEWER, person="olga")


@contextmanager
def _dispatcher(running: Services, program: str) -> Iterator[None]:
    home = running.plan.home
    with (home / "dispatcher.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program],
            cwd=home,
            env={**os.environ, "NB2PROD_HOME": str(home), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
