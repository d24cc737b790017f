"""Executing a run that was asked for: lock, kernel, lineage, tracking, results, row."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb2prod.errors import Conflict, KernelUnavailable, Unavailable
from nb2prod.execution import tracking
from nb2prod.execution.artifacts import (
    MAX_ARTIFACT_BYTES,
    Allowance,
    artifact_of,
    distinct,
    keep_tracked,
    keep_written,
)
from nb2prod.execution.cancellation import Cancellation, cancelled_by_signals
from nb2prod.execution.circumstances import environment_note, listed, modules_note, secrets_note
from nb2prod.execution.collect import read_history
from nb2prod.execution.conditions import conditions_for
from nb2prod.execution.events import (
    FilesSeen,
    FilesSettled,
    MemorySeen,
    RandomSeeded,
    ResultsKept,
    RunEnded,
    RunStarted,
)
from nb2prod.execution.lineage import Lineage
from nb2prod.execution.memory import CGROUPS, MemoryUse, read_memory_use, shortage
from nb2prod.execution.models import FileAccess, FileUse, RunRecord, RunStatus
from nb2prod.execution.own_modules import lay_out
from nb2prod.execution.place import Place
from nb2prod.execution.record import metrics_without_secrets
from nb2prod.execution.recorder import Listener, Recorder, now, write_json
from nb2prod.execution.redaction import Redactor
from nb2prod.execution.runner import Limits, Runner, is_run
from nb2prod.registry.models import Version

if TYPE_CHECKING:
    from nbformat import NotebookNode

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class OwnContainer:
    """What a run has that is executed in a container of its own.

    Parameters
    ----------
    written
        Folder of all that it has written to the project's folder, and of nothing else.
    cgroups
        Where the container's limits are; see `nb2prod.execution.memory`.
    """

    written: Path
    cgroups: Path = CGROUPS


@dataclass(frozen=True, kw_only=True)
class RunSession:
    """A queued run and how to go about it; travels through papermill to our engine.

    Parameters
    ----------
    root
        The project's folder, where the run works.
    record
        The run, as it was asked for.
    container
        `None` for a run that has none of its own.
    """

    place: Place
    version: Version
    root: Path
    record: RunRecord
    limits: Limits = field(default_factory=Limits)
    listener: Listener | None = None
    cancellation: Cancellation = field(default_factory=Cancellation)
    container: OwnContainer | None = None


def execute(session: RunSession, notebook: NotebookNode, kernel_name: str) -> RunRecord:
    """Execute a queued run, and return its record, whatever its end.

    Parameters
    ----------
    notebook
        The version's notebook, with the injected parameters.

    Raises
    ------
    KernelUnavailable
        There was no kernel to run it in; the run has ended as `failed`.
    Conflict
        Somebody else executes it already.
    RunEnded
        It has ended, since it waited too long.
    StorageFull, StorageUnusable
        Its event log or its row can't be written.
    """
    folder = session.place.folder
    lock = folder.try_lock()
    if lock is None:
        raise Conflict(f"The run {session.record.id} is being executed already.")
    with lock, cancelled_by_signals(session.cancellation):
        session.place.begin()
        write_json(folder.notebook, notebook)
        secrets = session.place.secrets(session.version)
        environment = _kernel_environment(session.place, secrets)
        redactor = Redactor.of_process(secrets, environment)
        keep = partial(artifact_of, session.place.contents)
        with Recorder(folder, session.listener, redactor=redactor, keep=keep) as recorder:
            execution = _Execution(session, recorder, environment, tuple(secrets))
            failure = execution.run(notebook, kernel_name)
        record = session.place.end()
    if failure is not None:
        raise failure
    return record


class _Execution:
    def __init__(
        self,
        session: RunSession,
        recorder: Recorder,
        environment: Mapping[str, str],
        secrets: tuple[str, ...],
    ) -> None:
        place = session.place
        self._environment = environment
        self._secrets = secrets
        self._session = session
        self._recorder = recorder
        self._root = session.root
        container = session.container
        self._lineage = Lineage(
            self._root,
            recorder.folder.opened_files,
            place.own_folders,
            time.time_ns(),
            written_folder=None if container is None else container.written,
            own_modules=recorder.folder.own_modules,
        )
        self._has_lost_sight = False
        # One thread: files are hashed while the next cell runs, one after the other.
        self._hashing = ThreadPoolExecutor(1, "nb2prod-lineage")
        # Of its own, since it is slow, and what the first cell reads should not wait for it.
        self._comparing = ThreadPoolExecutor(1, "nb2prod-environment")
        self._tracking: tracking.Tracking | None = None
        if place.tracking is not None and tracking.is_installed():
            self._tracking = tracking.Tracking(place.tracking, session.record, recorder)

    def run(self, notebook: NotebookNode, kernel_name: str) -> Exception | None:
        """Run and gather the results; return what kept the run from taking place at all."""
        session = self._session
        code_cells = sum(map(is_run, notebook.cells))
        self._recorder.append(
            RunStarted(
                at=now(),
                run_id=session.record.id,
                reference=session.record.reference,
                code_cells=code_cells,
            )
        )
        runner = Runner(
            run_id=session.record.id,
            notebook=notebook,
            kernel_name=kernel_name,
            directory=session.version.directory_in(session.root),
            environment=self._environment,
            conditions=conditions_for(session.record, self._environment),
            recorder=self._recorder,
            lineage=self._lineage,
            after_cell=lambda: self._hashing.submit(self._look),
            limits=session.limits,
            cancellation=session.cancellation,
            memory_use=self._memory_use,
            resources=session.record.resources,
            secrets=self._secrets,
            own_modules=lay_out(session.version, self._recorder.folder.own_modules),
        )
        if self._tracking is not None:
            self._tracking.start()
        self._comparing.submit(self._compare_environment, kernel_name)
        failure: Exception | None = None
        try:
            _run(runner.run(self._roots(), is_tracked=self._tracking is not None))
        except KernelUnavailable as error:
            failure = error
        except Exception as error:
            log.exception("A run could not be driven, run=%s", session.record.id)
            reason = f"nb2prod itself failed: {type(error).__name__}: {error}"
            if isinstance(error, Unavailable):
                reason = error.message
            self._recorder.append(RunEnded(at=now(), status=RunStatus.FAILED, reason=reason))
            failure = error
        finally:
            self._hashing.shutdown(wait=True)
            self._comparing.shutdown(wait=True)
            shutil.rmtree(self._recorder.folder.own_modules, ignore_errors=True)
        try:
            self._keep_memory_use()
            self._keep_results()
        except Exception as error:
            # How the run ended is known and recorded; that must not be lost for this.
            log.exception("Results could not be kept, run=%s", session.record.id)
            self._recorder.note(f"The run's results are not all here: {error}")
        return failure

    def _keep_results(self) -> None:
        files = self._lineage.settle()
        is_complete = self._lineage.machine is not None and not self._has_lost_sight
        self._recorder.append(FilesSettled(at=now(), files=files, is_complete=is_complete))
        self._note(modules_note(self._lineage.own_modules))
        self._note(self._session.place.describe_code(self._session.version, files))
        history = read_history(self._recorder.folder)
        executed = self._recorder.folder.executed
        write_json(executed, history.notebook)
        tracked = tracking.Tracked()
        if self._tracking is not None:
            tracked = self._tracking.finish(history.status, executed, lambda: self._written(files))
        contents = self._session.place.contents
        allowance = Allowance(self._recorder.redactor)
        written = keep_written(contents, self._lineage, files, allowance)
        artifacts = distinct([*written, *keep_tracked(contents, tracked.files, allowance)])
        if allowance.left_out:
            self._note(f"Too large to be kept as artifacts: {listed(allowance.left_out)}.")
        if allowance.with_secrets:
            self._note(secrets_note(allowance.with_secrets))
        shutil.rmtree(self._recorder.folder.downloads, ignore_errors=True)
        metrics = metrics_without_secrets(tracked.metrics, self._recorder.redactor)
        self._recorder.append(ResultsKept(at=now(), metrics=metrics, artifacts=artifacts))

    def _memory_use(self) -> MemoryUse | None:
        container = self._session.container
        return None if container is None else read_memory_use(container.cgroups)

    def _keep_memory_use(self) -> None:
        use = self._memory_use()
        if use is None:
            return
        self._recorder.append(MemorySeen(at=now(), peak_mb=use.peak_mb, limit_mb=use.limit_mb))
        status = read_history(self._recorder.folder).status
        if use.kills and status is not RunStatus.KERNEL_DIED:
            self._note(
                shortage(
                    "A process of the run",
                    peak_mb=use.peak_mb,
                    limit_mb=use.limit_mb,
                    resources=self._session.record.resources,
                )
            )

    def _compare_environment(self, kernel_name: str) -> None:
        try:
            self._note(environment_note(kernel_name, self._session.version.lock))
        except Exception as error:
            log.exception("The environment was not compared, run=%s", self._session.record.id)
            self._note(f"The environment could not be compared with the lock: {error}")

    def _note(self, sentence: str) -> None:
        if sentence:
            self._recorder.note(sentence)

    def _written(self, files: tuple[FileUse, ...]) -> dict[str, Path]:
        redactor = self._recorder.redactor
        written = {
            use.path: self._root / use.path
            for use in files
            if use.access is FileAccess.WRITTEN
            and use.size_bytes is not None
            and use.size_bytes <= MAX_ARTIFACT_BYTES
        }
        return {
            name: path
            for name, path in written.items()
            if redactor.name_in(path.read_bytes()) is None
        }

    def _look(self) -> None:
        try:
            before = set(self._lineage.seeded)
            files = self._lineage.look()
            if files:
                self._recorder.append(FilesSeen(at=now(), files=files))
            for source in sorted(self._lineage.seeded - before):
                self._recorder.append(RandomSeeded(at=now(), source=source))
        except Exception as error:
            log.exception("Files could not be followed, run=%s", self._session.record.id)
            self._has_lost_sight = True
            self._recorder.note(f"Not all files that were read are known: {error}")

    def _roots(self) -> list[str]:
        roots = {str(self._root.absolute()), str(self._root.resolve())}
        return [*sorted(roots), str(self._recorder.folder.own_modules)]


def _kernel_environment(place: Place, secrets: Mapping[str, str]) -> Mapping[str, str]:
    own = {**os.environ, **secrets}
    return own if place.tracking is None else tracking.kernel_environment(place.tracking, own)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    # We were called from a notebook, or another program with a loop of its own.
    with ThreadPoolExecutor(1, "nb2prod-run") as pool:
        pool.submit(asyncio.run, coroutine).result()
