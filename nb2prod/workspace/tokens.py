"""Tokens of programs that act for a person in one project, such as a run that reaches MLflow.

Only a token's hash is kept: who reads the database can't use it (as for JupyterHub's own).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, select

from nb2prod.errors import InvalidInput
from nb2prod.store.schema import access_tokens, members, projects
from nb2prod.workspace.models import Project
from nb2prod.workspace.people import Identity
from nb2prod.workspace.workspace import Workspace

# Tells our tokens from the hub's, so that the hub is not asked about them.
TOKEN_PREFIX = "nb2p_"  # noqa: S105 (no secret, but what stands before one)
TOKEN_BYTES = 32
PURPOSE_LENGTH = 60


def issue_token(
    workspace: Workspace, *, person: str, project: Project, purpose: str, ttl: timedelta
) -> str:
    """Make a token, and return it; it can't be looked up again.

    Parameters
    ----------
    person
        For whom its bearer acts; the token is worth nothing once the person is no member.
    purpose
        What it is for, such as ``run:<id>``; `revoke` takes it back by this. 1 to 60 characters.
    ttl
        How long it is good for.

    Raises
    ------
    InvalidInput
        The purpose is empty or too long.
    """
    if not 0 < len(purpose) <= PURPOSE_LENGTH:
        raise InvalidInput(f"A token's purpose has 1 to {PURPOSE_LENGTH} characters.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    now = _now()
    with workspace.database.write() as connection:
        connection.execute(delete(access_tokens).where(access_tokens.c.expires_at <= now))
        connection.execute(
            insert(access_tokens).values(
                sha256=_sha256(token),
                person=person,
                project_id=project.id,
                purpose=purpose,
                expires_at=now + ttl,
            )
        )
    return token


def identity_of(workspace: Workspace, token: str) -> Identity | None:
    """Return whom a token's bearer acts for, and in which project.

    `None` for an unknown, expired or revoked token, and once the person is no member any more.
    """
    if not token.startswith(TOKEN_PREFIX):
        return None
    query = (
        select(access_tokens.c.person, projects.c.name)
        .join(projects, projects.c.id == access_tokens.c.project_id)
        .join(
            members,
            (members.c.project_id == access_tokens.c.project_id)
            & (members.c.person == access_tokens.c.person),
        )
        .where(access_tokens.c.sha256 == _sha256(token), access_tokens.c.expires_at > _now())
    )
    with workspace.database.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else Identity(person=row.person, project=row.name)


def revoke(workspace: Workspace, *, purpose: str) -> None:
    """Take back all tokens of a purpose; there may be none."""
    with workspace.database.write() as connection:
        connection.execute(delete(access_tokens).where(access_tokens.c.purpose == purpose))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
