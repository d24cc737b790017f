"""A whole workspace as `nb2prod up` starts it, and people who use it over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from nb2prod_hub.firewall import can_filter, unprotect
from nb2prod_hub.plan import Plan, find_plan, read_plan
from nb2prod_hub.secret_files import Secret, read_secret

from nb2prod.settings import Settings
from nb2prod.workspace.people import folder_name
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.engine import Engine

T = TypeVar("T")

ADMINISTRATOR = "ada"
PASSWORD = "correct horse battery"  # what the helper gives to everybody it signs up
UP_TIMEOUT_S = 150
STOP_TIMEOUT_S = 120
ANSWER_TIMEOUT_S = 60
XSRF = "_xsrf"
# What a browser says when a person opens an address.
BROWSER = {
    "Accept": "text/html",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


def eventually(
    look: Callable[[], T | None], *, what: str, timeout_s: float = 60, pause_s: float = 0.2
) -> T:
    """Look again and again until there is something; fails with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {timeout_s} s; last: {found!r}")
        time.sleep(pause_s)


class Person:
    """Somebody with a browser's cookies; every address is a path of the workspace."""

    def __init__(self, base_url: str, name: str) -> None:
        self.name = name
        self.client = httpx.Client(
            base_url=base_url, timeout=ANSWER_TIMEOUT_S, follow_redirects=True, trust_env=False
        )

    def visit(self, path: str) -> httpx.Response:
        """Open a page as a browser does."""
        return self.client.get(path, headers=BROWSER)

    def submit(self, page: str, values: Mapping[str, str], *, to: str | None = None) -> Any:
        """Fill the form of a page in, with its XSRF token."""
        return self.client.post(
            to or page,
            data={**values, XSRF: self.xsrf(page)},
            headers={**BROWSER, "Sec-Fetch-Site": "same-origin"},
        )

    def xsrf(self, page: str = "/hub/token") -> str:
        """The hub's XSRF token, as its pages have it."""
        self.visit(page)
        return next(
            cookie.value or ""
            for cookie in self.client.cookies.jar
            if cookie.name == XSRF and cookie.path == "/hub/"
        )

    def sign_up(self, password: str = PASSWORD) -> httpx.Response:
        """Ask for an account."""
        answer: httpx.Response = self.submit(
            "/hub/signup",
            {
                "username": self.name,
                "signup_password": password,
                "signup_password_confirmation": password,
            },
        )
        return answer

    def sign_in(self, password: str = PASSWORD) -> httpx.Response:
        """Sign in by the form; the answer is the page that one lands on, or the form again."""
        answer: httpx.Response = self.submit(
            "/hub/login", {"username": self.name, "password": password}
        )
        return answer

    def approve(self, name: str, action: str = "approve") -> httpx.Response:
        """Decide on an account, as an administrator."""
        answer: httpx.Response = self.submit(
            "/hub/authorize", {"action": action}, to=f"/hub/authorize/{name}"
        )
        return answer

    def hub_api(self, method: str, path: str, **keywords: Any) -> httpx.Response:
        """Ask the hub's API as its own pages do."""
        return self.client.request(
            method,
            f"/hub/api{path}",
            params={XSRF: self.xsrf()},
            headers={"Referer": str(self.client.base_url) + "/hub/home"},
            **keywords,
        )

    def server(self, project: str) -> Mapping[str, Any] | None:
        """The hub's word on this person's server of a project; `None` if there is none."""
        servers: dict[str, Any] = self.hub_api("GET", f"/users/{self.name}").json()["servers"]
        return servers.get(project)

    def start_server(self, project: str) -> Mapping[str, Any]:
        """Start the server of a project; returns the hub's word on it once it is ready."""
        answer = self.hub_api("POST", f"/users/{self.name}/servers/{project}")
        assert answer.status_code in {201, 202}, answer.text
        return self.ready_server(project)

    def ready_server(self, project: str) -> Mapping[str, Any]:
        """The hub's word on a server, waited for until it is ready."""

        def look() -> Mapping[str, Any] | None:
            found = self.server(project)
            return found if found is not None and found["ready"] else None

        return eventually(look, what=f"{self.name}'s server of {project}", timeout_s=120)

    def stop_server(self, project: str) -> None:
        """Stop the server of a project, and wait until it is gone."""
        answer = self.hub_api("DELETE", f"/users/{self.name}/servers/{project}")
        assert answer.status_code in {202, 204}, answer.text
        eventually(lambda: self.server(project) is None, what="the server's end")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


