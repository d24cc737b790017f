"""The executor ``process``: a worker beside the dispatcher, with the same account.

It isolates nobody and limits nothing, and runs work in the project's folder itself; each run's
record says so. It is for a machine without Docker. The worker has a
session of its own, so that it survives the dispatcher, and is found again by the run's id in
its environment.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from nb2prod.errors import storage_error
from nb2prod.execution.processes import end_processes_of, processes_of, remove_socket_folders
from nb2prod.execution.recorder import run_folder
from nb2prod.jobs.ledger import Ledger, started_runs
from nb2prod.jobs.models import Job, Outcome, Standing
from nb2prod.workspace.policy import RunNeeds, Surroundings, run_container
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

WORKER_MODULE = "nb2prod.execution.worker"
# For the record of each run.
NOTE = (
    "Ran beside the workspace, in the project's folder itself, without limits of memory,"
    " processors, processes and network."
)

# Ours and the hub's own, tokens among them; a run has what its container would have.
_OWN_VARIABLES = ("NB2PROD_", "JUPYTERHUB_", "CONFIGPROXY_", "MLFLOW_")


class ProcessExecutor:
    """Starts each run's worker as a detached process; see `nb2prod.jobs.models.Executor`.

    Parameters
    ----------
    surroundings
        As for containers; images, networks and limits are of no use here.
    environment
        Environment of the workers, without what is ours and the hub's; by default this one's.
    """

    name = "process"

    def __init__(
        self,
        workspace: Workspace,
        surroundings: Surroundings,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._workspace = workspace
        self._surroundings = surroundings
        inherited = os.environ if environment is None else environment
        self._environment = {
            name: value for name, value in inherited.items() if not name.startswith(_OWN_VARIABLES)
        }
        # Of those that this process itself has started: only a parent learns an exit status.
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, job: Job) -> None:
        """Start a run's worker, unless it was started before; see `Executor`.

        Raises
        ------
        StorageFull, StorageUnusable
            The process can't be started, or its log not be written.
        """
        if self.attach(job.run_id) is not Standing.ABSENT:
            return
        ledger = self._ledger(job.run_id)
        try:
            with ledger.worker_log.open("ab") as stream:
                child = subprocess.Popen(
                    # -P: no module of the folder that it starts in is taken for one of ours.
                    [
                        *(sys.executable, "-P", "-m", WORKER_MODULE, str(job.work)),
                        *("--project-folder", str(job.project.root)),
                    ],
                    cwd=job.work,
                    env=self._worker_environment(job),
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise storage_error(ledger.worker_log, error) from error
        self._children[job.run_id] = child
        ledger.write_start(pid=child.pid)
        log.info("Started a run's worker, run=%s pid=%s", job.run_id, child.pid)

    def attach(self, run_id: str) -> Standing:
        """Say how a run's worker stands; see `Executor`."""
        child = self._children.get(run_id)
        if child is not None and child.poll() is None:
            return Standing.RUNNING
        ledger = self._ledger(run_id)
        if ledger.outcome is not None:
            return Standing.ENDED
        if _workers(run_id):
            return Standing.RUNNING
        return Standing.ENDED if ledger.is_started else Standing.ABSENT

    def cancel(self, run_id: str) -> None:
        """Send SIGTERM to a run's worker; see `Executor`."""
        workers = _workers(run_id)
        if workers:
            self._ledger(run_id).mark_cancelled()
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def collect(self, run_id: str) -> Outcome:
        """Say how a run's worker ended, and end what is left of it; see `Executor`."""
        ledger = self._ledger(run_id)
        outcome = ledger.outcome
        end_processes_of(run_id)
        remove_socket_folders(run_id)
        # Only forgotten when the outcome is written: the disk may be full.
        child = self._children.get(run_id)
        exit_status = None if child is None else child.wait()
        if outcome is None:
            outcome = Outcome(
                exit_status=exit_status,
                is_cancelled=ledger.is_cancelled,
                last_words=ledger.last_words(),
                notes=(NOTE,),
            )
            ledger.write_outcome(outcome)
        self._children.pop(run_id, None)
        return outcome

    def known(self) -> tuple[str, ...]:
        """Return the runs that were started and not collected; see `Executor`."""
        return started_runs(self._workspace.settings.runs_folder)

    def _ledger(self, run_id: str) -> Ledger:
        return Ledger(run_folder(self._workspace, run_id))

    def _worker_environment(self, job: Job) -> dict[str, str]:
        folder = run_folder(self._workspace, job.run_id)
        needs = RunNeeds(
            run_id=job.run_id,
            work=job.work,
            layers=folder.layers,
            resources=job.resources,
            environment=job.environment(),
        )
        spec = run_container(self._surroundings, job.project, needs)
        return {**self._environment, **spec.environment}


@contextmanager
def open_process_executor(
    workspace: Workspace, surroundings: Surroundings
) -> Iterator[ProcessExecutor]:
    """Give the executor; see `nb2prod.jobs.executors`."""
    yield ProcessExecutor(workspace, surroundings)


def _workers(run_id: str) -> tuple[int, ...]:
    return tuple(pid for pid in processes_of(run_id) if _is_worker(pid))


def _is_worker(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return WORKER_MODULE.encode() in words
