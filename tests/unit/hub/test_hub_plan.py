"""The plan: what is kept over restarts, and what a start may change."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from nb2prod_hub.account_names import account_name
from nb2prod_hub.plan import Mode, Plan, find_plan, read_plan, write_plan
from nb2prod_hub.planning import Inside, make_plan
from nb2prod_hub.secret_files import (
    ALWAYS_THERE,
    Secret,
    find_secret,
    forget_secret,
    make_administrator_password,
    make_secrets,
    read_secret,
)

from nb2prod.errors import Conflict, SettingInvalid, StorageUnusable
from nb2prod.settings import Settings


def plan_in(home: Path, **changes: object) -> Plan:
    plan = Plan(
        home=home,
        instance="0a1b2c3d",
        mode=Mode.PROCESS,
        bind_ip="127.0.0.1",
        port=8000,
        inner_ip="127.0.0.1",
        inner_subnet="",
        proxy_api_port=40001,
        hub_port=40002,
        service_port=40003,
        mlflow_port=40004,
        default_image="",
        administrator="ada",
    )
    return dataclasses.replace(plan, **changes)  # type: ignore[arg-type]


def settings_in(home: Path, **environment: str) -> Settings:
    return Settings.from_environment(
        {"NB2PROD_HOME": str(home), "NB2PROD_USER": "Ada", **environment}
    )


def test_plan_that_is_written_is_read_again(tmp_path: Path) -> None:
    write_plan(plan_in(tmp_path))

    assert read_plan(tmp_path) == plan_in(tmp_path)
    assert sorted(path.name for path in (tmp_path / "hub").iterdir()) == ["plan.json"]


def test_plan_of_a_workspace_that_was_never_started_is_a_conflict(tmp_path: Path) -> None:
    assert find_plan(tmp_path) is None
    with pytest.raises(Conflict, match="nb2prod up"):
        read_plan(tmp_path)


def test_plan_that_can_not_be_understood_says_what_to_do(tmp_path: Path) -> None:
    write_plan(plan_in(tmp_path))
    (tmp_path / "hub" / "plan.json").write_text('{"home": "/tmp"}')

    with pytest.raises(StorageUnusable, match="Move it away"):
        find_plan(tmp_path)


def test_make_plan_keeps_what_running_servers_know(tmp_path: Path) -> None:
    former = plan_in(tmp_path)
    settings = settings_in(tmp_path, NB2PROD_BIND="0.0.0.0", NB2PROD_USER="grace")

    made = make_plan(
        settings, former, Inside(mode=Mode.PROCESS), instance=former.instance, port=9000
    )

    assert made == dataclasses.replace(former, bind_ip="0.0.0.0", port=9000)


def test_make_plan_with_port_zero_keeps_the_former_port(tmp_path: Path) -> None:
    former = plan_in(tmp_path)

    made = make_plan(settings_in(tmp_path), former, Inside(mode=Mode.PROCESS), instance="x", port=0)

    assert made.port == former.port


def test_make_plan_names_the_administrator_after_the_account(tmp_path: Path) -> None:
    made = make_plan(
        settings_in(tmp_path), None, Inside(mode=Mode.PROCESS), instance="0a1b2c3d", port=8000
    )

    ports = {made.proxy_api_port, made.hub_port, made.service_port, made.mlflow_port}
    assert made.administrator == "ada"
    assert len(ports) == 4
    assert made.inner_ip == "127.0.0.1"


def test_public_url_of_all_addresses_is_one_that_a_browser_can_open(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, bind_ip="0.0.0.0", port=8123)

    assert plan.public_url == "http://127.0.0.1:8123"


@pytest.mark.parametrize("person", ["", "two words", "a/b", "ümlaut", ".dot", "x" * 64])
def test_account_name_that_the_hub_would_refuse_is_refused(person: str) -> None:
    with pytest.raises(SettingInvalid, match="NB2PROD_USER"):
        account_name(person)


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    first = [read_secret(tmp_path, secret) for secret in ALWAYS_THERE]
    make_secrets(tmp_path)

    assert [read_secret(tmp_path, secret) for secret in ALWAYS_THERE] == first
    assert len(set(first)) == len(first)
    files = list((tmp_path / "hub" / "secrets").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert len(files) == len(ALWAYS_THERE)


def test_administrator_password_can_be_forgotten(tmp_path: Path) -> None:
    make_administrator_password(tmp_path)
    assert len(read_secret(tmp_path, Secret.ADMINISTRATOR_PASSWORD)) >= 16

    forget_secret(tmp_path, Secret.ADMINISTRATOR_PASSWORD)
    forget_secret(tmp_path, Secret.ADMINISTRATOR_PASSWORD)

    assert find_secret(tmp_path, Secret.ADMINISTRATOR_PASSWORD) is None


def test_secret_that_is_missing_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(StorageUnusable, match="nb2prod up"):
        read_secret(tmp_path, Secret.COOKIE)
