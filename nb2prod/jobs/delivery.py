"""Durable delivery by DBOS: each run's steps are taken to their end, whoever dies on the way.

One workflow for each attempt at a run. DBOS writes down which of its steps are done, in a
database of its own, and takes up what a dead process has left. What is true of a run is not there
but in its row; a workflow whose run has ended does nothing, and a run whose workflow is gone gets
a new one.

There is one at a time in a process, since DBOS keeps its state in the process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import create_engine, make_url

from nb2prod.jobs.life import RunLife
from nb2prod.settings import DEFAULT_RESOURCES

log = logging.getLogger(__name__)

# DBOS takes up only what an executor of the same name, and the same version, has left. Both are
# ours, so that neither a new machine nor a new release leaves runs behind: the steps' names
# and order are the contract, and `VERSION` changes with them (ADR 14).
EXECUTOR_ID = "dispatcher"
VERSION = "1"
APPLICATION = "nb2prod"
QUEUE_POLL_S = 0.05
# For DBOS's own work, and for runs that a former process has left beyond today's limits.
THREADS_BESIDE = 16
_DONE = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_UNDER_WAY = ["ENQUEUED", "PENDING", "DELAYED"]
KEPT = timedelta(days=7)
_QUEUE = "runs-"


class Delivery:
    """Brings runs to their end by the steps of `RunLife`.

    Parameters
    ----------
    url
        SQLAlchemy URL of DBOS's database.
    queues
        How many runs may be under way at once, by the queue's name.
    room_made
        Set each time that a run is no longer under way.
    """

    def __init__(
        self, url: str, life: RunLife, queues: Mapping[str, int], *, room_made: threading.Event
    ) -> None:
        self._url = url
        self._life = life
        self._queues = dict(queues)
        self._room_made = room_made
        self._under_way: set[str] = set()
        self._mutex = threading.Lock()
        self._workflow: Any = None

    def open(self) -> None:
        """Begin to work; what a former process has left is taken up.

        Raises
        ------
        Exception
            DBOS's own, where its database can't be used.
        """
        from dbos import DBOS

        _keep_a_write_ahead_log(self._url)
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._url,
                "executor_id": EXECUTOR_ID,
                "application_version": VERSION,
                "max_executor_threads": sum(self._queues.values()) + THREADS_BESIDE,
                "log_level": "WARNING",
                "enable_otlp": False,
            }
        )

        # No limit: a run is not given up because its dispatcher was killed often.
        @DBOS.workflow(name="bring_to_end", max_recovery_attempts=None)
        def bring_to_end(run_id: str, attempt: int) -> None:
            self._bring_to_end(run_id, attempt)

        self._workflow = bring_to_end
        DBOS.launch()
        for name, slots in self._queues.items():
            DBOS.register_queue(
                queue_of(name),
                worker_concurrency=slots,
                polling_interval_sec=QUEUE_POLL_S,
                on_conflict="always_update",
            )
        for workflow in DBOS.list_workflows(status=_UNDER_WAY, load_input=False):
            if self._is_listened_to(workflow):
                self._under_way.add(_run_of(workflow.workflow_id))

    def close(self) -> None:
        """Stop to work; to be called when ``life.stop`` is set."""
        from dbos import DBOS

        DBOS.destroy(destroy_registry=True)

    def under_way(self) -> frozenset[str]:
        """Return the ids of the runs that have been given to `deliver` and have not ended."""
        with self._mutex:
            return frozenset(self._under_way)

    def deliver(self, run_id: str, attempt: int, resources: str) -> None:
        """Bring an attempt at a run to its end; returns at once.

        Nothing where the run is under way already.

        Parameters
        ----------
        resources
            The resource class, by which its queue is chosen.
        """
        from dbos import DBOS, SetWorkflowID

        with self._mutex:
            if run_id in self._under_way:
                return
            self._under_way.add(run_id)
        try:
            former = DBOS.list_workflows(
                workflow_id_prefix=f"{run_id}.", load_input=False, load_output=False
            )
            for workflow in former:
                if workflow.status in _UNDER_WAY:
                    # What works for it here is known; this one was given up, for instance since
                    # DBOS could not write to its database.
                    DBOS.cancel_workflow(workflow.workflow_id)
            # Of a class that is no more the run only learns so.
            queue = queue_of(resources if resources in self._queues else DEFAULT_RESOURCES)
            with SetWorkflowID(f"{run_id}.{len(former) + 1}"):
                DBOS.enqueue_workflow(queue, self._workflow, run_id, attempt)
        except BaseException:
            self._forget(run_id)
            raise

    def tidy(self) -> None:
        """Forget workflows that have ended long ago."""
        from dbos import DBOS

        before = (datetime.now(UTC) - KEPT).isoformat()
        old = DBOS.list_workflows(
            status=_DONE, completed_before=before, load_input=False, load_output=False
        )
        if old:
            DBOS.delete_workflows([workflow.workflow_id for workflow in old])

    def _bring_to_end(self, run_id: str, attempt: int) -> None:
        from dbos import DBOS

        life = self._life
        try:
            DBOS.run_step({"name": "prepare"}, life.prepare, run_id)
            DBOS.run_step({"name": "start"}, life.start, run_id)
            is_overdue = DBOS.run_step({"name": "wait"}, life.wait, run_id)
            has_ended = DBOS.run_step(
                {"name": "collect"}, life.collect, run_id, attempt, is_overdue
            )
            if has_ended:
                DBOS.run_step({"name": "page"}, life.page, run_id)
            DBOS.run_step({"name": "finish"}, life.finish, run_id)
        finally:
            self._forget(run_id)
            self._room_made.set()

    def _is_listened_to(self, workflow: Any) -> bool:
        """Tell whether a workflow will go on; one in the queue of a class that is no more won't."""
        queues = {queue_of(name) for name in self._queues}
        is_waiting = workflow.status != "PENDING"
        return not (
            is_waiting and _is_queue(workflow.queue_name) and workflow.queue_name not in queues
        )

    def _forget(self, run_id: str) -> None:
        with self._mutex:
            self._under_way.discard(run_id)


def queue_of(resources: str) -> str:
    """Return the name of a resource class's queue."""
    return f"{_QUEUE}{resources}"


def _keep_a_write_ahead_log(url: str) -> None:
    """Have SQLite append what is written, as our own database does: a third of the waiting.

    The file remembers it; DBOS itself asks for nothing.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    engine.dispose()


def _is_queue(name: str | None) -> bool:
    return name is not None and name.startswith(_QUEUE)


def _run_of(workflow_id: str) -> str:
    return workflow_id.partition(".")[0]
