"""MLflow's own server, with a part of it for each project, as a running workspace has it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nb2prod.execution.tracking import open_client
from nb2prod.execution.tracking_store import TrackingStore
from tests.helpers.jobs import eventually


@contextmanager
def served_mlflow(folder: Path, *projects: str) -> Iterator[str]:
    """Start MLflow with its files in a folder, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "server", "--enable-workspaces"),
            *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
            *("--default-artifact-root", "mlflow-artifacts:/"),
            *("--artifacts-destination", str(folder / "artifacts")),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        ],
        cwd=folder,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: answers(f"{url}/health"))
        for project in projects:
            open_client(TrackingStore(uri=url)).create_workspace(project)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        log.close()


def answers(url: str) -> bool:
    """Whether something answers there, and well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
