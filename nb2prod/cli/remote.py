"""Commands that ask a workspace on another machine: its address, its token, and Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from nb2prod.errors import Conflict, InvalidInput
from nb2prod.settings import RemoteSettings

if TYPE_CHECKING:
    from nb2prod.remote.client import ServiceClient

End = TypeVar("End")

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
    follow: Callable[[], End],
    *,
    cancel: Callable[[], object] | None,
    leave: Callable[[], None],
) -> End:
    """Follow what was asked for in a workspace to its end, and return what `follow` gives then.

    Parameters
    ----------
    follow
        Follows it, and is called again once it was cancelled.
    cancel
        Asks for its end on Ctrl-C, or on the signal by which CI ends a job. Pressed once more,
        that leaves it to its end; where this is `None` it does so at once.
    leave
        Says how what goes on there can be followed and cancelled.

    Raises
    ------
    KeyboardInterrupt
        It goes on; `leave` has been called.
    """
    with _ended_by_signals():
        try:
            try:
                return follow()
            except KeyboardInterrupt:
                if cancel is None:
                    raise
            # It may have ended at that very moment.
            with suppress(Conflict):
                cancel()
            return follow()
        except KeyboardInterrupt:
            leave()
            raise


def server_of(client: ServiceClient) -> str:
    """Return what is typed for --server to reach the same workspace."""
    return client.address.removesuffix("/services/workspace")


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
