"""Upkeep while the gallery runs: lost runs are ended, ended runs get their pages."""

from __future__ import annotations

import logging
import threading

from nb2prod.execution import runs
from nb2prod.knowledge import pages
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 10.0


class Upkeep:
    """A thread that looks after a workspace every few seconds until it is stopped.

    An error in one round is logged and does not keep the next from trying.

    Parameters
    ----------
    interval_s
        Pause between two rounds.
    """

    def __init__(self, workspace: Workspace, *, interval_s: float) -> None:
        self._workspace = workspace
        self._interval_s = interval_s
        self._stop = threading.Event()
        # A daemon: a rendering that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin; the first round starts at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is going on, waiting for it a while."""
        self._stop.set()
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("Upkeep did not end in time, timeout_s=%s", STOP_TIMEOUT_S)

    def _work(self) -> None:
        while not self._stop.is_set():
            self._round()
            self._stop.wait(self._interval_s)

    def _round(self) -> None:
        for duty in (runs.reconcile, pages.catch_up):
            try:
                done = duty(self._workspace)
            except Exception:
                log.exception("Upkeep failed, duty=%s", duty.__name__)
            else:
                if done:
                    log.info("Upkeep, duty=%s runs=%s", duty.__name__, ",".join(done))
