"""Tokens of programs that act for a person in one project: a run that reaches MLflow, CI.

Only a token's hash is kept: who reads the database can't use it (as for JupyterHub's own). What
a token is for tells what it may do: one of a run opens MLflow and nothing else, one that a person
made for CI opens the project's part of the service, and neither opens the other's door.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from nb2prod.errors import (
    Conflict,
    InvalidInput,
    NotSignedIn,
    StorageFull,
    StorageUnusable,
    TokenNotFound,
)
from nb2prod.store.schema import access_tokens, members, projects
from nb2prod.workspace.models import Project, Role
from nb2prod.workspace.people import Identity
from nb2prod.workspace.rows import require, visible
from nb2prod.workspace.workspace import Workspace

# Tells our tokens from the hub's, so that the hub is not asked about them.
TOKEN_PREFIX = "nb2p_"  # noqa: S105 (no secret, but what stands before one)
TOKEN_BYTES = 32
PURPOSE_LENGTH = 60
CI_PURPOSE = "ci:"
DEFAULT_DAYS = 90
MAX_DAYS = 366
MAX_TOKENS = 50
TITLE_LENGTH = 100
# So long an expired token of CI's is kept, to be told from one that never was.
KEPT_EXPIRED = timedelta(days=90)
# A build asks a hundred times a minute; when it was last there needs no more than this.
USED_AT_INTERVAL = timedelta(minutes=1)

_TOKEN_ID = re.compile(r"[a-z2-7]{12}\Z")

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectToken:
    """A token that a person made for CI, without its secret.

    Parameters
    ----------
    id
        12 characters of a–z and 2–7.
    person
        Who made it, and for whom its bearer acts.
    used_at
        When it was last used, to the minute; `None` if never.
    """

    id: str
    title: str
    person: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime

    @property
    def has_expired(self) -> bool:
        """Whether it is good for nothing any more."""
        return self.expires_at <= _now()


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
        connection.execute(delete(access_tokens).where(_is_done_with(now)))
        connection.execute(
            insert(access_tokens).values(
                sha256=_sha256(token),
                person=person,
                project_id=project.id,
                purpose=purpose,
                created_at=now,
                expires_at=now + ttl,
            )
        )
    return token


def identity_of(workspace: Workspace, token: str) -> Identity | None:
    """Return whom a run's token speaks for, and in which project.

    `None` for an unknown, expired or revoked token, for one of CI's, and once the person is no
    member any more.
    """
    row = _find(workspace, token)
    if row is None or _is_of_ci(row) or row.expires_at <= _now():
        return None
    return Identity(person=row.person, project=row.name)


def ci_identity_of(workspace: Workspace, token: str) -> Identity | None:
    """Return whom a token of CI's speaks for, and in which project; note that it was used.

    `None` for an unknown or revoked token, for a run's, and once the person is no member any
    more.

    Raises
    ------
    NotSignedIn
        The token has expired.
    """
    row = _find(workspace, token)
    if row is None or not _is_of_ci(row):
        return None
    now = _now()
    if row.expires_at <= now:
        raise NotSignedIn(
            f"The token {row.title!r} expired on {row.expires_at:%Y-%m-%d}. Make a new one in the"
            f" settings of {row.name}.",
            expired_at=row.expires_at.isoformat(),
        )
    if row.used_at is None or row.used_at + USED_AT_INTERVAL <= now:
        _note_use(workspace, row.sha256, now)
    return Identity(person=row.person, project=row.name)


def create_project_token(
    workspace: Workspace, project: str, *, person: str, title: str, days: int = DEFAULT_DAYS
) -> tuple[ProjectToken, str]:
    """Make a token with which a program, such as CI, acts for a person in one project.

    Parameters
    ----------
    person
        Who makes it, and for whom its bearer acts; any member. It is worth nothing once the
        person is no member.
    title
        What it is for, for people; one line of 1 to 100 characters.
    days
        How long it is good for; 1 to 366.

    Returns
    -------
    ProjectToken, str
        The token as lists have it, and its secret, which can't be looked up again.

    Raises
    ------
    ProjectNotFound
        There is none such that the person is a member of.
    InvalidInput
        The title or the number of days breaks the rule.
    Conflict
        The person has too many in this project already.
    """
    title = _check_title(title)
    if isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
        raise InvalidInput(f"A token is good for 1 to {MAX_DAYS} days, not for {days}.")
    secret, token_id, now = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES), _new_id(), _now()
    values: dict[str, Any] = {
        "purpose": CI_PURPOSE + token_id,
        "title": title,
        "person": person,
        "created_at": now,
        "used_at": None,
        "expires_at": now + timedelta(days=days),
    }
    with workspace.database.write() as connection:
        found = require(connection, project, person, Role.VIEWER)
        connection.execute(delete(access_tokens).where(_is_done_with(now)))
        here = (access_tokens.c.project_id == found.id) & (access_tokens.c.person == person)
        count = select(func.count()).select_from(access_tokens).where(here, _OF_CI)
        if (connection.scalar(count) or 0) >= MAX_TOKENS:
            raise Conflict(
                f"You have {MAX_TOKENS} tokens of {project} already. Revoke those that nothing uses"
                " any more."
            )
        connection.execute(
            insert(access_tokens).values(sha256=_sha256(secret), project_id=found.id, **values)
        )
    log.info("Token made project=%s person=%s token=%s", project, person, token_id)
    return ProjectToken(id=token_id, **{k: v for k, v in values.items() if k != "purpose"}), secret


def list_project_tokens(
    workspace: Workspace, project: str, *, person: str
) -> tuple[ProjectToken, ...]:
    """Return the tokens of a project, newest first: one's own, and for an owner all.

    Raises
    ------
    ProjectNotFound
        There is none such that the person is a member of.
    """
    with workspace.database.read() as connection:
        query = select(access_tokens).where(_may_see(connection, project, person))
        rows = connection.execute(query.order_by(access_tokens.c.created_at.desc())).all()
    return tuple(
        ProjectToken(
            id=row.purpose.removeprefix(CI_PURPOSE),
            title=row.title or "",
            person=row.person,
            created_at=row.created_at,
            used_at=row.used_at,
            expires_at=row.expires_at,
        )
        for row in rows
    )


def revoke_project_token(workspace: Workspace, project: str, token_id: str, *, person: str) -> None:
    """Take back a token of one's own, or as an owner anybody's; it is good for nothing at once.

    Raises
    ------
    ProjectNotFound
        There is none such that the person is a member of.
    TokenNotFound
        There is no such token that the person may take back.
    """
    with workspace.database.write() as connection:
        may_see = _may_see(connection, project, person)
        has_form = bool(_TOKEN_ID.match(token_id))
        its_own = access_tokens.c.purpose == CI_PURPOSE + (token_id if has_form else "")
        if not connection.execute(delete(access_tokens).where(may_see, its_own)).rowcount:
            raise TokenNotFound(
                f"There is no token {token_id[:40]!r} of yours in {project}; it may have been"
                " revoked already."
            )
    log.info("Token revoked project=%s token=%s by=%s", project, token_id, person)


def revoke(workspace: Workspace, *, purpose: str) -> None:
    """Take back all tokens of a purpose; there may be none."""
    with workspace.database.write() as connection:
        connection.execute(delete(access_tokens).where(access_tokens.c.purpose == purpose))


_OF_CI = access_tokens.c.purpose.startswith(CI_PURPOSE, autoescape=True)


def _find(workspace: Workspace, token: str) -> Row[Any] | None:
    if not token.startswith(TOKEN_PREFIX):
        return None
    query: Select[Any] = (
        select(access_tokens, projects.c.name)
        .join(projects, projects.c.id == access_tokens.c.project_id)
        .join(
            members,
            (members.c.project_id == access_tokens.c.project_id)
            & (members.c.person == access_tokens.c.person),
        )
        .where(access_tokens.c.sha256 == _sha256(token))
    )
    with workspace.database.read() as connection:
        return connection.execute(query).first()


def _is_of_ci(row: Row[Any]) -> bool:
    return str(row.purpose).startswith(CI_PURPOSE)


def _is_done_with(now: datetime) -> ColumnElement[bool]:
    expires_at = access_tokens.c.expires_at
    return or_((expires_at <= now) & ~_OF_CI, expires_at <= now - KEPT_EXPIRED)


def _note_use(workspace: Workspace, sha256: str, now: datetime) -> None:
    try:
        with workspace.database.write() as connection:
            connection.execute(
                update(access_tokens).where(access_tokens.c.sha256 == sha256).values(used_at=now)
            )
    except (StorageFull, StorageUnusable) as error:
        # Who may come in doesn't depend on whether it can be noted.
        log.warning("A token's use could not be noted error=%s", error)


def _may_see(connection: Connection, project: str, person: str) -> ColumnElement[bool]:
    found = require(connection, project, person, Role.VIEWER)
    here = (access_tokens.c.project_id == found.id) & _OF_CI
    role = connection.execute(visible(person).where(projects.c.id == found.id)).one().role
    return here if role == Role.OWNER.value else here & (access_tokens.c.person == person)


def _check_title(title: str) -> str:
    plain = title.strip()
    if not 0 < len(plain) <= TITLE_LENGTH or not plain.isprintable():
        raise InvalidInput(
            f"A token's title says what it is for, in one line of 1 to {TITLE_LENGTH} characters."
        )
    return plain


def _new_id() -> str:
    return base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12]


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
