"""What a notebook is to us: an immutable value, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CellKind = Literal["code", "markdown", "raw"]

PARAMETERS_TAG = "parameters"
INJECTED_PARAMETERS_TAG = "injected-parameters"
# Code cells that stay in the notebook, and do not run in the pipeline.
LEFT_OUT_TAGS = frozenset({"exploration", "skip-export"})


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell.

    Parameters
    ----------
    number
        Its place among all cells of the notebook, from 1: what people are told.
    source
        Its text as the author wrote it, without a newline at its end.
    execution_count
        The ``[7]`` beside a code cell; `None` where it has not run.
    outputs
        nbformat 4 outputs, as JSON values; empty for other cells than code.
    attachments
        Files pasted into a markdown cell: name → media type → base64 text.
    metadata
        All else that the notebook keeps with the cell, tags included.
    """

    number: int
    kind: CellKind
    source: str
    tags: tuple[str, ...] = ()
    execution_count: int | None = None
    outputs: tuple[Mapping[str, Any], ...] = ()
    attachments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_left_out(self) -> bool:
        """Whether it is code that its author has tagged to be left out of the pipeline."""
        return self.kind == "code" and not LEFT_OUT_TAGS.isdisjoint(self.tags)


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """A whole notebook; ``name`` is its file's name without ``.ipynb``."""

    name: str
    cells: tuple[Cell, ...]
    kernel_name: str
    kernel_display_name: str
    language: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code_cells(self) -> tuple[Cell, ...]:
        """The code cells, in order."""
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @property
    def title(self) -> str:
        """The text of the first heading of level one, else the name."""
        for cell in self.cells:
            if cell.kind == "markdown":
                for line in cell.source.splitlines():
                    if line.startswith("# "):
                        return line[2:].strip().strip("#").strip() or self.name
        return self.name
