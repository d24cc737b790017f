"""From the request to the first cell, on a machine that does nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bench.ours import Ours
from bench.peers import KERNEL, Papermill
from bench.scheduler import JupyterScheduler
from nb2prod.registry.models import Version
from tests.helpers.notebooks import code, write_notebook

# From the request's moment; waits until all that it started has ended.
Contender = Callable[[], float]


class FirstCell:
    """A notebook whose only cell writes down when it runs.

    Parameters
    ----------
    folder
        Where it lies alone, and, beside its own folder, what it writes.
    """

    def __init__(self, folder: Path) -> None:
        self._at = folder / "first-cell"
        self.cell = code(
            f"import pathlib, time\npathlib.Path({str(self._at)!r}).write_text(repr(time.time()))"
        )
        self.notebook = write_notebook(
            folder / "notebook" / "first.ipynb", self.cell, metadata=KERNEL
        )
        self._output = folder / "executed.ipynb"

    def ours(self, ours: Ours) -> Contender:
        """Ask for a run, as the workspace service does."""
        version: Version = ours.version("first", self.cell)

        def contender() -> float:
            began = time.time()
            run_id = ours.ask(version)
            ours.wait([run_id])
            return self._read() - began

        return contender

    def papermill(self, papermill: Papermill) -> Contender:
        """Execute the command."""
        command = papermill.command(self.notebook, self._output, {}, folder=self.notebook.parent)

        def contender() -> float:
            began = time.time()
            papermill.run(command)
            return self._read() - began

        return contender

    def scheduler(self, scheduler: JupyterScheduler) -> Contender:
        """Post a job."""

        def contender() -> float:
            began = time.time()
            scheduler.wait(scheduler.post(self.notebook))
            return self._read() - began

        return contender

    def _read(self) -> float:
        at = float(self._at.read_text())
        self._at.unlink()
        return at
