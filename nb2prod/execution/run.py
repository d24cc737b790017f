"""Running a version, from its parameters to its record."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nb2prod.errors import KernelUnavailable, RunUnsuccessful, StorageFull, StorageUnusable
from nb2prod.errors import RunEnded as HasEnded
from nb2prod.execution.events import RunEnded
from nb2prod.execution.models import CiContext, Profile, RunRecord, RunRequest, RunStatus
from nb2prod.execution.place import Place, WorkspacePlace
from nb2prod.execution.recorder import Listener, Recorder, now, read_events, write_file
from nb2prod.execution.runs import create_run, full_values
from nb2prod.registry.models import Version
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace

if TYPE_CHECKING:
    from nb2prod.execution.execute import RunSession

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """How to run a version.

    Parameters
    ----------
    profile
        Where the values come from that are not given.
    cell_timeout_s, timeout_s
        Seconds that one cell, or all cells together, may take; `None` leaves what the version
        says.
    start_timeout_s, grace_s, output_timeout_s
        See `nb2prod.execution.runner.Limits`.
    requested_by
        Who asks; by default the workspace's person.
    requested_via
        See `RunRecord`.
    ci
        `None` where it is not CI that asks.
    sweep, sweep_position
        The id of the sweep that the run is of, and its place in it from 1; `None` for no sweep.
    output_path
        Where to write the executed notebook besides; `None` for nowhere. Its folder is made.
    """

    profile: Profile = Profile.FULL
    cell_timeout_s: float | None = None
    timeout_s: float | None = None
    start_timeout_s: float = 60.0
    grace_s: float = 5.0
    output_timeout_s: float = 30.0
    requested_by: str | None = None
    requested_via: str = "cli"
    ci: CiContext | None = None
    sweep: str | None = None
    sweep_position: int | None = None
    output_path: Path | None = None


def run_version(
    workspace: Workspace,
    project: Project,
    version: Version,
    values: Mapping[str, object],
    *,
    options: RunOptions | None = None,
    listener: Listener | None = None,
) -> RunRecord:
    """Run a version in its kernel, through papermill and our engine, and record it.

    A run that fails, times out, is cancelled, or finds no kernel does not raise: its record
    says so. In the main thread SIGINT, SIGTERM and SIGHUP cancel the run while it goes on.

    Parameters
    ----------
    values
        Parameters by name; text is read by the parameter's type. Others have their defaults, or,
        in a smoke run, the version's small values.
    listener
        Called with each event as it happens, from the runner's threads.

    Returns
    -------
    RunRecord
        The record of the run, which has ended.

    Raises
    ------
    ParameterUnknown, ParameterInvalid
        The values are not the version's; there is no run then.
    StorageFull, StorageUnusable
        The run can't be recorded.
    """
    options = options or RunOptions()
    person = options.requested_by or workspace.settings.person
    checked = full_values(version, values, options.profile)
    if options.output_path is not None:
        _make_folder(options.output_path.parent)
    asked = create_run(
        workspace,
        version,
        checked,
        project=project,
        request=RunRequest(
            by=person,
            via=options.requested_via,
            profile=options.profile,
            timeout_s=options.timeout_s,
            cell_timeout_s=options.cell_timeout_s,
            ci=options.ci,
            sweep=options.sweep,
            sweep_position=options.sweep_position,
        ),
    )
    from nb2prod.execution.execute import RunSession
    from nb2prod.execution.runner import Limits

    session = RunSession(
        place=WorkspacePlace(workspace, asked),
        version=version,
        root=project.root,
        record=asked,
        limits=Limits(
            cell_timeout_s=asked.cell_timeout_s,
            timeout_s=asked.timeout_s,
            start_timeout_s=options.start_timeout_s,
            grace_s=options.grace_s,
            output_timeout_s=options.output_timeout_s,
        ),
        listener=listener,
    )
    record = run_session(session)
    if options.output_path is not None:
        write_output(options.output_path, workspace.blobs.get(record.sources["executed"]))
    return record


def run_session(session: RunSession) -> RunRecord:
    """Run what has been asked for, through papermill and our engine; see `run_version`.

    Raises
    ------
    StorageFull, StorageUnusable
        The run can't be recorded.
    """
    try:
        return _through_papermill(session)
    except BaseException as error:
        # Before the engine took over, or beyond what it can record: no row stays open.
        with suppress(StorageFull, StorageUnusable):
            _give_up(session.place, error)
        raise


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageUnusable(f"{folder} can't be made: {error.strerror}.") from error


def write_output(path: Path, content: bytes) -> None:
    """Write an executed notebook where a person wants it; raises `StorageUnusable`."""
    # To what a link leads to, as other programs do; `/dev/null` must not become a file.
    target = path.resolve()
    if not target.exists() or target.is_file():
        write_file(target, content)
        return
    try:
        target.write_bytes(content)
    except OSError as error:
        raise StorageUnusable(f"{path} can't be written: {error.strerror}.") from error


def _through_papermill(session: RunSession) -> RunRecord:
    from papermill import PapermillExecutionError, execute_notebook

    from nb2prod.execution.engine import SESSION
    from nb2prod.execution.papermill_io import version_node

    try:
        execute_notebook(
            version_node(session.version, project=session.record.project),
            None,
            engine_name="nb2prod",
            progress_bar=False,
            **{SESSION: session},
        )
    except (PapermillExecutionError, RunUnsuccessful, KernelUnavailable, HasEnded):
        log.debug("The run did not succeed, run=%s", session.record.id, exc_info=True)
    return session.place.end()


def _give_up(place: Place, error: BaseException) -> None:
    lock = place.folder.try_lock()
    if lock is None:
        return
    with lock:
        if not any(isinstance(event, RunEnded) for event in read_events(place.folder.events)):
            status, reason = RunStatus.FAILED, f"nb2prod itself failed: {error!r}"
            if isinstance(error, KeyboardInterrupt):
                status, reason = RunStatus.CANCELLED, "Cancelled before it began, by Ctrl-C."
            with Recorder(place.folder) as recorder:
                recorder.append(RunEnded(at=now(), status=status, reason=reason))
        place.end()
