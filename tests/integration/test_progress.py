"""How far a run is, portion by portion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nb2prod.errors import RunNotFound
from nb2prod.execution import progress
from nb2prod.execution.collect import collect, judge, try_again
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    DisplayUpdated,
    Event,
    KernelStarted,
    Noted,
    OutputAdded,
    ResultsKept,
    RunEnded,
    RunStarted,
    encode,
)
from nb2prod.execution.models import CellStatus, RunRequest, RunStatus
from nb2prod.execution.progress import Progress, read_progress, read_tail
from nb2prod.execution.recorder import RunFolder, now
from nb2prod.execution.runs import create_run, start_run
from nb2prod.knowledge.pages import catch_up
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import Role, add_member, found_project, remove_member
from nb2prod.workspace.secrets import set_secret
from nb2prod.workspace.workspace import Workspace
from tests.helpers.jobs import JobBench
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code, stream


@pytest.fixture
def bench(workspace: Workspace) -> JobBench:
    return JobBench.found(workspace, executor="process")


@pytest.fixture
def run_id(bench: JobBench) -> str:
    found = bench.request(code("1"), code("2"))
    # As the dispatcher makes it before the run is started.
    bench.folder(found).work.path.mkdir(parents=True)
    return found


def add(folder: RunFolder, *events: Event) -> None:
    with folder.events.open("ab") as log:
        log.write(b"".join(map(encode, events)))


def look(bench: JobBench, run_id: str, after: int = 0) -> Progress:
    return read_progress(bench.workspace, run_id, person="ada", after=after)


def printed(text: str, number: int = 1, name: str = "stdout") -> OutputAdded:
    return OutputAdded(at=now(), number=number, output=stream(text, name))


def test_queued_run_has_no_events(bench: JobBench, run_id: str) -> None:
    assert look(bench, run_id) == Progress(
        events=(), next=0, status=RunStatus.QUEUED, reason="", attempt=1, has_page=False
    )


def test_portions_tell_everything_once(bench: JobBench, run_id: str) -> None:
    work = bench.folder(run_id).work
    add(
        work,
        RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=2),
        KernelStarted(at=now(), kernel_name="python3", pid=1),
        CellStarted(at=now(), number=3, position=2, heading="Training"),
    )
    first = look(bench, run_id)
    assert look(bench, run_id, first.next).events == ()
    assert look(bench, run_id, first.next).next == first.next
    add(
        work,
        printed("\x1b[31mone "),
        printed("two\n"),
        printed("careful", name="stderr"),
        OutputAdded(
            at=now(),
            number=1,
            output={"output_type": "display_data", "data": {"image/png": "x"}, "metadata": {}},
        ),
        DisplayUpdated(at=now(), display_id="d", data={"text/plain": "50 %"}, metadata={}),
        CellEnded(at=now(), number=3, status=CellStatus.FAILED, error="E: no"),
        Noted(at=now(), text="a remark"),
        RunEnded(at=now(), status=RunStatus.FAILED, reason="Cell 3 failed: E: no"),
    )
    second = look(bench, run_id, first.next)

    assert [event.kind for event in first.events] == [
        "run_started",
        "kernel_started",
        "cell_started",
    ]
    assert first.events[0].total == 2
    cell = first.events[2]
    assert (cell.cell, cell.position, cell.heading) == (3, 2, "Training")
    assert [(event.kind, event.text, event.stream) for event in second.events] == [
        ("output", "one two\n", "stdout"),
        ("output", "careful", "stderr"),
        ("output", "50 %", None),
        ("cell_ended", "E: no", None),
        ("noted", "a remark", None),
        ("run_ended", "Cell 3 failed: E: no", None),
    ]
    assert [event.status for event in second.events[3:]] == ["failed", None, "failed"]
    assert second.next == work.events.stat().st_size
    assert second.status is RunStatus.QUEUED


def test_every_number_may_be_asked_with(bench: JobBench, run_id: str) -> None:
    add(bench.folder(run_id).work, *(Noted(at=now(), text=str(number)) for number in range(5)))
    whole = look(bench, run_id).events

    for place, event in enumerate(whole, start=1):
        assert look(bench, run_id, event.number).events == whole[place:]


def test_torn_line_waits_for_its_end(bench: JobBench, run_id: str) -> None:
    log = bench.folder(run_id).work.events
    line = encode(Noted(at=now(), text="whole"))
    log.write_bytes(line[:20])
    torn = look(bench, run_id)
    log.write_bytes(line)

    assert (torn.events, torn.next) == ((), 0)
    assert [event.text for event in look(bench, run_id).events] == ["whole"]


@pytest.mark.parametrize("after", [-5, 7, 10**6, 10**30])
def test_place_that_is_none_does_no_harm(bench: JobBench, run_id: str, after: int) -> None:
    add(bench.folder(run_id).work, Noted(at=now(), text="a"), Noted(at=now(), text="b"))

    assert {event.text for event in look(bench, run_id, after).events} <= {"a", "b"}


def test_portions_are_small_and_long_lines_are_passed_over(
    bench: JobBench, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PORTION_BYTES", 500)
    work = bench.folder(run_id).work
    add(work, Noted(at=now(), text="before"), printed("x" * 3000), Noted(at=now(), text="after"))

    texts, place = [], 0
    for _ in range(20):
        portion = look(bench, run_id, place)
        texts += [event.text for event in portion.events]
        place = portion.next

    assert texts == ["before", "after"]
    assert place == work.events.stat().st_size


def test_number_of_events_in_a_portion_is_limited(
    bench: JobBench, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MAX_EVENTS", 2)
    add(bench.folder(run_id).work, *(Noted(at=now(), text=str(number)) for number in range(3)))

    first = look(bench, run_id)

    assert [event.text for event in first.events] == ["0", "1"]
    assert [event.text for event in look(bench, run_id, first.next).events] == ["2"]


def test_log_of_an_attempt_is_read_where_it_was_put_aside(bench: JobBench, run_id: str) -> None:
    workspace, folder = bench.workspace, bench.folder(run_id)
    add(
        folder.work,
        RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=2),
        Noted(at=now(), text="first"),
    )
    start_run(workspace, run_id)
    try_again(workspace, judge(workspace, run_id), not_before=now())

    def texts(attempt: int) -> list[str]:
        seen = read_progress(workspace, run_id, person="ada", attempt=attempt)
        assert (seen.attempt, seen.status) == (2, RunStatus.QUEUED)
        return [event.text for event in seen.events if event.kind == "noted"]

    # Queued anew, and not yet put aside.
    assert (texts(1), texts(2)) == (["first"], [])
    folder.set_aside(1)
    assert (texts(1), texts(2), texts(3)) == (["first"], [], [])
    folder.work.path.mkdir()
    start_run(workspace, run_id)
    add(folder.work, Noted(at=now(), text="second"))
    assert [event.text for event in look(bench, run_id).events] == ["second"]
    former = read_progress(workspace, run_id, person="ada", attempt=1)
    assert (former.total, former.next > 0) == (2, True)
    assert look(bench, run_id).total is None


def test_end_of_a_long_log_is_told(
    bench: JobBench, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TAIL_BYTES", 900)
    monkeypatch.setattr(progress, "MAX_EVENTS", 2)
    work = bench.folder(run_id).work
    add(work, RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=7))
    add(work, *(Noted(at=now(), text=f"{number} {'x' * 100}") for number in range(30)))

    seen = read_tail(bench.workspace, run_id, person="ada")

    numbers = [int(event.text.split()[0]) for event in seen.events]
    assert numbers == list(range(numbers[0], 30))
    assert 2 < len(numbers) < 10
    assert (seen.next, seen.total) == (work.events.stat().st_size, 7)


def test_secret_that_a_notebook_wrote_into_its_log_itself_is_not_told(
    bench: JobBench, run_id: str
) -> None:
    set_secret(bench.workspace, "seats", "API_KEY", "a-long-secret", person="ada")
    work = bench.folder(run_id).work
    add(work, printed("it is a-long-secret\n"), Noted(at=now(), text="a-long-secret!"))

    texts = [event.text for event in look(bench, run_id).events]

    assert texts == ["it is [secret API_KEY]\n", "[secret API_KEY]!"]
    assert read_tail(bench.workspace, run_id, person="ada").events == look(bench, run_id).events


def test_of_a_long_text_the_end_is_told(bench: JobBench, run_id: str) -> None:
    add(bench.folder(run_id).work, printed("x" * 50_000), printed("end"))

    (event,) = look(bench, run_id).events

    assert len(event.text) == progress.MAX_TEXT
    assert event.text.startswith("…")
    assert event.text.endswith("xend")


def test_hostile_log_is_not_followed_and_not_believed(
    bench: JobBench, run_id: str, workspace: Workspace
) -> None:
    work = bench.folder(run_id).work
    outside = workspace.settings.home / "outside"
    outside.write_bytes(encode(Noted(at=now(), text="secret")))
    work.events.symlink_to(outside)
    assert look(bench, run_id).events == ()

    work.events.unlink()
    work.events.write_bytes(b"garbage\n[]\n" + encode(Noted(at=now(), text="fine")))
    assert [event.text for event in look(bench, run_id).events] == ["fine"]


def test_ended_run_says_so_and_has_a_page(bench: JobBench, run_id: str) -> None:
    add(
        bench.folder(run_id).work,
        RunEnded(at=now(), status=RunStatus.FAILED, reason="It failed."),
        ResultsKept(at=now(), metrics={}, artifacts=()),
    )
    collect(bench.workspace, run_id)
    assert not look(bench, run_id).has_page
    catch_up(bench.workspace)

    seen = look(bench, run_id)

    assert (seen.status, seen.reason, seen.has_page) == (RunStatus.FAILED, "It failed.", True)
    assert [event.kind for event in seen.events] == ["run_ended"]


def test_run_in_the_callers_process_has_its_log_in_its_own_folder(bench: JobBench) -> None:
    version = make_version(Repository(bench.project.repository), code("1"))
    record = create_run(
        bench.workspace,
        version,
        {},
        project=bench.project,
        request=RunRequest(by="ada", via="cli"),
    )
    bench.folder(record.id).path.mkdir(parents=True, exist_ok=True)
    add(bench.folder(record.id), Noted(at=now(), text="here"))

    assert [event.text for event in look(bench, record.id).events] == ["here"]


def test_progress_is_for_members_of_the_runs_project_only(bench: JobBench, run_id: str) -> None:
    found_project(bench.workspace, "other", owner="ada")

    with pytest.raises(RunNotFound):
        read_progress(bench.workspace, run_id, person="eve")
    with pytest.raises(RunNotFound):
        read_progress(bench.workspace, run_id, person="ada", project="other")
    with pytest.raises(RunNotFound):
        look(bench, run_id[:5])
    add_member(bench.workspace, "seats", "eve", Role.VIEWER, person="ada")
    seen = read_progress(bench.workspace, run_id, person="eve", project="seats")
    assert seen.status is RunStatus.QUEUED


@pytest.mark.parametrize("read", [read_progress, read_tail])
def test_who_is_taken_out_while_the_log_is_read_is_told_nothing(
    bench: JobBench,
    run_id: str,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[..., Progress],
) -> None:
    add_member(bench.workspace, "seats", "eve", Role.VIEWER, person="ada")
    add(bench.folder(run_id).work, printed("not for eve\n"))
    content_of = progress._content

    def taken_out(*arguments: Any) -> bytes:
        remove_member(bench.workspace, "seats", "eve", person="ada")
        return content_of(*arguments)

    monkeypatch.setattr(progress, "_content", taken_out)

    with pytest.raises(RunNotFound):
        read(bench.workspace, run_id, person="eve")
