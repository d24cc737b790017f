"""Docker networks with addresses of our own choice, made once whoever asks for them."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from nb2prod.errors import EngineRefused
from nb2prod.jobs.docker_errors import asking
from nb2prod.jobs.subnets import free_subnets, machine_routes, subnet_count
from nb2prod.workspace.policy import NetworkKind

log = logging.getLogger(__name__)

# A network interface's name has 15 characters (linux/if.h, IFNAMSIZ). The firewall tells the
# kinds apart by it (`nb2prod_hub.firewall`).
INTERFACE_PREFIXES = {NetworkKind.OPEN: "nb2p-", NetworkKind.CLOSED: "nb2r-"}
_INTERFACE_DIGITS = 10
# Between making a bridge and listing its network, an engine needs a moment.
LISTED_TIMEOUT_S = 5.0
LISTED_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A bridge network; ``gateway`` is the address that this machine has in it."""

    id: str
    name: str
    interface: str
    subnet: str
    gateway: str


def interface_name(network: str, kind: NetworkKind = NetworkKind.OPEN) -> str:
    """Return the name of a network's bridge on this machine, for rules of its firewall.

    >>> interface_name("nb2prod-0a1b2c3d-seat-demand")
    'nb2p-ab51479d1c'
    """
    digest = hashlib.sha256(network.encode()).hexdigest()
    return f"{INTERFACE_PREFIXES[kind]}{digest[:_INTERFACE_DIGITS]}"


def bridge_options(network: str, kind: NetworkKind) -> dict[str, str]:
    """Return the options of a network's bridge.

    A closed one translates no addresses, and its containers can't speak to each other. So nobody
    outside can answer to what comes from it, also where this process may set no rules of a
    firewall.
    """
    options = {"com.docker.network.bridge.name": interface_name(network, kind)}
    if kind is NetworkKind.CLOSED:
        options["com.docker.network.bridge.enable_ip_masquerade"] = "false"
        options["com.docker.network.bridge.enable_icc"] = "false"
    return options


class DockerNetworks:
    """The networks of an engine; safe to use from several threads.

    Parameters
    ----------
    api
        docker-py's client of the engine's API.
    """

    def __init__(self, api: Any) -> None:
        self._api = api

    def ensure(
        self,
        name: str,
        *,
        labels: Mapping[str, str],
        pool: str,
        subnet: str | None = None,
        kind: NetworkKind = NetworkKind.OPEN,
    ) -> Network:
        """Return a bridge network, made where there is none; idempotent.

        Safe to call from several processes at once. One that is there is left as it is.

        Parameters
        ----------
        pool
            Where it has its addresses from, such as ``10.83.0.0/16``: a part that no other network
            and no route of this machine has.
        subnet
            The addresses that it had before and has to have again; by default some of the pool.

        Raises
        ------
        EngineRefused
            All addresses are taken, too.
        """
        found = self._find(name)
        if found is not None:
            return found
        if subnet is not None:
            found = self._make(name, labels, [IPv4Network(subnet)], kind)
        else:
            taken = (*self._subnets(), *machine_routes())
            found = self._make(name, labels, free_subnets(pool, name, taken), kind)
        # Of two processes that ask for the same one, the other may have the last addresses.
        found = found or self._find(name)
        if found is None:
            raise EngineRefused(_all_taken(name, pool, subnet))
        return found

    def remove(self, name: str) -> None:
        """Remove a network that no container is in; nothing where there is none."""
        found = self._find(name)
        if found is not None:
            with asking(f"remove the network {name}", ignores_missing=True):
                self._api.remove_network(found.id)

    def _find(self, name: str) -> Network | None:
        with asking(f"find the network {name}"):
            # The engine's filter finds parts of names as well.
            listed = self._api.networks(names=[name])
        exact = [item for item in listed if item["Name"] == name]
        return _network(min(exact, key=lambda item: str(item["Created"]))) if exact else None

    def _subnets(self) -> tuple[IPv4Network, ...]:
        with asking("list networks"):
            listed = self._api.networks()
        pools = [pool for item in listed for pool in item["IPAM"].get("Config") or ()]
        # IPv6 has colons.
        texts = (pool.get("Subnet") or "" for pool in pools)
        return tuple(IPv4Network(text, strict=False) for text in texts if text and ":" not in text)

    def _make(
        self,
        name: str,
        labels: Mapping[str, str],
        subnets: Iterable[IPv4Network],
        kind: NetworkKind,
    ) -> Network | None:
        """Return the network, with the first subnet that the engine takes; `None` without one."""
        for subnet in subnets:
            try:
                is_made = self._create(name, labels, subnet, kind)
            except EngineRefused:
                # Another process is faster: of one interface's name there is only one.
                found = self._await(name)
                if found is None:
                    raise
                return found
            found = self._find(name)
            if found is not None:
                return found
            if is_made:
                raise EngineRefused(f"The Docker network {name} vanished as soon as it was made.")
            log.info("A subnet is taken, network=%s subnet=%s", name, subnet)
        return None

    def _await(self, name: str) -> Network | None:
        deadline = time.monotonic() + LISTED_TIMEOUT_S
        while (found := self._find(name)) is None and time.monotonic() < deadline:
            time.sleep(LISTED_POLL_S)
        return found

    def _create(
        self, name: str, labels: Mapping[str, str], subnet: IPv4Network, kind: NetworkKind
    ) -> bool:
        """Make a network; `False` where another one has some of these addresses."""
        from docker.errors import APIError
        from docker.types import IPAMConfig, IPAMPool

        # The engine would choose the same gateway, and not tell it.
        pool = IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))
        with asking(f"make the network {name}"):
            try:
                self._api.create_network(
                    name,
                    driver="bridge",
                    check_duplicate=True,
                    ipam=IPAMConfig(pool_configs=[pool]),
                    labels=dict(labels),
                    options=bridge_options(name, kind),
                )
            except APIError as error:
                if "overlap" in str(error.explanation).lower():
                    return False
                raise
        log.info("Made a network, name=%s subnet=%s", name, subnet)
        return True


def _all_taken(name: str, pool: str, subnet: str | None) -> str:
    if subnet is not None:
        return (
            f"The Docker network {name} needs the addresses {subnet} again, as it had them before,"
            " and another network has some of them. Find it (`docker network inspect`), and remove"
            " it."
        )
    return (
        f"All {subnet_count(pool)} parts of NB2PROD_NETWORK_POOL ({pool}) are taken, by Docker"
        f" networks or by routes of this machine, so that there can be no network {name}. Remove"
        " networks that nobody uses (`docker network prune`), or start the workspace with other"
        " private addresses."
    )


def _network(facts: Mapping[str, Any]) -> Network:
    pool = (facts["IPAM"].get("Config") or [{}])[0]
    options = facts.get("Options") or {}
    return Network(
        id=facts["Id"],
        name=facts["Name"],
        interface=options.get("com.docker.network.bridge.name", ""),
        subnet=pool.get("Subnet", ""),
        gateway=pool.get("Gateway", "").partition("/")[0],
    )
