"""One JupyterLab for a module's tests, in a project of a real workspace service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nb2prod.server.app import create_app
from nb2prod.settings import Settings
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Project, Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.browser import served
from tests.helpers.lab import TOKEN, Lab, TokenLogin, spawned, started_lab
from tests.helpers.notebooks import code, notebook_json, parameters
from tests.helpers.shared import environment_of

PROJECT = "seat-demand"
# What the tests of one module may change: who the server's token is for.
PERSON = "edda"


@dataclass(frozen=True, kw_only=True)
class LabInProject:
    """JupyterLab of edda, an editor, in a project; the service's login can be changed."""

    lab: Lab
    workspace: Workspace
    project: Project
    login: dict[str, Identity]

    def save(self, path: str, *cells: Any) -> None:
        """Put a notebook into the server's root."""
        (self.lab.root / path).write_text(json.dumps(notebook_json(*cells)))


@pytest.fixture(scope="module")
def in_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabInProject]:
    """Start service and server."""
    base = tmp_path_factory.mktemp("lab")
    settings = Settings.from_environment(
        {"NB2PROD_HOME": str(base / "home"), "NB2PROD_USER": "olga"}
    )
    login = {TOKEN: Identity(person=PERSON, project=PROJECT)}
    with open_workspace(settings) as workspace:
        project = found_project(workspace, PROJECT, title="Seat demand", owner="olga")
        add_member(workspace, PROJECT, PERSON, Role.EDITOR, person="olga")
        app = create_app(
            workspace, is_behind_login=True, executor="process", environment_of=environment_of
        )
        root = make_root(base / "root", project.root)
        with (
            served(TokenLogin(app, login)) as service_url,
            started_lab(root, spawned(service_url, PROJECT, root)) as lab,
        ):
            yield LabInProject(lab=lab, workspace=workspace, project=project, login=login)


def make_root(root: Path, project: Path) -> Path:
    """Make the folder of a person's server: a link to the project, and a private folder."""
    (root / "private").mkdir(parents=True)
    (root / "project").symlink_to(project)
    return root


def usual_cells(extra: str = "") -> tuple[Any, ...]:
    """Return the cells of a notebook that can be promoted."""
    return (
        parameters("alpha: float = 0.2  # how strict\n"),
        code(f"print(alpha)\n{extra}"),
    )
