"""The dispatcher with workers beside it: killed at any time, nothing is lost or runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from nb2prod.errors import Conflict, EngineRefused, EngineUnreachable, ParameterUnknown
from nb2prod.execution.collect import collect
from nb2prod.execution.events import OutputAdded, RunStarted
from nb2prod.execution.models import CellStatus, RunStatus
from nb2prod.execution.processes import end_processes_of, processes_of
from nb2prod.execution.recorder import Recorder, now
from nb2prod.execution.runs import list_runs, reconcile
from nb2prod.jobs.dispatcher import MAX_FAILURES, Dispatcher
from nb2prod.jobs.models import Job, Outcome, Standing
from nb2prod.jobs.process_executor import ProcessExecutor
from nb2prod.knowledge.pages import get_page
from nb2prod.store.schema import access_tokens, runs
from nb2prod.workspace.workspace import Workspace
from tests.helpers.jobs import JobBench, eventually, surroundings_of
from tests.helpers.kernels import is_alive, statuses
from tests.helpers.notebooks import code, parameters

ROOT = Path(__file__).parents[2]
SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def bench(workspace: Workspace) -> Iterator[JobBench]:
    opened = JobBench.found(workspace, executor="process")
    yield opened
    for record in list_runs(workspace, person="ada"):
        end_processes_of(record.id)


@pytest.fixture
def executor(bench: JobBench) -> ProcessExecutor:
    return ProcessExecutor(bench.workspace, surroundings_of(bench.workspace))


@pytest.fixture
def dispatcher(bench: JobBench, executor: ProcessExecutor) -> Dispatcher:
    return Dispatcher(bench.workspace, [executor])


def tokens(bench: JobBench) -> int:
    with bench.workspace.database.read() as connection:
        return len(connection.execute(access_tokens.select()).all())


def worker_of(run_id: str) -> int:
    """The worker's process of a run; the kernel has its id in the environment as well."""

    def is_worker(pid: int) -> bool:
        return b"nb2prod.execution.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()

    (pid,) = filter(is_worker, processes_of(run_id))
    return pid


