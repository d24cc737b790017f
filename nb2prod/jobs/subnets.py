"""Addresses of the projects' networks: which subnets of the workspace's pool are free.

Docker's own pools have room for about thirty networks, and each project has one.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

from nb2prod.settings import SUBNET_PREFIX

_ROUTES = Path("/proc/net/route")
_BITS = 32
# VPNs replace the default route by two halves of all addresses; private ranges have /8 at most.
_WIDEST_PREFIX = 8


def free_subnets(pool: str, name: str, taken: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """Return the free subnets of a pool, in an order of which ``name`` decides the beginning.

    Parameters
    ----------
    pool
        Addresses to share out, such as ``10.83.0.0/16``.
    name
        A network's name: the same one begins at the same subnet again.
    taken
        What is in use, within the pool or not.

    Examples
    --------
    >>> [str(subnet) for subnet in free_subnets("10.83.0.0/25", "seats", [])]
    ['10.83.0.64/26', '10.83.0.0/26']
    """
    whole = IPv4Network(pool)
    near = [other for other in taken if other.overlaps(whole)]
    if any(whole.subnet_of(other) for other in near):
        return
    count = subnet_count(pool)
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % count
    for step in range(count):
        place = (first + step) % count << (_BITS - SUBNET_PREFIX)
        subnet = IPv4Network((int(whole.network_address) + place, SUBNET_PREFIX))
        if not any(subnet.overlaps(other) for other in near):
            yield subnet


def subnet_count(pool: str) -> int:
    """Return how many networks a pool has room for.

    >>> subnet_count("10.83.0.0/16")
    1024
    """
    count: int = 2 ** (SUBNET_PREFIX - IPv4Network(pool).prefixlen)
    return count


def machine_routes() -> tuple[IPv4Network, ...]:
    """Return the networks that this machine reaches by routes of their own; none without Linux.

    The engine does not look at them where it is told a subnet.
    """
    try:
        return read_routes(_ROUTES.read_text("ascii"))
    except OSError:
        return ()


def read_routes(table: str) -> tuple[IPv4Network, ...]:
    """Return the destinations in a table of the kernel's (proc(5), ``/proc/net/route``).

    Default routes are left out, and what stands for them: those wider than any private network.
    """
    rows = (line.split() for line in table.splitlines()[1:])
    found = (IPv4Network((_number(row[1]), _number(row[7]).bit_count())) for row in rows if row)
    return tuple(network for network in found if network.prefixlen >= _WIDEST_PREFIX)


def _number(digits: str) -> int:
    # As it lies in memory.
    return int.from_bytes(int(digits, 16).to_bytes(4, sys.byteorder), "big")
