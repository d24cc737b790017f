"""The pure parts of the hub's OAuth login: state, PKCE, and where to go afterwards.

A login that has begun is kept in the browser alone, in a signed cookie: nothing here grows
with the number of visitors, and a restart between two steps loses nobody. What is kept on our
side is only which states have been used, since each works once.

The protocol is RFC 6749 (section 4.1, the code flow) with RFC 7636 (PKCE, method S256).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

# As long as JupyterHub's own state (`HubOAuth.oauth_state_max_age`).
STATE_TTL_S = 600
MAX_NEXT_LENGTH = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A login that has begun.

    Parameters
    ----------
    state
        Goes through the hub and back, and names the browser's cookie.
    next_path
        Where the person wanted to go.
    expires_at
        Seconds since the epoch.
    """

    state: str
    next_path: str
    expires_at: int

    @property
    def cookie_suffix(self) -> str:
        """What tells the cookies of several logins in one browser apart."""
        return hashlib.sha256(self.state.encode()).hexdigest()[:8]


class Logins:
    """Begins logins and takes each back once.

    Parameters
    ----------
    secret
        The service's own token; keys are derived from it, so that they survive a restart.
    clock
        Gives seconds since the epoch.
    """

    def __init__(self, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(secret.encode(), b"nb2prod login", "sha256")
        self._clock = clock
        self._used: dict[str, int] = {}

    def begin(self, next_path: str) -> tuple[Login, str]:
        """Return a new login, and the value of the cookie that binds it to the browser."""
        login = Login(
            state=secrets.token_urlsafe(32),
            next_path=next_path,
            expires_at=int(self._clock()) + STATE_TTL_S,
        )
        return login, self._seal(login)

    def redeem(self, cookie: str, state: str) -> Login | None:
        """Return the login that a state belongs to, once.

        Parameters
        ----------
        cookie
            What the browser kept.
        state
            What came back through the hub.

        Returns
        -------
        The login; `None` where the cookie is not ours, is too old, belongs to another state, or
        was used before.
        """
        login = self._unseal(cookie)
        now = int(self._clock())
        if login is None or not hmac.compare_digest(login.state.encode(), state.encode()):
            return None
        if login.expires_at < now or login.state in self._used:
            return None
        self._used = {used: until for used, until in self._used.items() if until >= now}
        self._used[login.state] = login.expires_at
        return login

    def verifier(self, login: Login) -> str:
        """Return a login's PKCE code verifier; only who has our key can."""
        digest = hmac.digest(self._key, b"verifier " + login.state.encode(), "sha256")
        return _encode(digest)

    def _seal(self, login: Login) -> str:
        fields = [login.state, login.next_path, login.expires_at]
        content = json.dumps(fields, separators=(",", ":")).encode()
        return f"{_encode(content)}.{_encode(self._signature(content))}"

    def _unseal(self, cookie: str) -> Login | None:
        encoded, _, signature = cookie.partition(".")
        try:
            content, given = _decode(encoded), _decode(signature)
        except ValueError:
            return None
        if not hmac.compare_digest(self._signature(content), given):
            return None
        state, next_path, expires_at = json.loads(content)
        return Login(state=state, next_path=next_path, expires_at=expires_at)

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, b"state " + content, "sha256")


def challenge(verifier: str) -> str:
    """Return the PKCE code challenge for a verifier (RFC 7636, section 4.2, method S256).

    >>> challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    return _encode(hashlib.sha256(verifier.encode()).digest())


def next_path(prefix: str, target: str) -> str:
    r"""Return where to go after a login: a path below the prefix, else the index.

    Browsers read ``//host``, ``/\host`` and control characters as more than a path, and climb
    at ``..``, also at an encoded one.

    >>> next_path("/services/workspace", "/services/workspace/pages/1?view=code")
    '/services/workspace/pages/1?view=code'
    >>> next_path("/services/workspace", "//evil.example/services/workspace/")
    '/services/workspace/'
    """
    index = f"{prefix}/"
    if not target.startswith(index) or len(target) > MAX_NEXT_LENGTH:
        return index
    if not target.isascii() or not target.isprintable() or "\\" in target or " " in target:
        return index
    steps = unquote(urlsplit(target).path).replace("\\", "/").split("/")
    return index if any(step in (".", "..") for step in steps) else target


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("not of our alphabet")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
