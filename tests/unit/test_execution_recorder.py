"""The run's folder: event log and lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from nb2prod.errors import StorageFull, StorageUnusable
from nb2prod.execution.events import Event, Noted, OutputAdded, RunEnded
from nb2prod.execution.models import RunStatus
from nb2prod.execution.recorder import Recorder, RunFolder, now, read_events, write_json


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def texts(folder: RunFolder) -> list[str]:
    return [event.text for event in read_events(folder.events) if isinstance(event, Noted)]


def test_events_come_back_in_their_order(folder: RunFolder) -> None:
    told: list[Event] = []
    with Recorder(folder, told.append) as recorder:
        for number in range(3):
            recorder.note(str(number))

    assert texts(folder) == ["0", "1", "2"]
    assert list(read_events(folder.events)) == told


def test_no_event_is_of_an_earlier_time_than_the_one_before_it(folder: RunFolder) -> None:
    told: list[Event] = []
    first = now()
    with Recorder(folder, told.append) as recorder:
        # As one that looked at the clock before another thread, and was let in after it.
        recorder.append(Noted(at=first, text="a"))
        recorder.append(Noted(at=first - timedelta(seconds=1), text="b"))
        recorder.append(Noted(at=first + timedelta(seconds=1), text="c"))

    assert [event.at for event in told] == [first, first, first + timedelta(seconds=1)]
    assert list(read_events(folder.events)) == told


@pytest.mark.parametrize("tail", [b"{", b'{"kind": "noted", "text": "torn"}', b"garbage\n"])
def test_what_was_being_written_when_the_runner_died_is_left_out(
    folder: RunFolder, tail: bytes
) -> None:
    with Recorder(folder) as recorder:
        recorder.note("whole")
    with folder.events.open("ab") as stream:
        stream.write(tail)

    assert texts(folder) == ["whole"]


def test_log_that_is_not_there_has_no_events(folder: RunFolder) -> None:
    assert list(read_events(folder.events)) == []


@pytest.mark.parametrize("error", [RuntimeError("broken pipe"), SystemExit(1)], ids=repr)
def test_listener_that_fails_does_not_end_the_run(folder: RunFolder, error: BaseException) -> None:
    def fail(_event: Event) -> None:
        raise error

    with Recorder(folder, fail) as recorder:
        recorder.note("a")
        recorder.note("b")

    assert texts(folder) == ["a", "b"]


def test_threads_do_not_mix_their_lines(folder: RunFolder) -> None:
    with Recorder(folder) as recorder, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: recorder.note(f"{number}" * 5000), range(40)))

    assert sorted(map(len, texts(folder))) == sorted(len(f"{n}") * 5000 for n in range(40))


def test_full_disk_is_said_in_one_sentence() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")

    class FullFolder(RunFolder):
        events = full

    with (
        Recorder(FullFolder(Path("/dev"))) as recorder,
        pytest.raises(StorageFull, match="No space is left"),
    ):
        recorder.append(Noted(at=now(), text="x"))


def test_file_that_can_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / ".b.json.partial").mkdir()

    with pytest.raises(StorageUnusable):
        write_json(tmp_path / "b.json", {})
    assert (tmp_path / "a.json").read_text() == '{\n "a": 1\n}'


def test_lock_is_held_by_one_and_freed_with_it(folder: RunFolder) -> None:
    held = folder.try_lock()
    assert held is not None
    assert folder.try_lock() is None

    held.close()
    again = folder.try_lock()
    assert again is not None
    again.close()


def test_output_beyond_the_limit_is_left_out_and_noted_once(folder: RunFolder) -> None:
    def printed(text: str, kind: str = "stream") -> OutputAdded:
        output = {"output_type": kind, "name": "stdout", "text": text}
        return OutputAdded(at=now(), number=1, output=output)

    told: list[Event] = []
    with Recorder(folder, told.append, max_output_bytes=1000) as recorder:
        recorder.append(printed("kept"))
        for _ in range(3):
            recorder.append(printed("x" * 2000))
        recorder.append(printed("small enough"))
        recorder.append(printed("the error that ended it", kind="error"))
        recorder.append(Noted(at=now(), text="a note"))
        recorder.append(RunEnded(at=now(), status=RunStatus.FAILED, reason=""))

    events = list(read_events(folder.events))
    assert events == told
    outputs = [event.output["text"] for event in events if isinstance(event, OutputAdded)]
    assert outputs == ["kept", "small enough", "the error that ended it"]
    assert texts(folder) == [
        "The cells put out more than 0.001 MB; what goes beyond is not kept.",
        "a note",
        "Not kept: 3 outputs with 0.0065 MB, of cell 1.",
    ]