class StartedHub:
    """`nb2prod up` in a process of its own, with a home of its own.

    A context manager: at its end all that was started is gone.

    Parameters
    ----------
    home
        The workspace's folder; one that was used before is gone on with.
    arguments
        Of the command, beside port and mode.
    environment
        Put over this process's own.
    """

    def __init__(
        self,
        home: Path,
        *,
        mode: str = "process",
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.mode = mode
        self.arguments = arguments
        own = {name: value for name, value in os.environ.items() if not name.startswith("NB2PROD_")}
        self.environment = {
            **own,
            "NB2PROD_HOME": str(home),
            "NB2PROD_USER": ADMINISTRATOR,
            **(environment or {}),
        }
        self.people: list[Person] = []
        self.printed = ""
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._is_up = threading.Event()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            sys.stderr.write(self.report() + "\n")
        self.destroy()

    def start(self) -> None:
        """Start it, and wait until it has printed its address."""
        self.launch()
        if not self._is_up.wait(UP_TIMEOUT_S) or self.process.poll() is not None:
            raise AssertionError(f"the workspace did not start:\n{self.report()}")

    def launch(self) -> subprocess.Popen[str]:
        """Start it, without waiting."""
        self._is_up.clear()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "nb2prod.cli", "up", "--port", "0"),
                *("--mode", self.mode, *self.arguments),
            ],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        return self._process

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process of the command."""
        assert self._process is not None
        return self._process

    @property
    def plan(self) -> Plan:
        """The workspace's plan."""
        return read_plan(self.home)

    def open(self) -> AbstractContextManager[Workspace]:
        """Open the workspace itself, as the services have it open."""
        return open_workspace(Settings.from_environment(self.environment))

    def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self._ended()

    def kill(self) -> None:
        """Kill the command at once, and wait until what dies with it is dead."""
        children = self.pids()
        self.process.kill()
        self._ended()
        eventually(
            lambda: not any(is_alive(pid) for pid in children.values()),
            what="the end of the workspace's processes",
        )

    def destroy(self) -> None:
        """End everything, people's servers and runs too."""
        for person in self.people:
            person.close()
        self.people.clear()
        if self._process is not None and self._process.poll() is None:
            self.interrupt()
        plan = find_plan(self.home)
        if plan is not None and self.mode == "docker":
            Engine().clear_workspace(plan.instance)
            if can_filter():
                unprotect(plan)
        for pid in _processes_of(self.home):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def pids(self) -> dict[str, int]:
        """The numbers of the workspace's own processes by name, the supervisor's among them."""
        supervisor = _children(self.process.pid, "supervisor.supervisord")
        if not supervisor:
            return {}
        found = {"supervisor": supervisor[0]}
        for name, mark in MARKS.items():
            for pid in _children(supervisor[0], mark):
                assert name not in found, f"{name} runs twice"
                found[name] = pid
        return found

    def server_pid(self, person: str, project: str) -> int | None:
        """The process of a person's server in mode `process`; `None` if there is none."""
        home = str(self.home / "people" / folder_name(person) / ".homes" / project)
        found = [
            pid
            for pid in _all_pids()
            if "jupyterhub.singleuser" in _read(pid, "cmdline")
            and environment_of(pid).get("HOME") == home
            and is_alive(pid)
        ]
        assert len(found) <= 1, f"the server of {person} for {project} runs twice"
        return found[0] if found else None

    def wait_until_whole(self) -> dict[str, int]:
        """Wait until all of the workspace's processes run and answer; returns their numbers."""

        def look() -> dict[str, int] | None:
            found = self.pids()
            return found if set(found) == {"supervisor", *MARKS} and self.answers() else None

        return eventually(look, what="the whole workspace", timeout_s=UP_TIMEOUT_S)

    def answers(self) -> bool:
        """Whether hub and service answer through the proxy."""
        for path in ("/hub/api/", "/services/workspace/api/v1/health"):
            try:
                answer = httpx.get(self.plan.public_url + path, timeout=5, trust_env=False)
            except httpx.HTTPError:
                return False
            if answer.status_code >= 500 or answer.status_code == 404:
                return False
        return True

    def person(self, name: str) -> Person:
        """Somebody who has not signed in yet."""
        somebody = Person(self.plan.public_url, name)
        self.people.append(somebody)
        return somebody

    def administrator(self) -> Person:
        """The first administrator, signed in with the generated password."""
        somebody = self.person(ADMINISTRATOR)
        answer = somebody.sign_in(read_secret(self.home, Secret.ADMINISTRATOR_PASSWORD))
        assert answer.status_code < 400, answer.text
        return somebody

    def member(self, name: str, *, administrator: Person) -> Person:
        """Somebody who signed up, was approved and signed in."""
        somebody = self.person(name)
        assert "alert-info" in somebody.sign_up().text
        administrator.approve(name)
        answer = somebody.sign_in()
        assert answer.status_code < 400, answer.text
        return somebody

    def report(self) -> str:
        """What was printed and the ends of all logs, for a test that failed."""
        parts = [self.printed]
        for file in sorted((self.home / "hub" / "logs").rglob("*.log")):
            text = file.read_text(errors="replace")
            parts.append(f"==== {file.name}\n" + "\n".join(text.splitlines()[-40:]))
        return "\n".join(parts)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for line in stream:
                self.printed += line
                if "Ctrl-C stops it" in line:
                    self._is_up.set()
        # It ended: who waits for it need not wait longer.
        self._is_up.set()

    def _ended(self) -> int:
        status = self.process.wait(timeout=STOP_TIMEOUT_S)
        if self._reader is not None:
            self._reader.join(timeout=5)
        return status


