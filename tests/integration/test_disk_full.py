"""A disk that fills up while runs go on: it is said, what was recorded stays, and work goes on.

The workspace's home is a small file system of its own, which a test fills to the last byte.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from nb2prod.errors import StorageFull
from nb2prod.execution.models import CellStatus, RunStatus
from nb2prod.execution.processes import processes_of
from nb2prod.execution.runs import list_runs
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.knowledge.pages import get_page
from nb2prod.workspace.workspace import Workspace
from tests.helpers.jobs import JobBench, eventually
from tests.helpers.notebooks import code, parameters

SIZE_MB = 64
# Fills the disk from within a run, and then goes on to print: what is printed has no room.
FILLS_DISK = """\
import os
with open(path, 'wb', buffering=0) as stream:
    block = bytes(1 << 16)
    try:
        while True:
            stream.write(block)
    except OSError as error:
        reason = error.strerror
for _ in range(2000):
    print('a line that has no room on the disk', reason)
"""


@pytest.fixture
def isolated_environment(
    isolated_environment: None, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Make the workspace's home a file system of 64 MB."""
    home = tmp_path / "home"
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0700", "tmpfs", home],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        refused = f"a file system can't be mounted: {mounted.stderr}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(refused)
    yield
    # Lazily: a test that failed may have left a process there.
    subprocess.run(["umount", "--lazy", home], check=True)


@contextmanager
def full_disk(workspace: Workspace) -> Iterator[None]:
    """Leave not a byte free on the workspace's disk."""
    path = workspace.settings.home / "filling"
    fill(path)
    try:
        yield
    finally:
        path.unlink()


def fill(path: Path) -> None:
    with path.open("ab", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError:
                continue
    assert shutil.disk_usage(path.parent).free == 0


def look(dispatcher: Dispatcher) -> None:
    """Look as `Dispatcher.run_forever` does, which lives on whatever a look fails with."""
    with suppress(Exception):
        dispatcher.look()


def assert_whole(bench: JobBench, run_id: str) -> None:
    """All that a run has left can be read, and is what it was."""
    record = bench.run(run_id)
    assert record.status is RunStatus.SUCCEEDED
    for sha256 in [*record.sources.values(), *(item.sha256 for item in record.artifacts)]:
        bench.workspace.blobs.get(sha256)
    get_page(bench.workspace, run_id, person="ada")
    with bench.workspace.database.read() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"


def test_run_that_fills_the_disk_ends_and_says_so(bench: JobBench, dispatcher: Dispatcher) -> None:
    before = bench.request(code("print('early')"))
    bench.finish(dispatcher, before)
    bench.await_page(before)
    path = bench.workspace.settings.home / "filling"
    run_id = bench.request(
        parameters("path: str = ''"), code("print('begun')"), code(FILLS_DISK),
        values={"path": str(path)},
    )  # fmt: skip

    def has_filled_the_disk() -> bool:
        look(dispatcher)
        return path.exists() and not list(processes_of(run_id))

    eventually(has_filled_the_disk)

    path.unlink()
    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.FAILED, record
    assert "No space" in record.reason
    assert "begun" in bench.log(record)
    bench.await_page(run_id)
    assert_whole(bench, before)


def test_run_is_not_asked_for_where_the_disk_is_full(bench: JobBench) -> None:
    first = bench.request(code("1"))

    with full_disk(bench.workspace), pytest.raises(StorageFull, match="No space is left"):
        for _ in range(200):
            bench.request(code("1"))

    assert first in {record.id for record in list_runs(bench.workspace, person="ada")}
    bench.request(code("1"))


def test_runs_that_wait_while_the_disk_is_full_go_on_when_there_is_room(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    before = bench.request(code("print('early')"))
    bench.finish(dispatcher, before)
    bench.await_page(before)
    ids = [bench.request(code(f"print({number})")) for number in range(3)]

    with full_disk(bench.workspace):
        for _ in range(30):
            look(dispatcher)
        assert_whole(bench, before)
        assert {bench.run(run_id).status for run_id in ids} <= {
            RunStatus.QUEUED, RunStatus.RUNNING,
        }  # fmt: skip

    for run_id in ids:
        bench.finish(dispatcher, run_id)
        bench.await_page(run_id)
        assert_whole(bench, run_id)


def test_run_that_ends_while_the_disk_is_full_is_recorded_when_there_is_room(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    go = bench.workspace.settings.home.parent / "go"
    run_id = bench.request(
        parameters("go: str = ''"),
        code("open('out.csv', 'w').write('a,b')"),
        code(
            "import os, time\nwhile not os.path.exists(go): time.sleep(0.05)\nprint('x' * 100_000)"
        ),
        values={"go": str(go)},
    )
    bench.reach_cell(dispatcher, run_id, 3)

    with full_disk(bench.workspace):
        go.touch()
        eventually(lambda: not list(processes_of(run_id)))

    record = bench.finish(dispatcher, run_id)

    # That the last cell came to its end could not be written down.
    assert record.status is RunStatus.FAILED
    assert "No space" in record.reason
    assert [cell.status for cell in record.cells if cell.status is CellStatus.SUCCEEDED] != []
    bench.await_page(run_id)
