"""How a run shows itself in a terminal while it goes on."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from nb2prod.cli.output import console
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    DisplayUpdated,
    Event,
    Noted,
    OutputAdded,
    RunStarted,
    output_text,
)


class ProgressPrinter:
    """A listener that prints what a run puts out, below it the cell that it is at.

    In a terminal the last line is a bar with cells, heading and time; elsewhere (CI) each
    heading is a line when the run comes to it.

    Parameters
    ----------
    is_quiet
        Show nothing at all.
    has_log
        Show what the cells put out, not only how far the run is.
    waits_for
        What the bar says before the first cell.

    Attributes
    ----------
    headings
        The heading above each cell that has begun, by the cell's number.
    """

    def __init__(
        self,
        *,
        is_quiet: bool = False,
        has_log: bool = True,
        waits_for: str = "Starting the kernel",
    ) -> None:
        self.headings: dict[int, str] = {}
        self._is_quiet = is_quiet
        self._has_log = has_log
        self._heading = ""
        self._pending = ""
        self._total = 0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("cells"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=is_quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task(waits_for, total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Show one event; called by the run as it happens."""
        if isinstance(event, CellStarted):
            self.headings[event.number] = event.heading
        if self._is_quiet:
            return
        match event:
            case RunStarted():
                self._total = event.code_cells
                self._bar.update(self._task, total=event.code_cells)
                console.print(f"[dim]run {event.run_id} of[/] {event.reference}")
            case CellStarted():
                self._show_cell(event)
            case CellEnded():
                self._finish_line()
                self._bar.advance(self._task)
            case OutputAdded() if event.output.get("output_type") == "stream":
                self._print(event.text)
            case OutputAdded():
                self._print_whole(event.text)
            case DisplayUpdated():
                self._print_whole(output_text({"data": event.data}))
            case Noted():
                self._finish_line()
                console.print(f"[yellow]{escape(event.text)}[/]", soft_wrap=True)
            case _:
                pass

    def _show_cell(self, event: CellStarted) -> None:
        self._bar.update(self._task, description=event.heading or "Running")
        if event.heading and event.heading != self._heading and not console.is_terminal:
            console.print(
                f"[cyan]{event.position}/{self._total}[/] {escape(event.heading)}", soft_wrap=True
            )
        self._heading = event.heading

    def _print(self, text: str) -> None:
        """Print whole lines; the rest waits for its end, since the bar needs lines of its own."""
        if not self._has_log:
            return
        *lines, self._pending = (self._pending + text).split("\n")
        for line in lines:
            # Of a line that was drawn over (a progress bar of the cell's own), its last state.
            console.print(Text.from_ansi(line.rstrip("\r").rpartition("\r")[2]), soft_wrap=True)

    def _print_whole(self, text: str) -> None:
        self._finish_line()
        if text:
            self._print(f"{text}\n")

    def _finish_line(self) -> None:
        if self._pending:
            self._print("\n")
