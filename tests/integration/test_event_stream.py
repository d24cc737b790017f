"""Following a run by server-sent events, over a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from nb2prod.execution.collect import collect, judge, try_again
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    Event,
    Noted,
    OutputAdded,
    ResultsKept,
    RunEnded,
    RunStarted,
    encode,
)
from nb2prod.execution.models import CellStatus, RunStatus
from nb2prod.execution.recorder import now
from nb2prod.execution.runs import start_run
from nb2prod.jobs.cancel import cancel_run
from nb2prod.knowledge import pages
from nb2prod.knowledge.pages import publish
from nb2prod.server import event_stream
from nb2prod.server.app import create_app
from nb2prod.server.event_stream import Place, Telling
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Role, add_member, remove_member
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import served
from tests.helpers.client import Introduced
from tests.helpers.jobs import JobBench, eventually
from tests.helpers.notebooks import code, stream


@dataclass(frozen=True)
class Told:
    """An event as a listener gets it."""

    id: str
    name: str
    data: dict[str, Any]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(event_stream, "LAST_PAUSE_S", 0.05)


@pytest.fixture
def bench(workspace: Workspace) -> JobBench:
    found = JobBench.found(workspace, executor="process")
    add_member(workspace, "seats", "vera", Role.VIEWER, person="ada")
    return found


@pytest.fixture
def app(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    # Pages are made when a test says so.
    monkeypatch.setattr(pages, "catch_up", lambda _workspace: ())
    return create_app(workspace, is_behind_login=True, executor="process")


@pytest.fixture
def run_id(bench: JobBench) -> str:
    found = bench.request(code("1"), code("2"))
    bench.folder(found).work.path.mkdir(parents=True)
    return found


def add(bench: JobBench, run_id: str, *events: Event) -> None:
    with bench.folder(run_id).work.events.open("ab") as log:
        log.write(b"".join(map(encode, events)))


def printed(text: str) -> OutputAdded:
    return OutputAdded(at=now(), number=1, output=stream(text, "stdout"))


def begun(run_id: str) -> RunStarted:
    return RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=2)


def end(bench: JobBench, run_id: str) -> None:
    add(
        bench,
        run_id,
        RunEnded(at=now(), status=RunStatus.FAILED, reason="It failed."),
        ResultsKept(at=now(), metrics={}, artifacts=()),
    )
    collect(bench.workspace, run_id)


@contextmanager
def listening(
    app: FastAPI, run_id: str, *, person: str = "vera", after: str = "", last: str = ""
) -> Iterator[httpx.Response]:
    """A program that follows a run over a real connection."""
    introduced = Introduced(app, Identity(person=person), None)
    with (
        served(introduced) as address,
        following(address, run_id, after=after, last=last) as response,
    ):
        yield response


@contextmanager
def following(
    address: str, run_id: str, *, after: str = "", last: str = ""
) -> Iterator[httpx.Response]:
    headers = {"last-event-id": last} if last else {}
    path = f"{address}/api/v1/projects/seats/runs/{run_id}/stream"
    params = {"after": after} if after else {}
    with (
        httpx.Client(timeout=20, trust_env=False) as client,
        client.stream("GET", path, headers=headers, params=params) as response,
    ):
        yield response


def events(response: httpx.Response) -> Iterator[Told]:
    """The events of a stream, as a browser would read them."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, text = line.partition(": ")
            fields[name] = text
        elif "data" in fields:
            yield Told(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


def until(told: Iterator[Told], name: str) -> list[Told]:
    """What is told up to an event of a name."""
    found = []
    for event in told:
        found.append(event)
        if event.name == name:
            return found
    raise AssertionError(f"the stream ended without {name!r}: {found}")


def test_run_is_told_from_its_queue_to_its_page(bench: JobBench, app: FastAPI, run_id: str) -> None:
    other = bench.request(code("3"))
    with listening(app, run_id) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in response.headers
        told = events(response)
        (queued,) = until(told, "state")
        assert queued.data["status"] == "queued"
        assert queued.data["waits"] == "It is next, and begins when there is room."

        start_run(bench.workspace, run_id)
        add(
            bench,
            run_id,
            begun(run_id),
            CellStarted(at=now(), number=2, position=1, heading="Data"),
            printed("one\ntwo\n"),
        )
        first = until(told, "output")
        add(bench, run_id, Noted(at=now(), text="a remark"))
        add(bench, run_id, CellEnded(at=now(), number=2, status=CellStatus.SUCCEEDED))
        until(told, "note")
        end(bench, run_id)
        states = [event for event in until(told, "state") if event.name == "state"]
        assert (states[-1].data["status"], states[-1].data["page"]) == ("failed", None)
        publish(bench.workspace, run_id)
        last = until(told, "end")[-1]
        assert list(told) == []

    assert {event.data["status"] for event in first if event.name == "state"} == {"running"}
    cell = next(event for event in first if event.name == "cell")
    assert cell.data == {
        "kind": "cell_started",
        "at": cell.data["at"],
        "cell": 2,
        "position": 1,
        "heading": "Data",
    }
    assert first[-1].data["text"] == "one\ntwo\n"
    assert last.data["page"] == f"/services/workspace/pages/{run_id}"
    assert (last.data["status"], last.data["reason"]) == ("failed", "It failed.")
    assert (last.data["total"], last.data["left_out_bytes"]) == (2, 0)
    assert bench.run(other).status is RunStatus.QUEUED


@pytest.mark.parametrize("how", ["header", "query"])
def test_listener_that_was_cut_off_goes_on_where_it_was(
    bench: JobBench, app: FastAPI, run_id: str, how: str
) -> None:
    notes = [Noted(at=now(), text=str(number)) for number in range(6)]
    add(bench, run_id, begun(run_id), *notes)
    end(bench, run_id)
    publish(bench.workspace, run_id)
    with listening(app, run_id) as response:
        whole = until(events(response), "end")
    kept = [event for event in whole if event.name == "note"]
    assert [event.data["text"] for event in kept] == list("012345")

    for place, event in enumerate(kept, start=1):
        given = {"last": event.id} if how == "header" else {"after": event.id}
        with listening(app, run_id, **given) as response:
            rest = until(events(response), "end")
        assert [item for item in rest if item.name == "note"] == kept[place:]
        # Of its parts, an end says the same each time.
        assert rest[-1] == whole[-1]


def test_place_that_is_none_is_the_beginning_or_refused(
    bench: JobBench, app: FastAPI, run_id: str
) -> None:
    add(bench, run_id, Noted(at=now(), text="here"))
    end(bench, run_id)
    publish(bench.workspace, run_id)

    for last in ("nonsense", "7.0", "1", "1.-5", "0.0"):
        with listening(app, run_id, last=last) as response:
            names = [event.name for event in until(events(response), "end")]
        assert names == ["note", "state", "end"], last
    with listening(app, run_id, after="nonsense") as response:
        assert (response.status_code, json.loads(response.read())["code"]) == (422, "invalid_input")


def test_attempts_are_told_one_after_the_other(bench: JobBench, app: FastAPI, run_id: str) -> None:
    workspace, folder = bench.workspace, bench.folder(run_id)
    start_run(workspace, run_id)
    add(bench, run_id, begun(run_id), Noted(at=now(), text="first"))
    add(bench, run_id, RunEnded(at=now(), status=RunStatus.KERNEL_DIED, reason="It died."))
    with listening(app, run_id) as response:
        told = events(response)
        until(told, "note")
        due = now() + timedelta(minutes=5)
        try_again(workspace, judge(workspace, run_id), not_before=due)
        folder.set_aside(1)
        attempt = until(told, "attempt")[-1]
        assert attempt.data == {
            "number": 2,
            "former_status": "kernel_died",
            "former_reason": "It died.",
        }
        folder.work.path.mkdir()
        start_run(workspace, run_id)
        add(bench, run_id, begun(run_id), Noted(at=now(), text="second"))
        second = until(told, "note")[-1]
        end(bench, run_id)
        publish(workspace, run_id)
        until(told, "end")

    assert (second.data["text"], second.id[:2]) == ("second", "2.")
    with listening(app, run_id) as response:
        again = until(events(response), "end")
    assert [event.name for event in again if event.name != "state"] == [
        "note",
        "attempt",
        "note",
        "end",
    ]
    with listening(app, run_id, last=attempt.id) as response:
        rest = until(events(response), "end")
    assert [event.data["text"] for event in rest if event.name == "note"] == ["second"]


def test_run_that_pauses_before_its_next_attempt_says_until_when(
    bench: JobBench, run_id: str
) -> None:
    start_run(bench.workspace, run_id)
    due = now() + timedelta(minutes=5)
    try_again(bench.workspace, judge(bench.workspace, run_id), not_before=due)
    telling = Telling(
        bench.workspace, run_id, person="vera", project="seats", page="", place=Place(2)
    )

    content = telling.look().content.decode()

    state = json.loads(content.partition("data: ")[2])
    assert (state["status"], state["not_before"]) == ("queued", due.isoformat())
    assert state["waits"] == "It has failed, and is tried again after a pause."


def test_silent_stream_has_a_heartbeat(
    app: FastAPI, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.1)
    with listening(app, run_id) as response:
        beats = 0
        for line in response.iter_lines():
            beats += line == ": still here"
            if beats == 3:
                return
    raise AssertionError("the stream ended")


def test_log_is_told_up_to_a_limit_and_everything_else_beyond(
    bench: JobBench, app: FastAPI, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "LOG_BYTES", 25)
    add(bench, run_id, begun(run_id))
    for number in range(5):
        add(bench, run_id, printed(f"{number:010}"), Noted(at=now(), text=str(number)))
    end(bench, run_id)
    publish(bench.workspace, run_id)

    with listening(app, run_id) as response:
        told = until(events(response), "end")

    texts = [event.data["text"] for event in told if event.name == "output"]
    assert texts == ["0000000000", "0000000001"]
    assert [event.data["text"] for event in told if event.name == "note"] == list("01234")
    (notice,) = (event for event in told if event.name == "notice")
    assert "its rest is left out here" in notice.data["text"]
    assert told[-1].data["left_out_bytes"] == 30


def test_run_without_a_page_ends_its_stream_after_a_while(
    bench: JobBench, app: FastAPI, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "PAGE_WAIT_S", 0.2)
    end(bench, run_id)

    with listening(app, run_id) as response:
        last = until(events(response), "end")[-1]

    assert (last.data["status"], last.data["page"]) == ("failed", None)


def test_cancelling_is_told(bench: JobBench, app: FastAPI, run_id: str) -> None:
    start_run(bench.workspace, run_id)
    with listening(app, run_id) as response:
        told = events(response)
        assert until(told, "state")[-1].data["cancelled_by"] == ""
        cancel_run(bench.workspace, "seats", run_id, person="ada")
        assert until(told, "state")[-1].data["cancelled_by"] == "ada"


def test_stream_of_who_is_taken_out_ends(bench: JobBench, app: FastAPI, run_id: str) -> None:
    with listening(app, run_id) as response:
        told = events(response)
        until(told, "state")
        remove_member(bench.workspace, "seats", "vera", person="ada")
        add(bench, run_id, Noted(at=now(), text="not for vera"))
        assert list(told) == []
    with listening(app, run_id) as response:
        assert response.status_code == 404


def test_stream_ends_after_a_time_so_that_a_login_is_looked_at_again(
    bench: JobBench, app: FastAPI, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "STREAM_S", 0.1)

    with listening(app, run_id) as response:
        told = list(events(response))

    assert [event.name for event in told] == ["state"]


def test_number_of_streams_of_a_person_is_limited_and_gone_listeners_do_not_count(
    bench: JobBench, app: FastAPI, run_id: str
) -> None:
    listeners = app.state.gallery.listeners
    listeners.limit = 3
    with served(Introduced(app, Identity(person="vera"), None)) as address:
        enough, opened = threading.Event(), threading.Barrier(4)

        def hold() -> None:
            with following(address, run_id) as response:
                # Without it the connection would be closed.
                told = events(response)
                until(told, "state")
                opened.wait(20)
                enough.wait(20)

        threads = [threading.Thread(target=hold) for _ in range(3)]
        for thread in threads:
            thread.start()
        opened.wait(20)
        with following(address, run_id) as refused:
            body = json.loads(refused.read())
            assert (refused.status_code, body["code"]) == (429, "too_many_streams")
            assert body["detail"] == {"limit": 3}
        enough.set()
        for thread in threads:
            thread.join()
        # They went without a word; nobody waits for the next heartbeat to notice.
        eventually(lambda: listeners.count("vera") == 0, timeout_s=20)
        with following(address, run_id) as response:
            assert until(events(response), "state")
