"""What a person's server is to be now: asked of the workspace's database at every start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from nb2prod.errors import ProjectNotFound
from nb2prod.settings import Settings
from nb2prod.workspace.folders import prepare_private_folder, prepare_project_folder
from nb2prod.workspace.members import require_role, role_of
from nb2prod.workspace.models import Project, Role
from nb2prod.workspace.policy import ContainerSpec, Surroundings, server_container
from nb2prod.workspace.workspace import Workspace, open_workspace

FIRST_NOTEBOOK = "train.ipynb"


@dataclass(frozen=True, kw_only=True)
class ServerDescription:
    """A person's server for a project, as the project is now."""

    project: Project
    person: str
    role: Role
    spec: ContainerSpec

    @property
    def default_url(self) -> str:
        """Where JupyterLab opens: the notebook that most begin with, or the project's folder."""
        has_first = os.path.lexists(self.project.root / FIRST_NOTEBOOK)
        return f"/lab/tree/project/{quote(FIRST_NOTEBOOK)}" if has_first else "/lab/tree/project"

    @property
    def log_name(self) -> str:
        """The name of its log among those of all servers of the workspace."""
        return self.spec.name


def describe_server(
    workspace: Workspace, surroundings: Surroundings, *, person: str, name: str
) -> ServerDescription:
    """Look up what a person may start, and make its folders.

    Parameters
    ----------
    name
        The named server's name, which is that of a project. The default server has an empty one,
        and is nobody's.

    Raises
    ------
    ProjectNotFound
        There is no such project, or the person is no member: the same answer.
    StorageFull, StorageUnusable
        The folders can't be made.
    """
    if not name:
        raise ProjectNotFound("A server belongs to a project: open one of your projects.")
    project = require_role(workspace, name, person, Role.VIEWER)
    role = role_of(workspace, name, person)
    if role is None:
        # Taken out between the two questions.
        raise ProjectNotFound(f"There is no project {name!r} that you are a member of.")
    prepare_project_folder(project)
    prepare_private_folder(workspace, project, person)
    return ServerDescription(
        project=project,
        person=person,
        role=role,
        spec=server_container(surroundings, project, person, role),
    )


@cache
def hub_workspace() -> Workspace:
    """Return the workspace as the hub's process has it open, for as long as it lives."""
    return open_workspace(Settings.from_environment()).__enter__()
