"""Ports of this machine: free ones, and whether one is free."""

from __future__ import annotations

import contextlib
import errno
import socket
import time

ANY_PORT = 0


def free_ports(ip: str, count: int) -> tuple[int, ...]:
    """Return ports of an address where nobody listens now, each another one."""
    with contextlib.ExitStack() as stack:
        # Held together, so that none comes twice.
        held = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            for _ in range(count)
        ]
        for listener in held:
            listener.bind((ip, ANY_PORT))
        return tuple(int(listener.getsockname()[1]) for listener in held)


def listen_error(ip: str, port: int) -> OSError | None:
    """Return why nobody can listen at a port; `None` if one can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ip, port))
        except OSError as error:
            return error
    return None


def wait_until_free(ip: str, port: int, *, timeout_s: float) -> OSError | None:
    """Wait while a port is in use, as after a sudden end; returns why it can't be listened at."""
    deadline = time.monotonic() + timeout_s
    while True:
        error = listen_error(ip, port)
        in_use = error is not None and error.errno == errno.EADDRINUSE
        if not in_use or time.monotonic() > deadline:
            return error
        time.sleep(0.1)
