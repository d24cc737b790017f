"""Runs of executors for tests: asked for, and brought to their end by a dispatcher."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nb2prod.errors import PageNotFound
from nb2prod.execution.events import CellStarted, Event
from nb2prod.execution.models import RunRecord, RunRequest, RunStatus
from nb2prod.execution.recorder import RunFolder, read_events, run_folder
from nb2prod.execution.runs import get_run, request_run
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.knowledge.pages import get_page
from nb2prod.notebook.models import Cell
from nb2prod.registry.models import RunSettings
from nb2prod.store.git import Repository
from nb2prod.workspace.policy import Limits, Surroundings
from nb2prod.workspace.projects import Project, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.kernels import make_version

# For a machine that does many other things.
DEADLINE_S = 120.0


def surroundings_of(
    workspace: Workspace,
    *,
    instance: str = "0a1b2c3d",
    image: str = "",
    mlflow_url: str = "",
    limits: Limits | None = None,
) -> Surroundings:
    """What the containers of a test's workspace have in common."""
    return Surroundings(
        instance=instance,
        home=workspace.settings.home,
        default_image=image,
        service_url="",
        mlflow_url=mlflow_url,
        limits=limits or Limits(memory_mb=1024, cpu_cores=1.0, pids=256),
    )


@dataclass
class JobBench:
    """A founded project in a workspace, whose versions executors run."""

    workspace: Workspace
    project: Project
    executor: str

    @classmethod
    def found(cls, workspace: Workspace, *, executor: str) -> JobBench:
        """Found the project ``seats`` of ada."""
        project = found_project(workspace, "seats", owner="ada")
        return cls(workspace, project, executor)

    def request(
        self,
        *cells: Cell,
        values: dict[str, object] | None = None,
        settings: RunSettings | None = None,
        kernel_name: str = "python3",
    ) -> str:
        """Make a version of these cells and ask for a run of it; return the run's id."""
        repository = Repository(self.project.repository)
        version = make_version(repository, *cells, kernel_name=kernel_name, settings=settings)
        record = request_run(
            self.workspace,
            self.project,
            version,
            values or {},
            request=RunRequest(by="ada", via="browser", executor=self.executor),
        )
        return record.id

    def run(self, run_id: str) -> RunRecord:
        """The run as its row and its record have it."""
        return get_run(self.workspace, run_id, person="ada")

    def folder(self, run_id: str) -> RunFolder:
        """The workspace's own folder of a run."""
        return run_folder(self.workspace, run_id)

    def events(self, run_id: str) -> list[Event]:
        """What the worker has written so far."""
        return list(read_events(self.folder(run_id).work.events))

    def log(self, record: RunRecord) -> str:
        """What a run that has ended printed."""
        return self.workspace.blobs.get(record.sources["log"]).decode()

    def finish(self, dispatcher: Dispatcher, run_id: str) -> RunRecord:
        """Let a dispatcher work until a run has ended."""
        self.work(dispatcher, lambda: self.run(run_id).status.is_final)
        return self.run(run_id)

    def reach_cell(self, dispatcher: Dispatcher, run_id: str, number: int) -> None:
        """Let a dispatcher work until a run is in its cell of a number."""

        def is_there() -> bool:
            started = [
                event.number for event in self.events(run_id) if isinstance(event, CellStarted)
            ]
            return number in started

        self.work(dispatcher, is_there)
        assert self.run(run_id).status is RunStatus.RUNNING

    def await_page(self, run_id: str) -> None:
        """Wait until a run that has ended has its page."""

        def has_page() -> bool:
            try:
                get_page(self.workspace, run_id, person="ada")
            except PageNotFound:
                return False
            return True

        eventually(has_page)

    def work(self, dispatcher: Dispatcher, is_done: Callable[[], bool]) -> None:
        """Let a dispatcher look again and again, until something is so."""

        def look() -> bool:
            dispatcher.look()
            return is_done()

        eventually(look)


def eventually(is_so: Callable[[], bool], *, timeout_s: float = DEADLINE_S) -> None:
    """Wait until something is so; fail when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def files_in(folder: Path) -> set[str]:
    """The names of all files in a folder, whatever their depth."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
