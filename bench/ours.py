"""Our side of the measurements: workspaces whose runs a dispatcher brings to their end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from bench.peers import plain_environment
from nb2prod.execution.models import RunRecord, RunRequest, RunStatus
from nb2prod.execution.runs import create_runs, full_values, get_run, request_run
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.models import Executor
from nb2prod.notebook.models import Cell
from nb2prod.registry.models import Version
from nb2prod.settings import Settings
from nb2prod.store.git import Repository
from nb2prod.store.schema import pages
from nb2prod.workspace.projects import Project, found_project
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.engine import REPOSITORY
from tests.helpers.kernels import make_version

PERSON = "ada"
# The error of each figure; to ask more often would take the processor from what is measured.
LOOK_EACH_S = 0.05
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
# Of all runs of a measurement together.
TIMEOUT_S = 3600


@dataclass(frozen=True, kw_only=True)
class Ours:
    """A workspace with a project, whose runs somebody brings to their end."""

    workspace: Workspace
    project: Project
    executor: str = "process"

    def version(self, name: str, *cells: Cell) -> Version:
        """Make a version of these cells."""
        return make_version(Repository(self.project.repository), *cells, name=name)

    def ask(self, version: Version) -> str:
        """Ask for one run; returns its id."""
        return request_run(self.workspace, self.project, version, {}, request=self.request).id

    def ask_for_many(self, version: Version, count: int) -> list[str]:
        """Ask for so many runs at once."""
        values = full_values(version, {}, self.request.profile)
        asked = [(values, self.request)] * count
        records = create_runs(self.workspace, version, asked, project=self.project)
        return [record.id for record in records]

    @property
    def request(self) -> RunRequest:
        """Who asks, and of whom."""
        return RunRequest(by=PERSON, via="bench", executor=self.executor)

    def wait(self, ids: Sequence[str]) -> list[RunRecord]:
        """Wait until these runs have ended and have their pages; leaves where one failed."""
        until(lambda: self._pages(ids) == len(ids), what=f"the end of {len(ids)} runs")
        records = [get_run(self.workspace, run_id, person=PERSON) for run_id in ids]
        for record in records:
            if record.status is not RunStatus.SUCCEEDED:
                sys.exit(f"Our run {record.id} {record.status}: {record.reason}")
        return records

    def _pages(self, ids: Sequence[str]) -> int:
        query = select(func.count()).select_from(pages).where(pages.c.run_id.in_(ids))
        with self.workspace.database.read() as connection:
            return int(connection.scalar(query) or 0)


@contextmanager
def dispatcher_alone(home: Path, *, parallel: int) -> Iterator[Ours]:
    """Give a workspace for which nothing but a dispatcher's process works; no MLflow, no hub."""
    environment = {
        **plain_environment(),
        "NB2PROD_HOME": str(home),
        "NB2PROD_RUN_LIMIT": str(parallel),
    }
    with open_workspace(Settings.from_environment(environment)) as workspace:
        project = found_project(workspace, "bench", owner=PERSON)
        log_path = home / "dispatcher.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.dispatcher"],
                cwd=REPOSITORY,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(
                lambda: process.poll() is not None or "works" in log_path.read_text(),
                what="the dispatcher",
                timeout_s=START_TIMEOUT_S,
            )
            yield Ours(workspace=workspace, project=project)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)


@contextmanager
def dispatcher_within(
    environment: dict[str, str], executor: Executor, *, parallel: int
) -> Iterator[Ours]:
    """Give a workspace for which a dispatcher in this process works, with this executor."""
    with open_workspace(Settings.from_environment(environment)) as workspace:
        project = found_project(workspace, "bench", owner=PERSON)
        stop = threading.Event()
        dispatcher = Dispatcher(workspace, [executor], limit=parallel)
        thread = threading.Thread(target=dispatcher.run_forever, args=(stop,))
        thread.start()
        try:
            yield Ours(workspace=workspace, project=project, executor=executor.name)
        finally:
            stop.set()
            thread.join(STOP_TIMEOUT_S)


def until(is_so: Callable[[], bool], *, what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Wait until something is so; leaves where it takes too long."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not come within {timeout_s:g} s.")
        time.sleep(LOOK_EACH_S)
