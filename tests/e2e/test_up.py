"""`nb2prod up` as `make up` starts it: the example, its pages, a second start, a taken port."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hub import Person, StartedHub, eventually

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "seat-demand"
API = "/services/workspace/api/v1"
NAMES = ("explore", "train", "score")
EXAMPLE_TIMEOUT_S = 900

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedHub]:
    home = tmp_path_factory.mktemp("up") / "home"
    with StartedHub(home, arguments=("--example", str(EXAMPLE))) as started:
        yield started


def cards(person: Person) -> dict[str, Any]:
    """The pages of the gallery by pipeline."""
    items = person.client.get(f"{API}/pages").json()["items"]
    return {card["pipeline"]: card for card in items}


def test_up_promotes_and_runs_the_example_while_people_can_sign_in(hub: StartedHub) -> None:
    ada = hub.administrator()
    assert ada.visit("/services/workspace/projects").status_code == 200
    found = eventually(
        lambda: made if set(made := cards(ada)) == set(NAMES) else None,
        what="the example's pages",
        timeout_s=EXAMPLE_TIMEOUT_S,
    )

    assert {name: card["status"] for name, card in found.items()} == dict.fromkeys(
        NAMES, "succeeded"
    )
    assert found["train"]["poster_url"]
    assert found["train"]["main_metric"]["name"] == "mape_ensemble"
    for name in NAMES:
        assert f"Promoted {name}@v1" in hub.printed


def test_up_again_keeps_the_example_and_makes_nothing_twice(hub: StartedHub) -> None:
    before = cards(hub.administrator())
    assert hub.interrupt() == 0
    printed = len(hub.printed)

    hub.start()
    ada = hub.administrator()

    assert cards(ada) == before
    runs = ada.client.get(f"{API}/projects/seat-demand/runs").json()
    assert sorted(run["pipeline"] for run in runs["items"]) == sorted(NAMES)
    assert "Promoted" not in hub.printed[printed:]


def test_up_on_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "nb2prod.cli", "up", "--mode", "process"),
                *("--port", str(taken.getsockname()[1])),
            ],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    assert ended.returncode == 5
    assert "is taken" in ended.stderr
    assert "Traceback" not in ended.stderr
