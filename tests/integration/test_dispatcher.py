"""The dispatcher with workers beside it: killed at any time, nothing is lost or runs twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from nb2prod.errors import (
    Conflict,
    EngineRefused,
    EngineUnreachable,
    ParameterUnknown,
    RunEnded,
)
from nb2prod.execution.collect import collect
from nb2prod.execution.events import OutputAdded, RunStarted
from nb2prod.execution.models import CellStatus, RunStatus
from nb2prod.execution.processes import processes_of
from nb2prod.execution.recorder import Recorder, now
from nb2prod.execution.runs import list_runs, reconcile
from nb2prod.jobs.cancel import cancel_run
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.life import RunLife, Stopped
from nb2prod.jobs.models import Job, Outcome, Standing
from nb2prod.jobs.process_executor import ProcessExecutor
from nb2prod.knowledge.pages import get_page
from nb2prod.registry.models import Retry, RunSettings
from nb2prod.store.schema import access_tokens, runs
from tests.helpers.jobs import JobBench, eventually, surroundings_of
from tests.helpers.kernels import is_alive, statuses
from tests.helpers.notebooks import code, parameters
from tests.helpers.postgresql import on_both_databases, on_postgresql

ROOT = Path(__file__).parents[2]
SLEEP = "import time; time.sleep(600)"


def tokens(bench: JobBench) -> int:
    with bench.workspace.database.read() as connection:
        return len(connection.execute(access_tokens.select()).all())


def worker_of(run_id: str) -> int:
    """The worker's process of a run; the kernel has its id in the environment as well."""

    def is_worker(pid: int) -> bool:
        return b"nb2prod.execution.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()

    (pid,) = filter(is_worker, processes_of(run_id))
    return pid


@on_both_databases
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
    bench.await_page(run_id)
    assert get_page(bench.workspace, run_id, person="ada").record == record
    assert processes_of(run_id) == ()
    eventually(lambda: tokens(bench) == 0)
    assert not bench.folder(run_id).work.artifacts.exists()


def test_environment_is_compared_though_the_kernel_ends_before(
    bench: JobBench, tmp_path: Path
) -> None:
    python = tmp_path / "slow-to-tell"
    lines = ("#!/bin/sh", '[ "$1" = -I ] && sleep 5', f'exec "{sys.executable}" "$@"')
    python.write_text("\n".join(lines) + "\n")
    python.chmod(0o755)
    spec = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    folder = tmp_path / "kernels" / "slow"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({**spec, "display_name": "Slow to tell"}))
    environment = {**os.environ, "JUPYTER_PATH": str(tmp_path)}
    surroundings = surroundings_of(bench.workspace)
    executor = ProcessExecutor(bench.workspace, surroundings, environment=environment)

    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        record = bench.finish(dispatcher, bench.request(code("1"), kernel_name="slow"))

    assert record.status is RunStatus.SUCCEEDED
    (note,) = [note for note in record.notes if "environment" in note]
    assert note.startswith("The environment is not that of the version's lock: ")


@on_postgresql
def test_delivery_is_beside_the_workspace_in_postgresql(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code("1"))

    bench.finish(dispatcher, run_id)

    with bench.workspace.database.read() as connection:
        query = text("SELECT workflow_uuid FROM dbos.workflow_status")
        assert [name.partition(".")[0] for name in connection.scalars(query)] == [run_id]
    assert not list(bench.workspace.settings.home.glob("*.db"))


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

    def __init__(self, name: str = "process") -> None:
        self.name = name
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.standing: dict[str, Standing] = {}

    def start(self, job: Job) -> None:
        self.started.append(job.run_id)
        self.standing[job.run_id] = Standing.RUNNING

    def attach(self, run_id: str) -> Standing:
        return self.standing.get(run_id, Standing.ABSENT)

    def cancel(self, run_id: str) -> None:
        self.cancelled.append(run_id)

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
    with Dispatcher(bench.workspace, [executor], limit=2) as dispatcher:
        bench.work(dispatcher, lambda: len(executor.started) == 2)
        dispatcher.look()
        assert set(executor.started) == {ids[3], ids[2]}

        executor.standing[ids[3]] = Standing.ENDED
        bench.work(dispatcher, lambda: len(executor.started) == 3)
        assert bench.run(ids[3]).status is RunStatus.LOST
        assert executor.started[2] == ids[1]