def test_run_is_executed_from_its_folder_and_leaves_record_and_page(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(
        parameters("days: int = 2"),
        code("print('days', days)\nwith open('out.csv', 'w') as file: file.write('a,b')"),
        code("import os; print(os.environ.get('JUPYTERHUB_API_TOKEN'), os.getcwd())"),
        values={"days": "3"},
    )
    assert bench.run(run_id).status is RunStatus.QUEUED

    record = bench.finish(dispatcher, run_id)

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert f"None {bench.project.root}" in bench.log(record)
    assert "days 3" in bench.log(record)
    (artifact,) = record.artifacts
    assert (artifact.name, bench.workspace.blobs.get(artifact.sha256)) == ("out.csv", b"a,b")
    assert get_page(bench.workspace, run_id, person="ada").record == record
    assert processes_of(run_id) == ()
    assert tokens(bench) == 0
    assert not bench.folder(run_id).work.artifacts.exists()


def test_run_with_wrong_parameters_is_not_asked_for(bench: JobBench) -> None:
    with pytest.raises(ParameterUnknown):
        bench.request(code("1"), values={"dayz": 3})

    assert list_runs(bench.workspace, person="ada") == ()


def test_run_whose_cell_fails_is_failed(bench: JobBench, dispatcher: Dispatcher) -> None:
    record = bench.finish(dispatcher, bench.request(code("print('before')\n1 / 0"), code("1")))

    assert record.status is RunStatus.FAILED
    assert record.reason == "Cell 1 failed: ZeroDivisionError: division by zero"
    assert statuses(record) == [CellStatus.FAILED, CellStatus.NOT_RUN]


def test_runs_of_executors_are_not_for_reconcile_and_others_not_for_the_dispatcher(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    own, other = bench.request(code("1")), bench.request(code("1"))
    old = now() - timedelta(hours=1)
    with bench.workspace.database.write() as connection:
        connection.execute(update(runs).values(created_at=old))
        connection.execute(update(runs).where(runs.c.id == other).values(executor="elsewhere"))

    assert reconcile(bench.workspace) == ()
    bench.finish(dispatcher, own)

    assert bench.run(other).status is RunStatus.QUEUED


class RecordingExecutor:
    """Starts nothing, and remembers what it was asked for."""

    name = "process"

    def __init__(self) -> None:
        self.started: list[str] = []
        self.standing: dict[str, Standing] = {}

    def start(self, job: Job) -> None:
        self.started.append(job.run_id)
        self.standing[job.run_id] = Standing.RUNNING

    def attach(self, run_id: str) -> Standing:
        return self.standing.get(run_id, Standing.ABSENT)

    def cancel(self, run_id: str) -> None:
        raise NotImplementedError

    def collect(self, run_id: str) -> Outcome:
        self.standing[run_id] = Standing.ENDED
        return Outcome()

    def known(self) -> tuple[str, ...]:
        return tuple(self.standing)


def test_oldest_runs_go_first_and_only_so_many_at_once(bench: JobBench) -> None:
    ids = [bench.request(code(str(number))) for number in range(4)]
    with bench.workspace.database.write() as connection:
        for age, run_id in enumerate(ids):
            created = now() - timedelta(minutes=age)
            row = update(runs).where(runs.c.id == run_id)
            connection.execute(row.values(created_at=created))
    executor = RecordingExecutor()
    dispatcher = Dispatcher(bench.workspace, [executor], limit=2)

    dispatcher.look()
    dispatcher.look()
    assert executor.started == [ids[3], ids[2]]

    executor.standing[ids[3]] = Standing.ENDED
    dispatcher.look()
    assert bench.run(ids[3]).status is RunStatus.LOST
    dispatcher.look()
    assert executor.started == [ids[3], ids[2], ids[1]]


class RefusingExecutor(RecordingExecutor):
    """Can start nothing."""

    def start(self, job: Job) -> None:
        job.issue_token()
        raise EngineRefused("There is no room for it.")


def test_run_that_can_not_be_started_fails_with_the_reason(bench: JobBench) -> None:
    run_id = bench.request(code("1"))

    Dispatcher(bench.workspace, [RefusingExecutor()]).look()

    record = bench.run(run_id)
    assert (record.status, record.reason) == (RunStatus.FAILED, "There is no room for it.")
    assert get_page(bench.workspace, run_id, person="ada").record == record
    assert tokens(bench) == 0


class AbsentExecutor(RecordingExecutor):
    """Its engine does not answer."""

    def start(self, job: Job) -> None:
        raise EngineUnreachable("Nobody answers.")


def test_run_whose_engine_is_away_waits_and_holds_up_no_other(
    bench: JobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = bench.request(code("1")), bench.request(code("2"))
    with bench.workspace.database.write() as connection:
        other = update(runs).where(runs.c.id == second)
        connection.execute(other.values(executor="other", created_at=now()))
    working = RecordingExecutor()
    monkeypatch.setattr(working, "name", "other")
    dispatcher = Dispatcher(bench.workspace, [AbsentExecutor(), working], limit=1)

    dispatcher.look()
    dispatcher.look()

    assert bench.run(first).status is RunStatus.QUEUED
    assert working.started == [second]


class BrokenExecutor(RecordingExecutor):
    """Fails in a way that nobody has thought of."""

    def attach(self, run_id: str) -> Standing:
        raise RuntimeError("unforeseen")


def test_run_that_gives_trouble_again_and_again_is_ended(
    bench: JobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = bench.request(code("1"))
    clock = iter(range(0, 10**6, 10**3))
    monkeypatch.setattr("nb2prod.jobs.dispatcher.time.monotonic", lambda: float(next(clock)))
    dispatcher = Dispatcher(bench.workspace, [BrokenExecutor()])

    for _ in range(MAX_FAILURES + 1):
        assert not bench.run(run_id).status.is_final
        dispatcher.look()

    record = bench.run(run_id)
    assert record.status is RunStatus.LOST
    assert record.reason == "nb2prod itself failed: RuntimeError: unforeseen"


DISPATCHER = """
import signal, sys, threading
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.process_executor import ProcessExecutor
from nb2prod.settings import Settings
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.jobs import surroundings_of

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
with open_workspace(Settings.from_environment()) as workspace:
    executor = ProcessExecutor(workspace, surroundings_of(workspace))
    Dispatcher(workspace, [executor]).run_forever(stop, poll_interval_s=0.05)
"""


class DispatcherProcess:
    """A dispatcher in a process of its own, which can be killed."""

    def __init__(self, bench: JobBench) -> None:
        environment = {**os.environ, "NB2PROD_HOME": str(bench.workspace.settings.home)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", DISPATCHER], cwd=ROOT, env=environment, start_new_session=True
        )

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to it and to all that share its session, as a terminal would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
            self.process.wait(30)


@pytest.fixture
def process(bench: JobBench) -> Iterator[DispatcherProcess]:
    started = DispatcherProcess(bench)
    yield started
    started.kill()


ONCE = """
import os, time
with open("begun.txt", "a") as file: file.write("begun ")
print("waiting", flush=True)
while not os.path.exists("go"): time.sleep(0.05)
print("went on")
"""


def is_waiting(bench: JobBench, run_id: str) -> bool:
    return any(
        isinstance(event, OutputAdded) and "waiting" in event.text for event in bench.events(run_id)
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_run_survives_its_dispatcher_and_is_ended_once_by_the_next(
    bench: JobBench, process: DispatcherProcess, number: signal.Signals
) -> None:
    run_id = bench.request(code(ONCE))
    eventually(lambda: is_waiting(bench, run_id))
    worker = worker_of(run_id)

    process.kill(number)
    assert is_alive(worker)
    second = DispatcherProcess(bench)
    try:
        (bench.project.root / "go").touch()
        eventually(lambda: bench.run(run_id).status.is_final)
    finally:
        second.kill()

    record = bench.run(run_id)
    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert bench.log(record).count("went on") == 1
    assert (bench.project.root / "begun.txt").read_text() == "begun "
    started = [event for event in bench.events(run_id) if isinstance(event, RunStarted)]
    assert len(started) == 1


def test_run_that_ended_while_no_dispatcher_was_there_is_collected(
    bench: JobBench, process: DispatcherProcess, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code(ONCE))
    eventually(lambda: is_waiting(bench, run_id))
    process.kill()
    (bench.project.root / "go").touch()
    eventually(lambda: processes_of(run_id) == ())
    assert bench.run(run_id).status is RunStatus.RUNNING

    dispatcher.reconcile()
    record = bench.finish(dispatcher, run_id)

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")


def test_run_whose_worker_is_killed_is_lost_and_nothing_of_it_is_left(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code("print('before')"), code(SLEEP))
    bench.reach_cell(dispatcher, run_id, 2)
    found = processes_of(run_id)
    assert len(found) == 2

    os.kill(worker_of(run_id), signal.SIGKILL)
    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert record.reason == "The run's worker was ended by SIGKILL. Cell 2 was running."
    assert statuses(record) == [CellStatus.SUCCEEDED, CellStatus.LOST]
    assert "before" in bench.log(record)
    assert not any(map(is_alive, found))
    assert tokens(bench) == 0


def test_run_whose_worker_was_killed_while_no_dispatcher_was_there_is_lost(
    bench: JobBench, process: DispatcherProcess, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code(ONCE))
    eventually(lambda: is_waiting(bench, run_id))
    process.kill()
    os.kill(worker_of(run_id), signal.SIGKILL)

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert record.reason.startswith("The run's worker ended without a word")
    assert processes_of(run_id) == ()


def test_run_that_is_cancelled_ends_so(
    bench: JobBench, dispatcher: Dispatcher, executor: ProcessExecutor
) -> None:
    run_id = bench.request(code("print('before')"), code(SLEEP))
    bench.reach_cell(dispatcher, run_id, 2)

    executor.cancel(run_id)
    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.CANCELLED
    assert record.reason == "Cancelled in cell 2, by SIGTERM."
    assert statuses(record) == [CellStatus.SUCCEEDED, CellStatus.CANCELLED]


def test_run_whose_dispatcher_died_before_the_start_is_started_by_the_next_one(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    class DyingExecutor(RecordingExecutor):
        """Its process is killed before it has started anything."""

        def start(self, job: Job) -> None:
            raise SystemExit(f"killed before {job.run_id} was started")

    run_id = bench.request(code("print('once')"))
    with pytest.raises(SystemExit):
        Dispatcher(bench.workspace, [DyingExecutor()]).look()
    assert bench.run(run_id).status is RunStatus.RUNNING

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED


def test_run_that_has_begun_and_is_gone_is_not_begun_again(
    bench: JobBench, dispatcher: Dispatcher, executor: ProcessExecutor
) -> None:
    run_id = bench.request(code("print('again')"))
    with Recorder(bench.folder(run_id).work) as recorder:
        recorder.append(RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=1))

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert "again" not in bench.log(record)


def worker(bench: JobBench, run_id: str) -> subprocess.CompletedProcess[str]:
    folder = bench.folder(run_id).work.path
    return subprocess.run(
        [
            *(sys.executable, "-m", "nb2prod.execution.worker", str(folder)),
            *("--project-folder", str(bench.project.root)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_second_worker_of_a_folder_does_nothing(bench: JobBench) -> None:
    run_id = bench.request(code("with open('begun.txt', 'a') as file: file.write('begun ')"))
    work = bench.folder(run_id).work
    lock = work.try_lock()
    assert lock is not None
    meanwhile = worker(bench, run_id)
    lock.close()

    first, second = worker(bench, run_id), worker(bench, run_id)

    assert meanwhile.returncode == 2
    assert "is being executed already" in meanwhile.stderr
    assert (first.returncode, second.returncode) == (0, 0)
    assert (bench.project.root / "begun.txt").read_text() == "begun "
    assert collect(bench.workspace, run_id).status is RunStatus.SUCCEEDED


def test_worker_of_a_folder_with_nothing_to_run_says_so(bench: JobBench) -> None:
    run_id = bench.request(code("1"))
    bench.folder(run_id).work.version.unlink()

    done = worker(bench, run_id)

    assert done.returncode == 2
    assert "holds no version" in done.stderr


def test_second_dispatcher_refuses_to_work(bench: JobBench, executor: ProcessExecutor) -> None:
    stop = threading.Event()
    first = Dispatcher(bench.workspace, [executor])
    seen: list[Any] = []

    class Watched(RecordingExecutor):
        """Starts a second dispatcher as soon as the first one looks."""

        def known(self) -> tuple[str, ...]:
            try:
                first.run_forever(threading.Event())
            except Conflict as error:
                seen.append(error)
            stop.set()
            return ()

    Dispatcher(bench.workspace, [Watched()]).run_forever(stop)

    assert "there can be only one" in str(seen[0])
    # The lock is free again.
    done = threading.Event()
    done.set()
    first.run_forever(done)


def test_leftover_that_can_not_be_removed_holds_up_no_run(bench: JobBench) -> None:
    class Stuck(RecordingExecutor):
        """Has something of a run that it can't remove."""

        def known(self) -> tuple[str, ...]:
            return ("gone",)

        def collect(self, run_id: str) -> Outcome:
            if run_id == "gone":
                raise EngineRefused("It is busy.")
            return super().collect(run_id)

    run_id = bench.request(code("1"))
    executor = Stuck()
    dispatcher = Dispatcher(bench.workspace, [executor])

    dispatcher.reconcile()
    dispatcher.look()

    assert executor.started == [run_id]


def test_round_that_fails_does_not_end_the_dispatcher(
    bench: JobBench, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    calls: list[int] = []

    class FailingOnce(RecordingExecutor):
        """Fails in its first round."""

        def known(self) -> tuple[str, ...]:
            calls.append(1)
            if len(calls) == 1:
                raise RuntimeError("first round")
            stop.set()
            return ()

    Dispatcher(bench.workspace, [FailingOnce()]).run_forever(stop, poll_interval_s=0)

    assert len(calls) == 2
    assert "The dispatcher failed in a round" in caplog.text
