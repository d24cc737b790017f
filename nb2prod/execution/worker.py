"""The worker: executes a run from its folder alone, with no database, no git, no blob store.

``python -m nb2prod.execution.worker FOLDER`` is what an executor starts, in a container or
beside it. The folder has the request and the version (`nb2prod.execution.request`); the
worker writes the event log and what the run leaves there, and speaks to MLflow's server where
the environment names one. Its exit status is 0 for a run that succeeded, 1 for one that came
to another end, 2 for a folder that holds nothing to be run, 3 for a disk without room to say more.

A run is begun once: a second worker of the same folder does nothing, be the first still at
work or not.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nb2prod.errors import Nb2prodError, NotAVersion, RunEnded, StorageFull
from nb2prod.execution.collect import read_history, read_request
from nb2prod.execution.contents import ContentFolder, Contents
from nb2prod.execution.imports import leave_out_grammar
from nb2prod.execution.models import FileUse, RunRecord, RunStatus
from nb2prod.execution.processes import RUN_ID_VARIABLE
from nb2prod.execution.recorder import RunFolder
from nb2prod.execution.request import read_version
from nb2prod.execution.tracking_store import TrackingStore
from nb2prod.registry.models import Version
from nb2prod.settings import WorkerSettings
from nb2prod.workspace.policy import PROJECT_FOLDER, WRITTEN_FOLDER

if TYPE_CHECKING:
    from nb2prod.execution.execute import OwnContainer

log = logging.getLogger(__name__)

SUCCEEDED, UNSUCCESSFUL, NOTHING_TO_RUN, NO_ROOM = 0, 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class FolderPlace:
    """A process that has a run's folder and nothing else; see `nb2prod.execution.place.Place`."""

    folder: RunFolder
    request: RunRecord
    tracking: TrackingStore | None

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """The run's own folder."""
        return (self.folder.path,)

    @property
    def contents(self) -> Contents:
        """Files in the run's folder."""
        return ContentFolder(self.folder.artifacts)

    def secrets(self, version: Version) -> Mapping[str, str]:
        """Return what the dispatcher has put into this process's environment."""
        names = version.manifest.run.secrets
        return {name: os.environ[name] for name in names if name in os.environ}

    def begin(self) -> None:
        """Go on only where nobody has begun the run before."""
        if self.folder.has_begun:
            raise RunEnded(f"The run {self.request.id} was begun before; run the version again.")

    def end(self) -> RunRecord:
        """Return what the event log says."""
        history = read_history(self.folder)
        return replace(self.request, status=history.status, reason=history.reason)

    def executed(self, _record: RunRecord) -> bytes:
        """Return the executed notebook, computed from the event log."""
        notebook = read_history(self.folder).notebook
        return json.dumps(notebook, ensure_ascii=False).encode("utf-8", "replace")

    def describe_code(self, _version: Version, _files: Iterable[FileUse]) -> str:
        """Say nothing: the repository is not here."""
        return ""


def execute_folder(
    folder: RunFolder,
    *,
    project_folder: Path,
    settings: WorkerSettings,
    container: OwnContainer | None = None,
) -> RunRecord:
    """Execute the run that a folder asks for, and return its record.

    SIGTERM, SIGINT and SIGHUP cancel it. See `nb2prod.execution.run.run_version`.

    Parameters
    ----------
    project_folder
        Where the run finds the project's files.
    container
        `None` where the run has none of its own.

    Raises
    ------
    NotAVersion
        The folder holds nothing to be run.
    Conflict
        Another worker is at it.
    StorageFull, StorageUnusable
        The folder can't be written.
    """
    from nb2prod.execution.execute import RunSession
    from nb2prod.execution.run import run_session
    from nb2prod.execution.runner import Limits

    version = read_version(folder.version, repository=project_folder)
    request = read_request(folder)
    if request is None:
        raise NotAVersion(f"{folder.path} holds no request of a run.")
    tracking = None
    if settings.mlflow_uri is not None:
        tracking = TrackingStore(uri=settings.mlflow_uri, workspace=settings.mlflow_workspace)
    session = RunSession(
        place=FolderPlace(folder=folder, request=request, tracking=tracking),
        version=version,
        root=project_folder,
        record=request,
        limits=Limits(cell_timeout_s=request.cell_timeout_s, timeout_s=request.timeout_s),
        container=container,
    )
    return run_session(session)


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute the run of a folder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="nb2prod.execution.worker", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the request and the version")
    parser.add_argument(
        "--project-folder", type=Path, default=Path(PROJECT_FOLDER), help="the project's files"
    )
    parser.add_argument(
        "--in-container", action="store_true", help="the run has a container of its own"
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    leave_out_grammar()
    # The programs that this process asks are not the run's, and don't end with its kernel. (By
    # the environment that it began with, it is found all the same.)
    os.environ.pop(RUN_ID_VARIABLE, None)
    from nb2prod.execution.execute import OwnContainer

    try:
        record = execute_folder(
            RunFolder(given.folder.absolute()),
            project_folder=given.project_folder.absolute(),
            settings=WorkerSettings.from_environment(),
            container=OwnContainer(written=Path(WRITTEN_FOLDER)) if given.in_container else None,
        )
    except Nb2prodError as error:
        log.error("%s", error)  # noqa: TRY400 - a sentence for people, whose cause is in it
        return NO_ROOM if isinstance(error, StorageFull) else NOTHING_TO_RUN
    log.info("The run has ended, run=%s status=%s %s", record.id, record.status, record.reason)
    return SUCCEEDED if record.status is RunStatus.SUCCEEDED else UNSUCCESSFUL


if __name__ == "__main__":
    sys.exit(main())
