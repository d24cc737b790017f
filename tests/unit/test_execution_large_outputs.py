"""Outputs that are too large for the notebook: what stays, what becomes a file, what is lost."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nb2prod.execution.artifacts import kind_of, media_type_of
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    DisplayUpdated,
    OutputAdded,
    OutputKept,
    OutputsCleared,
)
from nb2prod.execution.large_outputs import OutputSizes
from nb2prod.execution.models import Artifact, CellStatus
from nb2prod.execution.record import fold
from nb2prod.execution.recorder import Recorder, RunFolder, now, read_events
from nb2prod.execution.redaction import Redactor
from tests.helpers.notebooks import code, notebook_json

SIZES = OutputSizes(
    stream_bytes=100, tail_characters=20, part_bytes=100, file_bytes=1000, all_files_bytes=1500
)
LINES = "".join(f"line {number}\n" for number in range(50))


class Run:
    """A recorder with small limits, and what it has kept."""

    def __init__(self, folder: RunFolder, sizes: OutputSizes, redactor: Redactor | None) -> None:
        self.files: dict[str, bytes] = {}
        self.folder = folder
        self.recorder = Recorder(folder, keep=self._keep, sizes=sizes, redactor=redactor)
        self.recorder.append(CellStarted(at=now(), number=1, position=1, heading=""))

    def _keep(self, name: str, content: bytes) -> Artifact:
        self.files[name] = content
        return Artifact(
            name=name,
            kind=kind_of(name),
            media_type=media_type_of(name),
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
        )

    def print(self, text: str, name: str = "stdout") -> None:
        output = {"output_type": "stream", "name": name, "text": text}
        self.recorder.append(OutputAdded(at=now(), number=1, output=output))

    def display(self, data: Mapping[str, Any], display_id: str | None = None) -> None:
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        event = OutputAdded(at=now(), number=1, output=output, display_id=display_id)
        self.recorder.append(event)

    def end(self) -> list[dict[str, Any]]:
        """End the cell; return its outputs as the notebook has them."""
        self.recorder.append(CellEnded(at=now(), number=1, status=CellStatus.SUCCEEDED))
        with self.recorder:
            pass
        history = fold(notebook_json(code("x")), read_events(self.folder.events))
        assert [artifact.name for artifact in history.artifacts] == list(self.files)
        outputs: list[dict[str, Any]] = history.notebook["cells"][0]["outputs"]
        return outputs


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(RunFolder(tmp_path), SIZES, None)


@pytest.mark.parametrize("step", [1, 7, 99, 1000], ids=lambda step: f"{step} at a time")
def test_what_is_printed_is_whole_in_its_file_and_has_its_ends_in_the_notebook(
    run: Run, step: int
) -> None:
    for place in range(0, len(LINES), step):
        run.print(LINES[place : place + step])

    (output,) = run.end()

    (name,) = run.files
    assert run.files[name].decode() == LINES
    mark = f"\n[… 0.00039 MB in all: in {name} …]\n"
    head, found, tail = output["text"].partition(mark)
    assert found
    assert LINES.startswith(head)
    assert 0 < len(head) <= SIZES.stream_bytes
    assert tail == LINES[-20:]
    assert not list(run.folder.outputs.iterdir())


def test_what_is_small_is_in_the_notebook_and_nowhere_else(run: Run) -> None:
    run.print("a" * 50)
    run.print("b" * 50)
    run.print("c" * 100, "stderr")
    run.display({"text/html": "d" * 100})

    outputs = run.end()

    assert [output.get("text") for output in outputs[:2]] == ["a" * 50 + "b" * 50, "c" * 100]
    assert outputs[2]["data"] == {"text/html": "d" * 100}
    assert not run.files
    assert not run.folder.outputs.exists()


def test_characters_of_several_bytes_are_not_cut_in_two(run: Run) -> None:
    text = "é✓𝄞" * 60

    run.print("x")
    run.print(text)

    (output,) = run.end()
    assert "\ufffd" not in output["text"]
    assert [content.decode() for content in run.files.values()] == ["x" + text]


def test_cell_that_clears_its_outputs_begins_anew(run: Run) -> None:
    run.print(LINES)
    run.recorder.append(OutputsCleared(at=now(), number=1, is_waiting=False))
    run.print("fifty of fifty\n")

    (output,) = run.end()

    assert output["text"] == "fifty of fifty\n"
    assert not run.files
    assert not list(run.folder.outputs.iterdir())


def test_file_has_its_limit_and_the_notebook_says_so(run: Run) -> None:
    for _ in range(100):
        run.print("x" * 99 + "\n")
    run.print("the end")

    (output,) = run.end()

    assert [len(content) for content in run.files.values()] == [1000]
    assert (
        "0.01 MB in all: in outputs/cell-1-stdout-1.txt, the first 0.001 MB of it" in output["text"]
    )
    assert output["text"].endswith("the end")


def test_all_files_have_a_limit_too(run: Run) -> None:
    run.print("a" * 900)
    run.display({"text/html": "b" * 900})

    head, shown, tail = run.end()

    assert head["text"] == "a" * 100
    assert "in outputs/cell-1-html-2.html]" in shown["data"]["text/plain"]
    assert tail["text"] == "\n[… 0.0009 MB in all: it is not kept …]\n" + "a" * 20
    assert list(run.files) == ["outputs/cell-1-html-2.html"]


@pytest.mark.parametrize(
    ("kind", "part", "suffix", "content"),
    [
        ("text/html", "<b>" + "x" * 200, ".html", ("<b>" + "x" * 200).encode()),
        ("text/html", ["<b>\n"] * 50, ".html", b"<b>\n" * 50),
        ("text/plain", "x" * 200, ".txt", b"x" * 200),
        ("application/json", {"a": ["x" * 200]}, ".json", b'{"a": ["' + b"x" * 200 + b'"]}'),
        ("application/vnd.plotly.v1+json", ["x" * 200], ".bin", b'["' + b"x" * 200 + b'"]'),
        ("image/png", base64.b64encode(b"y" * 200).decode(), ".png", b"y" * 200),
        ("image/png", "no! base64 " * 20, ".png", b"no! base64 " * 20),
    ],
)
def test_part_of_a_display_is_a_file_as_programs_open_it(
    run: Run, kind: str, part: object, suffix: str, content: bytes
) -> None:
    run.display({kind: part, "text/latex": "$small$"})

    (output,) = run.end()

    ((name, kept),) = run.files.items()
    assert (kept, name.endswith(suffix)) == (content, True)
    assert output["data"]["text/latex"] == "$small$"
    assert output["data"]["text/plain"].startswith("[0.0002")
    assert f"MB of {kind}: in {name}]" in output["data"]["text/plain"]
    assert (kind in output["data"]) == (kind == "text/plain")


def test_update_of_a_display_is_treated_as_a_display(run: Run) -> None:
    run.display({"text/html": "small", "text/plain": "plain"}, display_id="d")
    data = {"text/html": "x" * 200, "text/plain": "<plain>"}
    run.recorder.append(DisplayUpdated(at=now(), display_id="d", data=data, metadata={}))

    (output,) = run.end()

    assert list(run.files) == ["outputs/update-html-1.html"]
    assert list(output["data"]) == ["text/plain"]
    assert output["data"]["text/plain"].splitlines()[-1] == "<plain>"


def test_secret_is_in_no_file(tmp_path: Path) -> None:
    secret = "correct-horse-battery"
    run = Run(RunFolder(tmp_path), SIZES, Redactor({"DB": secret}))
    for _ in range(20):
        for character in f"password {secret}\n":
            run.print(character)
    run.display({"text/html": f"<b>{secret}</b>" * 20})

    outputs = run.end()

    assert len(run.files) == 2
    assert secret.encode() not in b"".join(run.files.values())
    assert secret not in str(outputs)


def test_run_that_stops_in_the_middle_of_a_cell_has_what_was_printed(run: Run) -> None:
    run.print(LINES)
    with run.recorder:
        pass

    events = list(read_events(run.folder.events))
    assert [event.number for event in events if isinstance(event, OutputKept)] == [1]
    assert [content.decode() for content in run.files.values()] == [LINES]
