"""Our two services behind a real hub, each in a process of its own; nobody's server starts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from nb2prod_hub.plan import Mode, Plan, write_plan
from nb2prod_hub.secret_files import Secret, make_secrets, read_secret

from nb2prod.settings import Settings
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.browser import require

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 90.0
TIMEOUT_S = 30.0
ADMINISTRATOR = "grace"
TESTER_TOKEN = "5" * 64

CONFIGURATION = """
c = get_config()
c.JupyterHub.bind_url = {bind_url!r}
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = {plan.hub_port}
c.JupyterHub.db_url = {db!r}
c.JupyterHub.cookie_secret_file = {cookie_secret!r}
c.JupyterHub.pid_file = {pid_file!r}
c.JupyterHub.cleanup_servers = False
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.oauth_require_pkce = True
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{{administrator!r}}}
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{plan.proxy_api_port}"
c.ConfigurableHTTPProxy.pid_file = {proxy_pid_file!r}
c.JupyterHub.services = [
    {{"name": "workspace", "url": "http://127.0.0.1:{plan.service_port}",
      "api_token": {service_token!r}, "oauth_no_confirm": True}},
    {{"name": "mlflow", "url": "http://127.0.0.1:{plan.mlflow_port}",
      "api_token": {mlflow_token!r}, "oauth_no_confirm": True}},
    {{"name": "tester", "api_token": {tester_token!r}}},
]
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "access:services!service=workspace",
      "access:services!service=mlflow"]}},
    {{"name": "services-of-ours", "services": ["workspace"], "scopes": ["read:users:name"]}},
    {{"name": "tester", "services": ["tester"], "scopes": ["admin:users", "tokens"]}},
]
"""


@dataclass
class Services:
    """A hub with its proxy, the workspace service and MLflow, all running."""

    plan: Plan
    workspace: Workspace
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address that people open."""
        return f"http://127.0.0.1:{self.plan.port}"

    @property
    def mlflow(self) -> str:
        """MLflow as people see it."""
        return f"{self.url}/services/mlflow"

    def start(self, name: str) -> None:
        """Start one of the processes."""
        commands = {
            "hub": ["-m", "jupyterhub", "-f", str(self.plan.folder / "test_config.py")],
            "workspace": ["-m", "nb2prod_hub.workspace_service"],
            "mlflow": ["-m", "nb2prod_hub.mlflow_service"],
        }
        log = (self.plan.home / f"{name}.log").open("ab")
        environment = {**os.environ, "NB2PROD_HOME": str(self.plan.home)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *commands[name]],
                cwd=self.plan.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one of the processes, and what it has started."""
        process = self.processes.pop(name)
        if how is signal.SIGKILL:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        try:
            process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT_S)

    def wait_until_ready(self, name: str) -> None:
        """Wait until a process answers."""
        addresses = {
            "hub": f"{self.url}/hub/health",
            "workspace": f"{self.url}/services/workspace/api/v1/health",
            "mlflow": f"{self.url}/services/mlflow/health",
        }
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            try:
                if httpx.get(addresses[name], timeout=5, trust_env=False).status_code in (200, 401):
                    return
            except httpx.HTTPError:
                pass
            if self.processes[name].poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"{name} did not start:\n{self.log(name)}")

    def log(self, name: str) -> str:
        """Return the end of a process's log."""
        return (self.plan.home / f"{name}.log").read_text(errors="replace")[-6000:]

    def token(self, person: str, scopes: list[str] | None = None) -> str:
        """Make a token of the hub for a person, who may not have been there yet."""
        api = f"{self.plan.hub_api_url}/users/{person}"
        headers = {"Authorization": f"token {TESTER_TOKEN}"}
        httpx.post(api, headers=headers, timeout=TIMEOUT_S, trust_env=False)
        made = httpx.post(
            f"{api}/tokens",
            headers=headers,
            json={"note": "test", **({"scopes": scopes} if scopes else {})},
            timeout=TIMEOUT_S,
            trust_env=False,
        )
        assert made.status_code == 201, made.text
        return str(made.json()["token"])

    def server_token(self, person: str, project: str) -> str:
        """Make a token such as a person's server for a project has."""
        return self.token(
            person,
            [
                f"access:servers!server={person}/{project}",
                "access:services!service=workspace",
                "access:services!service=mlflow",
            ],
        )

    @contextmanager
    def visitor(self) -> Iterator[httpx.Client]:
        """Give a browser, as far as HTTP goes, of somebody who is not signed in."""
        browser = httpx.Client(
            base_url=self.url,
            headers={
                "accept": "text/html",
                "sec-fetch-mode": "navigate",
                "sec-fetch-dest": "document",
                "sec-fetch-site": "none",
            },
            timeout=TIMEOUT_S,
            trust_env=False,
        )
        with browser:
            yield browser

    @contextmanager
    def signed_in(self, person: str) -> Iterator[httpx.Client]:
        """Give the browser of somebody who has signed in to the hub, and to nothing yet."""
        with self.visitor() as browser:
            form = browser.get("/hub/login")
            found = re.search(r'name="_xsrf" value="([^"]+)"', form.text)
            assert found is not None, form.text
            answer = browser.post(
                "/hub/login",
                params={"next": "/hub/home"},
                data={"username": person, "password": "x", "_xsrf": unescape(found[1])},
            )
            assert answer.status_code == 302, answer.text
            yield browser


