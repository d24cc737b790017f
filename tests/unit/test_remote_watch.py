"""Following a run in a workspace elsewhere: each thing is told once, whatever interrupts it."""

from __future__ import annotations

import os
import signal

import httpx
import pytest

from nb2prod.execution.events import Event, OutputAdded
from nb2prod.execution.remote_watch import RunWatch
from nb2prod.remote.client import ServiceClient
from tests.helpers.gallery import make_record

RUN = "abcdefgh2345"
LINES = ("one\n", "two\n", "three\n")


def answer(request: httpx.Request) -> httpx.Response:
    """A service whose run has ended, after a cell has printed three lines."""
    if not request.url.path.endswith("/events"):
        return httpx.Response(200, json={"status": "succeeded"})
    after = int(request.url.params["after"])
    events = [
        {
            "number": number,
            "at": "2026-01-05T09:00:00+00:00",
            "kind": "output",
            "cell": 1,
            "stream": "stdout",
            "text": text,
        }
        for number, text in enumerate(LINES, start=1)
        if number > after
    ]
    return httpx.Response(
        200,
        json={
            "attempt": 1,
            "total": 1,
            "events": events,
            "next": len(LINES),
            "status": "succeeded",
            "cancelled_by": None,
        },
    )


def test_watch_that_is_interrupted_while_it_tells_goes_on_after_it() -> None:
    told: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, OutputAdded):
            if event.text == "two\n" and "two\n" not in told:
                # As Ctrl-C does at any moment; what comes after is still of this event.
                os.kill(os.getpid(), signal.SIGINT)
            told.append(event.text)

    client = ServiceClient(
        "http://127.0.0.1:9", "nb2p_token", transport=httpx.MockTransport(answer)
    )
    with client:
        watch = RunWatch(client, make_record(RUN), listen)
        with pytest.raises(KeyboardInterrupt):
            watch.follow()
        assert told == ["one\n", "two\n"]

        ended = watch.follow()

    assert ended == {"status": "succeeded"}
    assert told == list(LINES)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
