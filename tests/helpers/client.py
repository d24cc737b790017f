"""An HTTP client for an ASGI application in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI

from nb2prod.server.sign_in import exchange, issue_token
from nb2prod.workspace.workspace import Workspace

HOST = "http://127.0.0.1:8000"
PREFIX = "/services/workspace"
COOKIE = "nb2prod-session-8000"


class Client:
    """Sends requests to an application; keeps no cookies but those that it is given."""

    def __init__(
        self, app: FastAPI, *, session: str | None = None, bearer: str | None = None
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


def session_of(workspace: Workspace, person: str = "ada") -> str:
    """Return the secret of a new session."""
    return exchange(workspace, issue_token(workspace, person))
