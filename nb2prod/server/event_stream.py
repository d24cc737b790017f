"""Server-sent events of one run, for who follows it: what is told, and how long.

The format is that of the WHATWG HTML Living Standard, section 9.2 ("Server-sent events"). Each
event's id is a place in the log of one attempt (`Place`), from which a listener that was cut off
goes on, with nothing told twice and nothing left out.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from nb2prod.errors import Nb2prodError, NotFound, TooManyStreams
from nb2prod.execution.progress import Progress, ProgressEvent, read_progress
from nb2prod.execution.runs import get_run
from nb2prod.jobs.waiting import waiting_of
from nb2prod.server.presentation import waiting
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"
MAX_STREAMS = 20
# Of what cells put out, in one stream; nobody reads along further than this.
LOG_BYTES = 1_000_000
# While a run is silent it is looked at less and less often.
FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 5.0
HEARTBEAT_S = 15.0
# What a run that has ended may take to get its page.
PAGE_WAIT_S = 60.0
# A listener comes again after that, and is asked again who it is: a login may have ended.
STREAM_S = 600.0
RETRY_MS = 3000

HEADERS = {
    "Cache-Control": "no-store",
    # nginx, and who follows it, would keep events back until a buffer is full.
    "X-Accel-Buffering": "no",
}
HEARTBEAT = b": still here\n\n"
PLACE = r"[1-9][0-9]{0,5}\.[0-9]{1,15}"

EVENTS = ("state", "attempt", "cell", "output", "note", "notice", "end")
# Of each of them, for the API's description.
EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": f"^{PLACE}$"},
        "event": {"type": "string", "enum": list(EVENTS)},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}

_NAMES = {
    "cell_started": "cell",
    "cell_ended": "cell",
    "output": "output",
    "noted": "note",
}


@dataclass(frozen=True, slots=True)
class Place:
    """How far a listener is: which attempt, and what was read of its log, in bytes."""

    attempt: int = 1
    after: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}.{self.after}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read what `str` wrote; `None` for anything else.

        >>> Place.read("2.1045"), Place.read("two")
        (Place(attempt=2, after=1045), None)
        """
        if not re.fullmatch(PLACE, text):
            return None
        attempt, after = text.split(".")
        return cls(int(attempt), int(after))


