"""Asking a run to end: by Ctrl-C, by a signal, or by a caller."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# What a terminal, its closing, and a supervisor send.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Cancellation:
    """A request to end a run; the first one is polite, the second is not.

    `request` may be called from any thread and from a signal's handler; all else belongs to
    the run's event loop.
    """

    def __init__(self) -> None:
        self.cause = ""
        self.count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = [asyncio.Event(), asyncio.Event()]

    def request(self, cause: str) -> None:
        """Ask the run to end.

        Parameters
        ----------
        cause
            Who or what asks, as the end of "Cancelled by …".
        """
        self.cause = self.cause or cause
        self.count += 1
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop in which the run goes on; earlier requests count."""
        self._loop = loop
        self._wake()

    async def race(
        self, task: asyncio.Future[Any], timeout_s: float | None, *, is_second: bool = False
    ) -> bool:
        """Wait until a task is done, the time is over or somebody asks; tell whether they did.

        Parameters
        ----------
        is_second
            Wait for the second request, not for the first.
        """
        asked = asyncio.ensure_future(self._asked[is_second].wait())
        try:
            await asyncio.wait(
                {task, asked}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            return asked.done() and not task.done()
        finally:
            asked.cancel()

    def _wake(self) -> None:
        for event in self._asked[: self.count]:
            event.set()


@contextmanager
def cancelled_by_signals(cancellation: Cancellation) -> Iterator[None]:
    """Turn signals into requests for a while; does nothing outside of the main thread.

    A signal that is ignored (as under ``nohup``) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        cancellation.request("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)

    former = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in former.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
