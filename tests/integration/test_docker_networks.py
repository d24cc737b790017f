"""Networks of a real engine, with addresses of a pool of ours."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from nb2prod.errors import EngineRefused
from nb2prod.jobs import docker_networks
from nb2prod.jobs.docker_client import DockerEngine
from nb2prod.jobs.docker_networks import Network
from nb2prod.jobs.subnets import free_subnets
from nb2prod.workspace.policy import ContainerSpec, Limits
from tests.helpers.engine import REPOSITORY, Engine

# Another one than that of a workspace on this machine.
POOL = "10.84.0.0/19"
# More than Docker's own address pools have room for.
MANY = 45


@pytest.fixture
def engine(docker_engine: Engine) -> Iterator[DockerEngine]:
    with DockerEngine.connect() as connected:
        yield connected


@pytest.fixture
def instance(docker_engine: Engine) -> Iterator[str]:
    """The name of this test's own workspace, of which nothing is left afterwards."""
    name = secrets.token_hex(4)
    yield name
    docker_engine.clear_workspace(name)


def labels(instance: str) -> dict[str, str]:
    return {"nb2prod.instance": instance}


def ensure(engine: DockerEngine, instance: str, name: str, pool: str = POOL) -> Network:
    return engine.ensure_network(f"nb2prod-{instance}-{name}", labels=labels(instance), pool=pool)


def first_subnet(instance: str, name: str, pool: str = POOL) -> str:
    return str(next(free_subnets(pool, f"nb2prod-{instance}-{name}", [])))


def test_more_networks_than_dockers_pools_hold_are_made_and_removed(
    engine: DockerEngine, instance: str
) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda n: ensure(engine, instance, f"p{n}"), range(MANY)))

    subnets = [IPv4Network(network.subnet) for network in made]
    assert len(set(subnets)) == MANY
    assert all(subnet.subnet_of(IPv4Network(POOL)) for subnet in subnets)
    assert [network.gateway for network in made] == [str(subnet[1]) for subnet in subnets]
    assert all(Path(f"/sys/class/net/{network.interface}").exists() for network in made)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda network: engine.remove_network(network.name), made))
    assert engine.api.networks(filters={"label": f"nb2prod.instance={instance}"}) == []


def test_network_has_the_subnet_of_its_name_again(engine: DockerEngine, instance: str) -> None:
    made = ensure(engine, instance, "seats")
    engine.remove_network(made.name)

    again = ensure(engine, instance, "seats")

    assert made.subnet == again.subnet == first_subnet(instance, "seats")
    assert made.id != again.id


def test_network_moves_on_from_a_subnet_that_another_network_has(
    engine: DockerEngine, instance: str
) -> None:
    wanted = first_subnet(instance, "seats")
    other = engine.ensure_network(
        f"nb2prod-{instance}-other", labels=labels(instance), pool=POOL, subnet=wanted
    )

    network = ensure(engine, instance, "seats")

    assert (other.subnet, other.gateway) == (wanted, str(IPv4Network(wanted)[1]))
    assert not IPv4Network(network.subnet).overlaps(IPv4Network(wanted))


def test_network_moves_on_where_the_engine_says_that_a_subnet_is_taken_meanwhile(
    engine: DockerEngine, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = first_subnet(instance, "seats")
    engine.ensure_network(
        f"nb2prod-{instance}-other", labels=labels(instance), pool=POOL, subnet=wanted
    )
    # As where another process made it after this one had looked.
    monkeypatch.setattr(docker_networks.DockerNetworks, "_subnets", lambda _self: ())
    monkeypatch.setattr(docker_networks, "machine_routes", lambda: ())

    network = ensure(engine, instance, "seats")

    usual = [str(subnet) for subnet in free_subnets(POOL, f"nb2prod-{instance}-seats", [])]
    assert network.subnet in usual[1:]


def test_network_moves_on_from_a_route_of_the_machine(
    engine: DockerEngine, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = IPv4Network(first_subnet(instance, "seats"))
    monkeypatch.setattr(docker_networks, "machine_routes", lambda: (wanted.supernet(),))

    network = ensure(engine, instance, "seats")

    assert not IPv4Network(network.subnet).overlaps(wanted.supernet())


def test_pool_that_is_used_up_is_said_so(engine: DockerEngine, instance: str) -> None:
    pool = "10.84.32.0/25"
    ensure(engine, instance, "a", pool)
    ensure(engine, instance, "b", pool)

    with pytest.raises(EngineRefused, match=r"All 2 parts of NB2PROD_NETWORK_POOL \(10\.84\.32"):
        ensure(engine, instance, "c", pool)
    assert ensure(engine, instance, "a", pool).subnet


def test_network_that_needs_its_former_subnet_says_that_another_one_has_it(
    engine: DockerEngine, instance: str
) -> None:
    subnet = ensure(engine, instance, "other").subnet

    with pytest.raises(EngineRefused, match=f"needs the addresses {subnet} again"):
        engine.ensure_network(
            f"nb2prod-{instance}", labels=labels(instance), pool=POOL, subnet=subnet
        )


def test_container_for_which_a_network_has_no_address_is_refused_with_what_to_do(
    engine: DockerEngine, instance: str, base_image: str
) -> None:
    name = f"nb2prod-{instance}-small"
    engine.ensure_network(name, labels=labels(instance), pool=POOL, subnet="10.84.60.0/30")
    spec = ContainerSpec(
        name=f"{name}-1",
        image=base_image,
        command=("sleep", "600"),
        environment={},
        mounts=(),
        tmpfs={},
        limits=Limits(memory_mb=64, cpu_cores=0.5, pids=16),
        network=name,
        labels=labels(instance),
        uid=1000,
        gid=1000,
        working_folder="/",
    )
    engine.create(spec)
    engine.start(spec.name)

    engine.create(replace(spec, name=f"{name}-2"))
    with pytest.raises(EngineRefused, match="network is full: stop servers"):
        engine.start(f"{name}-2")


MAKE_NETWORKS = """
import sys
from nb2prod.jobs.docker_client import DockerEngine

instance, pool, *names = sys.argv[1:]
with DockerEngine.connect() as engine:
    sys.stdin.readline()
    for name in names:
        network = engine.ensure_network(
            f"nb2prod-{instance}-{name}", labels={"nb2prod.instance": instance}, pool=pool
        )
        print(network.id, network.subnet, network.gateway)
"""


def networks_of_two_processes(
    instance: str, pool: str, ours: list[str], theirs: list[str]
) -> list[list[str]]:
    """Make networks in two processes at once; returns what each has got."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_NETWORKS, instance, pool, *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        for names in (ours, theirs)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return [text.splitlines() for text in said]


def test_networks_of_the_same_names_in_two_processes_are_the_same(
    engine: DockerEngine, instance: str
) -> None:
    names = [f"p{number}" for number in range(12)]

    ours, theirs = networks_of_two_processes(instance, POOL, names, names)

    assert ours == theirs
    assert len(set(ours)) == len(names)
    listed = engine.api.networks(filters={"label": f"nb2prod.instance={instance}"})
    assert len(listed) == len(names)


def test_networks_of_two_processes_that_fill_a_pool_are_apart(
    engine: DockerEngine, instance: str
) -> None:
    pool = "10.84.40.0/22"
    ours, theirs = networks_of_two_processes(
        instance, pool, [f"a{number}" for number in range(8)], [f"b{number}" for number in range(8)]
    )

    subnets = {line.split()[1] for line in (*ours, *theirs)}
    assert subnets == set(map(str, IPv4Network(pool).subnets(new_prefix=26)))
