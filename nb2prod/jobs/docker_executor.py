"""The executor ``docker``: a container of the project's image for each run."""

from __future__ import annotations

import logging
import signal

from nb2prod.execution.recorder import run_folder, write_file
from nb2prod.jobs.docker_client import Container, DockerEngine
from nb2prod.jobs.ledger import KEPT_LOG_BYTES, Ledger
from nb2prod.jobs.models import Job, Outcome, Standing
from nb2prod.workspace.folders import hand_over
from nb2prod.workspace.policy import Surroundings, limits_of, run_container, run_container_name
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)


class DockerExecutor:
    """Runs each worker in a container of its own; see `nb2prod.jobs.models.Executor`.

    A container's name tells its run, so that a run has one at most, whoever makes it. It is
    removed once its end and its log are written down.
    """

    name = "docker"

    def __init__(
        self, workspace: Workspace, engine: DockerEngine, surroundings: Surroundings
    ) -> None:
        self._workspace = workspace
        self._engine = engine
        self._surroundings = surroundings

    def start(self, job: Job) -> None:
        """Make and start a run's container, unless it was started before; see `Executor`.

        Raises
        ------
        EngineUnreachable
            The engine does not answer.
        ImageMissing, EngineRefused, StorageFull, StorageUnusable
            There can be no such container.
        """
        ledger = self._ledger(job.run_id)
        if ledger.outcome is not None:
            return
        container = self._find(job.run_id) or self._create(job)
        if container.is_created:
            self._engine.start(container.name)
            log.info("Started a run's container, run=%s name=%s", job.run_id, container.name)
        ledger.write_start(container=container.id)

    def attach(self, run_id: str) -> Standing:
        """Say how a run's container stands; see `Executor`."""
        if self._ledger(run_id).outcome is not None:
            return Standing.ENDED
        container = self._find(run_id)
        if container is None or container.is_created:
            return Standing.ABSENT
        return Standing.RUNNING if container.is_running else Standing.ENDED

    def cancel(self, run_id: str) -> None:
        """Send SIGTERM to a run's worker; see `Executor`."""
        container = self._find(run_id)
        if container is not None and container.is_running:
            self._ledger(run_id).mark_cancelled()
            self._engine.signal(container.name, signal.SIGTERM)

    def collect(self, run_id: str) -> Outcome:
        """Say how a run's container ended, keep its log, and remove it; see `Executor`."""
        ledger = self._ledger(run_id)
        outcome = ledger.outcome
        container = self._find(run_id)
        if outcome is None:
            outcome = self._outcome(ledger, container)
            if ledger.folder.path.exists():
                ledger.write_outcome(outcome)
        if container is not None:
            self._engine.remove(container.name)
        return outcome

    def known(self) -> tuple[str, ...]:
        """Return the runs that have a container; see `Executor`."""
        labels = {"nb2prod.instance": self._surroundings.instance, "nb2prod.kind": "run"}
        return tuple(item.labels["nb2prod.run"] for item in self._engine.containers(labels))

    def _create(self, job: Job) -> Container:
        self._engine.ensure_project_network(self._surroundings, job.project)
        hand_over(job.work, job.project)
        spec = run_container(
            self._surroundings,
            job.project,
            run_id=job.run_id,
            run_folder=job.work,
            environment=job.environment(),
            limits=limits_of(job.resources),
        )
        return self._engine.create(spec)

    def _outcome(self, ledger: Ledger, container: Container | None) -> Outcome:
        if container is None:
            return Outcome(is_cancelled=ledger.is_cancelled)
        if container.is_running:
            self._engine.stop(container.name)
            container = self._engine.find(container.name) or container
        if ledger.folder.path.exists():
            words = self._engine.logs(container.name, tail_bytes=KEPT_LOG_BYTES)
            write_file(ledger.worker_log, words)
        return Outcome(
            exit_status=container.exit_status,
            is_out_of_memory=container.is_out_of_memory,
            memory_mb=container.memory_mb,
            is_cancelled=ledger.is_cancelled,
            last_words=ledger.last_words(),
        )

    def _find(self, run_id: str) -> Container | None:
        return self._engine.find(run_container_name(self._surroundings, run_id))

    def _ledger(self, run_id: str) -> Ledger:
        return Ledger(run_folder(self._workspace, run_id))
