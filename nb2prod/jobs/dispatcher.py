"""The dispatcher: takes queued runs, hands them to executors, and writes down their ends.

A run's row is the truth. It is set to `running` before anything is started, and ended after
everything is kept; between these two, whatever an executor has of a run is found again by the
run's id. So the dispatcher may be killed at any moment: the next one goes on where it stopped.
That nothing runs twice is the executors' and the worker's doing: each run has one container,
and its worker begins it once.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from nb2prod.errors import Conflict, EngineUnreachable, Nb2prodError, Unavailable, storage_error
from nb2prod.execution.collect import abandon, collect
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.recorder import run_folder
from nb2prod.execution.runs import start_run
from nb2prod.execution.tracking_store import TrackingStore
from nb2prod.jobs.ledger import Ledger
from nb2prod.jobs.models import Executor, Job, Outcome, Standing
from nb2prod.jobs.queue import (
    OpenRun,
    chosen,
    open_runs,
    purpose_of,
    put_back,
    tokens_of_runs,
)
from nb2prod.knowledge.pages import catch_up
from nb2prod.workspace.tokens import issue_token, revoke
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.5
# A token is taken back when its run ends; this is for a workspace that never looks again.
TOKEN_LIFE = timedelta(days=30)
# For ending the MLflow run of a lost run.
SHORT_TOKEN_LIFE = timedelta(minutes=15)
# A run that gives trouble this often, one time after the other, is ended.
MAX_FAILURES = 6
MAX_PAUSE_S = 30.0

# Those with which a worker that has seen its run's end leaves.
_ORDERLY_EXITS = frozenset({0, 1})


@dataclass(slots=True)
class _Trouble:
    failures: int = 0
    until: float = 0.0


class Dispatcher:
    """Brings the queued runs of a workspace to their end.

    There is one at a time for a workspace: a second one refuses to work.

    Parameters
    ----------
    executors
        Runs of others are left alone.
    limit
        How many runs may go on at once; by default what the settings say, else the number of
        this machine's cores. See `chosen` for who comes first.
    mlflow_url
        MLflow's server, where the MLflow runs of lost runs are ended; `None` where there is none.
    """

    def __init__(
        self,
        workspace: Workspace,
        executors: Sequence[Executor],
        *,
        limit: int | None = None,
        mlflow_url: str | None = None,
    ) -> None:
        self._workspace = workspace
        self._executors = {executor.name: executor for executor in executors}
        self._limit = limit or workspace.settings.run_limit or os.cpu_count() or 1
        self._mlflow_url = mlflow_url
        self._troubles: dict[str, _Trouble] = {}

    def run_forever(
        self, stop: threading.Event, *, poll_interval_s: float = POLL_INTERVAL_S
    ) -> None:
        """Work until told to stop; what runs goes on then.

        Parameters
        ----------
        poll_interval_s
            Pause between two looks.

        Raises
        ------
        Conflict
            Another dispatcher works for this workspace.
        """
        with self._only_one():
            log.info("The dispatcher works, executors=%s", ",".join(self._executors))
            is_reconciled = False
            while not stop.is_set():
                try:
                    if not is_reconciled:
                        self.reconcile()
                        is_reconciled = True
                    self.look()
                except Exception:
                    log.exception("The dispatcher failed in a round")
                stop.wait(poll_interval_s)
            log.info("The dispatcher stops; runs go on")

    def reconcile(self) -> None:
        """Tidy up after a dispatcher that was killed.

        Remove what executors have of runs that have ended, and their tokens; make the pages
        that are missing.
        """
        open_ids = {run.id for run in open_runs(self._workspace, tuple(self._executors))}
        for executor in self._executors.values():
            for run_id in executor.known():
                if run_id not in open_ids:
                    self._remove_rest(executor, run_id)
        for purpose in tokens_of_runs(self._workspace) - set(map(purpose_of, open_ids)):
            revoke(self._workspace, purpose=purpose)
        self._make_pages()

    def look(self) -> None:
        """Look at all runs once: end those that have ended, and start as many as there is room."""
        has_ended = False
        going: Counter[str] = Counter()
        waiting = []
        for run in open_runs(self._workspace, tuple(self._executors)):
            if run.status is RunStatus.RUNNING:
                has_ended |= self._guarded(run, self._watch)
                going[run.person] += 1
            elif not self._is_paused(run):
                waiting.append(run)
        for run in chosen(waiting, going, limit=self._limit):
            has_ended |= self._guarded(run, self._launch)
        if has_ended:
            self._make_pages()

    def _remove_rest(self, executor: Executor, run_id: str) -> None:
        log.warning("Removing what is left of an ended run, run=%s", run_id)
        try:
            executor.collect(run_id)
        except Exception:
            # Nobody waits for it; the next start tries again.
            log.exception("What is left of a run could not be removed, run=%s", run_id)

    def _make_pages(self) -> None:
        try:
            catch_up(self._workspace)
        except Exception:
            # The service makes pages as well; other runs must not wait for one.
            log.exception("Pages could not be made")

    def _guarded(self, run: OpenRun, duty: Callable[[OpenRun], bool]) -> bool:
        """Do something for a run, so that its trouble is not the others'; tell if it has ended."""
        if self._is_paused(run):
            return False
        try:
            has_ended = duty(run)
        except Unavailable as error:
            # What the machine lacks may come back.
            self._pause(run)
            log.warning("A run has to wait, run=%s reason=%s", run.id, error)
            return False
        except Exception as error:
            log.exception("A run gave trouble, run=%s", run.id)
            if self._pause(run) < MAX_FAILURES:
                return False
            reason = f"nb2prod itself failed: {type(error).__name__}: {error}"
            self._end(run, partial(abandon, status=RunStatus.LOST, reason=reason))
            has_ended = True
        self._troubles.pop(run.id, None)
        return has_ended

    def _is_paused(self, run: OpenRun) -> bool:
        trouble = self._troubles.get(run.id)
        return trouble is not None and time.monotonic() < trouble.until

    def _pause(self, run: OpenRun) -> int:
        trouble = self._troubles.setdefault(run.id, _Trouble())
        trouble.failures += 1
        trouble.until = time.monotonic() + min(MAX_PAUSE_S, 0.5 * 2**trouble.failures)
        return trouble.failures

    def _launch(self, run: OpenRun) -> bool:
        # First the intent, then the deed: a run that is found `running` and was never started
        # is started by whoever finds it.
        start_run(self._workspace, run.id)
        return self._start(run)

    def _watch(self, run: OpenRun) -> bool:
        standing = self._executors[run.executor].attach(run.id)
        if standing is Standing.RUNNING:
            return False
        if standing is Standing.ABSENT and not self._ledger(run).is_started:
            return self._start(run)
        outcome = self._executors[run.executor].collect(run.id)
        self._end(run, partial(self._collect, run, outcome))
        return True

    def _start(self, run: OpenRun) -> bool:
        executor = self._executors[run.executor]
        job = Job(
            run_id=run.id,
            project=run.project,
            work=run_folder(self._workspace, run.id).work.path,
            issue_token=partial(self._issue_token, run, TOKEN_LIFE),
        )
        try:
            executor.start(job)
        except EngineUnreachable:
            put_back(self._workspace, run.id)
            raise
        except Nb2prodError as error:
            log.warning("A run could not be started, run=%s reason=%s", run.id, error)
            executor.collect(run.id)
            self._end(run, partial(abandon, status=RunStatus.FAILED, reason=error.message))
            return True
        return False

    def _end(self, run: OpenRun, write: Callable[[Workspace, str], RunRecord]) -> None:
        record = write(self._workspace, run.id)
        revoke(self._workspace, purpose=purpose_of(run.id))
        log.info("A run has ended, run=%s status=%s", run.id, record.status)

    def _collect(
        self, run: OpenRun, outcome: Outcome, workspace: Workspace, run_id: str
    ) -> RunRecord:
        store = None
        if self._mlflow_url is not None and outcome.exit_status not in _ORDERLY_EXITS:
            store = TrackingStore(
                uri=self._mlflow_url,
                workspace=run.project.name,
                access_token=self._issue_token(run, SHORT_TOKEN_LIFE),
            )
        return collect(workspace, run_id, verdict=outcome.verdict, store=store)

    def _issue_token(self, run: OpenRun, life: timedelta) -> str:
        return issue_token(
            self._workspace,
            person=run.person,
            project=run.project,
            purpose=purpose_of(run.id),
            ttl=life,
        )

    def _ledger(self, run: OpenRun) -> Ledger:
        return Ledger(run_folder(self._workspace, run.id))

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        path = self._workspace.settings.home / "dispatcher.lock"
        try:
            stream = path.open("ab")
        except OSError as error:
            raise storage_error(path, error) from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(
                    f"Another dispatcher works for {self._workspace.settings.home}; there can"
                    " be only one."
                ) from error
            yield
