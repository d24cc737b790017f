"""The workspace service, as this server sees it: one client with the server's own token."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from nb2prod.errors import ServiceUnreachable
from nb2prod_lab.settings import LabSettings

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
NO_WORKSPACE = (
    "This Jupyter server belongs to no workspace. In a terminal, `nb2prod promote` promotes a"
    " notebook to the git repository that it lies in."
)
_UNKNOWN_HERE = (
    "The workspace does not know this server any more. Save your work, and stop and start the"
    " server from the hub's home page."
)


class ServiceRefusal(Exception):
    """The service answered with an error; it is handed on as it is.

    Parameters
    ----------
    status
        HTTP status for the browser.
    body
        ``{code, message, detail}``, as the service wrote it.
    """

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(body["message"])
        self.status = status
        self.body = dict(body)


class WorkspaceService:
    """Asks the workspace service, within one project.

    Connections are made at the first request and kept; `close` ends them. Not safe to use from
    several event loops.
    """

    def __init__(
        self, settings: LabSettings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.settings = settings
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def me(self) -> dict[str, Any]:
        """Return who the service takes this server for; raises as `ask` does."""
        answer: dict[str, Any] = self._json(await self._send("GET", "me"))
        return answer

    async def ask(self, *steps: str, **query: str) -> Any:
        """Return what the service answers to a GET below the project.

        Parameters
        ----------
        steps
            Of the path, not yet percent-encoded.

        Raises
        ------
        ServiceUnreachable
            There is no workspace, or it does not answer in time, or not as it should.
        ServiceRefusal
            It answered with an error.
        """
        return self._json(await self._send("GET", self._path(steps), params=query))

    async def tell(self, content: bytes, *steps: str) -> tuple[int, Any]:
        """Post JSON below the project; gives the status and the answer; raises as `ask`."""
        response = await self._send("POST", self._path(steps), content=content)
        return response.status_code, self._json(response)

    async def fetch(self, *steps: str) -> bytes:
        """Return a content below the project as it is; raises as `ask` does."""
        return (await self._send("GET", self._path(steps))).content

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _path(self, steps: tuple[str, ...]) -> str:
        return "/".join(
            quote(step, safe="") for step in ("projects", self.settings.project, *steps)
        )

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        if not self.settings.has_workspace:
            raise ServiceUnreachable(NO_WORKSPACE)
        try:
            response = await self._connected().request(
                method,
                f"{self.settings.service_url}/api/v1/{path}",
                params=params or None,
                content=content,
                headers={"Content-Type": "application/json"} if content is not None else None,
            )
        except httpx.TimeoutException as error:
            raise ServiceUnreachable(
                f"The workspace did not answer within {self.settings.timeout_s:g} s. Try again."
            ) from error
        except httpx.HTTPError as error:
            log.warning("service unreachable error=%r", error)
            raise ServiceUnreachable(
                "The workspace does not answer. Your notebooks are safe; try again in a moment."
            ) from error
        if not response.is_success:
            raise _refusal(response)
        return response

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers={
                    "Authorization": f"Bearer {self.settings.token}",
                    "Accept": "application/json",
                },
                timeout=httpx.Timeout(self.settings.timeout_s, connect=CONNECT_TIMEOUT_S),
                transport=self._transport,
                # The service lies inside the workspace; a proxy for the outside can't reach it.
                trust_env=False,
            )
        return self._client

    @staticmethod
    def _json(response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise _strange(response) from error


def _refusal(response: httpx.Response) -> Exception:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not {"code", "message"} <= body.keys():
        return _strange(response)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        # A 401 of ours would tell the browser that *it* is not signed in.
        return ServiceRefusal(
            httpx.codes.BAD_GATEWAY, {"code": body["code"], "message": _UNKNOWN_HERE, "detail": {}}
        )
    return ServiceRefusal(response.status_code, body)


def _strange(response: httpx.Response) -> ServiceUnreachable:
    log.warning(
        "service answered strangely status=%s body=%s",
        response.status_code,
        json.dumps(response.text[:200]),
    )
    return ServiceUnreachable(
        f"The workspace answered in a way that is not its own (status {response.status_code})."
        " Try again in a moment."
    )
