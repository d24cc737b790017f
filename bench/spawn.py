"""Measure how long a server takes from the request to *ready*: our hub, and a plain one.

Both start the same image, warm, in turns; the plain hub is JupyterHub with DockerSpawner's own
settings. `make bench-spawn BENCH_ARGS="--rounds 20"`. Nothing is left afterwards.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.plain_hub import plain_hub
from nb2prod.workspace.projects import found_project
from tests.helpers.hub import ADMINISTRATOR, StartedHub

PROJECT = "bench"
ROUNDS = 10
# How often a hub is asked whether the server is ready: the error of each figure.
ASK_EACH_S = 0.02
READY_TIMEOUT_S = 120


@dataclass(frozen=True, kw_only=True)
class Starter:
    """Starts and stops one server through a hub's API."""

    name: str
    client: httpx.Client

    def start(self) -> float:
        """Start the server; returns the seconds from the request to *ready*."""
        began = time.perf_counter()
        self.client.post(self._path).raise_for_status()
        self._wait(is_ready=True)
        return time.perf_counter() - began

    def stop(self) -> None:
        """Stop the server, and wait until the hub has done with it."""
        self.client.delete(self._path).raise_for_status()
        self._wait(is_ready=False)

    @property
    def _path(self) -> str:
        return f"/users/{ADMINISTRATOR}/servers/{PROJECT}"

    def _wait(self, *, is_ready: bool) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            answer = self.client.get(f"/users/{ADMINISTRATOR}")
            answer.raise_for_status()
            server = answer.json()["servers"].get(PROJECT)
            if server is None and not is_ready:
                return
            if server is not None and is_ready and server["ready"]:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.name}: the server is still {server} after a long time.")
            time.sleep(ASK_EACH_S)


def measure(ours: Starter, plain: Starter, rounds: int) -> list[tuple[float, float]]:
    """Start both in turns, first one, then the other; returns ours and the plain one's figures."""
    pairs = []
    for number in range(-1, rounds):
        order = (ours, plain) if number % 2 else (plain, ours)
        took = {}
        for starter in order:
            took[starter.name] = starter.start()
            starter.stop()
        # The first round fills the machine's caches.
        if number >= 0:
            pairs.append((took[ours.name], took[plain.name]))
            print(
                f"  round {number + 1}: ours {pairs[-1][0]:.2f} s, plain {pairs[-1][1]:.2f} s",
                flush=True,
            )
    return pairs


def report(image: str, pairs: Sequence[tuple[float, float]]) -> str:
    """Return the result as text."""
    ratios = [plain / ours for ours, plain in pairs]
    load = os.getloadavg()[0]
    lines = [f"From the request to ready, warm, {image}, {len(pairs)} rounds, load {load:.1f}:"]
    for name, values in (
        ("ours", [pair[0] for pair in pairs]),
        ("plain DockerSpawner", [pair[1] for pair in pairs]),
    ):
        lines.append(f"  {name:20s} {_spread(values)} s")
    lines.append(f"  {'plain / ours':20s} {_spread(ratios)}")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return (
        f"median {statistics.median(values):.2f} (middle half {low:.2f} to {high:.2f},"
        f" all {min(values):.2f} to {max(values):.2f})"
    )


def our_client(hub: StartedHub) -> httpx.Client:
    """Return a client of our hub's API with a token of the administrator."""
    answer = hub.administrator().hub_api(
        "POST", f"/users/{ADMINISTRATOR}/tokens", json={"note": "bench"}
    )
    answer.raise_for_status()
    return httpx.Client(
        base_url=f"{hub.plan.public_url}/hub/api",
        headers={"Authorization": f"token {answer.json()['token']}"},
        timeout=30,
        trust_env=False,
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="starts of each hub")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="nb2prod-bench-") as text:
        folder = Path(text)
        (folder / "plain").mkdir()
        with StartedHub(folder / "home", mode="docker") as hub:
            with hub.open() as workspace:
                found_project(workspace, PROJECT, owner=ADMINISTRATOR)
            image = hub.plan.default_image
            with our_client(hub) as client, plain_hub(folder / "plain", image) as plain:
                pairs = measure(
                    Starter(name="ours", client=client), Starter(name="plain", client=plain), rounds
                )
        print(report(image, pairs))


if __name__ == "__main__":
    main()
