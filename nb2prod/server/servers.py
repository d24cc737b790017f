"""People's servers, as far as the pages show them; a hub's adapter fills this in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from nb2prod.errors import ServiceUnreachable

log = logging.getLogger(__name__)


class ServerState(StrEnum):
    """How a server that is not stopped stands."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


NONE_KNOWN: Mapping[str, ServerState] = MappingProxyType({})


class PersonServers(Protocol):
    """What the pages ask of whoever starts people's servers.

    Both methods have a deadline of their own, and raise `ServiceUnreachable` after it.
    """

    async def list(self, person: str) -> Mapping[str, ServerState]:
        """Return the state of a person's servers by name of the project, stopped ones left out."""
        ...

    async def stop(self, person: str, project: str) -> None:
        """Stop a person's server; one that is stopped already stays so."""
        ...


async def states_of(servers: PersonServers | None, person: str) -> Mapping[str, ServerState] | None:
    """Return the states of a person's servers; `None` where they can't be known now.

    A page is worth showing without them.
    """
    if servers is None:
        return NONE_KNOWN
    try:
        return await servers.list(person)
    except ServiceUnreachable as error:
        log.warning("Servers not known, person=%s error=%s", person, error)
        return None
