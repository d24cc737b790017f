"""People's servers that need no hub."""

from __future__ import annotations

from collections.abc import Mapping

from nb2prod.errors import ServiceUnreachable
from nb2prod.server.servers import ServerState


class RememberedServers:
    """Servers that stand as a test says; to stop one forgets it."""

    def __init__(self, states: dict[tuple[str, str], ServerState]) -> None:
        self.states = states

    async def list(self, person: str) -> Mapping[str, ServerState]:
        """Return the states of a person's servers."""
        return {
            project: state for (owner, project), state in self.states.items() if owner == person
        }

    async def stop(self, person: str, project: str) -> None:
        """Forget a server."""
        self.states.pop((person, project), None)


class UnreachableServers:
    """A hub that does not answer."""

    async def list(self, person: str) -> Mapping[str, ServerState]:
        """Fail."""
        raise ServiceUnreachable("The hub does not answer; try again in a minute.")

    async def stop(self, person: str, project: str) -> None:
        """Fail."""
        raise ServiceUnreachable("The hub does not answer; try again in a minute.")
