"""Which projects a request to MLflow may mean."""

from __future__ import annotations

from collections.abc import Sequence

from nb2prod.errors import InvalidInput, ProjectNotFound
from nb2prod.workspace.members import require_role
from nb2prod.workspace.mlflow_workspaces import project_name
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Project, Role, get_project, list_projects
from nb2prod.workspace.workspace import Workspace


class ProjectDirectory:
    """Which projects somebody may see and change; asked anew at each request."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def of(self, identity: Identity) -> Sequence[Project]:
        """Return the projects that somebody speaks for and is a member of."""
        if identity.project is None:
            return list_projects(self._workspace, person=identity.person)
        try:
            return (get_project(self._workspace, identity.project, person=identity.person),)
        except ProjectNotFound:
            return ()

    def require(self, identity: Identity, name: str | None, at_least: Role) -> Project:
        """Return the project that a request means.

        Parameters
        ----------
        name
            The MLflow workspace that it names, or the project; a token of one project need not
            name any.

        Raises
        ------
        InvalidInput
            It names none.
        ProjectNotFound
            There is none of this name, or it is not for this person or token.
        RoleInsufficient
            The member's role does not suffice.
        """
        project = project_name(name or "") or identity.project
        if not project:
            raise InvalidInput(
                "Say which project this is for: set MLFLOW_WORKSPACE, or send the header"
                " X-MLFLOW-WORKSPACE, with the project's name."
            )
        if identity.project is not None and project != identity.project:
            raise ProjectNotFound(f"There is no project {project!r} that this token is for.")
        return require_role(self._workspace, project, identity.person, at_least)
