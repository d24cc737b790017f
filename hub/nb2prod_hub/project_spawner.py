"""What starting a server has in common, whether it becomes a container or a process.

A named server is a project. Each start asks the workspace's database anew who may start what;
options that are stored or posted with the request are not looked at.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from jupyterhub.spawner import SpawnException
from jupyterhub.utils import url_path_join
from sqlalchemy.exc import SQLAlchemyError
from traitlets import Float, Unicode
from traitlets.config import LoggingConfigurable

from nb2prod.errors import Nb2prodError, NotFound
from nb2prod.workspace.members import role_of
from nb2prod.workspace.models import Role
from nb2prod_hub.plan import Plan, read_plan
from nb2prod_hub.server_description import ServerDescription, describe_server, hub_workspace
from nb2prod_hub.server_logs import last_lines

T = TypeVar("T")

# The engine's and the file system's calls block; one thread, as DockerSpawner has it, would let
# one slow call stop everybody's starts.
THREADS = 8
PAUSE_S = 0.05
# Of one look at whether the server answers.
LOOK_TIMEOUT_S = 2.0
POLLS_EACH_S = 0.5


class ProjectSpawner(LoggingConfigurable):  # type: ignore[misc]  # traitlets has no types
    """Starts a person's server for a project; a subclass says how.

    A subclass derives from one of JupyterHub's spawners as well, and gives `launch`, `read_log`
    and `discard`.
    """

    home = Unicode(config=True, help="The workspace's folder.")
    answer_timeout = Float(
        100.0,
        config=True,
        help="""
        Seconds from the start of a server to its first answer.

        Shorter than `start_timeout`, so that a server that never answers is given up with the end
        of its log.
        """,
    )

    server_description: ServerDescription | None = None
    # What the person was when the server started; kept over a restart of the hub.
    role_at_start = ""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._said: list[dict[str, Any]] = []

    async def launch(self, server: ServerDescription) -> tuple[str, int]:
        """Start what the description says; returns the address where it will answer."""
        raise NotImplementedError

    async def read_log(self) -> bytes:
        """Return the end of the server's log."""
        raise NotImplementedError

    async def why_ended(self) -> str:
        """Say why the server is gone, in words that end a sentence."""
        return "it ended before it answered"

    async def discard(self) -> None:
        """Keep the log of a server that is gone, and remove what is left of it; idempotent."""
        raise NotImplementedError

    @property
    def plan(self) -> Plan:
        """The workspace's plan."""
        return _plan(Path(self.home))

    async def start(self) -> tuple[str, int]:
        """Start the server; returns the address where it answers.

        Raises
        ------
        SpawnException
            The person may not start it, or it does not come up; the message says why.
        """
        self._said.clear()
        try:
            self.say(5, "Looking up the project")
            server = await self.in_thread(
                describe_server,
                hub_workspace(),
                self.plan.surroundings,
                person=self.user.name,
                name=self.name,
            )
            self.server_description = server
            self.role_at_start = server.role.value
            self.default_url = server.default_url
            address = await self.launch(server)
        except Nb2prodError as error:
            raise _refusal(error) from error
        self.say(60, "Waiting for JupyterLab to answer")
        await self._wait_until_it_answers(*address)
        return address

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Tell what goes on while the server starts."""
        told = 0
        while True:
            for event in self._said[told:]:
                yield event
            told = len(self._said)
            await asyncio.sleep(4 * PAUSE_S)

    def get_state(self) -> dict[str, Any]:
        """Return what a restarted hub has to know of the server."""
        return {**super().get_state(), "role": self.role_at_start}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a server that an earlier hub started."""
        super().load_state(state)
        self.role_at_start = state.get("role", "")

    async def poll_and_notify(self) -> Any:
        """Look after a running server, as JupyterHub does every few seconds.

        A server whose person was taken out of the project, or may no longer write to its folder,
        is ended, whoever decided that and by whatever way.
        """
        if await self._has_lost_its_right():
            self.log.warning("Ending the server of %s for %s: its role", self.user.name, self.name)
            await self.stop(now=True)
        return await super().poll_and_notify()

    async def run_post_stop_hook(self) -> None:
        """Clear up after a server that was stopped, or died, or did not come up."""
        await self.discard()
        self._revoke_tokens()

    async def _run_apply_user_options(self, user_options: Any) -> None:
        """Leave options alone: a project, not who asks, says what a server is."""

    def say(self, percent: int, message: str) -> None:
        """Show a step of the start on the progress page."""
        self._said.append({"progress": percent, "message": message})

    async def in_thread(self, function: Callable[..., T], *values: Any, **named: Any) -> T:
        """Run a blocking function in the spawners' own threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads(), partial(function, *values, **named))

    async def failure(self, why: str) -> SpawnException:
        """Return what to raise where a server does not come up, with the end of its log."""
        shown = last_lines(await self.read_log())
        return _exception(
            f"The server of {self.name} did not start: {why}.",
            reason="did_not_start",
            status=500,
            shown=shown,
        )

    async def _wait_until_it_answers(self, ip: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.answer_timeout
        next_poll = loop.time()
        path = url_path_join(self.server.base_url, "api")
        while not await _answers(ip, port, path):
            if loop.time() >= next_poll:
                if await self.poll() is not None:
                    raise await self.failure(await self.why_ended())
                next_poll = loop.time() + POLLS_EACH_S
            if loop.time() > deadline:
                raise await self.failure(f"it did not answer within {self.answer_timeout:.0f} s")
            await asyncio.sleep(PAUSE_S)

    async def _has_lost_its_right(self) -> bool:
        try:
            role = await self.in_thread(role_of, hub_workspace(), self.name, self.user.name)
        except SQLAlchemyError:
            self.log.exception("The role of %s in %s is not known", self.user.name, self.name)
            return False
        return role is None or (role is Role.VIEWER and self.role_at_start != Role.VIEWER.value)

    def _revoke_tokens(self) -> None:
        # A restarted hub has forgotten the token of a running server, and would leave it valid.
        base = url_path_join(self.user.base_url, self.name, "/")
        for token in list(self.orm_spawner.user.api_tokens):
            if token.note == f"Server at {base}":
                self.db.delete(token)
        self.db.commit()


async def _answers(ip: str, port: int, path: str) -> bool:
    """Tell whether an HTTP server answers, whatever it says."""
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(ip, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {ip}\r\n\r\n".encode())
                await writer.drain()
                return (await reader.readline()).startswith(b"HTTP/1.")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _refusal(error: Nb2prodError) -> SpawnException:
    # Absent and forbidden alike.
    status = 404 if isinstance(error, NotFound) else 503
    return _exception(error.message, reason=error.code, status=status)


def _exception(message: str, *, reason: str, status: int, shown: str = "") -> SpawnException:
    as_html = html.escape(message) + (f"</p><pre>{html.escape(shown)}</pre><p>" if shown else "")
    exception = SpawnException(
        f"{message}\n{shown}" if shown else message,
        reason=reason,
        message_html=as_html,
        status_code=status,
    )
    # The page of a start that failed later than its request looks for these.
    exception.jupyterhub_message = message
    exception.jupyterhub_html_message = as_html
    return exception


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="spawner")


@cache
def _plan(home: Path) -> Plan:
    return read_plan(home)
