"""The workspace's own network: its addresses, and that they stay."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from nb2prod_hub.docker_setup import docker_inside
from nb2prod_hub.plan import Mode, Plan
from nb2prod_hub.planning import make_plan

from nb2prod.jobs.docker_client import DockerEngine
from nb2prod.settings import Settings
from tests.helpers.engine import Engine

POOL = "10.84.48.0/22"


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


@pytest.fixture
def settings(tmp_path: Path, base_image: str) -> Settings:
    return Settings.from_environment(
        {"NB2PROD_HOME": str(tmp_path), "NB2PROD_IMAGE": base_image, "NB2PROD_NETWORK_POOL": POOL}
    )


def start(engine: DockerEngine, settings: Settings, former: Plan | None, instance: str) -> Plan:
    inside = docker_inside(engine, settings, former, instance=instance)
    return make_plan(settings, former, inside, instance=instance, port=8000)


def test_inner_network_is_of_the_pool_and_projects_get_the_rest(
    engine: DockerEngine, settings: Settings, instance: str
) -> None:
    plan = start(engine, settings, None, instance)

    subnet = IPv4Network(plan.inner_subnet)
    assert subnet.subnet_of(IPv4Network(POOL))
    assert plan.inner_ip == str(subnet[1])
    assert plan.surroundings.network_pool == POOL


def test_inner_network_that_was_removed_has_the_same_addresses_again(
    engine: DockerEngine, settings: Settings, instance: str
) -> None:
    former = start(engine, settings, None, instance)
    engine.remove_network(f"nb2prod-{instance}")
    # What people's servers were told stays true, whatever the setting says by now.
    changed = dataclasses.replace(settings, network_pool="172.30.0.0/16")

    again = start(engine, changed, former, instance)

    assert again == dataclasses.replace(former, network_pool="172.30.0.0/16")
    assert again.mode is Mode.DOCKER
