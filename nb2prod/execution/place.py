"""Where a run is executed: in a process that has the workspace, or elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from nb2prod.execution.circumstances import code_note
from nb2prod.execution.collect import collect
from nb2prod.execution.contents import Contents
from nb2prod.execution.models import FileUse, RunRecord
from nb2prod.execution.recorder import RunFolder, run_folder
from nb2prod.execution.runs import start_run
from nb2prod.execution.tracking_store import TrackingStore, store_of
from nb2prod.registry.models import Version
from nb2prod.workspace.rows import require_existing
from nb2prod.workspace.secrets import known_values, read_secrets
from nb2prod.workspace.workspace import Workspace


class Place(Protocol):
    """What a run needs of the place in which it is executed."""

    @property
    def folder(self) -> RunFolder:
        """Folder of its event log and its lock."""
        ...

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """Folders of ours that may lie in the project's."""
        ...

    @property
    def contents(self) -> Contents:
        """Keeps the artifacts."""
        ...

    @property
    def tracking(self) -> TrackingStore | None:
        """Where MLflow is; `None` where there is none to speak to."""
        ...

    def secrets(self, version: Version) -> Mapping[str, str]:
        """Return the values of the secrets that a version names, by name.

        Raises
        ------
        SecretNotFound
            One of them is not there.
        """
        ...

    def begin(self) -> None:
        """Say that the run begins; to be called by who holds its lock.

        Raises
        ------
        RunEnded
            It may not: it has ended, or it has begun before.
        """
        ...

    def end(self) -> RunRecord:
        """Return the record of the run, which has ended; idempotent."""
        ...

    def executed(self, record: RunRecord) -> bytes:
        """Return the executed notebook of the run, which has ended."""
        ...

    def describe_code(self, version: Version, files: Iterable[FileUse]) -> str:
        """Return a sentence on code that is not as in the version's commit, or nothing."""
        ...


@dataclass(frozen=True)
class WorkspacePlace:
    """A process that has the workspace: its row, its blobs, the repository.

    Parameters
    ----------
    record
        The run, as it was asked for.
    """

    workspace: Workspace
    record: RunRecord

    @property
    def folder(self) -> RunFolder:
        """See `Place`."""
        return run_folder(self.workspace, self.record.id)

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """See `Place`."""
        return (self.workspace.settings.home,)

    @property
    def contents(self) -> Contents:
        """See `Place`."""
        return self.workspace.blobs

    @cached_property
    def tracking(self) -> TrackingStore | None:
        """See `Place`."""
        return store_of(self.workspace, self.record)

    def secrets(self, version: Version) -> Mapping[str, str]:
        """See `Place`; those that the project has not may be in the person's own environment."""
        names = version.manifest.run.secrets
        own = {name: os.environ[name] for name in names if os.environ.get(name)}
        if not names:
            return {}
        with self.workspace.database.read() as connection:
            project = require_existing(connection, self.record.project)
        known = known_values(self.workspace, project.id)
        missing = [name for name in names if name not in {**own, **known}]
        # Says whose it is to set them.
        read_secrets(self.workspace, project, missing)
        return {name: known.get(name) or own[name] for name in names}

    def begin(self) -> None:
        """See `Place`."""
        start_run(self.workspace, self.record.id)

    def end(self) -> RunRecord:
        """See `Place`."""
        return collect(self.workspace, self.record.id)

    def executed(self, record: RunRecord) -> bytes:
        """See `Place`."""
        return self.workspace.blobs.get(record.sources["executed"])

    def describe_code(self, version: Version, files: Iterable[FileUse]) -> str:
        """See `Place`."""
        return code_note(version, files)