@contextmanager
def services(
    home: Path,
    *,
    set_up: Callable[[Workspace], Any] | None = None,
    names: Sequence[str] = ("hub", "workspace", "mlflow"),
) -> Iterator[Services]:
    """Run a hub and our services in a folder.

    Parameters
    ----------
    set_up
        Fills the workspace before anything starts.
    names
        Which processes to start.
    """
    proxy = ROOT / "node_modules" / ".bin" / "configurable-http-proxy"
    found = str(proxy) if proxy.exists() else shutil.which("configurable-http-proxy")
    require(found is not None, "configurable-http-proxy is not installed: npm ci")
    home.mkdir(parents=True)
    settings = Settings.from_environment({**os.environ, "NB2PROD_HOME": str(home)})
    with open_workspace(settings) as workspace:
        plan = a_plan(home)
        plan.folder.mkdir(exist_ok=True)
        write_plan(plan)
        make_secrets(home)
        if set_up is not None:
            set_up(workspace)
        (plan.folder / "test_config.py").write_text(_configuration(plan, str(found)))
        running = Services(plan=plan, workspace=workspace)
        try:
            for name in names:
                running.start(name)
            for name in names:
                running.wait_until_ready(name)
            yield running
        finally:
            for name in list(running.processes):
                running.stop(name)


def a_plan(home: Path) -> Plan:
    ports = _free_ports(5)
    return Plan(
        home=home,
        instance="00c0ffee",
        mode=Mode.PROCESS,
        bind_ip="127.0.0.1",
        port=ports[0],
        inner_ip="127.0.0.1",
        inner_subnet="",
        proxy_api_port=ports[1],
        hub_port=ports[2],
        service_port=ports[3],
        mlflow_port=ports[4],
        default_image="",
        administrator=ADMINISTRATOR,
    )


def _configuration(plan: Plan, proxy: str) -> str:
    return CONFIGURATION.format(
        plan=plan,
        bind_url=f"http://127.0.0.1:{plan.port}",
        db=f"sqlite:///{plan.folder / 'test.sqlite'}",
        cookie_secret=str(plan.folder / "test_cookie_secret"),
        pid_file=str(plan.folder / "test.pid"),
        proxy_pid_file=str(plan.folder / "test_proxy.pid"),
        administrator=ADMINISTRATOR,
        proxy=proxy,
        service_token=read_secret(plan.home, Secret.SERVICE),
        mlflow_token=read_secret(plan.home, Secret.MLFLOW),
        tester_token=TESTER_TOKEN,
    )


def _free_ports(count: int) -> list[int]:
    import socket

    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
