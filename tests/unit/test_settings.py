"""What the environment says."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb2prod.errors import SettingInvalid
from nb2prod.settings import DEFAULT_PORT, Settings


def test_settings_of_an_empty_environment_are_under_the_default_home() -> None:
    settings = Settings.from_environment({})

    assert settings.home.name == "nb2prod"
    assert settings.database_url == f"sqlite:///{settings.home}/nb2prod.db"
    assert settings.blob_url == f"{settings.home}/blobs"
    assert settings.mlflow_uri == f"sqlite:///{settings.home}/mlflow.db"
    assert settings.port == DEFAULT_PORT
    assert settings.person


def test_settings_follow_the_environment() -> None:
    settings = Settings.from_environment(
        {
            "NB2PROD_HOME": "relative/home",
            "NB2PROD_DATABASE_URL": "postgresql://host/db",
            "NB2PROD_BLOB_URL": "s3://bucket/blobs",
            "NB2PROD_MLFLOW_URI": "http://mlflow",
            "NB2PROD_USER": "grace",
            "NB2PROD_PORT": "9000",
        }
    )

    assert settings.home == Path.cwd() / "relative/home"
    assert settings.database_url == "postgresql://host/db"
    assert settings.blob_url == "s3://bucket/blobs"
    assert settings.mlflow_uri == "http://mlflow"
    assert (settings.person, settings.port) == ("grace", 9000)


@pytest.mark.parametrize("port", ["abc", "-1", "70000", "80.5", "٣"])
def test_settings_with_a_bad_port_are_refused(port: str) -> None:
    with pytest.raises(SettingInvalid, match="NB2PROD_PORT"):
        Settings.from_environment({"NB2PROD_PORT": port})


def test_settings_of_a_hub_follow_the_environment() -> None:
    settings = Settings.from_environment(
        {
            "NB2PROD_BIND": "0.0.0.0",
            "NB2PROD_MODE": "docker",
            "NB2PROD_IMAGE": "team/image:3",
            "NB2PROD_HUB_CONFIG": "own.py",
        }
    )

    assert (settings.bind_ip, settings.mode, settings.image) == (
        "0.0.0.0",
        "docker",
        "team/image:3",
    )
    assert settings.hub_config == Path.cwd() / "own.py"


def test_settings_prefer_what_a_command_was_told() -> None:
    told = {"NB2PROD_BIND": "127.0.0.2", "NB2PROD_MODE": None}

    settings = Settings.from_environment(
        {"NB2PROD_BIND": "0.0.0.0", "NB2PROD_MODE": "process"}, options=told
    )

    assert (settings.bind_ip, settings.mode) == ("127.0.0.2", "process")


@pytest.mark.parametrize(
    ("name", "value"),
    [("NB2PROD_MODE", "both"), ("NB2PROD_BIND", "localhost"), ("NB2PROD_BIND", "::1")],
)
def test_settings_of_a_hub_that_can_not_be_are_refused(name: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=name):
        Settings.from_environment({name: value})


def test_limit_of_runs_is_a_number_or_the_machines() -> None:
    assert Settings.from_environment({}).run_limit is None
    assert Settings.from_environment({"NB2PROD_RUN_LIMIT": "3"}).run_limit == 3


def test_network_pool_follows_the_environment() -> None:
    assert Settings.from_environment({}).network_pool == "10.83.0.0/16"
    settings = Settings.from_environment({"NB2PROD_NETWORK_POOL": "172.30.8.0/25"})
    assert settings.network_pool == "172.30.8.0/25"


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        ("many", "such as 10.83.0.0/16"),
        ("10.83.1.0/16", "has host bits set"),
        ("fd00::/48", "IPv4"),
        ("10.83.0.0", "room for more than one network"),
        ("10.83.0.0/26", "room for more than one network"),
        ("8.8.0.0/16", "must lie within 10.0.0.0/8"),
        ("0.0.0.0/0", "must lie within 10.0.0.0/8"),
    ],
)
def test_network_pool_that_can_not_be_is_refused(pool: str, words: str) -> None:
    with pytest.raises(SettingInvalid, match=f"NB2PROD_NETWORK_POOL.*{words}"):
        Settings.from_environment({"NB2PROD_NETWORK_POOL": pool})


@pytest.mark.parametrize("limit", ["0", "-1", "many", "10000", "1.5"])
def test_limit_of_runs_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(SettingInvalid, match="NB2PROD_RUN_LIMIT"):
        Settings.from_environment({"NB2PROD_RUN_LIMIT": limit})
