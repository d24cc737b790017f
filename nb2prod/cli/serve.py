"""``nb2prod serve`` and ``nb2prod up``."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from nb2prod.cli.context import GALLERY_FILE, GALLERY_PREFIX, gallery_address, opened
from nb2prod.cli.output import console
from nb2prod.errors import Conflict, PortTaken, StorageUnusable, ToolMissing
from nb2prod.settings import Settings
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

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


def up(
    port: PortOption = None,
    example: Annotated[
        Path | None,
        typer.Option(help="A folder with an example project, promoted and run once at the start."),
    ] = None,
) -> None:
    """Start the whole workspace, until Ctrl-C."""
    # The port first: a first start takes minutes, and it should not end in `port taken`.
    with opened() as workspace, _listening(workspace.settings, port) as listener:
        if example is not None:
            from nb2prod.cli.example import install_example

            install_example(workspace, example)
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
    with _announced(workspace.settings, address):
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
    running = gallery_address(settings)
    if running is not None:
        raise Conflict(
            f"The gallery of {settings.home} runs already, at {running}; `nb2prod open` opens it."
        )
    wanted = settings.port if port is None else port
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, wanted))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"Port {wanted} is taken by another program. Give another one:"
                    " `--port N`, or NB2PROD_PORT=N with `make up`."
                ) from error
            raise PortTaken(f"Port {wanted} can't be used: {error.strerror}.") from error
        yield listener


@contextlib.contextmanager
def _announced(settings: Settings, address: str) -> Iterator[None]:
    file = settings.home / GALLERY_FILE
    with file.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict("The gallery was started twice at the same time.") from error
        except OSError as error:
            raise StorageUnusable(f"{file} can't be locked: {error}.") from error
        stream.truncate(0)
        stream.write(json.dumps({"address": address}))
        stream.flush()
        yield
