"""What the login asks the hub: who a token belongs to, and a token for a code."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from nb2prod.errors import NotSignedIn, ServiceUnreachable
from nb2prod.workspace.people import Identity
from nb2prod_hub.login_cache import AnswerCache

log = logging.getLogger(__name__)

# How long a person who lost their account, or logged out elsewhere, may go on.
IDENTITY_TTL_S = 60.0
# Long enough that a program that tries again and again does not ask the hub each time.
REFUSAL_TTL_S = 5.0
CACHE_SIZE = 4096
# For a whole question; the second is for each step of it.
DEADLINE_S = 15.0
STEP_DEADLINE = httpx.Timeout(10.0, connect=3.0)


@dataclass(frozen=True, kw_only=True)
class HubAccess:
    """How a service speaks to the hub.

    Parameters
    ----------
    service
        The service's name in the hub.
    api_url
        The hub's API, without a slash at its end.
    api_token
        The service's own token, which is its OAuth client secret, too.
    redirect_path
        Where the hub sends the browser after a login; the same as in the hub's configuration.
    """

    service: str
    api_url: str
    api_token: str = field(repr=False)
    redirect_path: str

    @property
    def client_id(self) -> str:
        """The service's OAuth client, as JupyterHub names it."""
        return f"service-{self.service}"


class HubClient:
    """Asks the hub, and remembers what it said for at most `IDENTITY_TTL_S`.

    For one event loop.

    Parameters
    ----------
    knows_administrators
        Whether to ask who is an administrator; the service's token then has to have the scope
        ``read:users:name``.
    transport
        What stands for the network.
    clock
        Gives seconds that never go back.
    """

    def __init__(
        self,
        access: HubAccess,
        *,
        knows_administrators: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.access = access
        self._knows_administrators = knows_administrators
        # No proxy from the environment: the hub is a neighbour.
        self._http = httpx.AsyncClient(timeout=STEP_DEADLINE, trust_env=False, transport=transport)
        self._identities: AnswerCache[tuple[str, str], Identity] = AnswerCache(
            ttl_s=IDENTITY_TTL_S, nothing_ttl_s=REFUSAL_TTL_S, size=CACHE_SIZE, clock=clock
        )

    async def identity_of(self, token: str, session_id: str = "") -> Identity | None:
        """Return who a token of the hub belongs to.

        Parameters
        ----------
        session_id
            The browser's session with the hub. It is part of what is remembered, as in
            JupyterHub's own `HubOAuth`: logging out ends it, so that the hub is asked again.

        Returns
        -------
        `None` where the hub does not know the token, or it does not reach this service.

        Raises
        ------
        ServiceUnreachable
            The hub does not answer, and nothing is remembered.
        """
        key = _key(token, session_id)
        return await self._identities.get(key, lambda: self._ask(token))

    def forget(self, token: str, session_id: str = "") -> None:
        """Ask again for a token at its next use."""
        self._identities.forget(_key(token, session_id))

    async def exchange(self, code: str, verifier: str) -> str:
        """Return the token for an OAuth code; a code works once.

        Raises
        ------
        NotSignedIn
            The hub refuses the code.
        ServiceUnreachable
            The hub does not answer.
        """
        fields = {
            "client_id": self.access.client_id,
            "client_secret": self.access.api_token,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.access.redirect_path,
            "code_verifier": verifier,
        }
        answer = await self._send("POST", "oauth2/token", data=fields)
        if answer.is_success:
            return str(_json(answer)["access_token"])
        log.warning("The hub refuses a code, status=%s", answer.status_code)
        raise NotSignedIn("The hub did not accept this login. Open the page again to sign in.")

    async def close(self) -> None:
        """End all connections."""
        await self._http.aclose()

    async def _ask(self, token: str) -> Identity | None:
        answer = await self._send("GET", "user", token=token)
        if answer.status_code in (401, 403):
            return None
        person = identity_of_model(_json(_successful(answer)), self.access.service)
        if person is None or person.project is not None or not self._knows_administrators:
            return person
        return Identity(
            person=person.person, is_administrator=await self._is_administrator(person.person)
        )

    async def _is_administrator(self, person: str) -> bool:
        # A person's own token does not say it; ours may ask.
        path = f"users/{quote(person, safe='')}"
        answer = await self._send("GET", path, token=self.access.api_token)
        if answer.status_code in (403, 404):
            log.warning("The hub does not say who is an administrator, person=%s", person)
            return False
        return _json(_successful(answer)).get("admin") is True

    async def _send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        data: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        headers = {"Authorization": f"token {token}"} if token is not None else {}
        url = f"{self.access.api_url}/{path}"
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._http.request(method, url, headers=headers, data=data)
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("The hub does not answer, error=%s", error.__class__.__name__)
            raise _unreachable() from error


def identity_of_model(model: Mapping[str, Any], service: str) -> Identity | None:
    """Return who the hub describes; `None` for who may not use the service, and for services.

    A token that may access one server of its owner, and no more of them, is that server's own,
    and speaks for that server's project alone. (Servers of others that are shared with a person
    are among the person's scopes, and make no server's token of it.)

    >>> scopes = ["access:services!service=mlflow", "access:servers!server=ada/seats"]
    >>> model = {"kind": "user", "name": "ada", "scopes": scopes}
    >>> identity_of_model(model, "mlflow")
    Identity(person='ada', is_administrator=False, project='seats')
    """
    scopes = frozenset(model.get("scopes", ()))
    name = model.get("name")
    if model.get("kind") != "user" or not isinstance(name, str) or not name:
        return None
    if not scopes & {"access:services", f"access:services!service={service}"}:
        return None
    own = f"access:servers!server={name}/"
    projects = {scope.removeprefix(own) for scope in scopes if scope.startswith(own)}
    if not projects:
        return Identity(person=name)
    if len(projects) > 1 or "" in projects:
        return None
    return Identity(person=name, project=projects.pop())


def _key(token: str, session_id: str) -> tuple[str, str]:
    # Not the token itself: what is in memory for a minute may end in a dump.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest(), session_id


def _successful(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        log.warning("The hub fails, status=%s", answer.status_code)
        raise _unreachable()
    return answer


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError as error:
        raise _unreachable() from error
    if not isinstance(content, dict):
        raise _unreachable()
    return content


def _unreachable() -> ServiceUnreachable:
    return ServiceUnreachable(
        "The hub does not answer, so nobody can be signed in just now. Try again in a minute;"
        " if it lasts, tell the administrator."
    )
