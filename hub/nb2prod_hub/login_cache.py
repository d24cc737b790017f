"""A small cache for answers of the hub: bounded, short-lived, and asked once at a time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class AnswerCache(Generic[K, V]):
    """Keeps answers for a while; those who ask for the same at the same time share one look-up.

    A look-up that fails is not kept. `None` is an answer, too ("nobody"), and is kept for a
    shorter time. For one event loop; not thread-safe.

    Parameters
    ----------
    ttl_s
        How long an answer counts, from the beginning of its look-up on.
    nothing_ttl_s
        The same for `None`.
    size
        How many answers are kept, and as many times `None`; the longest unused goes first.
    clock
        Gives seconds that never go back.
    """

    def __init__(
        self,
        *,
        ttl_s: float,
        nothing_ttl_s: float,
        size: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_s = ttl_s
        self._nothing_ttl_s = nothing_ttl_s
        self._size = size
        self._clock = clock
        # Apart, so that a flood of bad keys pushes out no good answer.
        self._answers: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._nothing: OrderedDict[K, float] = OrderedDict()
        self._look_ups: dict[K, asyncio.Task[V | None]] = {}

    async def get(self, key: K, look_up: Callable[[], Awaitable[V | None]]) -> V | None:
        """Return the answer for a key, asking where none is kept; raises what the look-up does."""
        now = self._clock()
        kept = self._answers.get(key)
        if kept is not None and kept[0] > now:
            self._answers.move_to_end(key)
            return kept[1]
        if self._nothing.get(key, now) > now:
            self._nothing.move_to_end(key)
            return None
        task = self._look_ups.get(key)
        if task is None:
            task = asyncio.ensure_future(self._look_up(key, now, look_up))
            self._look_ups[key] = task
            task.add_done_callback(lambda done: self._settle(key, done))
        # One who goes away must not take the answer from the others.
        return await asyncio.shield(task)

    def forget(self, key: K) -> None:
        """Drop what is kept for a key, and what is being looked up."""
        self._answers.pop(key, None)
        self._nothing.pop(key, None)
        self._look_ups.pop(key, None)

    async def _look_up(
        self, key: K, since: float, look_up: Callable[[], Awaitable[V | None]]
    ) -> V | None:
        answer = await look_up()
        if self._look_ups.get(key) is not asyncio.current_task():
            return answer
        if answer is None:
            self._answers.pop(key, None)
            _put(self._nothing, key, since + self._nothing_ttl_s, self._size)
        else:
            self._nothing.pop(key, None)
            _put(self._answers, key, (since + self._ttl_s, answer), self._size)
        return answer

    def _settle(self, key: K, task: asyncio.Task[V | None]) -> None:
        if self._look_ups.get(key) is task:
            del self._look_ups[key]
        if not task.cancelled():
            # Everybody who waited may be gone; asyncio would complain of an error nobody saw.
            task.exception()


T = TypeVar("T")


def _put(kept: OrderedDict[K, T], key: K, value: T, size: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > size:
        kept.popitem(last=False)
