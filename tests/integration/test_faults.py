"""Every way in which a run can end, on real kernels: the record tells it truly.

No process of a run is left after any of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nb2prod.execution.events import CellStarted, Event, OutputAdded, RunEnded
from nb2prod.execution.models import CellStatus, RunRecord, RunStatus
from nb2prod.execution.processes import processes_of
from nb2prod.execution.run import RunOptions, run_version
from nb2prod.execution.runs import get_run, list_runs, reconcile
from nb2prod.notebook.models import Cell
from tests.helpers.kernels import Bench, is_alive, make_version, open_bench, statuses
from tests.helpers.notebooks import code, markdown, parameters

ROOT = Path(__file__).parents[2]
BEFORE, AFTER = code("print('before')"), code("print('after')")
S, F, N = CellStatus.SUCCEEDED, CellStatus.FAILED, CellStatus.NOT_RUN


# MLflow's own use of its libraries; ours stay errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    shared = tmp_path_factory.getbasetemp() / "mlflow.db"
    with open_bench(tmp_path_factory.mktemp("faults"), mlflow=shared) as opened:
        yield opened


@dataclass(frozen=True, kw_only=True)
class Case:
    cell: Cell
    status: RunStatus
    reason: str
    cells: tuple[CellStatus, ...]
    printed: tuple[str, ...] = ("before",)
    options: RunOptions = RunOptions()  # noqa: RUF009 - frozen


STUBBORN = """
import time
print("deaf")
while True:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("no")
"""

# The kernel's other threads take no signal while native code holds the interpreter's lock.
DEAF = """
import ctypes, signal, time
print("within", flush=True)
time.sleep(0.3)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
ctypes.PyDLL(None).sleep(60)
"""

CASES = {
    "success": Case(
        cell=code("print('within')"),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, S, S),
        printed=("before", "within", "after"),
    ),
    "error": Case(
        cell=code("print('within')\nnope"),
        status=RunStatus.FAILED,
        reason="Cell 2 failed: NameError: name 'nope' is not defined",
        cells=(S, F, N),
        printed=("before", "within", "NameError"),
    ),
    "expected error": Case(
        cell=code("1 / 0", tags=["raises-exception"]),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, S, S),
        printed=("before", "ZeroDivisionError", "after"),
    ),
    "skipped cell": Case(
        cell=code("1 / 0", tags=["skip-execution"]),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, N, S),
        printed=("before", "after"),
    ),
    "cell that the script leaves out": Case(
        cell=code("1 / 0", tags=["skip-export"]),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, N, S),
        printed=("before", "after"),
    ),
    "empty cell": Case(
        cell=code("   "),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, S, S),
        printed=("before", "after"),
    ),
    "cell time-out": Case(
        cell=code("import time\nprint('within')\ntime.sleep(60)"),
        status=RunStatus.TIMED_OUT,
        reason="Cell 2 took longer than 0.5 s.",
        cells=(S, CellStatus.TIMED_OUT, N),
        printed=("before", "within", "KeyboardInterrupt"),
        options=RunOptions(cell_timeout_s=0.5),
    ),
    "cell time-out that ignores the interrupt": Case(
        cell=code(STUBBORN),
        status=RunStatus.TIMED_OUT,
        reason="Cell 2 took longer than 0.5 s.",
        cells=(S, CellStatus.TIMED_OUT, N),
        printed=("before", "deaf", "no"),
        options=RunOptions(cell_timeout_s=0.5, grace_s=0.5),
    ),
    "run time-out": Case(
        cell=code("import time\nprint('within')\ntime.sleep(60)"),
        status=RunStatus.TIMED_OUT,
        reason="The run took longer than 0.7 s, in cell 2.",
        cells=(S, CellStatus.TIMED_OUT, N),
        printed=("before", "within"),
        options=RunOptions(cell_timeout_s=30, timeout_s=0.7),
    ),
    "kernel killed": Case(
        cell=code(
            "import os, signal, sys, time\nprint('within', flush=True)\ntime.sleep(0.3)\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        ),
        status=RunStatus.KERNEL_DIED,
        reason="The kernel died in cell 2: its process was ended by SIGKILL, perhaps for want of",
        cells=(S, CellStatus.KERNEL_DIED, N),
        printed=("before", "within"),
    ),
    "os._exit(0)": Case(
        cell=code("import os\nos._exit(0)"),
        status=RunStatus.KERNEL_DIED,
        reason="The kernel died in cell 2: its process ended with exit status 0.",
        cells=(S, CellStatus.KERNEL_DIED, N),
    ),
    "sys.exit(0)": Case(
        cell=code("import sys\nsys.exit(0)"),
        status=RunStatus.SUCCEEDED,
        reason="Cell 2 ended the run with sys.exit(0); the 1 code cell after it did not run.",
        cells=(S, S, N),
    ),
    "exit()": Case(
        cell=code("exit()"),
        status=RunStatus.SUCCEEDED,
        reason="Cell 2 ended the run with exit(); the 1 code cell after it did not run.",
        cells=(S, S, N),
    ),
    "sys.exit(3)": Case(
        cell=code("import sys\nsys.exit(3)"),
        status=RunStatus.FAILED,
        reason="Cell 2 ended the run with sys.exit(3).",
        cells=(S, F, N),
    ),
    "segmentation fault": Case(
        cell=code(
            "import ctypes, time\nprint('within', flush=True)\ntime.sleep(0.3)\nctypes.string_at(0)"
        ),
        status=RunStatus.KERNEL_DIED,
        reason="The kernel died in cell 2: its process was ended by SIGSEGV.",
        cells=(S, CellStatus.KERNEL_DIED, N),
        printed=("before", "within"),
    ),
    "native code that holds the interpreter and hears no interrupt": Case(
        cell=code(DEAF),
        status=RunStatus.TIMED_OUT,
        reason="Cell 2 took longer than 1 s.",
        cells=(S, CellStatus.TIMED_OUT, N),
        printed=("before", "within"),
        options=RunOptions(cell_timeout_s=1, grace_s=0.5),
    ),
    "forked child that goes on as the kernel does": Case(
        cell=code("import os\nprint('within' if os.fork() else 'child')"),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, S, S),
        printed=("before", "within", "after"),
    ),
    "closed stdout": Case(
        cell=code("import sys\nsys.stdout.close()\nprint('nowhere')"),
        status=RunStatus.FAILED,
        reason="Cell 2 failed: ValueError: I/O operation on closed file",
        cells=(S, F, N),
        printed=("before", "I/O operation on closed file"),
    ),
    "closed descriptors": Case(
        cell=code("import os\nos.close(1)\nos.close(2)\nprint('within')"),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, S, S),
        printed=("before", "within", "after"),
    ),
    "bytes and halves of characters that are no UTF-8": Case(
        cell=code(
            "import subprocess\nprint('halves \\udcff \\ud800')\n"
            "subprocess.run(['printf', r'bytes \\377 within'])"
        ),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, S, S),
        printed=("before", "halves ? ?\n", "bytes \ufffd within", "after"),
    ),
    "object that can't be shown": Case(
        cell=code("class Shy:\n    def __repr__(self):\n        raise ValueError('no')\nShy()"),
        status=RunStatus.FAILED,
        reason="Cell 2 failed: ValueError: no",
        cells=(S, F, N),
        printed=("before", "ValueError"),
    ),
    "display that can't be sent": Case(
        cell=code(
            "from IPython.display import display\ndisplay({'application/json': object()}, raw=True)"
        ),
        status=RunStatus.FAILED,
        reason="Cell 2 failed: ValueError: Can't clean for JSON",
        cells=(S, F, N),
        printed=("before", "ValueError"),
    ),
    "input()": Case(
        cell=code("print('within')\ninput('Name? ')"),
        status=RunStatus.FAILED,
        reason="Cell 2 asked for input, and in a run nobody is there to answer.",
        cells=(S, F, N),
        printed=("before", "within", "StdinNotImplementedError"),
    ),
    "flood of lines": Case(
        cell=code("for number in range(200_000): print(number)"),
        status=RunStatus.SUCCEEDED,
        reason="",
        cells=(S, S, S),
        printed=("before", "\n1000\n", "1.29 MB in all", "\n199999\n", "after"),
    ),
    "output that never ends": Case(
        # Without the kernel's "idle" nobody knows whether all output has come.
        cell=code(
            "from ipykernel.kernelapp import IPKernelApp\n"
            "IPKernelApp.instance().kernel._publish_status = lambda *a, **k: None\nprint('within')"
        ),
        status=RunStatus.FAILED,
        reason="Cell 2 was done, but not all of its output came within 1 s",
        cells=(S, F, N),
        printed=("before", "within"),
        options=RunOptions(output_timeout_s=1),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_run_that_ends_so_is_recorded_so(bench: Bench, case: Case) -> None:
    record = bench.run(BEFORE, case.cell, AFTER, options=case.options)

    assert record.status is case.status
    assert record.reason.startswith(case.reason)
    assert bool(record.reason) == bool(case.reason)
    assert statuses(record) == list(case.cells)
    printed = bench.printed(record)
    assert [text for text in case.printed if text not in printed] == [], repr(printed)
    assert ("after" in printed) == (case.cells[-1] is S)
    assert processes_of(record.id) == ()
    assert get_run(bench.workspace, record.id, person="ada") == record
    _check_notebook(bench, record)


def _check_notebook(bench: Bench, record: RunRecord) -> None:
    notebook = bench.executed(record)
    words = {S: "completed", N: "pending"}
    told = [cell["metadata"]["papermill"]["status"] for cell in notebook["cells"]]
    assert told == [words.get(cell.status, "failed") for cell in record.cells]
    is_failed = notebook["metadata"]["papermill"]["exception"] is True
    assert is_failed == (record.status is not RunStatus.SUCCEEDED)
    counts = [cell["execution_count"] for cell in notebook["cells"]]
    assert counts[0] == 1


@pytest.mark.parametrize(
    ("number", "cause"),
    [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_signal_in_a_cell_cancels_the_run(bench: Bench, number: signal.Signals, cause: str) -> None:
    cell = code("import time\nprint('within', flush=True)\ntime.sleep(60)")
    version = make_version(bench.repository, BEFORE, cell, AFTER)

    def send(event: Event) -> None:
        if isinstance(event, OutputAdded) and event.text.startswith("within"):
            os.kill(os.getpid(), number)

    handler = signal.getsignal(number)
    record = run_version(bench.workspace, bench.project, version, {}, listener=send)

    assert record.status is RunStatus.CANCELLED
    assert record.reason == f"Cancelled in cell 2, by {cause}."
    assert statuses(record) == [S, CellStatus.CANCELLED, N]
    assert "within" in bench.printed(record)
    assert processes_of(record.id) == ()
    assert signal.getsignal(number) is handler


def test_second_signal_ends_the_grace(bench: Bench) -> None:
    version = make_version(bench.repository, code(STUBBORN))

    def send(event: Event) -> None:
        if isinstance(event, OutputAdded):
            os.kill(os.getpid(), signal.SIGINT)

    began = time.monotonic()
    options = RunOptions(grace_s=60)
    record = run_version(
        bench.workspace, bench.project, version, {}, options=options, listener=send
    )

    assert record.status is RunStatus.CANCELLED
    assert statuses(record) == [CellStatus.CANCELLED]
    assert time.monotonic() - began < 30
    assert processes_of(record.id) == ()


def test_signal_while_the_kernel_starts_cancels_the_run(bench: Bench) -> None:
    version = make_version(bench.repository, BEFORE)

    def send(event: Event) -> None:
        if type(event).__name__ == "KernelStarted":
            os.kill(os.getpid(), signal.SIGTERM)

    record = run_version(bench.workspace, bench.project, version, {}, listener=send)

    assert record.status is RunStatus.CANCELLED
    assert record.reason == "Cancelled while the kernel was starting, by SIGTERM."
    assert statuses(record) == [N]
    assert processes_of(record.id) == ()


def test_run_without_its_kernelspec_fails_and_names_the_installed_ones(bench: Bench) -> None:
    record = bench.run(BEFORE, kernel_name="gone")

    assert record.status is RunStatus.FAILED
    assert record.reason.startswith("No kernel 'gone' is installed. Installed: ")
    assert "python3" in record.reason
    assert statuses(record) == [N]
    assert get_run(bench.workspace, record.id, person="ada").status is RunStatus.FAILED


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            ["{python}", "-c", "print('no luck'); raise SystemExit(1)", "{connection_file}"],
            "no luck",
        ),
        (
            ["{python}", "-c", "import time; time.sleep(60)", "{connection_file}"],
            "did not answer within 1 s",
        ),
        (["/nowhere/python", "{connection_file}"], "is not there"),
    ],
    ids=["dies", "does not answer", "program is gone"],
)
def test_run_whose_kernel_does_not_start_fails_and_says_so(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], words: str
) -> None:
    folder = tmp_path / "kernels" / "broken"
    folder.mkdir(parents=True)
    argv = [word.replace("{python}", sys.executable) for word in argv]
    spec = {"argv": argv, "display_name": "Broken", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    record = bench.run(BEFORE, kernel_name="broken", options=RunOptions(start_timeout_s=1))

    assert record.status is RunStatus.FAILED
    assert "'broken'" in record.reason
    assert words in record.reason
    assert statuses(record) == [N]
    assert processes_of(record.id) == ()


def test_process_that_a_cell_leaves_behind_ends_with_the_run(bench: Bench) -> None:
    record = bench.run(
        code(
            "import subprocess\n"
            "child = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
            "print(child.pid)"
        )
    )

    assert record.status is RunStatus.SUCCEEDED
    assert not is_alive(int(bench.printed(record)))


RUNNER = """
import sys
from pathlib import Path
from nb2prod.execution.run import run_version
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import load_version
from nb2prod.settings import Settings
from nb2prod.workspace.projects import project_of
from nb2prod.workspace.workspace import open_workspace

