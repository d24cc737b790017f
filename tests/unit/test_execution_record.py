"""The fold from events to a record, and the log's lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import nbformat
import pytest

from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    ConditionsFixed,
    DisplayUpdated,
    Event,
    FilesSeen,
    FilesSettled,
    KernelStarted,
    MachineSeen,
    Noted,
    OutputAdded,
    OutputKept,
    OutputsCleared,
    RandomSeeded,
    ResultsKept,
    RunEnded,
    RunStarted,
    TrackingStarted,
    WidgetChanged,
    decode,
    encode,
)
from nb2prod.execution.models import (
    Artifact,
    ArtifactKind,
    CellStatus,
    Conditions,
    FileAccess,
    FileUse,
    Machine,
    RandomSource,
    RunStatus,
)
from nb2prod.execution.outputs import overwritten
from nb2prod.execution.record import History, fold
from tests.helpers.notebooks import code, markdown, notebook_json

START = datetime(2026, 11, 21, 4, tzinfo=UTC)
NOTEBOOK = notebook_json(markdown("# Seats"), code("print(1)"), code("print(2)"))

HTML = {"output_type": "display_data", "data": {"text/html": "<b>old</b>"}, "metadata": {}}
READ = FileUse(path="data/a.csv", access=FileAccess.READ, sha256="0" * 64, size_bytes=3)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def stream(number: int, text: str, name: str = "stdout") -> OutputAdded:
    output = {"output_type": "stream", "name": name, "text": text}
    return OutputAdded(at=at(2), number=number, output=output)


def started() -> RunStarted:
    return RunStarted(at=at(0), run_id="abc", reference="train@v1", code_cells=2)


def cell_started(number: int, second: float = 1) -> CellStarted:
    return CellStarted(at=at(second), number=number, position=number - 1, heading="Seats")


def of_cell(*events: Event) -> list[dict[str, Any]]:
    """Outputs of the first code cell after some events."""
    outputs: list[dict[str, Any]] = _fold(cell_started(2), *events).notebook["cells"][1]["outputs"]
    return outputs


def _fold(*events: Event) -> History:
    return fold(NOTEBOOK, [started(), *events])


FIXED = Conditions(seed=7, hash_seed="0", threads=2, time_zone="UTC", locale="C.UTF-8")

LARGE = Artifact(
    name="outputs/cell-2-stdout-1.txt",
    kind=ArtifactKind.FILE,
    media_type="text/plain",
    sha256="2" * 64,
    size_bytes=2_000_000,
)

EVENTS: tuple[Event, ...] = (
    started(),
    ConditionsFixed(at=at(0), conditions=FIXED),
    KernelStarted(at=at(0), kernel_name="python3", pid=7),
    RandomSeeded(at=at(0), source=RandomSource.RANDOM),
    MachineSeen(
        at=at(0),
        machine=Machine(
            python="3.11.7",
            platform="Linux",
            cpu="x",
            cpu_count=2,
            host="h",
            gpus=("H100", "H100"),
            gpu_driver="575.57",
        ),
    ),
    TrackingStarted(at=at(0), mlflow_run_id="f00"),
    cell_started(2),
    stream(2, "naïve ✓\n"),
    OutputAdded(at=at(2), number=2, output=HTML, display_id="one"),
    OutputsCleared(at=at(2), number=2, is_waiting=True),
    OutputKept(at=at(2), number=2, artifact=LARGE),
    DisplayUpdated(at=at(2), display_id="one", data={"text/plain": "new"}, metadata={}),
    WidgetChanged(
        at=at(2),
        model_id="m",
        state={"value": [1, None]},
        buffers=({"data": "AA==", "encoding": "base64", "path": ["x", 0]},),
    ),
    CellEnded(at=at(3), number=2, status=CellStatus.SUCCEEDED, execution_count=1, peak_memory_mb=9),
    FilesSeen(at=at(3), files=(READ,)),
    Noted(at=at(3), text="a remark"),
    RunEnded(at=at(4), status=RunStatus.SUCCEEDED, reason=""),
    FilesSettled(at=at(5), files=(READ,), is_complete=True),
    ResultsKept(
        at=at(6),
        metrics={"mape": 4.1},
        artifacts=(
            Artifact(
                name="a.csv",
                kind=ArtifactKind.TABLE,
                media_type="text/csv",
                sha256="1" * 64,
                size_bytes=1,
            ),
        ),
    ),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_event_survives_its_line(event: Event) -> None:
    line = encode(event)

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == event


def test_event_with_half_a_character_is_still_written() -> None:
    event = decode(encode(stream(2, "bad \ud800 text")))

    assert isinstance(event, OutputAdded)
    assert event.text == "bad ? text"


@pytest.mark.parametrize(
    "line", [b"{}", b'{"kind": "unheard_of"}', b'{"kind": "noted"}', b"[]", b"\xff", b"{"]
)
def test_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode(line)


def test_fold_of_a_whole_run_has_everything() -> None:
    history = fold(NOTEBOOK, EVENTS)

    assert history.status is RunStatus.SUCCEEDED
    assert (history.started_at, history.ended_at) == (at(0), at(4))
    assert [cell.status for cell in history.cells] == [CellStatus.SUCCEEDED, CellStatus.NOT_RUN]
    assert history.machine is not None
    assert history.conditions == replace(FIXED, seeded=(RandomSource.RANDOM,))
    assert history.files == (READ,)
    assert [artifact.name for artifact in history.artifacts] == [LARGE.name, "a.csv"]
    assert history.cells[0].peak_memory_mb == 9
    assert history.is_lineage_complete
    assert history.metrics == {"mape": 4.1}
    assert history.mlflow_run_id == "f00"
    assert history.log == "── cell 2 · Seats\nnaïve ✓\nnb2prod: a remark\n"
    assert "outputs" not in NOTEBOOK["cells"][0]
    assert NOTEBOOK["cells"][1]["outputs"] == []
    nbformat.validate(history.notebook)


def test_fold_without_an_end_is_lost_and_so_is_the_running_cell() -> None:
    history = _fold(
        cell_started(2),
        CellEnded(at=at(2), number=2, status=CellStatus.SUCCEEDED, execution_count=1),
        cell_started(3, 3),
        stream(3, "seen"),
        FilesSeen(at=at(5), files=(READ,)),
    )

    assert history.status is RunStatus.LOST
    assert "Cell 3 was running" in history.reason
    assert [cell.status for cell in history.cells] == [CellStatus.SUCCEEDED, CellStatus.LOST]
    assert history.ended_at == history.cells[1].ended_at == at(5)
    assert history.notebook["cells"][2]["outputs"][0]["text"] == "seen"
    assert history.files == (READ,)
    assert not history.is_lineage_complete


def test_fold_of_nothing_is_lost() -> None:
    history = fold(NOTEBOOK, [])

    assert history.status is RunStatus.LOST
    assert history.started_at is None
    assert [cell.status for cell in history.cells] == [CellStatus.NOT_RUN] * 2


@pytest.mark.parametrize("status", [item for item in CellStatus if item is not CellStatus.RUNNING])
def test_papermill_metadata_is_true_for_each_cell_status(status: CellStatus) -> None:
    history = _fold(cell_started(2), CellEnded(at=at(2), number=2, status=status))

    told = history.notebook["cells"][1]["metadata"]
    expected = {
        CellStatus.SUCCEEDED: ("completed", False),
        CellStatus.NOT_RUN: ("pending", None),
    }.get(status, ("failed", True))
    assert (told["papermill"]["status"], told["papermill"]["exception"]) == expected
    assert told["nb2prod"] == {"status": status.value}


def test_neighbouring_pieces_of_a_stream_become_one_output() -> None:
    outputs = of_cell(
        stream(2, "a"), stream(2, "b"), stream(2, "!", "stderr"), stream(2, "c"), stream(2, "d")
    )

    assert [(output["name"], output["text"]) for output in outputs] == [
        ("stdout", "ab"),
        ("stderr", "!"),
        ("stdout", "cd"),
    ]


def test_clear_output_takes_effect_now_or_with_the_next_output() -> None:
    now = OutputsCleared(at=at(2), number=2, is_waiting=False)
    later = OutputsCleared(at=at(2), number=2, is_waiting=True)

    assert of_cell(stream(2, "a"), now) == []
    assert [output["text"] for output in of_cell(stream(2, "a"), later)] == ["a"]
    assert [item["text"] for item in of_cell(stream(2, "a"), later, stream(2, "b"))] == ["b"]
    assert [item["text"] for item in of_cell(stream(2, "a"), now, stream(2, "b"))] == ["b"]


def test_update_changes_all_displays_of_its_id_in_all_cells() -> None:
    update = DisplayUpdated(
        at=at(3), display_id="one", data={"text/html": "<b>new</b>"}, metadata={"a": 1}
    )
    history = _fold(
        OutputAdded(at=at(2), number=2, output=HTML, display_id="one"),
        OutputAdded(at=at(2), number=3, output=HTML, display_id="one"),
        OutputAdded(at=at(2), number=3, output=HTML, display_id="other"),
        update,
    )

    shown = [
        output["data"]["text/html"]
        for cell in history.notebook["cells"][1:]
        for output in cell["outputs"]
    ]
    assert shown == ["<b>new</b>", "<b>new</b>", "<b>old</b>"]
    assert HTML["data"] == {"text/html": "<b>old</b>"}


def test_widget_state_is_kept_with_its_buffers() -> None:
    buffer = {"data": "AA==", "encoding": "base64", "path": ["values"]}
    history = _fold(
        WidgetChanged(
            at=at(1),
            model_id="m",
            state={"_model_name": "IntSliderModel", "_model_module": "controls", "value": 1},
            buffers=(buffer,),
        ),
        WidgetChanged(at=at(2), model_id="m", state={"value": 2}),
        WidgetChanged(at=at(2), model_id="unnamed", state={"value": 3}),
    )

    kept = history.notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]
    assert set(kept["state"]) == {"m"}
    assert kept["state"]["m"]["state"]["value"] == 2
    assert kept["state"]["m"]["buffers"] == [buffer]


def test_log_has_streams_and_errors_without_colours() -> None:
    error = {
        "output_type": "error",
        "ename": "E",
        "evalue": "v",
        "traceback": ["\x1b[31mE: v\x1b[0m"],
    }
    history = _fold(
        cell_started(2),
        stream(2, "no newline"),
        cell_started(3),
        OutputAdded(at=at(2), number=3, output=error),
        OutputAdded(at=at(2), number=3, output=HTML),
    )

    assert history.log == "── cell 2 · Seats\nno newline\n── cell 3 · Seats\nE: v\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n", "plain\n"),
        ("10%\r20%\r30%", "30%"),
        ("longer\rab", "abnger"),
        ("a\r\nb", "a\nb"),
        ("ab\b\bX", "Xb"),
        ("\b\bx", "x"),
        ("one\ntwo\rTWO\n", "one\nTWO\n"),
        ("done\r", "done"),
    ],
)
def test_carriage_returns_and_backspaces_overwrite(text: str, shown: str) -> None:
    assert overwritten(text) == shown
