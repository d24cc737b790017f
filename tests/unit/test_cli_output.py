"""What the commands print."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nb2prod.cli import progress
from nb2prod.cli.output import duration, number
from nb2prod.cli.progress import ProgressPrinter
from nb2prod.execution.events import CellEnded, CellStarted, Event, OutputAdded, RunStarted
from nb2prod.execution.models import CellStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stream(text: str) -> OutputAdded:
    return OutputAdded(
        at=NOW, number=2, output={"output_type": "stream", "name": "stdout", "text": text}
    )


def ended() -> CellEnded:
    return CellEnded(at=NOW, number=2, status=CellStatus.SUCCEEDED)


def printed(capsys: pytest.CaptureFixture[str], *events: Event) -> str:
    with ProgressPrinter() as printer:
        for event in events:
            printer.show(event)
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def plain_console(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.setattr(progress, "console", Console(highlight=False, force_terminal=False))


def test_progress_names_run_and_headings(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(
        capsys,
        RunStarted(at=NOW, run_id="abc", reference="train@v1", code_cells=7),
        CellStarted(at=NOW, number=2, position=1, heading="Read [data]"),
        CellStarted(at=NOW, number=3, position=2, heading="Read [data]"),
        CellStarted(at=NOW, number=5, position=3, heading="Fit"),
    )

    assert text.splitlines() == ["run abc of train@v1", "1/7 Read [data]", "3/7 Fit"]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["one\n"], ["one"]),
        (["on", "e\ntw", "o\n"], ["one", "two"]),
        (["no newline"], ["no newline"]),
        (["a\n\nb\n"], ["a", "", "b"]),
        (["10%\r50%\r100%\n"], ["100%"]),
        (["[bold]not markup[/]\n"], ["[bold]not markup[/]"]),
        (["\x1b[31mred\x1b[0m\n"], ["red"]),
    ],
    ids=["line", "pieces", "unfinished", "empty-line", "drawn-over", "markup", "ansi"],
)
def test_progress_prints_what_cells_print(
    capsys: pytest.CaptureFixture[str], pieces: list[str], lines: list[str]
) -> None:
    assert printed(capsys, *map(stream, pieces), ended()).splitlines() == lines


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60, "1 min 0 s")],
)
def test_duration_is_short(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1e-9, "1e-09"), (4.12345, "4.123"), (123456.7, "123457"), (float("nan"), "nan")],
)
def test_number_has_four_digits(value: float, text: str) -> None:
    assert number(value) == text
