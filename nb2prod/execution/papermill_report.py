"""What papermill's options show of a run: its progress bar, its log and its files."""

from __future__ import annotations

import logging
from typing import IO, Any

from nb2prod.execution.events import CellEnded, Event, Noted, OutputAdded, RunEnded, RunStarted

log = logging.getLogger("papermill")


class PapermillReport:
    """A listener that does what papermill's own engine does with outputs and progress.

    Parameters
    ----------
    progress_bar
        As papermill hands it over: a truth value, or options of tqdm.
    log_output
        Whether to log what cells put out.
    stdout_file, stderr_file
        Where to write what cells print; `None` for nowhere.
    """

    def __init__(
        self,
        *,
        progress_bar: bool | dict[str, Any] | None,
        log_output: bool,
        stdout_file: IO[str] | None,
        stderr_file: IO[str] | None,
    ) -> None:
        self._progress_bar = progress_bar
        self._log_output = log_output
        self._files = {"stdout": stdout_file, "stderr": stderr_file}
        self._bar: Any = None

    def show(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, RunStarted):
            log.info("nb2prod run %s of %s", event.run_id, event.reference)
            self._start_bar(event.code_cells)
        elif isinstance(event, CellEnded) and self._bar is not None:
            self._bar.update(1)
        elif isinstance(event, OutputAdded):
            self._show_output(event)
        elif isinstance(event, Noted):
            log.info("%s", event.text)
        elif isinstance(event, RunEnded):
            if self._bar is not None:
                self._bar.close()
            log.info("nb2prod run %s. %s", event.status.value, event.reason)

    def _start_bar(self, cells: int) -> None:
        if self._progress_bar:
            from tqdm.auto import tqdm  # type: ignore[import-untyped]

            options = self._progress_bar if isinstance(self._progress_bar, dict) else {}
            self._bar = tqdm(total=cells, **{"unit": "cell", "desc": "Executing", **options})

    def _show_output(self, event: OutputAdded) -> None:
        name = event.output.get("name")
        file = self._files.get(name or "")
        if file is not None:
            file.write(event.text)
            file.flush()
        if self._log_output and event.text:
            level = logging.WARNING if name == "stderr" else logging.INFO
            log.log(level, "%s", event.text)
