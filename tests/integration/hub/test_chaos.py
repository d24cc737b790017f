"""Whatever is killed while runs go on, each comes to one true end, and nothing is left over.

``make chaos N=60 SEED=7`` is the long form. A seed that failed once gives the same strikes again.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from nb2prod.workspace.projects import found_project
from tests.helpers.chaos import PERSON, Storm, own_engine
from tests.helpers.engine import BASE_IMAGE, require_engine, require_images
from tests.helpers.hub import StartedHub
from tests.helpers.postgresql import Server

pytestmark = pytest.mark.timeout(3600)

RUNS = int(os.environ.get("NB2PROD_CHAOS_RUNS") or 10)
SEED = int(os.environ.get("NB2PROD_CHAOS_SEED") or random.SystemRandom().randrange(10**6))


@pytest.fixture
def in_docker() -> dict[str, str]:
    """The environment of a workspace whose runs are containers."""
    require_engine()
    require_images("base")
    return {"NB2PROD_IMAGE": BASE_IMAGE}


def test_runs_beside_the_workspace_come_to_their_true_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StartedHub(tmp_path / "home") as hub:
        weather(hub, capsys)


def test_runs_in_containers_come_to_their_true_ends_although_the_engine_dies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_docker: dict[str, str]
) -> None:
    with StartedHub(tmp_path / "home", mode="docker", environment=in_docker) as hub:
        weather(hub, capsys, may_strike_engine=own_engine() is not None)


def test_runs_kept_in_postgresql_come_to_their_true_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], postgresql: Server
) -> None:
    # Without tables: the workspace's processes make them, all at the same time.
    environment = {"NB2PROD_DATABASE_URL": postgresql.make_empty()}
    with StartedHub(tmp_path / "home", environment=environment) as hub:
        weather(hub, capsys)
        assert not list(hub.home.glob("nb2prod.db*")) + list(hub.home.glob("jobs.db*"))


def weather(
    hub: StartedHub, capsys: pytest.CaptureFixture[str], *, may_strike_engine: bool = False
) -> None:
    """Let a storm rage over a workspace, and look what is left."""
    with hub.open() as workspace:
        project = found_project(workspace, "seats", owner=PERSON)
        storm = Storm(hub, workspace, project, SEED, may_strike_engine=may_strike_engine)
        storm.ask(RUNS)

        storm.rage()
        storm.settle()

        with capsys.disabled():
            sys.stdout.write(f"\n{storm.report()}\n")
        assert list(storm.faults()) == [], storm.report()
