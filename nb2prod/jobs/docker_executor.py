"""The executor ``docker``: a container of the project's image for each run."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from nb2prod.errors import EngineRefused, StorageFull, StorageUnusable
from nb2prod.execution.processes import end_processes_of
from nb2prod.execution.recorder import run_folder, write_file
from nb2prod.execution.removal import remove_tree
from nb2prod.jobs.docker_client import Container, DockerEngine
from nb2prod.jobs.ledger import KEPT_LOG_BYTES, Ledger
from nb2prod.jobs.models import Job, Outcome, Standing
from nb2prod.jobs.overlay import make_layers
from nb2prod.registry.models import Network
from nb2prod.workspace.folders import hand_over
from nb2prod.workspace.policy import (
    NetworkKind,
    RunNeeds,
    Surroundings,
    run_container,
    run_container_name,
)
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

# What an engine says of a container whose start it does not remember, and which was started.
_IS_THERE = "already exists"


class DockerExecutor:
    """Runs each worker in a container of its own; see `nb2prod.jobs.models.Executor`.

    A container's name tells its run, so that a run has one at most, whoever makes it; the volume
    with the run's own layer over the project's folder has the same name. Both are removed, and the
    layer with them, once the run's end and its log are written down.
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
            There can be no such container, or no such layer.
        """
        ledger = self._ledger(job.run_id)
        if ledger.outcome is not None:
            return
        former = self._find(job.run_id)
        container = former or self._create(job)
        if container.is_created:
            try:
                self._engine.start(container.name)
            except EngineRefused as error:
                if former is None or _IS_THERE not in error.message:
                    raise
                # Its worker may be at work, but the engine that was killed while it started it
                # knows nothing of it, and never will. `collect` ends it.
                log.warning("An engine that was killed has lost a run, run=%s", job.run_id)
                ledger.write_outcome(Outcome())
                return
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
        # In this order: what a killed dispatcher leaves of it is found again by `known`.
        if container is not None:
            self._engine.remove(container.name)
        # And what an engine that was killed has lost sight of.
        end_processes_of(run_id)
        self._engine.remove_volume(run_container_name(self._surroundings, run_id))
        self._remove_layers(ledger)
        return outcome

    def known(self) -> tuple[str, ...]:
        """Return the runs that have a container, or a part of one; see `Executor`."""
        labels = {"nb2prod.instance": self._surroundings.instance, "nb2prod.kind": "run"}
        containers = {item.labels["nb2prod.run"] for item in self._engine.containers(labels)}
        volumes = {item["Labels"]["nb2prod.run"] for item in self._engine.volumes(labels)}
        layers = self._workspace.settings.runs_folder.glob("*/layers")
        return tuple(sorted(containers | volumes | {path.parent.name for path in layers}))

    def _create(self, job: Job) -> Container:
        has_internet = job.network is Network.INTERNET
        self._engine.ensure_project_network(
            self._surroundings,
            job.project,
            NetworkKind.OPEN if has_internet else NetworkKind.CLOSED,
        )
        hand_over(job.work, job.project)
        needs = RunNeeds(
            run_id=job.run_id,
            work=job.work,
            layers=self._ledger(job.run_id).folder.layers,
            resources=job.resources,
            has_internet=has_internet,
            environment=job.environment(),
        )
        spec = run_container(self._surroundings, job.project, needs)
        assert spec.overlay is not None
        # Of a start that was cut off; the project's folder may have moved since.
        self._engine.remove_volume(spec.overlay.name)
        make_layers(spec.overlay)
        self._engine.make_volume(spec.overlay, spec.labels)
        return self._engine.create(spec)

    def _remove_layers(self, ledger: Ledger) -> None:
        try:
            remove_tree(ledger.folder.layers)
        except (StorageFull, StorageUnusable):
            # A run must come to its end all the same; `known` has it until it is gone.
            log.exception("A run's layer could not be removed, run=%s", ledger.folder.path.name)

    def _outcome(self, ledger: Ledger, container: Container | None) -> Outcome:
        if container is None:
            return Outcome(is_cancelled=ledger.is_cancelled)
        peak_mb = None
        if container.is_running:
            peak_mb = self._engine.peak_memory_mb(container.name)
            self._engine.stop(container.name)
            container = self._engine.find(container.name) or container
        if container.is_out_of_memory:
            # The system ends a process of a container only where the limit was reached.
            peak_mb = container.memory_mb
        if ledger.folder.path.exists():
            words = self._engine.logs(container.name, tail_bytes=KEPT_LOG_BYTES)
            write_file(ledger.worker_log, words)
        return Outcome(
            exit_status=container.exit_status,
            is_out_of_memory=container.is_out_of_memory,
            memory_mb=container.memory_mb,
            peak_memory_mb=peak_mb,
            resources=container.labels.get("nb2prod.resources", ""),
            is_cancelled=ledger.is_cancelled,
            last_words=ledger.last_words(),
        )

    def _find(self, run_id: str) -> Container | None:
        return self._engine.find(run_container_name(self._surroundings, run_id))

    def _ledger(self, run_id: str) -> Ledger:
        return Ledger(run_folder(self._workspace, run_id))


@contextmanager
def open_docker_executor(
    workspace: Workspace, surroundings: Surroundings
) -> Iterator[DockerExecutor]:
    """Give the executor with the machine's engine; see `nb2prod.jobs.executors`.

    Raises
    ------
    EngineUnreachable
        No engine answers.
    """
    with DockerEngine.connect() as engine:
        yield DockerExecutor(workspace, engine, surroundings)
