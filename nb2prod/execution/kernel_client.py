"""nbclient's client, with every message of the kernel written to the event log as it comes.

nbclient sends cells, waits for replies, notices a dead kernel and mimics a front end's output
widgets. What a cell puts out is kept in the log only: the executed notebook is computed from
there, so that it is the same whether the run came to its end or not.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

from nb2prod.execution.events import (
    DisplayUpdated,
    OutputAdded,
    OutputsCleared,
    WidgetChanged,
)
from nb2prod.execution.kernel_log import KernelLog
from nb2prod.execution.processes import make_socket_folder
from nb2prod.execution.recorder import Recorder, now

# A Unix socket's path may have 107 characters (unix(7)); jupyter_client adds "-<number>".
_LONGEST_IPC_PATH = 100
_ALIVE_INTERVAL_S = 0.1
# How long what a kernel publishes may come after its reply, in its start.
_PUBLISHED_S = 0.05
_RECONNECT_MS = 5
_END_INTERVAL_S = 0.005
_END_TIMEOUT_S = 5.0
_DISPLAYS = frozenset({"display_data", "execute_result"})


class RecordingClient(NotebookClient):  # type: ignore[misc]
    """Executes cells one by one, and writes what they put out to the event log."""

    def __init__(
        self, notebook: NotebookNode, recorder: Recorder, km: AsyncKernelManager, **traits: Any
    ) -> None:
        super().__init__(
            notebook,
            km=km,
            raise_on_iopub_timeout=True,
            on_cell_executed=self._keep_reply,
            record_timing=False,
            shutdown_kernel="immediate",
            **traits,
        )
        self.recorder = recorder
        # What the kernel has said of the running cell's end, and the last error that it showed.
        self.reply: Mapping[str, Any] = {}
        self.error: Mapping[str, Any] = {}
        self._cells: dict[str, tuple[NotebookNode, int]] = {}

    async def start(self) -> None:
        """Open the channels and wait until the kernel answers.

        Raises
        ------
        RuntimeError
            It died, or did not answer within ``startup_timeout``.
        """
        # The client's own way waits twice for 0.2 s until the kernel is silent. That isn't needed:
        # what comes late is told apart by the request that it answers.
        client = self.kc = self.km.client()
        client.allow_stdin = False
        client.context.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        client.start_channels(stdin=False, hb=False)
        try:
            async with asyncio.timeout(self.startup_timeout):
                await self._first_answer()
        except TimeoutError as error:
            raise RuntimeError(f"it did not answer within {self.startup_timeout} s") from error

    async def run_silently(self, code: str, *, timeout_s: float) -> bool:
        """Execute code that leaves no trace in the notebook; tell whether it succeeded.

        Executions are not counted, and what the code prints goes nowhere.
        """
        assert self.kc is not None
        sent = self.kc.execute(code, silent=True, store_history=False, allow_stdin=False)
        with suppress(Empty, asyncio.TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    reply = await self.kc.shell_channel.get_msg(timeout=timeout_s)
                    if reply["parent_header"].get("msg_id") == sent:
                        return bool(reply["content"]["status"] == "ok")
        return False

    async def drain(self) -> None:
        """Take in what the kernel had sent before it died."""
        assert self.kc is not None
        with suppress(Empty):
            while True:
                self._take(await self.kc.iopub_channel.get_msg(timeout=0.1))

    def output(
        self,
        outs: list[NotebookNode],
        msg: Mapping[str, Any],
        display_id: str | None,
        cell_index: int,
    ) -> None:
        """Write an output to the log, unless an output widget takes it."""
        hook = self._widget_hook(msg)
        if hook is not None:
            super().output(outs, msg, display_id, cell_index)
            self._record_hook(hook)
            return
        with suppress(ValueError):
            output = output_from_msg(msg)
            if output.output_type == "error":
                self.error = output
            self.recorder.append(
                OutputAdded(
                    at=now(),
                    number=cell_index + 1,
                    output=output,
                    # IPython passes on whatever a notebook gave, a number for instance.
                    display_id=None if display_id is None else str(display_id),
                )
            )

    def clear_output(
        self, outs: list[NotebookNode], msg: Mapping[str, Any], cell_index: int
    ) -> None:
        """Write to the log that a cell's outputs are cleared."""
        hook = self._widget_hook(msg)
        if hook is not None:
            super().clear_output(outs, msg, cell_index)
            self._record_hook(hook)
            return
        is_waiting = bool(msg["content"].get("wait"))
        self.recorder.append(OutputsCleared(at=now(), number=cell_index + 1, is_waiting=is_waiting))

    def handle_comm_msg(
        self, outs: list[NotebookNode], msg: Mapping[str, Any], cell_index: int
    ) -> None:
        """Write a widget's new state to the log."""
        data = msg["content"].get("data")
        # Comms are not the widgets' alone: others may send what they like, in their own form.
        if not isinstance(data, dict) or not isinstance(data.get("state", {}), dict):
            return
        super().handle_comm_msg(outs, msg, cell_index)
        if "state" in data:
            buffers = zip(data.get("buffer_paths") or (), msg["buffers"], strict=False)
            self.recorder.append(
                WidgetChanged(
                    at=now(),
                    model_id=msg["content"]["comm_id"],
                    state=data["state"],
                    buffers=tuple(_buffer(path, content) for path, content in buffers),
                )
            )

    async def _first_answer(self) -> None:
        """Ask until an answer comes on both channels.

        What the kernel publishes before the client is connected to it is lost; so whoever has its
        reply, and heard nothing else, asks again.
        """
        assert self.kc is not None
        published = asyncio.ensure_future(self.kc.iopub_channel.get_msg(timeout=None))
        try:
            while not published.done():
                self.kc.kernel_info()
                while not await self.kc.shell_channel.socket.poll(round(_ALIVE_INTERVAL_S * 1000)):
                    if not await self.km.is_alive():
                        raise RuntimeError("its process has ended")
                await self.kc.shell_channel.get_msg()
                await asyncio.wait({published}, timeout=_PUBLISHED_S)
        finally:
            published.cancel()

    async def _async_poll_kernel_alive(self) -> None:
        # nbclient looks once a second.
        while await self.km.is_alive():  # noqa: ASYNC110 - a process tells nobody of its end
            await asyncio.sleep(_ALIVE_INTERVAL_S)
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    async def _async_poll_output_msg(
        self, parent_msg_id: str, cell: NotebookNode, cell_index: int
    ) -> None:
        # nbclient drops what a thread of an earlier cell puts out; here it joins that cell.
        assert self.kc is not None
        self._cells[parent_msg_id] = (cell, cell_index)
        while self._take(await self.kc.iopub_channel.get_msg(timeout=None)) != parent_msg_id:
            pass

    def _take(self, msg: dict[str, Any]) -> str | None:
        """Process a message; return the id of the request that it says is complete."""
        parent: str | None = msg["parent_header"].get("msg_id")
        if parent in self._cells:
            try:
                self.process_message(msg, *self._cells[parent])
            except CellExecutionComplete:
                return parent
        return None

    def _update_display_id(self, display_id: str, msg: Mapping[str, Any]) -> None:
        # A new display of a known id changes the former ones too; the fold does that itself.
        if msg["msg_type"] not in _DISPLAYS:
            content = msg["content"]
            self.recorder.append(
                DisplayUpdated(
                    at=now(),
                    display_id=str(display_id),
                    data=content["data"],
                    metadata=content.get("metadata") or {},
                )
            )

    def _keep_reply(
        self, *, cell: NotebookNode, cell_index: int, execute_reply: Mapping[str, Any] | None
    ) -> None:
        self.reply = execute_reply["content"] if execute_reply else {}

    def _widget_hook(self, msg: Mapping[str, Any]) -> Any | None:
        hooks = self.output_hook_stack.get(msg["parent_header"].get("msg_id"))
        return hooks[-1] if hooks else None

    def _record_hook(self, hook: Any) -> None:
        state = {"outputs": hook.outputs}
        self.recorder.append(WidgetChanged(at=now(), model_id=hook.comm_id, state=state))


