"""One run in a kernel, from its start to its end, with every end told apart.

The status is set where the outcome is known, and nowhere else. Whatever happens, the kernel
and all that it started have ended when `Runner.run` returns.
"""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nb2prod_kernels import own_modules, probe
from nb2prod_kernels.kernelspecs import NoSuchKernel, interpreter_of
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from nb2prod.errors import KernelUnavailable
from nb2prod.execution.cancellation import Cancellation
from nb2prod.execution.conditions import environment_of
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    ConditionsFixed,
    KernelStarted,
    MachineSeen,
    RandomSeeded,
    RunEnded,
)
from nb2prod.execution.kernel_client import KernelProcess, RecordingClient
from nb2prod.execution.kernel_log import KernelLog
from nb2prod.execution.kernel_manners import KernelManners, manners_of
from nb2prod.execution.lineage import Lineage
from nb2prod.execution.memory import MemoryUse, PeakMemory, shortage
from nb2prod.execution.models import CellStatus, Conditions, RandomSource, RunStatus
from nb2prod.execution.processes import RUN_ID_VARIABLE, end_processes_of
from nb2prod.execution.recorder import Recorder, now
from nb2prod.notebook.languages import PYTHON
from nb2prod.notebook.models import LEFT_OUT_TAGS
from nb2prod.registry.interpreters import how_it_ended

log = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 30.0
FAREWELL_TIMEOUT_S = 10.0

