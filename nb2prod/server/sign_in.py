"""Signing in without a password: a one-time token in an address becomes a browser's session.

The token is printed by ``nb2prod up``, ``serve`` and ``open``; whoever can read a person's
terminal can act as that person anyway. It works once and for a short time. Only hashes are
stored: a copy of the database lets nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy import delete, insert, select, update

from nb2prod.errors import NotSignedIn
from nb2prod.store.schema import sessions, sign_in_tokens
from nb2prod.workspace.workspace import Workspace

TOKEN_TTL = timedelta(minutes=15)
# As long as JupyterHub's own cookie (`cookie_max_age_days`).
SESSION_TTL = timedelta(days=14)

# 256 bits: nobody guesses one, so a plain hash is enough and a slow one would only cost.
_SECRET_BYTES = 32


def issue_token(workspace: Workspace, person: str, ttl: timedelta = TOKEN_TTL) -> str:
    """Make a one-time token for a person to sign in with, and forget expired ones.

    Parameters
    ----------
    ttl
        How long it can be used.
    """
    token, now = secrets.token_urlsafe(_SECRET_BYTES), datetime.now(UTC)
    with workspace.database.write() as connection:
        for table in (sign_in_tokens, sessions):
            connection.execute(delete(table).where(table.c.expires_at <= now))
        connection.execute(
            insert(sign_in_tokens).values(
                sha256=_digest(token), person=person, expires_at=now + ttl
            )
        )
    return token


def sign_in_address(workspace: Workspace, base: str, *, person: str, path: str) -> str:
    """Make an address that signs a person in once and leads on.

    Parameters
    ----------
    base
        Where the gallery is, as in ``http://127.0.0.1:8000/services/workspace``.
    path
        Where to go then: a path below the gallery's.
    """
    query = urlencode({"token": issue_token(workspace, person), "next": path})
    return f"{base}/sign-in?{query}"


def exchange(workspace: Workspace, token: str) -> str:
    """Turn a token into a session and return the session's secret; works once per token.

    Raises
    ------
    NotSignedIn
        The token is unknown, expired, or was used before: all get the same answer.
    """
    session, now = secrets.token_urlsafe(_SECRET_BYTES), datetime.now(UTC)
    usable = (
        sign_in_tokens.c.sha256 == _digest(token),
        sign_in_tokens.c.used_at.is_(None),
        sign_in_tokens.c.expires_at > now,
    )
    with workspace.database.write() as connection:
        person = connection.scalar(select(sign_in_tokens.c.person).where(*usable))
        if person is None:
            raise NotSignedIn(
                "This sign-in address was used before or is too old."
                " Run `nb2prod open` in a terminal for a new one."
            )
        connection.execute(update(sign_in_tokens).where(*usable).values(used_at=now))
        connection.execute(
            insert(sessions).values(
                sha256=_digest(session), person=person, expires_at=now + SESSION_TTL
            )
        )
    return session


def person_of(workspace: Workspace, session: str) -> str | None:
    """Return who a session belongs to; `None` where it is unknown, ended or expired."""
    query = select(sessions.c.person).where(
        sessions.c.sha256 == _digest(session), sessions.c.expires_at > datetime.now(UTC)
    )
    with workspace.database.read() as connection:
        return connection.scalar(query)


def end_session(workspace: Workspace, session: str) -> None:
    """Sign a browser out; one that is signed out already stays so."""
    with workspace.database.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.sha256 == _digest(session)))


def xsrf_token(session: str) -> str:
    """Return a token that proves that a request comes from a page that we gave to a session.

    It is masked with a fresh pad each time: a compressed response would otherwise give the
    secret away bit by bit (the BREACH attack).
    """
    pad = secrets.token_bytes(_SECRET_BYTES)
    return (pad + _xor(pad, _xsrf_key(session))).hex()


def is_xsrf_token(session: str, token: str) -> bool:
    """Tell whether a token was made by `xsrf_token` for this session."""
    try:
        content = bytes.fromhex(token)
    except ValueError:
        return False
    pad, masked = content[:_SECRET_BYTES], content[_SECRET_BYTES:]
    if len(masked) != _SECRET_BYTES:
        return False
    return hmac.compare_digest(_xor(pad, masked), _xsrf_key(session))


def _xsrf_key(session: str) -> bytes:
    return hmac.digest(session.encode(), b"nb2prod xsrf", "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
