"""From a run's events to what is known of it: one pure fold.

The same fold serves a run that came to its end and one whose runner was killed: what has no
end in the log is `lost`, and unknown is never success.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    ConditionsFixed,
    DisplayUpdated,
    Event,
    FilesSeen,
    FilesSettled,
    KernelStarted,
    MachineSeen,
    MemorySeen,
    Noted,
    OutputAdded,
    OutputKept,
    OutputsCleared,
    RandomSeeded,
    ResultsKept,
    RunEnded,
    RunStarted,
    TrackingStarted,
    WidgetChanged,
)
from nb2prod.execution.models import (
    Artifact,
    CellRecord,
    CellStatus,
    Conditions,
    FileUse,
    Machine,
    RandomSource,
    RunStatus,
)
from nb2prod.execution.outputs import CellOutputs, log_text
from nb2prod.execution.redaction import Redactor

# Of a run that left none.
EMPTY_NOTEBOOK: Mapping[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [],
}

LOST_REASON = "The runner ended without a word: it was killed, or its machine went down."

# papermill knows four words for a cell; ours are in metadata.nb2prod.
_PAPERMILL_STATUS = {
    CellStatus.NOT_RUN: "pending",
    CellStatus.RUNNING: "running",
    CellStatus.SUCCEEDED: "completed",
}
_PAPERMILL_EXCEPTION = {CellStatus.NOT_RUN: None, CellStatus.SUCCEEDED: False}
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


@dataclass(frozen=True, kw_only=True)
class History:
    """What the events of a run say; the fields are those of `RunRecord` where it has them.

    Parameters
    ----------
    notebook
        The executed notebook, nbformat 4 JSON.
    has_results
        Whether metrics and artifacts were gathered.
    log
        What the run printed, cell by cell, as plain text.
    """

    status: RunStatus
    reason: str
    started_at: datetime | None
    ended_at: datetime | None
    cells: tuple[CellRecord, ...]
    machine: Machine | None
    files: tuple[FileUse, ...]
    is_lineage_complete: bool
    metrics: dict[str, float]
    artifacts: tuple[Artifact, ...]
    has_results: bool
    mlflow_run_id: str | None
    notebook: dict[str, Any]
    log: str
    notes: tuple[str, ...]
    kernel_name: str | None
    peak_memory_mb: int | None = None
    memory_limit_mb: int | None = None
    conditions: Conditions | None = None


def fold(notebook: Mapping[str, Any], events: Iterable[Event]) -> History:
    """Compute what is known of a run.

    Parameters
    ----------
    notebook
        The notebook as it ran, nbformat 4 JSON; it is not changed.
    events
        In the order of the log. Without a `RunEnded` among them the run is `lost`.
    """
    state = _State(notebook)
    for event in events:
        state.take(event)
    return state.history()


def without_secrets(history: History, redactor: Redactor) -> History:
    """Return a history without the secrets that a redactor knows.

    Outputs are looked at as a reader sees them: joined, and as a terminal would show them. The
    sources of cells are the version's, and stay.
    """
    notebook = dict(history.notebook)
    notebook["metadata"] = redactor.of(notebook["metadata"])
    notebook["cells"] = [
        {**cell, "outputs": redactor.of_json(cell["outputs"])} if "outputs" in cell else cell
        for cell in notebook["cells"]
    ]
    return replace(
        history,
        reason=redactor.text(history.reason),
        cells=redactor.of(history.cells),
        machine=redactor.of(history.machine),
        conditions=redactor.of(history.conditions),
        files=redactor.of(history.files),
        metrics=metrics_without_secrets(history.metrics, redactor),
        artifacts=redactor.of(history.artifacts),
        notebook=notebook,
        log=redactor.text(history.log),
        notes=redactor.of(history.notes),
        kernel_name=redactor.of(history.kernel_name),
    )


def metrics_without_secrets(metrics: Mapping[str, float], redactor: Redactor) -> dict[str, float]:
    """Return metrics without those that are written like a secret, and none in their names."""
    return {
        redactor.text(name): value
        for name, value in metrics.items()
        if not isinstance(redactor.of_json(value), str)
    }


@dataclass
class _State:
    source: Mapping[str, Any]
    cells: dict[int, CellRecord] = field(default_factory=dict)
    outputs: dict[int, CellOutputs] = field(default_factory=dict)
    displays: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    widgets: dict[str, dict[str, Any]] = field(default_factory=dict)
    buffers: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: dict[str, FileUse] = field(default_factory=dict)
    is_lineage_complete: bool = False
    start: RunStarted | None = None
    end: RunEnded | None = None
    kernel: KernelStarted | None = None
    machine: Machine | None = None
    conditions: Conditions | None = None
    seeded: set[RandomSource] = field(default_factory=set)
    memory: MemorySeen | None = None
    mlflow_run_id: str | None = None
    kept: list[Artifact] = field(default_factory=list)
    results: ResultsKept | None = None
    last_at: datetime | None = None

    def __post_init__(self) -> None:
        for number, cell in enumerate(self.source["cells"], start=1):
            if cell["cell_type"] == "code":
                self.cells[number] = CellRecord(number=number)
                self.outputs[number] = CellOutputs()

    def take(self, event: Event) -> None:  # noqa: C901, PLR0912 - one arm for each kind
        if self.end is None:
            self.last_at = event.at
        match event:
            case CellStarted() | CellEnded():
                self._take_cell(event)
            case OutputAdded():
                self._take_output(event)
            case OutputKept():
                self.kept.append(event.artifact)
            case OutputsCleared():
                self.outputs[event.number].clear(is_waiting=event.is_waiting)
            case DisplayUpdated():
                self._update_display(event.display_id, event.data, event.metadata)
            case WidgetChanged():
                self._take_widget(event)
            case FilesSeen() | FilesSettled():
                self._take_files(event)
            case Noted():
                self.log.append(f"nb2prod: {event.text}\n")
                self.notes.append(event.text)
            case RunStarted():
                self.start = event
            case ConditionsFixed():
                self.conditions = event.conditions
            case KernelStarted():
                self.kernel = event
            case RandomSeeded():
                self.seeded.add(event.source)
            case MachineSeen():
                self.machine = event.machine
            case MemorySeen():
                self.memory = event
            case TrackingStarted():
                self.mlflow_run_id = event.mlflow_run_id
            case ResultsKept():
                self.results = event
            case RunEnded():
                self.end = event
                self.last_at = event.at

    def history(self) -> History:
        status = RunStatus.LOST if self.end is None else self.end.status
        cells = tuple(self._settled(cell) for cell in self.cells.values())
        reason = self._lost_reason() if self.end is None else self.end.reason
        started_at = None if self.start is None else self.start.at
        return History(
            status=status,
            reason=reason,
            started_at=started_at,
            ended_at=self.last_at,
            cells=cells,
            machine=self.machine,
            conditions=self.conditions
            and replace(self.conditions, seeded=tuple(sorted(self.seeded))),
            files=tuple(self.files[path] for path in sorted(self.files)),
            is_lineage_complete=self.is_lineage_complete,
            metrics=dict(self.results.metrics) if self.results else {},
            artifacts=(*self.kept, *(self.results.artifacts if self.results else ())),
            has_results=self.results is not None,
            mlflow_run_id=self.mlflow_run_id,
            notebook=self._notebook(status, reason, cells, started_at),
            log="".join(self.log),
            notes=tuple(self.notes),
            kernel_name=None if self.kernel is None else self.kernel.kernel_name,
            peak_memory_mb=None if self.memory is None else self.memory.peak_mb,
            memory_limit_mb=None if self.memory is None else self.memory.limit_mb,
        )

    def _take_cell(self, event: CellStarted | CellEnded) -> None:
        cell = self.cells[event.number]
        if isinstance(event, CellStarted):
            self.cells[event.number] = replace(cell, status=CellStatus.RUNNING, started_at=event.at)
            heading = f" · {event.heading}" if event.heading else ""
            self._log_line(f"── cell {event.number}{heading}")
        else:
            self.cells[event.number] = replace(
                cell,
                status=event.status,
                ended_at=event.at,
                execution_count=event.execution_count,
                error=event.error,
                peak_memory_mb=event.peak_memory_mb,
            )

    def _take_output(self, event: OutputAdded) -> None:
        output = copy.deepcopy(dict(event.output))
        if event.display_id is not None:
            self._update_display(
                event.display_id, output.get("data", {}), output.get("metadata", {})
            )
            self.displays.setdefault(event.display_id, []).append(output)
        self.outputs[event.number].add(output)
        self.log.append(log_text(output))

    def _update_display(
        self, display_id: str, data: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> None:
        for output in self.displays.get(display_id, ()):
            output["data"] = copy.deepcopy(dict(data))
            output["metadata"] = copy.deepcopy(dict(metadata))

    def _take_widget(self, event: WidgetChanged) -> None:
        self.widgets.setdefault(event.model_id, {}).update(copy.deepcopy(dict(event.state)))
        held = self.buffers.setdefault(event.model_id, {})
        held.update({repr(buffer.get("path")): dict(buffer) for buffer in event.buffers})

    def _take_files(self, event: FilesSeen | FilesSettled) -> None:
        if isinstance(event, FilesSettled):
            self.files = {}
            self.is_lineage_complete = event.is_complete
        self.files.update({use.path: use for use in event.files})

    def _log_line(self, line: str) -> None:
        if self.log and not self.log[-1].endswith("\n"):
            self.log.append("\n")
        self.log.append(f"{line}\n")

    def _settled(self, cell: CellRecord) -> CellRecord:
        if cell.status is not CellStatus.RUNNING:
            return cell
        return replace(cell, status=CellStatus.LOST, ended_at=self.last_at)

    def _lost_reason(self) -> str:
        running = [cell.number for cell in self.cells.values() if cell.status is CellStatus.RUNNING]
        return f"{LOST_REASON} Cell {running[0]} was running." if running else LOST_REASON

    def _notebook(
        self,
        status: RunStatus,
        reason: str,
        cells: tuple[CellRecord, ...],
        started_at: datetime | None,
    ) -> dict[str, Any]:
        notebook = copy.deepcopy(dict(self.source))
        metadata = notebook["metadata"]
        metadata["papermill"] = {
            **metadata.get("papermill", {}),
            **_times(started_at, self.last_at),
            "exception": None if status is RunStatus.SUCCEEDED else True,
        }
        metadata["nb2prod"] = {
            **metadata.get("nb2prod", {}),
            "run": self.start.run_id if self.start else None,
            "status": status.value,
            "reason": reason,
        }
        if self.widgets:
            metadata["widgets"] = {_WIDGET_STATE: self._widget_state()}
        for record in cells:
            cell = notebook["cells"][record.number - 1]
            cell["execution_count"] = record.execution_count
            cell["outputs"] = self.outputs[record.number].settled()
            cell["metadata"]["papermill"] = {
                **_times(record.started_at, record.ended_at),
                "status": _PAPERMILL_STATUS.get(record.status, "failed"),
                "exception": _PAPERMILL_EXCEPTION.get(record.status, True),
            }
            cell["metadata"]["nb2prod"] = {"status": record.status.value}
        return notebook

    def _widget_state(self) -> dict[str, Any]:
        models = {}
        for model_id, state in self.widgets.items():
            if "_model_name" not in state:
                continue
            models[model_id] = {
                "model_name": state.get("_model_name"),
                "model_module": state.get("_model_module"),
                "model_module_version": state.get("_model_module_version"),
                "state": state,
            }
            if self.buffers[model_id]:
                models[model_id]["buffers"] = list(self.buffers[model_id].values())
        return {"state": models, "version_major": 2, "version_minor": 0}


def _times(started_at: datetime | None, ended_at: datetime | None) -> dict[str, Any]:
    is_whole = started_at is not None and ended_at is not None
    return {
        "start_time": started_at.isoformat() if started_at else None,
        "end_time": ended_at.isoformat() if ended_at else None,
        "duration": (ended_at - started_at).total_seconds()  # type: ignore[operator]
        if is_whole
        else None,
    }