_HEADING = re.compile(r" {0,3}#{1,6}\s+(?P<text>.+?)\s*#*\s*\Z")
# Nobody debugs a run; without this debugpy warns at each start.
_KERNEL_ENVIRONMENT = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
# The first is nbclient's.
_SKIP_TAGS = frozenset({"skip-execution", *LEFT_OUT_TAGS})
_NO_ERROR = frozenset({"", "NoneType"})
_ASKS = "StdinNotImplementedError"
_ASKED = (
    "Cell {} asked for input, and in a run nobody is there to answer. Make the answer a parameter,"
    " or a secret."
)
_PLAIN_EXITS = frozenset({"", "0", "None", "False"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long things may take, in seconds; `None` is without end.

    Parameters
    ----------
    cell_timeout_s, timeout_s
        Of one cell, and of all together from the moment when the kernel is ready.
    start_timeout_s
        Until the kernel answers.
    grace_s
        From the interrupt to the kill, for a cell that is given up.
    output_timeout_s
        From a cell's reply until all its output has come.
    """

    cell_timeout_s: float | None = None
    timeout_s: float | None = None
    start_timeout_s: float = 60.0
    grace_s: float = 5.0
    output_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class _End:
    """How a cell ended; ``run`` is set where it ends the run too."""

    cell: CellStatus
    run: RunStatus | None = None
    reason: str = ""
    error: str | None = None


@dataclass(kw_only=True)
class Runner:
    """Runs a notebook's cells in a kernel of its own, and records what happens.

    Parameters
    ----------
    notebook
        The notebook as it will run.
    directory
        Working directory of the kernel.
    environment
        Environment variables of the kernel, without those of its conditions.
    conditions
        What the run is fixed to.
    lineage
        Takes in what the kernel's probe tells of itself.
    after_cell
        Called when a cell has ended.
    cancellation
        Asked for all the time; see there.
    memory_use
        Says what the run has used, where it has limits of its own.
    resources
        Name of its resource class, which has them.
    secrets
        Names of the environment variables that are secrets.
    own_modules
        Folder of the version's copies of the project's modules; `None` where it has none.
    """

    run_id: str
    notebook: NotebookNode
    kernel_name: str
    directory: Path
    environment: Mapping[str, str]
    conditions: Conditions
    recorder: Recorder
    lineage: Lineage
    after_cell: Callable[[], object]
    limits: Limits
    cancellation: Cancellation
    memory_use: Callable[[], MemoryUse | None] = lambda: None
    resources: str = ""
    secrets: tuple[str, ...] = ()
    own_modules: Path | None = None
    _deadline: float | None = field(default=None, init=False)
    _language: str = field(default=PYTHON.key, init=False)
    _manners: KernelManners = field(default_factory=KernelManners, init=False)

    async def run(self, roots: list[str], *, is_tracked: bool) -> None:
        """Run to the end, whatever it is, and record it.

        Parameters
        ----------
        roots
            Spellings of the project's root, for the probe.
        is_tracked
            Whether there will be an MLflow run to join.

        Raises
        ------
        KernelUnavailable
            The kernel is not installed, or did not start; recorded as `failed`.
        StorageFull, StorageUnusable
            The event log can't be written.
        """
        self.cancellation.bind(asyncio.get_running_loop())
        self._language = self.notebook.metadata.get("kernelspec", {}).get("language", "").lower()
        self._manners = manners_of(self._language)
        process = client = None
        try:
            process = self._process()
            client = RecordingClient(
                self.notebook,
                self.recorder,
                process.manager,
                kernel_name=self.kernel_name,
                startup_timeout=max(1, round(self.limits.start_timeout_s)),
                iopub_timeout=max(1, round(self.limits.output_timeout_s)),
            )
            end = await self._start(process, client, roots, is_tracked=is_tracked)
            end = end or await self._cells(process, client)
        except KernelUnavailable as error:
            self._record_end(RunStatus.FAILED, error.message)
            raise
        finally:
            if process is not None:
                await process.end(client)
            end_processes_of(self.run_id)
            if process is not None:
                process.log.settle()
        # Only now has it ended: nothing of it runs any more.
        self._record_end(end.run or RunStatus.SUCCEEDED, end.reason)

    def _process(self) -> KernelProcess:
        try:
            interpreter_of(self.kernel_name)
        except NoSuchKernel as error:
            raise KernelUnavailable(str(error)) from error
        kernel_log = KernelLog(self.recorder.folder.kernel_log, self.recorder.redactor)
        return KernelProcess(self.run_id, self.kernel_name, kernel_log)

    async def _start(
        self, process: KernelProcess, client: RecordingClient, roots: list[str], *, is_tracked: bool
    ) -> _End | None:
        environment = {
            **self.environment,
            **environment_of(self.conditions, self.environment),
            **_KERNEL_ENVIRONMENT,
            RUN_ID_VARIABLE: self.run_id,
        }
        self.recorder.append(ConditionsFixed(at=now(), conditions=self.conditions))
        try:
            await process.start(directory=self.directory, environment=environment)
        except OSError as error:
            raise KernelUnavailable(
                f"The kernel {self.kernel_name!r} can't be started in {self.directory}:"
                f" {error.strerror or error}."
            ) from error
        self.recorder.append(KernelStarted(at=now(), kernel_name=self.kernel_name, pid=process.pid))
        starting = asyncio.ensure_future(client.start())
        cancelled = await self.cancellation.race(starting, None)
        if cancelled:
            starting.cancel()
            await asyncio.wait({starting})
            return _End(CellStatus.CANCELLED, RunStatus.CANCELLED, self._cancelled_reason())
        try:
            await starting
        except RuntimeError as error:
            words = process.last_words()
            raise KernelUnavailable(
                f"The kernel {self.kernel_name!r} did not start: {error}."
                + (f" It said: {words}" if words else "")
            ) from error
        await self._send_probe(client, roots, is_tracked=is_tracked)
        if self.limits.timeout_s is not None:
            self._deadline = time.monotonic() + self.limits.timeout_s
        return None

    async def _send_probe(
        self, client: RecordingClient, roots: list[str], *, is_tracked: bool
    ) -> None:
        if self._language != PYTHON.key:
            await self._begin(client)
            return
        await self._bring_modules(client)
        folder = self.recorder.folder
        tracking = str(folder.tracking) if is_tracked else None
        code = probe.source(
            roots, str(folder.opened_files), tracking, self.secrets, seed=self.conditions.seed
        )
        if await client.run_silently(code, timeout_s=PROBE_TIMEOUT_S):
            self.lineage.look()
        if self.lineage.machine is None:
            self.recorder.note("The kernel can't tell which files it opens.")
        else:
            self.recorder.append(MachineSeen(at=now(), machine=self.lineage.machine))
        for source in sorted(self.lineage.seeded):
            self._record_seed(source)

    async def _begin(self, client: RecordingClient) -> None:
        """Do what a language other than Python needs before the first cell."""
        manners = self._manners
        if manners.begin:
            await client.run_silently(manners.begin, timeout_s=PROBE_TIMEOUT_S)
        if manners.random is not None:
            code = manners.seed.format(seed=self.conditions.seed)
            if await client.run_silently(code, timeout_s=PROBE_TIMEOUT_S):
                self._record_seed(manners.random)
        if manners.note:
            self.recorder.note(manners.note)

    def _record_seed(self, source: RandomSource) -> None:
        self.recorder.append(RandomSeeded(at=now(), source=source))

    async def _bring_modules(self, client: RecordingClient) -> None:
        if self.own_modules is None:
            return
        code = own_modules.source(str(self.own_modules))
        if not await client.run_silently(code, timeout_s=PROBE_TIMEOUT_S):
            # Those that lie in the project's folder now are not the version's.
            raise KernelUnavailable(
                f"The kernel {self.kernel_name!r} does not take the version's own modules; is its"
                " Python 3.8 or newer?"
            )

    async def _cells(self, process: KernelProcess, client: RecordingClient) -> _End:
        is_alive = True
        end = _End(CellStatus.SUCCEEDED)
        memory = PeakMemory(process.pid)
        for position, (index, cell, heading) in enumerate(self._code_cells(), start=1):
            number = index + 1
            self.recorder.append(
                CellStarted(at=now(), number=number, position=position, heading=heading)
            )
            memory.begin()
            end = await self._cell(process, client, cell, index)
            self.recorder.append(
                CellEnded(
                    at=now(),
                    number=number,
                    status=end.cell,
                    execution_count=cell.get("execution_count"),
                    error=end.error,
                    peak_memory_mb=memory.peak_mb(),
                )
            )
            self.after_cell()
            if end.run is not None:
                is_alive = end.run in (RunStatus.SUCCEEDED, RunStatus.FAILED)
                break
        if is_alive and self.lineage.machine is not None:
            await client.run_silently(probe.farewell(), timeout_s=FAREWELL_TIMEOUT_S)
        return end

    async def _cell(
        self, process: KernelProcess, client: RecordingClient, cell: NotebookNode, index: int
    ) -> _End:
        client.reply, client.error = {}, {}
        task = asyncio.ensure_future(client.async_execute_cell(cell, index))
        given_up = await self._watch(task, process, index + 1)
        try:
            await task
        except asyncio.CancelledError:
            if given_up is None:
                raise
        except DeadKernelError:
            await client.drain()
            if given_up is None:
                return await self._death(process, index + 1)
        except CellTimeoutError:
            if given_up is None:
                return _no_output(index + 1, self.limits.output_timeout_s)
        except CellExecutionError as error:
            if given_up is None:
                return self._failure(error, client.error, index + 1)
        if given_up is not None:
            return given_up
        return await self._success(client, index + 1)

    async def _watch(
        self, task: asyncio.Future[Any], process: KernelProcess, number: int
    ) -> _End | None:
        """Wait for a cell; give it up when its time is over or somebody cancels."""
        limit, end = self._limit(number)
        if await self.cancellation.race(task, limit):
            end = _End(CellStatus.CANCELLED, RunStatus.CANCELLED, self._cancelled_reason(number))
        elif task.done():
            return None
        await process.interrupt()
        # A second request ends the grace.
        await self.cancellation.race(task, self.limits.grace_s, is_second=True)
        if not task.done():
            task.cancel()
        return end

    def _limit(self, number: int) -> tuple[float | None, _End]:
        limits = self.limits
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        if left is not None and (limits.cell_timeout_s is None or left < limits.cell_timeout_s):
            reason = f"The run took longer than {_seconds(limits.timeout_s)}, in cell {number}."
            return left, _End(CellStatus.TIMED_OUT, RunStatus.TIMED_OUT, reason)
        reason = f"Cell {number} took longer than {_seconds(limits.cell_timeout_s)}."
        return limits.cell_timeout_s, _End(CellStatus.TIMED_OUT, RunStatus.TIMED_OUT, reason)

    async def _success(self, client: RecordingClient, number: int) -> _End:
        error, manners = None, self._manners
        status = client.reply.get("status")
        if status == "error":
            error = manners.error_line(client.reply)  # expected: tag `raises-exception`
        elif client.reply and status != "ok":
            reason = f"Cell {number} did not come to its end: the kernel says {status!r}."
            return _failed(reason, f"The kernel says {status!r}")
        elif manners.is_whole and not await client.run_silently(
            manners.is_whole, timeout_s=PROBE_TIMEOUT_S
        ):
            return _failed(f"Cell {number} {manners.not_whole}.", "The shell has ended")
        leaves = any(item.get("source") == "ask_exit" for item in client.reply.get("payload", ()))
        if leaves and manners.asks_exit:
            return _failed(f"Cell {number} {manners.asks_exit}.", "The kernel was quit")
        if leaves:
            return self._left("exit()", number)
        return _End(CellStatus.SUCCEEDED, error=error)

    def _failure(self, error: CellExecutionError, shown: Mapping[str, Any], number: int) -> _End:
        said: Mapping[str, Any] = {"ename": error.ename, "evalue": error.evalue}
        if error.ename in _NO_ERROR and shown:
            # Of an object that can't be shown, IPython's reply names no error.
            said = shown
        line = self._manners.error_line(said)
        if error.ename == _ASKS:
            return _End(CellStatus.FAILED, RunStatus.FAILED, _ASKED.format(number), line)
        if error.ename != "SystemExit":
            reason = f"Cell {number} failed: {line}"
            return _End(CellStatus.FAILED, RunStatus.FAILED, reason, line)
        if error.evalue in _PLAIN_EXITS:
            return self._left(f"sys.exit({error.evalue})", number)
        reason = f"Cell {number} ended the run with sys.exit({error.evalue})."
        return _End(CellStatus.FAILED, RunStatus.FAILED, reason, line)

    def _left(self, call: str, number: int) -> _End:
        after = sum(1 for index, _, _ in self._code_cells() if index + 1 > number)
        missed = f"; the {after} code cell{'s' if after > 1 else ''} after it did not run"
        reason = f"Cell {number} ended the run with {call}{missed if after else ''}."
        return _End(CellStatus.SUCCEEDED, RunStatus.SUCCEEDED, reason)

    async def _death(self, process: KernelProcess, number: int) -> _End:
        status = await process.exit_status()
        words = process.last_words()
        use = self.memory_use()
        if status == -signal.SIGKILL and use is not None and use.kills:
            reason = shortage(
                "The run",
                peak_mb=use.peak_mb,
                limit_mb=use.limit_mb,
                resources=self.resources,
                done=f"was ended in cell {number}",
            )
            return _End(CellStatus.KERNEL_DIED, RunStatus.KERNEL_DIED, reason)
        reason = f"The kernel died in cell {number}: {_death(status)}."
        if words:
            reason += f" It said: {words}"
        return _End(CellStatus.KERNEL_DIED, RunStatus.KERNEL_DIED, reason)

    def _cancelled_reason(self, number: int | None = None) -> str:
        where = "while the kernel was starting" if number is None else f"in cell {number}"
        return f"Cancelled {where}, by {self.cancellation.cause}."

    def _code_cells(self) -> Iterator[tuple[int, NotebookNode, str]]:
        heading = ""
        for index, cell in enumerate(self.notebook.cells):
            if cell.cell_type == "markdown":
                heading = last_heading(cell.source) or heading
            elif is_run(cell):
                yield index, cell, heading

    def _record_end(self, status: RunStatus, reason: str) -> None:
        self.recorder.append(RunEnded(at=now(), status=status, reason=reason))


def is_run(cell: NotebookNode) -> bool:
    """Tell whether a cell is code that is meant to run; the script leaves some out."""
    return cell.cell_type == "code" and _SKIP_TAGS.isdisjoint(cell.metadata.get("tags", ()))


def last_heading(markdown: str) -> str:
    r"""Return the text of the last heading in a markdown text; empty where it has none.

    >>> last_heading("# Seats\n## Training *fast*")
    'Training *fast*'
    """
    found, is_fenced = "", False
    for line in markdown.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            is_fenced = not is_fenced
        match = _HEADING.match(line)
        if match is not None and not is_fenced:
            found = match["text"]
    return found


def _no_output(number: int, timeout_s: float) -> _End:
    reason = (
        f"Cell {number} was done, but not all of its output came within {_seconds(timeout_s)}:"
        " what is recorded of it may lack something."
    )
    return _failed(reason, "Output is missing")


def _failed(reason: str, error: str) -> _End:
    return _End(CellStatus.FAILED, RunStatus.FAILED, reason, error)


def _death(status: int | None) -> str:
    if status is None:
        return "nobody knows why"
    hint = ", perhaps for want of memory" if status == -signal.SIGKILL else ""
    return f"its process {how_it_ended(status)}{hint}"


def _seconds(seconds: float | None) -> str:
    return "for ever" if seconds is None else f"{seconds:g} s"