MARKS = {
    "proxy": "configurable-http-proxy",
    "hub": "jupyterhub_config.py",
    "service": "nb2prod_hub.workspace_service",
    "mlflow": "nb2prod_hub.mlflow_service",
    "dispatcher": "nb2prod_hub.dispatcher",
}


def _children(parent: int, mark: str) -> list[int]:
    return [
        pid
        for pid in _all_pids()
        if _parent(pid) == parent and mark in _read(pid, "cmdline").replace("\0", " ")
    ]


def environment_of(pid: int) -> dict[str, str]:
    """The environment that a process was started with."""
    pairs = (entry.partition("=") for entry in _read(pid, "environ").split("\0") if entry)
    return {name: value for name, _, value in pairs}


def is_alive(pid: int) -> bool:
    """Whether a process lives; one of which only its entry is left does not."""
    stat = _read(pid, "stat")
    return bool(stat) and stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _processes_of(home: Path) -> list[int]:
    """All processes that were told of this workspace, whoever is their parent."""
    told = f"NB2PROD_HOME={home}\0"
    below = f"{home}/"
    return [
        pid
        for pid in _all_pids()
        if pid != os.getpid()
        and (told in _read(pid, "environ") + "\0" or f"HOME={below}" in _read(pid, "environ"))
    ]


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _parent(pid: int) -> int:
    stat = _read(pid, "stat")
    return int(stat.rpartition(")")[2].split()[1]) if stat else 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
