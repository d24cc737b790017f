"""MLflow's workspaces and our projects: one for one, by name."""

from __future__ import annotations

# Names that MLflow 3.17 keeps for itself (`WorkspaceNameValidator`), and its own default.
_RESERVED = frozenset({"api", "ajax-api", "default", "static-files", "workspaces"})
# No project's name has two hyphens in a row.
_SUFFIX = "--project"


def workspace_name(project: str) -> str:
    """Return the name of a project's MLflow workspace.

    It is the project's, except where MLflow doesn't take that.

    >>> workspace_name("seat-demand"), workspace_name("default"), workspace_name("a")
    ('seat-demand', 'default--project', 'a--project')
    """
    return project + _SUFFIX if len(project) < 2 or project in _RESERVED else project


def project_name(workspace: str) -> str:
    """Return the name of the project that an MLflow workspace is of.

    >>> project_name("seat-demand"), project_name("default--project")
    ('seat-demand', 'default')
    """
    return workspace.removesuffix(_SUFFIX)
