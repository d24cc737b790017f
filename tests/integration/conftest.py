"""Fixtures of those who let a dispatcher work with workers beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nb2prod.execution.processes import end_processes_of
from nb2prod.execution.runs import list_runs
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.process_executor import ProcessExecutor
from nb2prod.workspace.workspace import Workspace
from tests.helpers.jobs import JobBench, surroundings_of


@pytest.fixture
def bench(workspace: Workspace) -> Iterator[JobBench]:
    """The project ``seats`` of ada's; at the end nothing of its runs goes on."""
    opened = JobBench.found(workspace, executor="process")
    yield opened
    for record in list_runs(workspace, person="ada"):
        end_processes_of(record.id)


@pytest.fixture
def executor(bench: JobBench) -> ProcessExecutor:
    """Starts workers beside this process."""
    return ProcessExecutor(bench.workspace, surroundings_of(bench.workspace))


@pytest.fixture
def dispatcher(bench: JobBench, executor: ProcessExecutor) -> Iterator[Dispatcher]:
    """The dispatcher of the workspace, which works when it is told to look."""
    with Dispatcher(bench.workspace, [executor]) as opened:
        yield opened
