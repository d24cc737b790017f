"""The example project of a new workspace: copied, promoted and run once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from nb2prod.cli.output import console, duration, styled_status
from nb2prod.cli.progress import ProgressPrinter
from nb2prod.errors import InvalidInput, PreflightBlocked, StorageUnusable
from nb2prod.registry.models import Version
from nb2prod.registry.versions import confirm, list_versions, load_version, propose
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import Project, project_of
from nb2prod.workspace.workspace import Workspace

# In the order in which they need each other's results.
NOTEBOOKS = ("explore", "train", "score")
MAKE_DATA_TIMEOUT_S = 600


def install_example(workspace: Workspace, source: Path) -> None:
    """Make the example's project, its versions and one run of each, where they are missing.

    Each step is done once; a start that was interrupted goes on where it stopped.

    Raises
    ------
    InvalidInput
        The folder has no example.
    """
    if not all((source / f"{name}.ipynb").is_file() for name in NOTEBOOKS):
        raise InvalidInput(f"{source} holds no example: {', '.join(NOTEBOOKS)}.ipynb are needed.")
    root = workspace.settings.home / "projects" / source.name
    repository = _copy(source, root)
    project = project_of(workspace, root, person=workspace.settings.person)
    if not (root / "data").is_dir():
        console.print("Making the example's data")
        _make_data(root)
    for name in NOTEBOOKS:
        version = _promoted(repository, name)
        if not _has_run(workspace, project, name):
            _run_once(workspace, project, version)
    console.print(f"The example project is in {root}", soft_wrap=True)


def _copy(source: Path, root: Path) -> Repository:
    if (root / ".git").is_dir() and Repository(root).head() is not None:
        return Repository(root)
    console.print(f"Making the example project {source.name}")
    shutil.copytree(
        source,
        root,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(
            "data", "models", "results", "mlruns", "mlflow.db", "__pycache__", ".ipynb_checkpoints"
        ),
    )
    repository = Repository.create(root)
    if not repository.has_identity():
        # Nobody said who they are; the example must work all the same.
        repository.git("config", "user.name", "nb2prod example")
        repository.git("config", "user.email", "example@localhost")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", f"Begin {source.name}")
    return repository


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


def _promoted(repository: Repository, name: str) -> Version:
    for entry in list_versions(repository.root):
        if entry.pipeline == name:
            return load_version(repository.root, entry.reference)
    proposal = propose(repository.root / f"{name}.ipynb")
    if proposal.is_blocked:
        raise PreflightBlocked(
            f"The example's {name}.ipynb can't be promoted: {proposal.findings[0].message}"
        )
    version = confirm(proposal)
    console.print(f"Promoted [green]{version.reference}[/]")
    return version


def _has_run(workspace: Workspace, project: Project, pipeline: str) -> bool:
    from nb2prod.execution.models import RunStatus
    from nb2prod.execution.runs import list_runs, reconcile

    reconcile(workspace)
    runs = list_runs(
        workspace,
        person=workspace.settings.person,
        project=project.name,
        pipeline=pipeline,
    )
    return any(record.status is RunStatus.SUCCEEDED for record in runs)


def _run_once(workspace: Workspace, project: Project, version: Version) -> None:
    from nb2prod.execution.run import RunOptions, run_version
    from nb2prod.knowledge.pages import catch_up

    options = RunOptions(requested_by=workspace.settings.person, requested_via="cli")
    with ProgressPrinter(has_log=False) as printer:
        record = run_version(
            workspace, project, version, {}, options=options, listener=printer.show
        )
    catch_up(workspace)
    console.print(
        f"{record.reference}: {styled_status(record.status)} in {duration(record.duration_s)}"
    )
