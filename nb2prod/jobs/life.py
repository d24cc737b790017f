"""The life of one run that somebody asked for: six steps, each of which may be repeated.

prepare → start → wait → collect → page → finish. Each looks at the run's row first: the row is
the truth, and a run that has ended is left alone. So whoever drives these steps (`delivery`) may
be killed between any two of them, or in the midst of one, and take it up again.

What the machine lacks may come back: a step whose engine or disk is away waits and tries again.
A step that fails in a way that nobody has thought of is tried `MAX_FAILURES` times; then the run
ends as `lost`, and says why.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from nb2prod.errors import EngineUnreachable, Nb2prodError, RunEnded, Unavailable
from nb2prod.execution.collect import abandon, judge, settle, try_again
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.recorder import now, run_folder
from nb2prod.execution.request import prepare_folder, read_version
from nb2prod.execution.runs import start_run
from nb2prod.execution.tracking_store import TrackingStore
from nb2prod.jobs.cancel import end_cancelled
from nb2prod.jobs.ledger import Ledger
from nb2prod.jobs.models import Executor, Job, Outcome, Standing
from nb2prod.jobs.queue import OpenRun, find_open, purpose_of, put_back
from nb2prod.jobs.retries import pause_before
from nb2prod.knowledge.pages import publish
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import load_version
from nb2prod.workspace.secrets import read_secrets
from nb2prod.workspace.tokens import issue_token, revoke
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

T = TypeVar("T")

WATCH_INTERVAL_S = 0.25
# A token is taken back when its run ends; this is for a workspace that never looks again.
TOKEN_LIFE = timedelta(days=30)
# For ending the MLflow run of a lost run.
SHORT_TOKEN_LIFE = timedelta(minutes=15)
MAX_FAILURES = 6
MAX_PAUSE_S = 30.0
# From the interrupt of a run that is cancelled to its end by force. The worker has its own,
# shorter ones; this is for a worker that does not answer.
CANCEL_GRACE = timedelta(seconds=45)
# A run's own time limit is its worker's affair, which begins to count when the kernel is there
# and gathers results afterwards.
OVERDUE_GRACE = timedelta(minutes=5)

# Those with which a worker that has seen its run's end leaves.
_ORDERLY_EXITS = frozenset({0, 1})


class Stopped(BaseException):
    """The dispatcher ends; the run goes on, and the step is taken up by the next one.

    No `Exception`, so that nobody takes it for the step's outcome.
    """


@dataclass(frozen=True, kw_only=True)
class RunLife:
    """Takes the steps of runs; safe to use from several threads, for different runs.

    Parameters
    ----------
    executors
        By name.
    mlflow_url
        MLflow's server, where the MLflow runs of lost runs are ended; `None` where there is none.
    stop
        Ends the waiting of all steps, which then raise `Stopped`.
    """

    workspace: Workspace
    executors: Mapping[str, Executor]
    mlflow_url: str | None
    stop: threading.Event

    def prepare(self, run_id: str) -> None:
        """Write down what the run consists of, for its worker and for later."""
        self._take(run_id, self._prepare)

    def start(self, run_id: str) -> None:
        """Set the run to `running`, and have its worker started, unless it was before."""
        self._take(run_id, self._start)

    def wait(self, run_id: str) -> bool:
        """Wait until the worker has ended, or has to be; tell whether it took too long.

        A run that is cancelled is interrupted here.
        """
        return bool(self._take(run_id, self._wait))

    def collect(self, run_id: str, attempt: int, is_overdue: bool) -> bool:  # noqa: FBT001 (DBOS)
        """Bring the run to its end, or queue it anew; tell whether it has ended.

        Parameters
        ----------
        attempt
            The one that is over.
        is_overdue
            What `wait` said.
        """
        duty = partial(self._collect, attempt=attempt, is_overdue=is_overdue)
        return self._take(run_id, duty) is not False

    def page(self, run_id: str) -> None:
        """Make the run's page."""
        failure: Exception | None = None
        for _ in range(MAX_FAILURES):
            try:
                publish(self.workspace, run_id)
            except Unavailable as error:
                failure = error
                self._pause(MAX_PAUSE_S)
            else:
                return
        # Whoever looks next makes it (ADR 4).
        log.error("A page could not be made, run=%s reason=%s", run_id, failure)

    def finish(self, run_id: str) -> None:
        """Take back what the run was given."""
        revoke(self.workspace, purpose=purpose_of(run_id))

    def _take(self, run_id: str, step: Callable[[OpenRun], T]) -> T | None:
        """Take a step of a run that is open, as often as it needs; `None` for one that is not."""
        pauses, failures = 0, 0
        while (run := self._open(run_id)) is not None:
            try:
                return step(run)
            except Unavailable as error:
                log.warning("A run has to wait, run=%s reason=%s", run_id, error)
            except Exception as error:
                log.exception("A run gave trouble, run=%s", run_id)
                failures += 1
                if failures >= MAX_FAILURES:
                    reason = f"nb2prod itself failed: {type(error).__name__}: {error}"
                    self._abandon(run, RunStatus.LOST, reason)
                    return None
            pauses += 1
            self._pause(min(MAX_PAUSE_S, 0.25 * 2**pauses))
        return None

    def _open(self, run_id: str) -> OpenRun | None:
        """Return a run that has not ended; one whose end was asked for while it waits ends."""
        while True:
            try:
                run = find_open(self.workspace, run_id)
                if run is None or not run.is_cancelled or run.status is RunStatus.RUNNING:
                    return run
                end_cancelled(self.workspace, run_id, by=run.cancelled_by)
            except Unavailable as error:
                log.warning("The workspace can't be read, reason=%s", error)
                self._pause(MAX_PAUSE_S)

    def _prepare(self, run: OpenRun) -> None:
        reference = Reference(run.asked.pipeline, run.asked.version)
        try:
            version = load_version(run.project.repository, reference)
        except Unavailable:
            raise
        except Nb2prodError as error:
            self._abandon(run, RunStatus.FAILED, error.message)
            return
        prepare_folder(run_folder(self.workspace, run.id), run.asked, version)

    def _start(self, run: OpenRun) -> None:
        executor = self.executors[run.executor]
        if run.status is RunStatus.QUEUED:
            # First the intent, then the deed: a run that is found `running` and was never
            # started is started by whoever finds it.
            try:
                start_run(self.workspace, run.id)
            except RunEnded:
                return
        if executor.attach(run.id) is not Standing.ABSENT or self._ledger(run).is_started:
            return
        try:
            executor.start(self._job(run))
        except EngineUnreachable:
            put_back(self.workspace, run.id)
            raise
        except Nb2prodError as error:
            log.warning("A run could not be started, run=%s reason=%s", run.id, error)
            executor.collect(run.id)
            self._abandon(run, RunStatus.FAILED, error.message)

    def _job(self, run: OpenRun) -> Job:
        folder = run_folder(self.workspace, run.id)
        settings = read_version(folder.version, repository=run.project.repository).manifest.run

        def environment() -> dict[str, str]:
            secrets = read_secrets(self.workspace, run.project, settings.secrets)
            return {**secrets, "MLFLOW_TRACKING_TOKEN": self._issue_token(run, TOKEN_LIFE)}

        return Job(
            run_id=run.id,
            project=run.project,
            work=folder.work.path,
            resources=self.workspace.settings.resource_class(run.asked.resources),
            network=settings.network,
            environment=environment,
        )

    def _wait(self, run: OpenRun) -> bool:
        executor = self.executors[run.executor]
        due = _due(run.asked, run.started_at)
        force_at: datetime | None = None
        while executor.attach(run.id) is Standing.RUNNING:
            if due is not None and now() > due:
                return True
            if force_at is not None and now() > force_at:
                return False
            if force_at is None and self._is_cancelled(run.id):
                log.info("A run is cancelled, run=%s", run.id)
                executor.cancel(run.id)
                force_at = now() + CANCEL_GRACE
            self._pause(WATCH_INTERVAL_S)
        return False

    def _is_cancelled(self, run_id: str) -> bool:
        found = find_open(self.workspace, run_id)
        return found is None or found.is_cancelled

    def _collect(self, run: OpenRun, *, attempt: int, is_overdue: bool) -> bool:
        folder = run_folder(self.workspace, run.id)
        if run.attempt > attempt:
            # Queued anew, by whoever was killed before this step was known to be done.
            folder.set_aside(attempt)
            return False
        outcome = self.executors[run.executor].collect(run.id)
        record = self._judge(run, outcome, is_overdue=is_overdue)
        retry = read_version(folder.version, repository=run.project.repository).manifest.run.retry
        pause = pause_before(retry, record)
        # Not where somebody has asked for its end, even just now.
        if pause is None or not try_again(
            self.workspace, record, not_before=now() + timedelta(seconds=pause)
        ):
            settle(self.workspace, record)
            log.info("A run has ended, run=%s status=%s", record.id, record.status)
            return True
        log.info("A run is tried again, run=%s attempt=%s", run.id, attempt + 1)
        folder.set_aside(attempt)
        return False

    def _judge(self, run: OpenRun, outcome: Outcome, *, is_overdue: bool) -> RunRecord:
        store = None
        if self.mlflow_url is not None and outcome.exit_status not in _ORDERLY_EXITS:
            store = TrackingStore(
                uri=self.mlflow_url,
                workspace=run.project.name,
                access_token=self._issue_token(run, SHORT_TOKEN_LIFE),
            )
        verdict = outcome.verdict
        if is_overdue:
            reason = (
                f"The run's time limit of {run.asked.timeout_s:g} s was long over, and its worker"
                " did not end it; it was ended by force."
            )
            verdict = replace(verdict, status=RunStatus.TIMED_OUT, reason=reason)
        elif run.is_cancelled:
            verdict = replace(verdict, cancelled_by=run.cancelled_by)
        return judge(self.workspace, run.id, verdict=verdict, store=store)

    def _abandon(self, run: OpenRun, status: RunStatus, reason: str) -> None:
        abandon(self.workspace, run.id, status=status, reason=reason)
        log.info("A run has ended, run=%s status=%s reason=%s", run.id, status, reason)

    def _issue_token(self, run: OpenRun, life: timedelta) -> str:
        return issue_token(
            self.workspace,
            person=run.person,
            project=run.project,
            purpose=purpose_of(run.id),
            ttl=life,
        )

    def _ledger(self, run: OpenRun) -> Ledger:
        return Ledger(run_folder(self.workspace, run.id))

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped


def _due(asked: RunRecord, started_at: datetime | None) -> datetime | None:
    if asked.timeout_s is None or started_at is None:
        return None
    return started_at + timedelta(seconds=asked.timeout_s) + OVERDUE_GRACE
