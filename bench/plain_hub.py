"""A plain JupyterHub with DockerSpawner, in processes and a network of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import httpx

from tests.helpers.engine import REPOSITORY, Engine

PERSON = "ada"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


@contextmanager
def plain_hub(folder: Path, image: str) -> Iterator[httpx.Client]:
    """Start one; gives a client that may start servers of ``ada`` through its API.

    At the end it and its containers are gone.

    Parameters
    ----------
    folder
        An empty folder for its database and its log.
    image
        What it starts.
    """
    engine = Engine()
    network, address = engine.network()
    port, proxy_port = free_port("127.0.0.1"), free_port("127.0.0.1")
    token = secrets.token_hex(16)
    given = {
        "image": image,
        "network": network,
        "address": address,
        "port": port,
        "proxy_port": proxy_port,
        "hub_port": free_port(address),
        "proxy_command": [_proxy()],
        "token": token,
    }
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterhub",
                "-f",
                str(Path(__file__).with_name("plain_hub_config.py")),
            ],
            cwd=folder,
            env={**os.environ, "BENCH_PLAIN_HUB": json.dumps(given)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/hub/api",
            headers={"Authorization": f"token {token}"},
            timeout=30,
            trust_env=False,
        )
        with client:
            _wait(client, folder / "hub.log")
            client.post(f"/users/{PERSON}").raise_for_status()
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_TIMEOUT_S)
        _remove(engine, network)


def free_port(address: str) -> int:
    """Return a port that nobody uses at an address of this machine."""
    with socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _proxy() -> str:
    found = shutil.which("configurable-http-proxy", path=str(REPOSITORY / "node_modules/.bin"))
    return found or "configurable-http-proxy"


def _wait(client: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            if client.get("/").status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > deadline:
            sys.exit(f"The plain hub does not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)


def _remove(engine: Engine, network: str) -> None:
    """Remove what DockerSpawner leaves: it keeps a person's container, by default."""
    chosen = f"--filter=network={network}"
    for container in engine.say("ps", "--all", "--quiet", chosen).split():
        engine.ask("rm", "--force", "--volumes", container)
    engine.ask("network", "rm", network)