class Listeners:
    """Counts who listens; for one event loop."""

    def __init__(self, limit: int = MAX_STREAMS) -> None:
        self.limit = limit
        self._counts: Counter[str] = Counter()

    def enter(self, person: str) -> None:
        """Let a person's stream in; raises `TooManyStreams`."""
        if self._counts[person] >= self.limit:
            raise TooManyStreams(
                f"You follow {self.limit} runs already, which is as many as one person may. Close"
                " a page of one of them.",
                limit=self.limit,
            )
        self._counts[person] += 1

    def leave(self, person: str) -> None:
        """Say that a person's stream has ended."""
        self._counts[person] -= 1
        self._counts += Counter()

    def count(self, person: str) -> int:
        """Return how many streams a person has."""
        return self._counts[person]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look at a run gave.

    Parameters
    ----------
    content
        Events, as they are sent.
    is_more
        Whether there is more to be read at once.
    is_over
        Whether the last event is among them.
    """

    content: bytes
    is_more: bool
    is_over: bool


class Telling:
    """What one listener has been told of a run; not safe to use from several threads at once.

    Parameters
    ----------
    place
        Where to go on.
    clock
        Seconds, of any beginning.
    """

    def __init__(
        self,
        workspace: Workspace,
        run_id: str,
        *,
        person: str,
        project: str,
        page: str,
        place: Place | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.place = place or Place()
        self._workspace = workspace
        self._run_id = run_id
        self._person, self._project = person, project
        self._page = page
        self._clock = clock
        self._state: Mapping[str, Any] | None = None
        self._left_out_bytes = 0
        self._log_bytes = 0
        self._ended_at: float | None = None

    def look(self) -> Look:
        """Return what is new.

        Raises
        ------
        RunNotFound
            The run is gone, or its project is not the person's any more.
        """
        seen = read_progress(
            self._workspace,
            self._run_id,
            person=self._person,
            project=self._project,
            after=self.place.after,
            attempt=self.place.attempt,
        )
        if self.place.attempt > seen.attempt:
            # No such place: this one is told from its beginning.
            self.place = Place(seen.attempt)
            return Look(content=b"", is_more=True, is_over=False)
        has_more = bool(seen.events) or seen.next != self.place.after
        content = b"".join(self._told(seen))
        if self.place.attempt < seen.attempt and not has_more:
            content += self._next_attempt()
            return Look(content=content, is_more=True, is_over=False)
        is_over = not has_more and self._is_over(seen)
        if is_over:
            content += self._message("end", {**(self._state or {}), **self._omitted()})
        return Look(content=content, is_more=has_more, is_over=is_over)

    def _told(self, seen: Progress) -> Iterator[bytes]:
        # What a run did comes before its end.
        if not seen.status.is_final:
            yield from self._state_of(seen)
        for event in seen.events:
            self.place = replace(self.place, after=event.number)
            yield from self._event(event)
        self.place = replace(self.place, after=seen.next)
        if seen.status.is_final:
            yield from self._state_of(seen)

    def _event(self, event: ProgressEvent) -> Iterator[bytes]:
        name = _NAMES.get(event.kind)
        if name is None:
            return
        size_bytes = len(event.text.encode("utf-8", "replace"))
        if name == "output" and self._log_bytes + size_bytes > LOG_BYTES:
            if not self._left_out_bytes:
                text = (
                    f"The log is longer than {LOG_BYTES / 1e6:g} MB; its rest is left out here."
                    " The finished page has all of it."
                )
                yield self._message("notice", {"text": text, "limit_bytes": LOG_BYTES})
            self._left_out_bytes += size_bytes
            return
        if name == "output":
            self._log_bytes += size_bytes
        yield self._message(name, _body(event))

    def _state_of(self, seen: Progress) -> Iterator[bytes]:
        reason = waiting_of(self._workspace, self._run_id) if not seen.status.is_final else None
        state = {
            "status": seen.status.value,
            "reason": seen.reason,
            "attempt": seen.attempt,
            "total": seen.total,
            "waits": "" if reason is None else waiting(reason),
            "not_before": None if reason is None else _written(reason.not_before),
            "cancelled_by": seen.cancelled_by,
            "page": self._page if seen.has_page else None,
        }
        if state != self._state:
            self._state = state
            yield self._message("state", state)

    def _next_attempt(self) -> bytes:
        record = get_run(self._workspace, self._run_id, person=self._person)
        former = next((item for item in record.attempts if item.number == self.place.attempt), None)
        self.place = Place(self.place.attempt + 1)
        told = {
            "number": self.place.attempt,
            "former_status": former.status.value if former else None,
            "former_reason": former.reason if former else "",
        }
        return self._message("attempt", told)

    def _is_over(self, seen: Progress) -> bool:
        if not seen.status.is_final:
            return False
        if self._ended_at is None:
            self._ended_at = self._clock()
        return seen.has_page or self._clock() - self._ended_at >= PAGE_WAIT_S

    def _omitted(self) -> dict[str, int]:
        return {"left_out_bytes": self._left_out_bytes}

    def _message(self, name: str, content: Mapping[str, Any]) -> bytes:
        return message(name, content, str(self.place))


class EventStream(StreamingResponse):
    """The answer that tells a listener of a run until its end, or until the listener is gone."""

    media_type = MEDIA_TYPE

    def __init__(self, telling: Telling, listeners: Listeners, person: str) -> None:
        self._listeners, self._person = listeners, person
        listeners.enter(person)
        super().__init__(_sent(telling), headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; whatever ends it, the person has room for another stream then."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._listeners.leave(self._person)


def message(name: str, content: Mapping[str, Any], place: str) -> bytes:
    r"""Return an event as it is sent.

    >>> message("note", {"text": "a\nb"}, "1.7")
    b'id: 1.7\nevent: note\ndata: {"text": "a\\nb"}\n\n'
    """
    # JSON has no line breaks of its own, and in ASCII no halves of characters either.
    return f"id: {place}\nevent: {name}\ndata: {json.dumps(content)}\n\n".encode()


async def _sent(telling: Telling) -> AsyncIterator[bytes]:
    """Give what a listener gets; nobody holds a thread while nothing happens."""
    begun = sent = time.monotonic()
    pause_s = FIRST_PAUSE_S
    yield f"retry: {RETRY_MS}\n\n".encode()
    while True:
        try:
            look = await run_in_threadpool(telling.look)
        except NotFound:
            # The next request is answered with why.
            return
        except Nb2prodError as error:
            log.warning("A stream was cut off, reason=%s", error)
            return
        if look.content:
            sent, pause_s = time.monotonic(), FIRST_PAUSE_S
            yield look.content
        if look.is_over or time.monotonic() - begun > STREAM_S:
            return
        if look.is_more:
            continue
        if time.monotonic() - sent >= HEARTBEAT_S:
            sent = time.monotonic()
            yield HEARTBEAT
        await asyncio.sleep(min(pause_s, max(0.0, sent + HEARTBEAT_S - time.monotonic())))
        pause_s = min(LAST_PAUSE_S, pause_s * 1.5)


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _body(event: ProgressEvent) -> dict[str, Any]:
    told = {
        "kind": event.kind,
        "at": event.at.isoformat(),
        "text": event.text,
        "cell": event.cell,
        "position": event.position,
        "heading": event.heading,
        "status": event.status,
        "stream": event.stream,
    }
    return {name: value for name, value in told.items() if value not in (None, "")}
