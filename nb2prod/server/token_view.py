"""A project's tokens as its settings page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from nb2prod.server.gallery import Reader
from nb2prod.server.project_view import Filled
from nb2prod.workspace.tokens import DEFAULT_DAYS, MAX_DAYS, ProjectToken, list_project_tokens
from nb2prod.workspace.workspace import Workspace

DAYS_OFFERED = (7, 30, DEFAULT_DAYS, 180, MAX_DAYS)


@dataclass(frozen=True, kw_only=True)
class TokensView:
    """What the page shows of tokens.

    Parameters
    ----------
    items
        One's own, and for an owner everybody's; newest first.
    secret
        Of the token that was just made; empty at any other time.
    form
        What was typed, where it was refused.
    """

    items: tuple[ProjectToken, ...]
    secret: str
    form: Filled
    days_offered: tuple[int, ...] = DAYS_OFFERED
    default_days: int = DEFAULT_DAYS


def compose_tokens(
    workspace: Workspace,
    reader: Reader,
    project: str,
    *,
    secret: str = "",
    form: Filled | None = None,
) -> TokensView:
    """Make the view; raises `ProjectNotFound` for who is no member."""
    return TokensView(
        items=list_project_tokens(workspace, project, person=reader.person),
        secret=secret,
        form=form or Filled(),
    )
