"""Addresses of projects' networks: which are free, and what the machine's routes say."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import islice

import pytest

from nb2prod.jobs.subnets import free_subnets, read_routes, subnet_count

POOL = "10.83.0.0/16"

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0
tun0\t00000080\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000530A\t0100080A\t0003\t0\t0\t0\tC0FFFFFF\t0\t0\t0
"""


def free(pool: str, name: str = "seats", *taken: str) -> list[str]:
    return [str(item) for item in free_subnets(pool, name, map(IPv4Network, taken))]


def test_subnets_of_a_pool_are_apart_and_fill_it() -> None:
    found = free("192.168.4.0/23")

    assert len(found) == subnet_count("192.168.4.0/23") == 8
    assert sorted(found) == sorted(map(str, IPv4Network("192.168.4.0/23").subnets(new_prefix=26)))


def test_subnets_begin_where_the_name_says_and_go_round() -> None:
    found = [IPv4Network(item) for item in free(POOL, "seats")]

    assert len(found) == 1024
    assert free(POOL, "seats") == list(map(str, found))
    end = found.index(IPv4Network("10.83.255.192/26"))
    assert 0 < end < 1023
    assert found[end + 1] == IPv4Network("10.83.0.0/26")
    assert found[end + 1 :] + found[: end + 1] == sorted(found)


def test_subnets_of_many_names_begin_apart() -> None:
    firsts = {next(free_subnets(POOL, f"nb2prod-{number}", [])) for number in range(100)}

    # Of 100 in 1024 places, chance leaves about 95.
    assert len(firsts) > 80


def test_subnets_that_are_taken_are_left_out() -> None:
    usual = free("10.83.0.0/24")

    left = free("10.83.0.0/24", "seats", usual[0], "172.17.0.0/16", "10.83.0.130/32")

    assert left == [item for item in usual[1:] if item != "10.83.0.128/26"]


@pytest.mark.parametrize("wide", ["10.83.0.0/24", "10.0.0.0/8"])
def test_pool_within_what_is_taken_has_no_subnet(wide: str) -> None:
    assert free("10.83.0.0/24", "seats", wide) == []


def test_subnets_of_the_largest_pool_need_no_list_of_all() -> None:
    taken = [IPv4Network("10.0.0.0/9")]

    found = list(islice(free_subnets("10.0.0.0/8", "seats", taken), 3))

    assert len(found) == 3
    assert not any(item.overlaps(taken[0]) for item in found)


def test_routes_are_read_without_those_that_stand_for_all_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The table is in the order of the machine that wrote it.
    monkeypatch.setattr("sys.byteorder", "little")

    assert list(map(str, read_routes(ROUTES))) == [
        "172.17.0.0/16",
        "192.0.2.0/24",
        "10.83.0.0/26",
    ]