root = Path(sys.argv[1])
with open_workspace(Settings.from_environment()) as workspace:
    project = project_of(workspace, root, person="ada")
    run_version(workspace, project, load_version(root, Reference("killed")), {},
                listener=lambda event: print(type(event).__name__, flush=True))
"""

# The kernel keeps the interpreter's lock, so that no thread of its own can notice anything.
LOCKED = """
import ctypes, subprocess
child = subprocess.Popen(['sleep', '300'], start_new_session=True)
print('within', child.pid, flush=True)
import time; time.sleep(0.3)
ctypes.PyDLL(None).sleep(300)
"""


def test_killed_runner_leaves_a_lost_run_with_its_outputs_and_no_process(bench: Bench) -> None:
    make_version(bench.repository, BEFORE, code(LOCKED), AFTER, name="killed")
    settings = bench.workspace.settings
    environment = {
        **os.environ,
        "NB2PROD_HOME": str(settings.home),
        "NB2PROD_MLFLOW_URI": settings.mlflow_uri,
        "NB2PROD_USER": "ada",
    }
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(bench.repository.root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert runner.stdout is not None
    outputs = 0
    for line in runner.stdout:
        outputs += line.strip() == OutputAdded.__name__
        if outputs == 2:
            break
    (running,) = list_runs(bench.workspace, person="ada", pipeline="killed")
    assert running.status is RunStatus.RUNNING
    assert reconcile(bench.workspace) == ()
    time.sleep(0.5)  # the kernel is to be within its native sleep
    found = processes_of(running.id)
    assert len(found) == 2
    (sockets,) = Path(tempfile.gettempdir()).glob(f"nb2prod-{running.id}-*")

    runner.kill()
    runner.wait()
    runner.stdout.close()
    assert _eventually_one_left(running.id), "the kernel outlives its runner"
    ended = reconcile(bench.workspace)

    assert ended == (running.id,)
    assert not any(map(is_alive, found))
    assert not sockets.exists()
    record = get_run(bench.workspace, running.id, person="ada")
    assert record.status is RunStatus.LOST
    assert record.reason.endswith("Cell 2 was running.")
    assert statuses(record) == [S, CellStatus.LOST, N]
    assert "within" in bench.printed(record)
    assert record.ended_at is not None
    assert not record.is_lineage_complete
    assert reconcile(bench.workspace) == ()
    assert get_run(bench.workspace, running.id, person="ada") == record


def _eventually_one_left(run_id: str) -> bool:
    # The kernel ends by itself; what it started in a session of its own is for `reconcile`.
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if len(processes_of(run_id)) <= 1:
            return True
        time.sleep(0.05)
    return False


def test_large_outputs_are_whole_beside_the_notebook(bench: Bench) -> None:
    source = """
