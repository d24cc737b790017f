"""A real JupyterLab with our extension, and a workspace service that knows its token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from nb2prod.workspace.people import Identity

LABEXTENSION = Path(__file__).parents[2] / "extensions/lab/nb2prod_lab/labextension/package.json"
TOKEN = "a-token-of-a-jupyter-server"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


class TokenLogin:
    """ASGI middleware: who has a token is whom the test says, as behind the hub's login."""

    def __init__(self, app: ASGIApp, people: Mapping[str, Identity]) -> None:
        self.app = app
        self.people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note who asks."""
        if scope["type"] == "http":
            header = dict(scope["headers"]).get(b"authorization", b"").decode()
            identity = self.people.get(header.removeprefix("Bearer "))
            if identity is not None:
                scope["nb2prod.identity"] = identity
                scope["nb2prod.session"] = None
        await self.app(scope, receive, send)


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A running server.

    Parameters
    ----------
    url
        Its address, with a slash at the end.
    token
        Jupyter's own.
    root
        The folder that its paths begin in; has ``project`` and ``private``.
    """

    url: str
    token: str
    root: Path
    pid: int

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask as a program that has Jupyter's token."""
        headers = {"Authorization": f"token {self.token}", **options.pop("headers", {})}
        return httpx.request(
            method, f"{self.url}{path}", headers=headers, timeout=30, trust_env=False, **options
        )


@contextmanager
def started_lab(
    root: Path, environment: Mapping[str, str], *, theme: str = "JupyterLab Light"
) -> Iterator[Lab]:
    """Start JupyterLab in a folder that has ``project`` and ``private``; stop it at the end.

    Parameters
    ----------
    environment
        What a spawner would set, ``NB2PROD_SERVICE_URL`` and so on.
    theme
        Of JupyterLab's page.
    """
    if not LABEXTENSION.exists():
        pytest.fail("the JupyterLab extension is not built; run scripts/setup-lab.sh")
    with tempfile.TemporaryDirectory(prefix="nb2prod-lab-", ignore_cleanup_errors=True) as text:
        home = Path(text)
        log = home / "jupyter.log"
        _write_settings(home / "settings", theme)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "jupyterlab",
                    "--no-browser",
                    "--allow-root",
                    "--ServerApp.ip=127.0.0.1",
                    "--ServerApp.port=0",
                    f"--ServerApp.root_dir={root}",
                ],
                env={**_clean_environment(home), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=root,
            )
        try:
            yield _wait_until_started(process, home, root, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def spawned(service_url: str, project: str, root: Path) -> dict[str, str]:
    """Return the environment that a spawner gives a server."""
    return {
        "NB2PROD_SERVICE_URL": service_url,
        "NB2PROD_PROJECT": project,
        "NB2PROD_PROJECT_FOLDER": str(root / "project"),
        "NB2PROD_PRIVATE_FOLDER": str(root / "private"),
        "JUPYTERHUB_API_TOKEN": TOKEN,
    }


def _write_settings(folder: Path, theme: str) -> None:
    apputils = folder / "@jupyterlab/apputils-extension"
    apputils.mkdir(parents=True)
    settings = {"notification": {"fetchNews": "false"}, "themes": {"theme": theme}}
    for name, values in settings.items():
        (apputils / f"{name}.jupyterlab-settings").write_text(json.dumps(values))


def _clean_environment(home: Path) -> dict[str, str]:
    inherited = ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR")
    kept = {name: os.environ[name] for name in inherited if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }


def _wait_until_started(process: subprocess.Popen[bytes], home: Path, root: Path, log: Path) -> Lab:
    information = home / "runtime" / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            facts = json.loads(information.read_text())
            lab = Lab(url=facts["url"], token=facts["token"], root=root, pid=process.pid)
            if lab.ask("GET", "api/status").is_success:
                return lab
        except (OSError, ValueError, httpx.TransportError):
            pass
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start in {START_TIMEOUT_S} s:\n{log.read_text()[-4000:]}")
