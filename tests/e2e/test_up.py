"""`nb2prod up` as `make up` starts it: the example, the gallery, Ctrl-C, a second start."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "seat-demand"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/services/workspace/sign-in\?\S+")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Started:
    """A running `nb2prod up`, with what it has printed."""

    def __init__(self, port: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nb2prod.cli", "up", "--port", str(port), "--example", EXAMPLE],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.printed = ""

    def address(self) -> str:
        """The address with the token, once it is printed."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
            if found := ADDRESS.search(line):
                return found[0]
        pytest.fail(f"no address was printed:\n{self.printed}")

    def interrupt(self) -> int:
        """Press Ctrl-C; gives the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=30)


@pytest.fixture
def started() -> Iterator[list[Started]]:
    running: list[Started] = []
    yield running
    for item in running:
        if item.process.poll() is None:
            os.killpg(item.process.pid, signal.SIGKILL)
            item.process.wait()
        assert item.process.stdout is not None
        item.process.stdout.close()


@pytest.mark.timeout(600)
def test_up_installs_the_example_serves_it_and_keeps_it(started: list[Started]) -> None:
    port = free_port()
    started.append(Started(port))
    address = started[-1].address()

    with httpx.Client(follow_redirects=True) as client:
        index = client.get(address)
        pages = client.get(f"http://127.0.0.1:{port}/services/workspace/api/v1/pages").json()
    assert index.status_code == 200
    cards = {card["pipeline"]: card for card in pages["items"]}
    assert {name: card["status"] for name, card in cards.items()} == {
        "explore": "succeeded",
        "train": "succeeded",
        "score": "succeeded",
    }
    assert cards["train"]["poster_url"]
    assert cards["train"]["main_metric"]["name"] == "mape_ensemble"

    started.append(Started(port))
    assert started[-1].process.wait(timeout=60) == 4, "a second one must say that one runs"
    assert started[0].interrupt() == 0

    begun = time.monotonic()
    started.append(Started(port))
    again = started[-1].address()
    took_s = time.monotonic() - begun
    with httpx.Client(follow_redirects=True) as client:
        assert client.get(again).status_code == 200
        kept = client.get(f"http://127.0.0.1:{port}/services/workspace/api/v1/pages").json()
    assert kept["total"] == pages["total"]
    assert "Promoted" not in started[-1].printed, f"the second start took {took_s:.1f} s"
    assert started[-1].interrupt() == 0


def test_up_on_a_taken_port_is_one_sentence(started: list[Started]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        started.append(Started(taken.getsockname()[1]))
        printed, _ = started[-1].process.communicate(timeout=60)

    assert started[-1].process.returncode == 5
    assert "is taken" in printed
    assert "Traceback" not in printed
