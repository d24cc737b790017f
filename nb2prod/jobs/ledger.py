"""What executors write down of a run, in the part of its folder that the run can't reach."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nb2prod.execution.recorder import RunFolder, write_file, write_json
from nb2prod.jobs.models import Outcome

# Of what a worker itself says, outside of any cell: its end is what matters.
KEPT_LOG_BYTES = 1_000_000
LAST_WORDS = 500


class Ledger:
    """The notes on one run.

    Parameters
    ----------
    folder
        The workspace's own folder of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._start = folder.path / "start.json"
        self._outcome = folder.path / "outcome.json"
        self._cancelled = folder.path / "cancelled"
        self.worker_log = folder.path / "worker.log"

    @property
    def start(self) -> dict[str, Any] | None:
        """What was written when the worker had been started; `None` where it was not."""
        return _read(self._start)

    def write_start(self, **facts: object) -> None:
        """Write down that the worker has been started."""
        write_json(self._start, facts)

    @property
    def is_started(self) -> bool:
        """Whether the worker has been started, or the run has begun, for all that is known."""
        return self.start is not None or self.folder.work.has_begun

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked for the run's end."""
        return self._cancelled.exists()

    def mark_cancelled(self) -> None:
        """Write down that somebody asked for the run's end."""
        write_file(self._cancelled, b"")

    @property
    def outcome(self) -> Outcome | None:
        """How the worker ended; `None` before that was seen."""
        stored = _read(self._outcome)
        if stored is None:
            return None
        # JSON has lists only. A former release wrote no notes.
        return Outcome(**{**stored, "notes": tuple(stored.get("notes", ()))})

    def write_outcome(self, outcome: Outcome) -> None:
        """Write down how the worker ended."""
        write_json(self._outcome, asdict(outcome))

    def last_words(self) -> str:
        """Return the last line of the worker's log; empty where there is none."""
        try:
            with self.worker_log.open("rb") as stream:
                stream.seek(max(0, stream.seek(0, 2) - LAST_WORDS))
                text = stream.read(LAST_WORDS).decode(errors="replace")
        except OSError:
            return ""
        lines = text.strip().splitlines()
        return lines[-1].strip() if lines else ""


def started_runs(runs_folder: Path) -> tuple[str, ...]:
    """Return the ids of all runs whose worker was started and has no outcome yet."""
    return tuple(
        path.parent.name
        for path in sorted(runs_folder.glob("*/start.json"))
        if not (path.parent / "outcome.json").exists()
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content
