"""A project's settings as a page shows them: its secrets, and the tokens for CI."""

from __future__ import annotations

from dataclasses import dataclass

from nb2prod.server.gallery import Reader
from nb2prod.server.project_view import Filled
from nb2prod.server.token_view import TokensView, compose_tokens
from nb2prod.workspace.projects import Project, Role, get_project, role_of
from nb2prod.workspace.secrets import SecretEntry, list_secrets
from nb2prod.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class SettingsView:
    """What the page shows.

    Parameters
    ----------
    may_set
        Whether the reader may set and remove secrets.
    secret_form
        The name that was typed, where it was refused; never a value.
    """

    project: Project
    may_set: bool
    secrets: tuple[SecretEntry, ...]
    secret_form: Filled
    tokens: TokensView


def compose_settings(
    workspace: Workspace,
    reader: Reader,
    name: str,
    *,
    secret_form: Filled | None = None,
    token_form: Filled | None = None,
    made_token: str = "",
) -> SettingsView:
    """Make the view of a project's settings.

    Parameters
    ----------
    made_token
        The token that was just made, which is shown this once.

    Raises
    ------
    ProjectNotFound
        There is none such that the reader may see.
    """
    project = get_project(workspace, name, person=reader.person)
    return SettingsView(
        project=project,
        may_set=role_of(workspace, name, reader.person) is Role.OWNER,
        secrets=list_secrets(workspace, name, person=reader.person),
        secret_form=secret_form or Filled(),
        tokens=compose_tokens(workspace, reader, name, secret=made_token, form=token_form),
    )
