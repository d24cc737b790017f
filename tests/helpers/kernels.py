"""Versions and runs for tests with real kernels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nb2prod.execution.events import Event, output_text
from nb2prod.execution.models import CellStatus, RunRecord
from nb2prod.execution.recorder import Listener
from nb2prod.execution.run import RunOptions, run_version
from nb2prod.export.script import to_script
from nb2prod.notebook.models import Cell
from nb2prod.notebook.parameters import find_parameters
from nb2prod.registry.manifest import LOCK_FILE, MANIFEST_FILE, write_manifest
from nb2prod.registry.models import Manifest, Reference, RunSettings, Version
from nb2prod.registry.versions import load_version
from nb2prod.settings import Settings
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import Project, project_of
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.notebooks import notebook

LOCK = "example==1.0\n"


def make_version(
    repository: Repository,
    *cells: Cell,
    name: str = "train",
    kernel_name: str = "python3",
    directory: str = ".",
    settings: RunSettings | None = None,
) -> Version:
    """Make a version of these cells at once: no checks, and an environment that is made up."""
    source = notebook(*cells, name=name, kernel_name=kernel_name)
    found = find_parameters(source).parameters
    manifest = Manifest(
        title=source.title,
        kernel_name=kernel_name,
        kernel_display_name=source.kernel_display_name,
        language=source.language,
        notebook=f"{name}.ipynb",
        directory=directory,
        parameters=found,
        python="3.11.0",
        lock_is_observed=True,
        run=settings or RunSettings(),
    )
    folder = f"pipelines/{name}"
    number = len(repository.tags(f"{name}/v*")) + 1
    repository.commit_and_tag(
        {
            f"{folder}/{name}.py": to_script(source, found).encode(),
            f"{folder}/{MANIFEST_FILE}": write_manifest(manifest).encode(),
            f"{folder}/{LOCK_FILE}": LOCK.encode(),
        },
        replaces=folder,
        message=f"Promote {name}@v{number}",
        tag=f"{name}/v{number}",
        parent=repository.head(),
    )
    return load_version(repository.root, Reference(name, number))


@dataclass
class Bench:
    """A workspace with a repository, in which versions are made and run."""

    workspace: Workspace
    repository: Repository
    events: list[Event] = field(default_factory=list)

    @property
    def project(self) -> Project:
        person = self.workspace.settings.person
        return project_of(self.workspace, self.repository.root, person=person)

    def executed(self, record: RunRecord) -> dict[str, Any]:
        """The executed notebook of a run."""
        content: dict[str, Any] = json.loads(self.workspace.blobs.get(record.sources["executed"]))
        return content

    def printed(self, record: RunRecord) -> str:
        """All that the cells of a run put out, as text."""
        cells = self.executed(record)["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", ())]
        return "".join(map(output_text, outputs))

    def run(
        self,
        *cells: Cell,
        values: dict[str, object] | None = None,
        options: RunOptions | None = None,
        name: str = "train",
        kernel_name: str = "python3",
        listener: Listener | None = None,
    ) -> RunRecord:
        """Make a version of these cells and run it; its events are in `events` afterwards."""
        version = make_version(self.repository, *cells, name=name, kernel_name=kernel_name)
        self.events = []

        def hear(event: Event) -> None:
            self.events.append(event)
            if listener is not None:
                listener(event)

        return run_version(
            self.workspace,
            self.project,
            version,
            values or {},
            options=options,
            listener=hear,
        )


@contextmanager
def open_bench(
    folder: Path, *, mlflow: Path | None = None, database_url: str | None = None
) -> Iterator[Bench]:
    """A bench in a folder; ``mlflow`` is a database to share, since making one takes seconds."""
    home = folder / "home"
    environment = {"NB2PROD_HOME": str(home), "NB2PROD_USER": "ada"}
    if database_url is not None:
        environment["NB2PROD_DATABASE_URL"] = database_url
    if mlflow is not None:
        environment["NB2PROD_MLFLOW_URI"] = f"sqlite:///{mlflow}"
    repository = Repository.create(folder / "seats")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        repository.git("config", name, value)
    with open_workspace(Settings.from_environment(environment)) as workspace:
        yield Bench(workspace, repository)


def statuses(record: RunRecord) -> list[CellStatus]:
    """The status of each code cell, in order."""
    return [cell.status for cell in record.cells]


def is_alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
