"""Commands that ask a workspace on another machine: its address, its token, and Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from nb2prod.cli.output import error_console
from nb2prod.errors import InvalidInput
from nb2prod.settings import RemoteSettings

if TYPE_CHECKING:
    from nb2prod.execution.models import RunRecord
    from nb2prod.execution.remote_watch import RunWatch
    from nb2prod.remote.client import ServiceClient

ServerOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Address of the workspace, as people open it; by default NB2PROD_SERVER. The token is"
        " read from NB2PROD_TOKEN.",
    ),
]


def remote_settings(server: str | None) -> RemoteSettings:
    """Return what the environment says, with the server that a command was told."""
    settings = RemoteSettings.from_environment()
    return settings if server is None else replace(settings, server=server)


def service_client(settings: RemoteSettings) -> ServiceClient:
    """Return a client of the workspace; raises `InvalidInput`, or as the client does."""
    if not settings.server:
        raise InvalidInput(
            "Say where the workspace is: `--server https://hub.example.org`, or NB2PROD_SERVER."
        )
    from nb2prod.remote.client import ServiceClient

    return ServiceClient.from_settings(settings)


def own_project(client: ServiceClient, project: str | None) -> str:
    """Return the project that is meant: by default the token's; raises `InvalidInput`."""
    own = project or client.get("me").get("project")
    if not own:
        raise InvalidInput("Say which project: `--project NAME`; the token is not of one alone.")
    return str(own)


def follow_to_end(
    client: ServiceClient, run: RunRecord, watch: RunWatch, *, cancels: bool
) -> RunRecord:
    """Follow a run to its end, and return its record.

    Parameters
    ----------
    cancels
        Whether Ctrl-C, or the signal by which CI ends a job, cancels the run. Pressed once more,
        it leaves the run to its end; without this it does so at once.

    Raises
    ------
    KeyboardInterrupt
        The run goes on; how to follow and to cancel it has been said.
    """
    from nb2prod.execution.remote_run import cancel_remote_run, record_of

    with _ended_by_signals():
        try:
            try:
                return record_of(watch.follow())
            except KeyboardInterrupt:
                if not cancels:
                    raise
            cancel_remote_run(client, run.project, run.id)
            return record_of(watch.follow())
        except KeyboardInterrupt:
            _say_it_goes_on(client, run)
            raise


def _say_it_goes_on(client: ServiceClient, run: RunRecord) -> None:
    server = client.address.removesuffix("/services/workspace")
    error_console.print(
        f"The run {run.id} goes on in the workspace.\n"
        f"Follow it: {escape(client.page(run.id))}\n"
        f"Cancel it: nb2prod cancel {run.id} --server {escape(server)} --project {run.project}",
        soft_wrap=True,
    )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP act as Ctrl-C does; CI ends its jobs by them."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
