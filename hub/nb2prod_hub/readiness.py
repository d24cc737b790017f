"""Waiting until the workspace answers, and saying why where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx

from nb2prod.errors import ServiceUnreachable
from nb2prod_hub.plan import Plan
from nb2prod_hub.server_logs import last_lines, read_end
from nb2prod_hub.supervision import HUB, PROXY, SERVICE, SUPERVISOR_LOG, log_file

TIMEOUT_S = 120.0
PAUSE_S = 0.1
LOOK_TIMEOUT_S = 2.0
# A process that ended so often will not come up by waiting.
MANY_EXITS = 4


@dataclass(frozen=True, kw_only=True)
class Sign:
    """An address that answers once a process is ready; ``program`` has its log."""

    program: str
    url: str


def signs(plan: Plan) -> tuple[Sign, ...]:
    """Return what start-up waits for; MLflow and the dispatcher are not among it."""
    return (
        Sign(program=HUB, url=f"{plan.hub_api_url}/"),
        Sign(program=SERVICE, url=f"{plan.service_url}/api/v1/health"),
        Sign(program=PROXY, url=f"{plan.public_url}/hub/api/"),
        Sign(program=PROXY, url=f"{plan.public_url}/services/workspace/api/v1/health"),
    )


def wait_until_ready(plan: Plan, *, keep_alive: Callable[[], None]) -> None:
    """Wait until people can open the workspace.

    Parameters
    ----------
    keep_alive
        Called now and then meanwhile.

    Raises
    ------
    ServiceUnreachable
        A part of it does not come up; the message has the end of its log.
    """
    deadline = time.monotonic() + TIMEOUT_S
    supervisor_log = plan.logs / SUPERVISOR_LOG
    begun = supervisor_log.stat().st_size if supervisor_log.exists() else 0
    with httpx.Client(timeout=LOOK_TIMEOUT_S, trust_env=False) as client:
        for sign in signs(plan):
            while not _answers(client, sign.url):
                keep_alive()
                exits = _exits(supervisor_log, begun, sign.program)
                if exits >= MANY_EXITS or time.monotonic() > deadline:
                    raise _failure(plan, sign.program, exits)
                time.sleep(PAUSE_S)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        status = client.get(url).status_code
    except httpx.HTTPError:
        return False
    # Without a sign-in an answer may be 401; 404 is the hub's, where the proxy has no route yet.
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_FOUND


def _exits(supervisor_log: Path, begun: int, program: str) -> int:
    """Count how often a process ended since this start, by the supervisor's log."""
    try:
        with supervisor_log.open("rb") as stream:
            # A log that was rotated meanwhile is read from its beginning.
            if supervisor_log.stat().st_size >= begun:
                stream.seek(begun)
            return stream.read().count(f"exited: {program} (".encode())
    except OSError:
        return 0


def _failure(plan: Plan, program: str, exits: int) -> ServiceUnreachable:
    file = log_file(plan, program)
    said = last_lines(read_end(file))
    how = f"ended {exits} times" if exits else f"did not answer within {TIMEOUT_S:.0f} s"
    return ServiceUnreachable(f"The workspace's {program} {how}. The end of {file}:\n{said}")
