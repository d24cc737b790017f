"""An HTTP client for an ASGI application in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from nb2prod.server.admission import IDENTITY, SESSION
from nb2prod.server.sign_in import exchange, issue_token, xsrf_token
from nb2prod.workspace.people import Identity
from nb2prod.workspace.workspace import Workspace

HOST = "http://127.0.0.1:8000"
PREFIX = "/services/workspace"
COOKIE = "nb2prod-session-8000"


class Client:
    """Sends requests to an application; keeps no cookies but those that it is given."""

    def __init__(
        self, app: ASGIApp, *, session: str | None = None, bearer: str | None = None
    ) -> None:
        self.app = app
        self.headers = {"accept": "text/html"}
        if session is not None:
            self.headers["cookie"] = f"{COOKIE}={session}"
        if bearer is not None:
            self.headers["authorization"] = f"Bearer {bearer}"

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; a path that begins with a slash is below the prefix."""
        headers = {**self.headers, **options.pop("headers", {})}
        url = path if path.startswith("http") else f"{HOST}{PREFIX}{path}"

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, url, headers=headers, **options)

        return asyncio.run(send())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET request."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST request."""
        return self.request("POST", path, **options)


class Introduced:
    """ASGI middleware: says who asks, as the hub's login does once it knows.

    Parameters
    ----------
    session
        The browser's secret; `None` for a program.
    """

    def __init__(self, app: ASGIApp, identity: Identity | None, session: str | None) -> None:
        self.app, self.identity, self.session = app, identity, session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on as this person's."""
        if scope["type"] == "http" and self.identity is not None:
            scope = {**scope, IDENTITY: self.identity, SESSION: self.session}
        await self.app(scope, receive, send)


def program_of(app: ASGIApp, identity: Identity) -> Client:
    """Return a program that the hub's login knows by its token."""
    client = Client(Introduced(app, identity, None))
    client.headers["accept"] = "application/json"
    return client


def browser_of(app: ASGIApp, identity: Identity) -> Client:
    """Return a browser that the hub's login knows; its requests come from pages of ours."""
    session = f"the secret of {identity.person}"
    client = Client(Introduced(app, identity, session))
    client.headers |= {"x-xsrf-token": xsrf_token(session), "sec-fetch-site": "same-origin"}
    return client


def session_of(workspace: Workspace, person: str = "ada") -> str:
    """Return the secret of a new session."""
    return exchange(workspace, issue_token(workspace, person))
