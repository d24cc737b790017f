"""The example project of a new workspace: its files, its versions, and what is to be run once.

The hub's first administrator owns it like any project; runs are asked for one by one, since
each needs the results of the former.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

from nb2prod.cli.output import console
from nb2prod.errors import InvalidInput, PreflightBlocked, StorageUnusable, storage_error
from nb2prod.notebook.reading import read_notebook
from nb2prod.registry.models import Version
from nb2prod.registry.project_files import FolderFiles
from nb2prod.registry.versions import (
    EnvironmentOf,
    Proposal,
    confirm,
    list_versions,
    load_version,
    propose_content,
)
from nb2prod.workspace.folders import hand_over
from nb2prod.workspace.people import author_of
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace

# In the order in which they need each other's results.
NOTEBOOKS = ("explore", "train", "score")
MAKE_DATA_TIMEOUT_S = 600

_MODELS = "models"
_MADE = (
    *("data", _MODELS, "results", "smoke", "mlruns", "mlflow.db"),
    *("__pycache__", ".ipynb_checkpoints"),
)


def install_example_files(workspace: Workspace, source: Path, project: Project) -> None:
    """Put the example into a project's folder, with its data, where it is missing.

    All of it is made beside the folder and moved in, so that an interruption leaves no half of a
    file; what is there already stays, whatever it is. Nothing that lies in the project's folder
    is read or run.

    Raises
    ------
    InvalidInput
        ``source`` has no example.
    StorageFull, StorageUnusable
        The files or the data can't be made.
    """
    _require_example(source)
    if all(os.path.lexists(project.root / name) for name in _names(source)):
        return
    home = workspace.settings.home
    with tempfile.TemporaryDirectory(prefix=".example-", dir=home) as folder:
        made = Path(folder) / source.name
        console.print("Making the example's files and data")
        shutil.copytree(source, made, ignore=shutil.ignore_patterns(*_MADE))
        _make_data(made)
        hand_over(made, project)
        try:
            for entry in sorted(made.iterdir()):
                target = project.root / entry.name
                if not os.path.lexists(target):
                    entry.rename(target)
        except OSError as error:
            raise storage_error(project.root, error) from error


def keep_models(workspace: Workspace, project: Project, *, person: str) -> None:
    """Put the models of the newest training into the project's folder, where none are.

    A run in a container writes to a layer of its own, and its files are its artifacts only; the
    one that scores looks for them in the folder.

    Parameters
    ----------
    person
        A member of the project.

    Raises
    ------
    StorageFull, StorageUnusable
        They can't be written.
    """
    from nb2prod.execution.models import Profile, RunStatus
    from nb2prod.execution.runs import list_runs

    runs = list_runs(workspace, person=person, project=project.name, pipeline="train")
    done = (run for run in runs if run.status is RunStatus.SUCCEEDED)
    newest = next((run for run in done if run.profile is Profile.FULL), None)
    target = project.root / _MODELS
    if newest is None or os.path.lexists(target):
        return
    files = {PurePosixPath(item.name): item.sha256 for item in newest.artifacts}
    home = workspace.settings.home
    with tempfile.TemporaryDirectory(prefix=".example-", dir=home) as folder:
        made = Path(folder) / _MODELS
        made.mkdir()
        for path, sha256 in files.items():
            if path.parent == PurePosixPath(_MODELS):
                (made / path.name).write_bytes(workspace.blobs.get(sha256))
        hand_over(made, project)
        try:
            made.rename(target)
        except OSError as error:
            raise storage_error(target, error) from error


def promote_example(
    source: Path, project: Project, *, person: str, environment: EnvironmentOf
) -> tuple[Version, ...]:
    """Return the newest versions of the example's notebooks, promoting those that have none.

    Parameters
    ----------
    source
        The folder of the example; the notebooks are read there, and not in the project.
    person
        In whose name they are promoted.
    environment
        See `nb2prod.registry.versions.propose_content`.

    Raises
    ------
    InvalidInput
        ``source`` has no example.
    PreflightBlocked
        A notebook of the example can't be promoted.
    KernelUnavailable, ImageMissing
        ``environment`` does not know their kernel.
    StorageFull, StorageUnusable
        The project's repository can't be written.
    """
    _require_example(source)
    versions = []
    for name in NOTEBOOKS:
        version = _newest(project.repository, name)
        if version is None:
            proposal = propose_content(
                repository=project.repository,
                notebook=read_notebook(source / f"{name}.ipynb"),
                path=f"{name}.ipynb",
                directory=".",
                environment=environment,
                project=FolderFiles(root=project.root),
            )
            _require_promotable(proposal)
            version = confirm(proposal, author_of(person))
            console.print(f"Promoted [green]{version.reference}[/]")
        versions.append(version)
    return tuple(versions)


def versions_to_run(
    workspace: Workspace, project: Project, versions: tuple[Version, ...], *, person: str
) -> tuple[Version, ...]:
    """Return those versions of whose pipeline no run has succeeded or goes on, in their order.

    Parameters
    ----------
    person
        A member of the project.
    """
    from nb2prod.execution.models import RunStatus
    from nb2prod.execution.runs import list_runs

    done = {RunStatus.SUCCEEDED, RunStatus.RUNNING, RunStatus.QUEUED}
    return tuple(
        version
        for version in versions
        if not any(
            run.status in done
            for run in list_runs(
                workspace, person=person, project=project.name, pipeline=version.pipeline
            )
        )
    )


def _require_example(source: Path) -> None:
    if not all((source / f"{name}.ipynb").is_file() for name in NOTEBOOKS):
        raise InvalidInput(f"{source} holds no example: {', '.join(NOTEBOOKS)}.ipynb are needed.")


def _names(source: Path) -> set[str]:
    return {entry.name for entry in source.iterdir() if entry.name not in _MADE} | {"data"}


def _make_data(root: Path) -> None:
    partial = root / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        subprocess.run(
            [sys.executable, "make_data.py", "--output", str(partial)],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
            timeout=MAKE_DATA_TIMEOUT_S,
        )
    except subprocess.SubprocessError as error:
        words = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise StorageUnusable(f"The example's data can't be made: {words[-1]}") from error
    partial.rename(root / "data")


def _newest(repository: Path, name: str) -> Version | None:
    for entry in list_versions(repository):
        if entry.pipeline == name:
            return load_version(repository, entry.reference)
    return None


def _require_promotable(proposal: Proposal) -> None:
    if proposal.is_blocked:
        raise PreflightBlocked(
            f"The example's {proposal.notebook.name}.ipynb can't be promoted:"
            f" {proposal.findings[0].message}"
        )
