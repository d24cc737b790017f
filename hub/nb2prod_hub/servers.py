"""People's servers as the workspace service sees them: asked of the hub, with its token."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from nb2prod.errors import ServiceUnreachable
from nb2prod.server.servers import ServerState

TIMEOUT_S = 5.0
# A page that asks every second, and several of them, ask the hub once.
MAX_AGE_S = 1.0
MAX_PEOPLE = 500


class _Server(BaseModel):
    ready: bool
    pending: str | None = None


class _Person(BaseModel):
    servers: dict[str, _Server] = {}


class HubServers:
    """Servers of people, by the hub's API; see `nb2prod.server.servers.PersonServers`.

    To be used in one event loop.

    Parameters
    ----------
    api_url
        The hub's API, without a slash at its end.
    token
        A token whose scopes are `read:servers` and `delete:servers`.
    """

    def __init__(
        self, api_url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=api_url,
            headers={"Authorization": f"token {token}"},
            timeout=TIMEOUT_S,
            transport=transport,
            # The hub is on this machine; a proxy of the environment is none of its business.
            trust_env=False,
        )
        self._known: dict[str, tuple[float, Mapping[str, ServerState]]] = {}

    async def list(self, person: str) -> Mapping[str, ServerState]:
        """Return the state of a person's servers by name of the project, stopped ones left out.

        Raises
        ------
        ServiceUnreachable
            The hub does not answer.
        """
        at, states = self._known.get(person, (0.0, {}))
        if time.monotonic() - at < MAX_AGE_S:
            return states
        states = await self._ask(person)
        if len(self._known) >= MAX_PEOPLE:
            self._known.clear()
        self._known[person] = (time.monotonic(), states)
        return states

    async def stop(self, person: str, project: str) -> None:
        """Stop a person's server; one that is stopped already stays so.

        Returns once the hub has begun to.

        Raises
        ------
        ServiceUnreachable
            The hub does not answer, or can't stop it now, for instance while it starts.
        """
        path = f"/users/{quote(person, safe='')}/servers/{quote(project, safe='')}"
        answer = await self._request("DELETE", path)
        self._known.pop(person, None)
        # The hub answers 400 for a server that does not run, and 404 where there never was one.
        if answer.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
            if project not in await self._ask(person):
                return
            raise ServiceUnreachable(
                f"The hub can't stop {person}'s server for {project} now; try again in a minute."
            )
        _check(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, person: str) -> Mapping[str, ServerState]:
        answer = await self._request("GET", f"/users/{quote(person, safe='')}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return {}
        _check(answer)
        try:
            found = _Person.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServiceUnreachable("The hub's answer can't be understood.") from error
        # The default server has no name, and is no project's.
        return {
            name: state
            for name, server in found.servers.items()
            if name and (state := _state(server)) is not None
        }

    async def _request(self, method: str, path: str) -> httpx.Response:
        try:
            return await self._client.request(method, path)
        except httpx.HTTPError as error:
            raise ServiceUnreachable("The hub does not answer; try again in a minute.") from error


def _state(server: _Server) -> ServerState | None:
    match server.pending:
        case "spawn":
            return ServerState.STARTING
        case "stop":
            return ServerState.STOPPING
    return ServerState.RUNNING if server.ready else None


def _check(answer: httpx.Response) -> None:
    if answer.is_error:
        raise ServiceUnreachable(f"The hub refused to answer (status {answer.status_code}).")
