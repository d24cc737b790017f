"""An executor for measuring the queue alone: it starts nothing."""

from __future__ import annotations

from nb2prod.execution.events import ResultsKept, RunEnded, RunStarted, encode
from nb2prod.execution.models import RunStatus
from nb2prod.execution.recorder import now
from nb2prod.jobs.models import Job, Outcome, Standing


class EmptyExecutor:
    """Starts nothing, and says at once that it has ended.

    It leaves the log of a run in which no cell ran, as a worker would, so that collecting, the
    record and the page are the real ones. What is left out is the worker and its kernel.
    """

    name = "empty"

    def __init__(self) -> None:
        self._started: set[str] = set()

    def start(self, job: Job) -> None:
        """Write the log of a run without cells."""
        job.environment()
        at = now()
        events = (
            RunStarted(at=at, run_id=job.run_id, reference="", code_cells=0),
            RunEnded(at=at, status=RunStatus.SUCCEEDED, reason=""),
            ResultsKept(at=at, metrics={}, artifacts=()),
        )
        (job.work / "events.jsonl").write_bytes(b"".join(encode(event) for event in events))
        self._started.add(job.run_id)

    def attach(self, run_id: str) -> Standing:
        """Say that it has ended."""
        return Standing.ENDED if run_id in self._started else Standing.ABSENT

    def cancel(self, run_id: str) -> None:
        """Do nothing: there is nothing."""

    def collect(self, run_id: str) -> Outcome:
        """Say that it ended well."""
        self._started.discard(run_id)
        return Outcome(exit_status=0)

    def known(self) -> tuple[str, ...]:
        """Return what was started and not collected."""
        return tuple(self._started)