class KernelProcess:
    """A kernel of our own: started, interrupted and ended together with all its children.

    Parameters
    ----------
    run_id
        The run that it belongs to.
    kernel_name
        An installed kernelspec.
    log
        Takes what the kernel's process itself says, outside of any cell.
    """

    def __init__(self, run_id: str, kernel_name: str, log: KernelLog) -> None:
        self._folder = make_socket_folder(run_id)
        self.log = log
        self.manager = AsyncKernelManager(
            kernel_name=kernel_name,
            connection_file=str(self._folder / "kernel.json"),
            **self._transport(kernel_name),
        )

    @property
    def pid(self) -> int | None:
        """Its process; `None` where it has none here."""
        pid: int | None = getattr(self.manager.provisioner, "pid", None)
        return pid

    async def start(self, *, directory: Path, environment: Mapping[str, str]) -> None:
        """Start the process; it is not ready before `RecordingClient.start` returns.

        Raises
        ------
        OSError
            Its program or its directory is not there.
        """
        stream = self.log.open()
        try:
            await self.manager.start_kernel(
                cwd=str(directory),
                env=dict(environment),
                extra_arguments=self._arguments(),
                stdout=stream,
                stderr=stream,
            )
        finally:
            os.close(stream)

    async def interrupt(self) -> None:
        """Interrupt the running cell, as the stop button does."""
        with suppress(RuntimeError, OSError):
            await self.manager.interrupt_kernel()

    async def exit_status(self) -> int | None:
        """Return the ended process's status, negative for a signal; `None` if unknown."""
        return await self._poll_end(timeout_s=1.0)

    async def end(self, client: RecordingClient | None) -> None:
        """Kill the process and its group, and remove what it left on disk; idempotent."""
        try:
            if self.manager.has_kernel:
                # The manager looks each 0.1 s.
                await self.manager.provisioner.kill()
                await self._poll_end(timeout_s=_END_TIMEOUT_S)
                await self.manager.shutdown_kernel(now=True)
        finally:
            if client is not None and client.kc is not None:
                client.kc.stop_channels()
                client.kc = None
            self.manager.cleanup_connection_file()
            self.manager.context.destroy(linger=0)
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _poll_end(self, *, timeout_s: float) -> int | None:
        provisioner = self.manager.provisioner
        if provisioner is None:
            return None
        # The system may take a moment until it tells of the end.
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    status: int | None = await provisioner.poll()
                    if status is not None:
                        return status
                    await asyncio.sleep(_END_INTERVAL_S)
        return None

    def last_words(self, lines: int = 5) -> str:
        """Return the last lines that the kernel's process itself wrote, once it has ended."""
        self.log.settle()
        return self.log.last_words(lines)

    def _arguments(self) -> list[str]:
        # A history file would be shared by all kernels of the person, and locked.
        spec = self.manager.kernel_spec
        is_ipykernel = spec is not None and any("ipykernel" in word for word in spec.argv)
        return ["--HistoryManager.hist_file=:memory:"] if is_ipykernel else []

    def _transport(self, kernel_name: str) -> dict[str, str]:
        # TCP ports are chosen before they are used, and parallel runs race for them; sockets
        # in a folder of our own can't collide. Other kernels than Python's, and kernels that a
        # provisioner starts elsewhere, keep TCP.
        from jupyter_client.kernelspec import KernelSpecManager

        spec = KernelSpecManager().get_kernel_spec(kernel_name)
        path = str(self._folder / "ipc")
        is_local = "kernel_provisioner" not in (spec.metadata or {})
        if spec.language.lower() != "python" or not is_local or len(path) > _LONGEST_IPC_PATH:
            return {"transport": "tcp"}
        return {"transport": "ipc", "ip": path}


def _buffer(path: list[str | int], content: bytes) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {"data": data, "encoding": "base64", "path": path}
