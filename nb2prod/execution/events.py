"""What happens in a run, as facts: the lines of its event log.

The log is the only source of a run's record. Each event says what was seen, and when; what
follows from it is computed afterwards (`nb2prod.execution.record`). The same events are what
a listener gets while the run goes on.

Times are aware UTC datetimes. Numbers of cells count all cells of the notebook as it runs,
from 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, get_args

from nb2prod.execution.models import (
    Artifact,
    CellStatus,
    Conditions,
    FileUse,
    Machine,
    RandomSource,
    RunStatus,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """The runner began; ``code_cells`` is the number of cells that it will go through."""

    at: datetime
    run_id: str
    reference: str
    code_cells: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionsFixed:
    """What the kernel is about to be started with; nothing has been seeded yet."""

    at: datetime
    conditions: Conditions


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomSeeded:
    """A source of random numbers was given the run's seed."""

    at: datetime
    source: RandomSource


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelStarted:
    """The kernel's process was started; ``pid`` is `None` where it runs elsewhere."""

    at: datetime
    kernel_name: str
    pid: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineSeen:
    """The kernel said where it runs; from here on it can tell which files it opens."""

    at: datetime
    machine: Machine


@dataclass(frozen=True, kw_only=True, slots=True)
class MemorySeen:
    """How much memory the run has used at most, and how much it might; see `MemoryUse`."""

    at: datetime
    peak_mb: int | None
    limit_mb: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackingStarted:
    """The run has an MLflow run."""

    at: datetime
    mlflow_run_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CellStarted:
    """A code cell was sent to the kernel.

    Parameters
    ----------
    position
        Its place among the code cells, from 1; `RunStarted.code_cells` is the last.
    heading
        The last markdown heading before it; empty where there is none.
    """

    at: datetime
    number: int
    position: int
    heading: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputAdded:
    """A cell put something out; ``output`` is an output of nbformat 4."""

    at: datetime
    number: int
    output: Mapping[str, Any]
    display_id: str | None = None

    @property
    def text(self) -> str:
        """What of it a terminal can show."""
        return output_text(self.output)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputKept:
    """An output, or a part of one, was too large for the notebook, and is stored as a file.

    Parameters
    ----------
    number
        Of the cell; `None` for the update of a display, which may be in several.
    """

    at: datetime
    number: int | None
    artifact: Artifact


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputsCleared:
    """A cell cleared its outputs, or (``is_waiting``) will when it next puts something out."""

    at: datetime
    number: int
    is_waiting: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class DisplayUpdated:
    """All displays of an id, in whatever cell, have a new content."""

    at: datetime
    display_id: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class WidgetChanged:
    """A part of a widget's state; ``buffers`` as Jupyter's widget state format has them."""

    at: datetime
    model_id: str
    state: Mapping[str, Any]
    buffers: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CellEnded:
    """A code cell came to its end; ``error`` and ``peak_memory_mb`` as in `CellRecord`."""

    at: datetime
    number: int
    status: CellStatus
    execution_count: int | None = None
    error: str | None = None
    peak_memory_mb: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FilesSeen:
    """Files that the run has read, with their content at that time."""

    at: datetime
    files: tuple[FileUse, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """Something that the log should say, and that does not change the run's status."""

    at: datetime
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnded:
    """The last cell has ended, or was given up; what follows only gathers results."""

    at: datetime
    status: RunStatus
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FilesSettled:
    """All files that the run read and wrote, as they are at its end."""

    at: datetime
    files: tuple[FileUse, ...]
    is_complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultsKept:
    """Metrics that were logged, and artifacts that are stored by now."""

    at: datetime
    metrics: Mapping[str, float]
    artifacts: tuple[Artifact, ...]


Event = (
    RunStarted
    | ConditionsFixed
    | KernelStarted
    | RandomSeeded
    | MachineSeen
    | MemorySeen
    | TrackingStarted
    | CellStarted
    | OutputAdded
    | OutputKept
    | OutputsCleared
    | DisplayUpdated
    | WidgetChanged
    | CellEnded
    | FilesSeen
    | Noted
    | RunEnded
    | FilesSettled
    | ResultsKept
)

_KINDS: dict[str, type[Any]] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in get_args(Event)
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(event: Event) -> bytes:
    """Return an event as one line of JSON, with its newline."""
    content = {"kind": _NAMES[type(event)]}
    content |= {field.name: getattr(event, field.name) for field in fields(event)}
    # A kernel may send halves of characters, which no UTF-8 can hold; they become "?".
    return (
        json.dumps(content, default=_plain, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    )


def decode(line: bytes) -> Event:
    """Read what `encode` wrote; raises `ValueError` for anything else."""
    content = json.loads(line)
    name = content.pop("kind", None) if isinstance(content, dict) else None
    if name not in _KINDS:
        raise ValueError("the line is no event")
    event: Event = _adapter(name).validate_python(content)
    return event


def output_text(output: Mapping[str, Any]) -> str:
    """Return what of an output a terminal can show; empty where there is nothing."""
    kind = output.get("output_type")
    if kind == "stream":
        return _joined(output.get("text", ""))
    if kind == "error":
        return "\n".join(output.get("traceback") or ()) or error_line(output)
    data = output.get("data", {})
    # The plain text of a Markdown object is its address in memory.
    return _joined(data.get("text/markdown") or data.get("text/plain", ""))


def error_line(error: Mapping[str, Any]) -> str:
    """Return ``NameError: name 'x' is not defined`` of an error output or reply."""
    name, value = error.get("ename") or "Error", error.get("evalue") or ""
    return f"{name}: {value}" if value else str(name)


@cache
def _adapter(name: str) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(_KINDS[name])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _joined(text: object) -> str:
    return "".join(text) if isinstance(text, list) else str(text)
