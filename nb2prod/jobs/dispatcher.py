"""The dispatcher: lets queued runs in, and has each brought to its end.

A run's row is the truth (`life`), DBOS only delivers (`delivery`). What this module does is to
choose who comes next, and to tidy up at its start: rows, workflows, and what executors have
are brought together again, whatever was killed before.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from nb2prod.errors import Conflict, storage_error
from nb2prod.execution.recorder import now
from nb2prod.jobs.delivery import Delivery
from nb2prod.jobs.due_runs import make_due_runs
from nb2prod.jobs.life import RunLife
from nb2prod.jobs.models import Executor
from nb2prod.jobs.queue import (
    Room,
    Ticket,
    chosen,
    open_ids,
    purpose_of,
    running,
    tokens_of_runs,
    waiting,
)
from nb2prod.knowledge.pages import catch_up
from nb2prod.settings import Settings
from nb2prod.workspace.tokens import revoke
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.2
SCHEDULES_INTERVAL_S = 1.0
TIDY_INTERVAL_S = 3600.0


class Dispatcher:
    """Brings the queued runs of a workspace to their end.

    There is one at a time for a workspace: a second one refuses to work. A context manager: it
    works from its beginning to its end, and what runs then goes on. Only one can be open in a
    process.

    Parameters
    ----------
    executors
        Runs of others are left alone. Schedules give their runs to the first one.
    limit
        How many runs of a resource class may go on at once, where the class says nothing else;
        by default what the settings say. See `queue.chosen` for who comes first.
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
        self._room = room_of(workspace.settings, limit=limit)
        self._stop = threading.Event()
        life = RunLife(
            workspace=workspace,
            executors=self._executors,
            mlflow_url=mlflow_url,
            stop=self._stop,
        )
        # Who has none going may go beyond the slots; see `chosen`.
        queues = {name: 2 * slots for name, slots in self._room.slots.items()}
        self._room_made = threading.Event()
        self._delivery = Delivery(
            workspace.settings.jobs_url, life, queues, room_made=self._room_made
        )
        self._open = ExitStack()
        self._times: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Begin to work.

        Raises
        ------
        Conflict
            Another dispatcher works for this workspace.
        """
        with ExitStack() as stack:
            stack.enter_context(self._only_one())
            # The other way round: DBOS ends when nothing waits any more.
            stack.callback(self._delivery.close)
            stack.callback(self._stop.set)
            self._stop.clear()
            self._delivery.open()
            self._open = stack.pop_all()
        log.info("The dispatcher works, executors=%s", ",".join(self._executors))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()
        log.info("The dispatcher stops; runs go on")

    def run_forever(
        self, stop: threading.Event, *, poll_interval_s: float = POLL_INTERVAL_S
    ) -> None:
        """Work until told to stop; see the class.

        Parameters
        ----------
        poll_interval_s
            Pause between two looks, at most: when a run has ended, there is room for another.

        Raises
        ------
        Conflict
            Another dispatcher works for this workspace.
        """
        with self:
            is_reconciled = False
            while not stop.is_set():
                self._room_made.clear()
                try:
                    if not is_reconciled:
                        self.reconcile()
                        is_reconciled = True
                    self.look()
                except Exception:
                    log.exception("The dispatcher failed in a round")
                    stop.wait(poll_interval_s)
                self._room_made.wait(poll_interval_s)

    def reconcile(self) -> None:
        """Bring rows, workflows and executors together, as a dispatcher that was killed left them.

        What executors have of runs that have ended is removed, and so are such runs' tokens;
        missing pages are made. Runs that go on and have no workflow get one by `look`.
        """
        still_open = open_ids(self._workspace, tuple(self._executors))
        for executor in self._executors.values():
            for run_id in executor.known():
                if run_id not in still_open:
                    self._remove_rest(executor, run_id)
        for purpose in tokens_of_runs(self._workspace) - set(map(purpose_of, still_open)):
            revoke(self._workspace, purpose=purpose)
        self._make_pages()

    def look(self) -> None:
        """Make the runs that are due, and let in those that wait, as far as there is room."""
        if self._is_time("schedules", SCHEDULES_INTERVAL_S):
            make_due_runs(self._workspace, next(iter(self._executors)), now=now())
        if self._is_time("tidy", TIDY_INTERVAL_S):
            self._delivery.tidy()
        under_way = self._delivery.under_way()
        names = tuple(self._executors)
        # More of each than could be let in at once, as some of them may be under way already.
        each = 2 * max(self._room.slots.values()) + len(under_way)
        candidates = waiting(self._workspace, names, each=each)
        started = running(self._workspace, names)
        for ticket in started:
            if ticket.id not in under_way:
                # Its workflow was given up, or is on its way out; the row says what is true.
                self._deliver(ticket)
        going = [*started, *(ticket for ticket in candidates if ticket.id in under_way)]
        fresh = [ticket for ticket in candidates if ticket.id not in under_way]
        for ticket in chosen(fresh, going, room=self._room):
            self._deliver(ticket)

    def _deliver(self, ticket: Ticket) -> None:
        self._delivery.deliver(ticket.id, ticket.attempt, ticket.resources)

    def _is_time(self, what: str, interval_s: float) -> bool:
        at = time.monotonic()
        if at < self._times.get(what, 0.0):
            return False
        self._times[what] = at + interval_s
        return True

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


def room_of(settings: Settings, *, limit: int | None = None) -> Room:
    """Return how many runs may go on at once, by a workspace's settings.

    Parameters
    ----------
    limit
        Of a resource class that says nothing else; by default the settings'.
    """
    usual = limit or settings.run_limit or os.cpu_count() or 1
    return Room(
        slots={item.name: item.slots or usual for item in settings.resource_classes},
        person=settings.person_run_limit,
        project=settings.project_run_limit,
    )
