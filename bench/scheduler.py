"""jupyter-scheduler: a Jupyter server with its extension, asked over HTTP as its panel does."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.peers import Peer
from bench.plain_hub import free_port

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
ASK_EACH_S = 0.1
JOB_TIMEOUT_S = 1800
# `STOPPED` is also what a job is that has not begun.
_ENDED = {"COMPLETED", "FAILED"}


@dataclass(frozen=True, kw_only=True)
class JupyterScheduler:
    """A running one.

    Parameters
    ----------
    folder
        The server's root: notebooks are named from here.
    staging
        Where jobs leave their outputs.
    """

    client: httpx.Client
    folder: Path
    staging: Path
    runtime: str

    def post(self, notebook: Path, values: Mapping[str, object] | None = None) -> str:
        """Ask for a job, with the notebook's folder beside it; returns its id."""
        # It writes `name = value` into the notebook as it gets it.
        given = {name: repr(value) for name, value in (values or {}).items()}
        answer = self.client.post(
            "/jobs",
            json={
                "name": notebook.stem,
                "input_uri": notebook.relative_to(self.folder).as_posix(),
                "runtime_environment_name": self.runtime,
                "output_formats": ["ipynb"],
                "parameters": given,
                "package_input_folder": True,
            },
        )
        answer.raise_for_status()
        job: str = answer.json()["job_id"]
        return job

    def wait(self, job: str) -> None:
        """Wait until a job has ended; leaves where it did not succeed."""
        deadline = time.monotonic() + JOB_TIMEOUT_S
        while (state := self.client.get(f"/jobs/{job}").json())["status"] not in _ENDED:
            if time.monotonic() > deadline:
                sys.exit(f"jupyter-scheduler's job does not end: {state}")
            time.sleep(ASK_EACH_S)
        if state["status"] != "COMPLETED":
            sys.exit(f"jupyter-scheduler's job failed: {state['status_message']}")

    def executed(self, job: str, notebook: Path) -> Any:
        """Return the executed notebook of a job."""
        (path,) = [
            found
            for found in (self.staging / job).glob(f"{notebook.stem}-*.ipynb")
            if found.name != notebook.name
        ]
        return json.loads(path.read_text())


@contextmanager
def jupyter_scheduler(
    peer: Peer, folder: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[JupyterScheduler]:
    """Start one; at the end it is gone."""
    port, token = free_port("127.0.0.1"), secrets.token_hex(16)
    log_path = peer.scratch / "server.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(peer.program("jupyter-server"), "--no-browser", "--allow-root"),
                f"--ServerApp.root_dir={folder}",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={token}",
                f"--SchedulerApp.db_url=sqlite:///{peer.scratch / 'scheduler.sqlite'}",
            ],
            cwd=peer.scratch,
            env=peer.environment(environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}/scheduler",
            headers={"Authorization": f"token {token}"},
            timeout=600,
            trust_env=False,
        ) as client:
            yield JupyterScheduler(
                client=client,
                folder=folder,
                staging=peer.scratch / "data" / "scheduler_staging_area",
                runtime=_runtime(client, log_path),
            )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_TIMEOUT_S)


def _runtime(client: httpx.Client, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            answer = client.get("/runtime_environments")
            answer.raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                sys.exit(f"jupyter-scheduler does not start:\n{log.read_text()[-2000:]}")
            time.sleep(ASK_EACH_S)
        else:
            name: str = answer.json()[0]["name"]
            return name