class RefusingExecutor(RecordingExecutor):
    """Can start nothing."""

    def start(self, job: Job) -> None:
        job.environment()
        raise EngineRefused("There is no room for it.")


def test_run_that_can_not_be_started_fails_with_the_reason(bench: JobBench) -> None:
    run_id = bench.request(code("1"))

    with Dispatcher(bench.workspace, [RefusingExecutor()]) as dispatcher:
        record = bench.finish(dispatcher, run_id)
        bench.await_page(run_id)
        eventually(lambda: tokens(bench) == 0)

    assert (record.status, record.reason) == (RunStatus.FAILED, "There is no room for it.")
    assert get_page(bench.workspace, run_id, person="ada").record == record


class AbsentExecutor(RecordingExecutor):
    """Its engine does not answer until it is back."""

    is_back = False

    def start(self, job: Job) -> None:
        if not self.is_back:
            raise EngineUnreachable("Nobody answers.")
        super().start(job)


def test_run_whose_engine_is_away_waits_and_holds_up_no_other(bench: JobBench) -> None:
    first, second = bench.request(code("1")), bench.request(code("2"))
    with bench.workspace.database.write() as connection:
        other = update(runs).where(runs.c.id == second)
        connection.execute(other.values(executor="other", requested_by="bea"))
    away, working = AbsentExecutor(), RecordingExecutor("other")
    with Dispatcher(bench.workspace, [away, working], limit=1) as dispatcher:
        bench.work(dispatcher, lambda: working.started == [second])
        eventually(lambda: bench.run(first).status is RunStatus.QUEUED)
        away.is_back = True
        bench.work(dispatcher, lambda: away.started == [first])


def test_run_that_waits_for_its_engine_can_be_cancelled(bench: JobBench) -> None:
    run_id = bench.request(code("1"))
    with Dispatcher(bench.workspace, [AbsentExecutor()]) as dispatcher:
        bench.work(dispatcher, bench.folder(run_id).version.exists)
        eventually(lambda: bench.run(run_id).status is RunStatus.QUEUED)

        cancel_run(bench.workspace, bench.project.name, run_id, person="ada")
        record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.CANCELLED
    assert "Cancelled by ada" in record.reason


class BrokenExecutor(RecordingExecutor):
    """Fails in a way that nobody has thought of."""

    def attach(self, run_id: str) -> Standing:
        raise RuntimeError("unforeseen")


