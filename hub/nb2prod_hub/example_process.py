"""The example's installation as a child of ``nb2prod up``, which meanwhile looks after the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from nb2prod.cli.output import error_console
from nb2prod_hub.plan import Plan
from nb2prod_hub.supervision import DIE_WITH_PARENT

STOP_TIMEOUT_S = 10


class ExampleProcess:
    """The process that founds the example's project, promotes its notebooks and runs them.

    Each of its steps is done once; where it was interrupted, the next start goes on.

    Parameters
    ----------
    source
        The folder of the example; without one there is nothing to do.
    """

    def __init__(self, plan: Plan, source: Path | None) -> None:
        self._plan = plan
        self._source = source
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process and what it started."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=STOP_TIMEOUT_S)

    def start(self) -> None:
        """Start it; what it prints is seen by who started the workspace."""
        if self._source is None:
            return
        self._process = subprocess.Popen(
            [*DIE_WITH_PARENT, sys.executable, "-m", "nb2prod_hub.example", str(self._source)],
            env={**os.environ, "NB2PROD_HOME": str(self._plan.home)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self, *, timeout_s: float) -> None:
        """Wait a moment; say so if it failed meanwhile."""
        if self._process is None:
            time.sleep(timeout_s)
            return
        try:
            status = self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return
        self._process = None
        if status != 0:
            error_console.print(
                "The example is not complete; the line above says why. The workspace works, and"
                " the next start goes on with it."
            )
