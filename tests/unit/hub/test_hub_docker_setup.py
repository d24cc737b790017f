"""Which mode a start has where no Docker engine answers."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from nb2prod_hub.docker_setup import find_engine
from nb2prod_hub.plan import Mode

from nb2prod.errors import Conflict, EngineUnreachable
from nb2prod.settings import Settings
from tests.unit.hub.test_hub_plan import plan_in, settings_in

# docker-py does not close its socket where its first question gets no answer.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Name an engine that is not there."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    yield
    gc.collect()


@pytest.fixture
def undecided(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def test_no_engine_and_no_wish_is_mode_process(undecided: Settings) -> None:
    assert find_engine(undecided, None) is None


def test_no_engine_and_the_wish_for_docker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable):
        find_engine(settings_in(tmp_path, NB2PROD_MODE="docker"), None)


def test_no_engine_any_more_does_not_stop_to_keep_people_apart(
    undecided: Settings, tmp_path: Path
) -> None:
    with pytest.raises(Conflict, match="--mode process"):
        find_engine(undecided, plan_in(tmp_path, mode=Mode.DOCKER))


def test_wish_for_processes_asks_no_engine(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, NB2PROD_MODE="process")

    assert find_engine(settings, plan_in(tmp_path, mode=Mode.DOCKER)) is None