def test_run_that_gives_trouble_again_and_again_is_ended(
    bench: JobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = bench.request(code("1"))
    monkeypatch.setattr("nb2prod.jobs.life.MAX_PAUSE_S", 0.01)

    with Dispatcher(bench.workspace, [BrokenExecutor()]) as dispatcher:
        record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert record.reason == "nb2prod itself failed: RuntimeError: unforeseen"


def test_run_of_a_version_that_is_gone_fails_with_the_reason(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code("1"))
    subprocess.run(
        ["git", "tag", "--delete", "train/v1"],
        cwd=bench.project.repository,
        check=True,
        capture_output=True,
    )

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.FAILED
    assert "train" in record.reason


def test_run_that_waits_is_cancelled_at_once_without_a_dispatcher(bench: JobBench) -> None:
    run_id = bench.request(code("1"))

    record = cancel_run(bench.workspace, bench.project.name, run_id, person="ada")

    assert (record.status, record.reason) == (
        RunStatus.CANCELLED,
        "Cancelled by ada before it began.",
    )
    with pytest.raises(RunEnded):
        cancel_run(bench.workspace, bench.project.name, run_id, person="ada")


def test_run_that_does_not_answer_its_cancellation_is_ended_by_force(
    bench: JobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nb2prod.jobs.life.CANCEL_GRACE", timedelta(seconds=0.5))
    executor = RecordingExecutor()
    run_id = bench.request(code("1"))
    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        bench.work(dispatcher, lambda: executor.started == [run_id])
        cancel_run(bench.workspace, bench.project.name, run_id, person="ada")
        bench.finish(dispatcher, run_id)

    assert executor.cancelled == [run_id]
    assert executor.standing[run_id] is Standing.ENDED


def test_run_whose_worker_forgets_its_time_limit_is_ended_by_force(
    bench: JobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nb2prod.jobs.life.OVERDUE_GRACE", timedelta(seconds=0.5))
    run_id = bench.request(code("1"), settings=RunSettings(timeout_s=0.1))

    with Dispatcher(bench.workspace, [RecordingExecutor()]) as dispatcher:
        record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.TIMED_OUT
    assert "0.1 s" in record.reason


def test_time_limit_of_a_version_is_its_workers_affair(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code("print('before')"), code(SLEEP), settings=RunSettings(timeout_s=1))

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.TIMED_OUT
    assert statuses(record) == [CellStatus.SUCCEEDED, CellStatus.TIMED_OUT]


FLAKY = """
import pathlib
tries = pathlib.Path("tries.txt")
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
if len(tries.read_text()) < 3: raise ConnectionError("away")
print("reached")
"""


def retrying(*names: str, limit: int = 3, delay_s: float = 0.5) -> RunSettings:
    return RunSettings(retry=Retry(limit=limit, on=names, delay_s=delay_s))


def test_failure_that_the_pipeline_names_is_tried_again_until_it_succeeds(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code(FLAKY), settings=retrying("ConnectionError"))

    record = bench.finish(dispatcher, run_id)

    assert (record.status, record.reason) == (RunStatus.SUCCEEDED, "")
    assert [(item.number, item.status) for item in record.attempts] == [
        (1, RunStatus.FAILED),
        (2, RunStatus.FAILED),
    ]
    assert record.attempts[0].reason == "Cell 1 failed: ConnectionError: away"
    # A note of ours comes whenever it is known.
    lines = bench.log(record).splitlines(keepends=True)
    assert [line for line in lines if not line.startswith("nb2prod: ")][-1] == "reached\n"
    eventually(lambda: tokens(bench) == 0)


def test_worker_that_vanishes_is_tried_again_where_the_pipeline_says_so(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code(ONCE), settings=retrying("lost"))
    bench.work(dispatcher, lambda: is_waiting(bench, run_id))
    os.kill(worker_of(run_id), signal.SIGKILL)
    (bench.project.root / "go").touch()

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED
    assert [item.status for item in record.attempts] == [RunStatus.LOST]
    assert (bench.project.root / "begun.txt").read_text() == "begun begun "


def test_failure_that_the_pipeline_does_not_name_is_final(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code(FLAKY), settings=retrying("TimeoutError"))

    record = bench.finish(dispatcher, run_id)

    assert (record.status, record.attempts) == (RunStatus.FAILED, ())


def test_attempts_have_an_end(bench: JobBench, dispatcher: Dispatcher) -> None:
    run_id = bench.request(
        code("raise ConnectionError('away')"), settings=retrying("ConnectionError", limit=1)
    )

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.FAILED
    assert len(record.attempts) == 1


def test_run_that_waits_for_its_next_attempt_can_be_cancelled(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(
        code("raise ConnectionError('away')"), settings=retrying("ConnectionError", delay_s=600)
    )
    bench.work(dispatcher, lambda: len(bench.run(run_id).attempts) == 1)

    record = cancel_run(bench.workspace, bench.project.name, run_id, person="ada")

    assert record.status is RunStatus.CANCELLED
    assert len(record.attempts) == 1


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


@on_both_databases
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
    bench: JobBench, process: DispatcherProcess, executor: ProcessExecutor
) -> None:
    run_id = bench.request(code(ONCE))
    eventually(lambda: is_waiting(bench, run_id))
    process.kill()
    (bench.project.root / "go").touch()
    eventually(lambda: processes_of(run_id) == ())
    assert bench.run(run_id).status is RunStatus.RUNNING

    with Dispatcher(bench.workspace, [executor]) as dispatcher:
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
    eventually(lambda: tokens(bench) == 0)


def test_run_whose_worker_was_killed_while_no_dispatcher_was_there_is_lost(
    bench: JobBench, process: DispatcherProcess, executor: ProcessExecutor
) -> None:
    run_id = bench.request(code(ONCE))
    eventually(lambda: is_waiting(bench, run_id))
    process.kill()
    os.kill(worker_of(run_id), signal.SIGKILL)

    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        dispatcher.reconcile()
        record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert record.reason.startswith("The run's worker ended without a word")
    assert processes_of(run_id) == ()


def test_run_that_is_cancelled_ends_so(bench: JobBench, dispatcher: Dispatcher) -> None:
    run_id = bench.request(code("print('before')"), code(SLEEP))
    bench.reach_cell(dispatcher, run_id, 2)

    asked = cancel_run(bench.workspace, bench.project.name, run_id, person="ada")
    record = bench.finish(dispatcher, run_id)

    assert asked.status is RunStatus.RUNNING
    assert record.status is RunStatus.CANCELLED
    assert record.reason == "Cancelled in cell 2, by ada."
    assert "before" in bench.log(record)
    assert statuses(record) == [CellStatus.SUCCEEDED, CellStatus.CANCELLED]


def test_run_that_was_told_to_end_and_nobody_asked_for_it_is_lost(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code("print('before')"), code(SLEEP))
    bench.reach_cell(dispatcher, run_id, 2)

    # As a container engine does that starts anew, with what a dead one has left.
    os.kill(worker_of(run_id), signal.SIGTERM)
    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert "nobody had asked for it" in record.reason
    assert "before" in bench.log(record)


def test_run_whose_dispatcher_died_before_the_start_is_started_by_the_next_one(
    bench: JobBench, executor: ProcessExecutor
) -> None:
    class DyingExecutor(RecordingExecutor):
        """Its process is killed before it has started anything."""

        def start(self, job: Job) -> None:
            self.started.append(job.run_id)
            raise Stopped

    run_id = bench.request(code("print('once')"))
    dying = DyingExecutor()
    with Dispatcher(bench.workspace, [dying]) as dispatcher:
        bench.work(dispatcher, lambda: dying.started == [run_id])
    assert bench.run(run_id).status is RunStatus.RUNNING

    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED


def test_run_goes_on_where_the_deliverys_database_was_lost(
    bench: JobBench, executor: ProcessExecutor
) -> None:
    run_id = bench.request(code(ONCE))
    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        bench.work(dispatcher, lambda: is_waiting(bench, run_id))
    for file in bench.workspace.settings.home.glob("jobs.db*"):
        file.unlink()

    (bench.project.root / "go").touch()
    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        dispatcher.reconcile()
        record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED
    assert (bench.project.root / "begun.txt").read_text() == "begun "


def test_run_that_has_begun_and_is_gone_is_not_begun_again(
    bench: JobBench, executor: ProcessExecutor
) -> None:
    run_id = bench.request(code("print('again')"))
    prepare(bench, run_id)
    with Recorder(bench.folder(run_id).work) as recorder:
        recorder.append(RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=1))

    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.LOST
    assert "again" not in bench.log(record)


def prepare(bench: JobBench, run_id: str) -> None:
    """Write the run's folder, as a dispatcher does before it starts anything."""
    life = RunLife(workspace=bench.workspace, executors={}, mlflow_url=None, stop=threading.Event())
    life.prepare(run_id)


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
    prepare(bench, run_id)
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
    prepare(bench, run_id)
    bench.folder(run_id).work.version.unlink()

    done = worker(bench, run_id)

    assert done.returncode == 2
    assert "holds no version" in done.stderr


def test_second_dispatcher_refuses_to_work(bench: JobBench, executor: ProcessExecutor) -> None:
    second = Dispatcher(bench.workspace, [executor])

    with (
        Dispatcher(bench.workspace, [RecordingExecutor()]),
        pytest.raises(Conflict, match="there can be only one"),
    ):
        second.run_forever(threading.Event())

    # The lock is free again.
    done = threading.Event()
    done.set()
    second.run_forever(done)


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
    with Dispatcher(bench.workspace, [executor]) as dispatcher:
        dispatcher.reconcile()
        bench.work(dispatcher, lambda: executor.started == [run_id])


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
