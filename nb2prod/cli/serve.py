"""``nb2prod serve``."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Annotated

import typer

from nb2prod.cli.context import (
    GALLERY_PREFIX,
    opened,
    port_taken,
    require_none_running,
)
from nb2prod.cli.output import console
from nb2prod.errors import ToolMissing
from nb2prod.settings import Settings
from nb2prod.workspace.announcement import Announcement, announced
from nb2prod.workspace.workspace import Workspace

LOOPBACK = "127.0.0.1"

PortOption = Annotated[
    int | None,
    typer.Option(
        min=0, max=65535, help="Port on the loopback address; by default NB2PROD_PORT or 8000."
    ),
]


def serve(port: PortOption = None) -> None:
    """Serve the gallery to you, on this machine only, until Ctrl-C."""
    with opened() as workspace, _listening(workspace.settings, port) as listener:
        _serve(workspace, listener)


def _serve(workspace: Workspace, listener: socket.socket) -> None:
    try:
        import uvicorn

        from nb2prod.server.app import create_app
        from nb2prod.server.sign_in import sign_in_address
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("nb2prod"):
            raise
        raise ToolMissing(
            f"The gallery needs more packages ({error.name} is missing):"
            " `pip install 'nb2prod[server]'`."
        ) from error
    address = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    app = create_app(workspace, prefix=GALLERY_PREFIX)
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, timeout_graceful_shutdown=5
    )
    with announced(workspace.settings, Announcement(address=address)):
        link = sign_in_address(
            workspace,
            address + GALLERY_PREFIX,
            person=workspace.settings.person,
            path=f"{GALLERY_PREFIX}/",
        )
        console.print("The gallery is at this address; the token in it works once:")
        console.print(f"  [bold]{link}[/]", soft_wrap=True)
        console.print("[dim]Another one: `nb2prod open`. Ctrl-C stops.[/]")
        # Having ended in good order, the server raises the Ctrl-C that ended it once more.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    console.print("Stopped.")


@contextlib.contextmanager
def _listening(settings: Settings, port: int | None) -> Iterator[socket.socket]:
    require_none_running(settings)
    wanted = settings.port if port is None else port
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, wanted))
        except OSError as error:
            reason = None if error.errno == errno.EADDRINUSE else error.strerror
            raise port_taken(wanted, reason) from error
        yield listener