from IPython.display import HTML
for number in range(300_000):
    print(number)
HTML("<b>" * 5_000_000)
"""

    record = bench.run(code(source), name="large")

    assert record.status is RunStatus.SUCCEEDED, record.reason
    kept = {item.name: bench.workspace.blobs.get(item.sha256) for item in record.artifacts}
    assert sorted(kept) == ["outputs/cell-1-html-2.html", "outputs/cell-1-stdout-1.txt"]
    assert kept["outputs/cell-1-html-2.html"] == b"<b>" * 5_000_000
    assert kept["outputs/cell-1-stdout-1.txt"].decode().split() == list(map(str, range(300_000)))
    outputs = bench.executed(record)["cells"][0]["outputs"]
    assert [output["output_type"] for output in outputs] == ["stream", "execute_result", "stream"]
    assert outputs[0]["text"].startswith("0\n1\n2\n")
    assert "[15 MB of text/html: in outputs/cell-1-html-2.html]" in outputs[1]["data"]["text/plain"]
    assert outputs[2]["text"].endswith("\n299998\n299999\n")


def test_memory_of_each_cell_is_its_own(bench: Bench) -> None:
    record = bench.run(
        code("small = 1"),
        code("large = bytearray(b'x' * 300_000_000)\ndel large"),
        code("again = 1"),
        name="memory",
    )

    first, second, third = (cell.peak_memory_mb for cell in record.cells)
    assert first is not None
    assert second is not None
    assert third is not None
    assert second > first + 250
    assert third < second - 250


def test_events_tell_the_story_in_order(bench: Bench) -> None:
    record = bench.run(
        markdown("# Seats"),
        parameters("days: int = 2"),
        markdown("Some text.\n\n## Counting"),
        code("print(days)"),
        values={"days": "3"},
    )

    started = [event for event in bench.events if isinstance(event, CellStarted)]
    assert [(event.number, event.position, event.heading) for event in started] == [
        (2, 1, "Seats"),
        (3, 2, "Seats"),
        (5, 3, "Counting"),
    ]
    assert [event.text for event in bench.events if isinstance(event, OutputAdded)] == ["3\n"]
    assert [event.status for event in bench.events if isinstance(event, RunEnded)] == [
        record.status
    ]
    assert [event.at for event in bench.events] == sorted(event.at for event in bench.events)
