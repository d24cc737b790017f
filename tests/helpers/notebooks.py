"""Builders of notebooks for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nb2prod.notebook.models import Cell, CellKind, Notebook

KERNEL_NAME = "python3"
KERNEL_DISPLAY_NAME = "Python 3 (ipykernel)"


def code(
    source: str,
    *,
    tags: Sequence[str] = (),
    outputs: Sequence[Mapping[str, Any]] = (),
    execution_count: int | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Cell:
    """A code cell; `notebook` gives it its number."""
    return _cell(
        "code",
        source,
        tags=tags,
        metadata=metadata,
        outputs=tuple(outputs),
        execution_count=execution_count,
    )


def markdown(
    source: str,
    *,
    tags: Sequence[str] = (),
    attachments: Mapping[str, Mapping[str, str]] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Cell:
    """A markdown cell; attachments are name → media type → base64 text."""
    return _cell("markdown", source, tags=tags, metadata=metadata, attachments=attachments or {})


def raw(source: str, *, tags: Sequence[str] = ()) -> Cell:
    """A raw cell."""
    return _cell("raw", source, tags=tags, metadata=None)


def parameters(source: str) -> Cell:
    """The parameters cell."""
    return code(source, tags=["parameters"])


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    """What a cell printed, as an output."""
    return {"output_type": "stream", "name": name, "text": text}


def display_data(
    data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A rich output: media type → content."""
    return {
        "output_type": "display_data",
        "data": dict(data),
        "metadata": dict(metadata or {}),
    }


def notebook(
    *cells: Cell,
    name: str = "example",
    language: str = "python",
    kernel_name: str = KERNEL_NAME,
    kernel_display_name: str = KERNEL_DISPLAY_NAME,
    metadata: Mapping[str, Any] | None = None,
) -> Notebook:
    """A notebook of these cells, numbered from 1."""
    return Notebook(
        name=name,
        cells=tuple(_numbered(cell, number) for number, cell in enumerate(cells, start=1)),
        kernel_name=kernel_name,
        kernel_display_name=kernel_display_name,
        language=language,
        metadata=metadata or {},
    )


def notebook_json(*cells: Cell, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same as a Jupyter notebook file has it (nbformat 4.5)."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {
                "name": KERNEL_NAME,
                "display_name": KERNEL_DISPLAY_NAME,
                "language": "python",
            },
            "language_info": {"name": "python"},
            **(metadata or {}),
        },
        "cells": [_cell_json(cell, number) for number, cell in enumerate(cells, start=1)],
    }


def write_notebook(path: Path, *cells: Cell, metadata: Mapping[str, Any] | None = None) -> Path:
    """Write a Jupyter notebook file of these cells and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = notebook_json(*cells, metadata=metadata)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _cell(
    kind: CellKind,
    source: str,
    *,
    tags: Sequence[str],
    metadata: Mapping[str, Any] | None,
    **more: Any,
) -> Cell:
    merged = dict(metadata or {})
    if tags:
        merged["tags"] = list(tags)
    return Cell(number=1, kind=kind, source=source, tags=tuple(tags), metadata=merged, **more)


def _numbered(cell: Cell, number: int) -> Cell:
    from dataclasses import replace

    return replace(cell, number=number)


def _cell_json(cell: Cell, number: int) -> dict[str, Any]:
    content: dict[str, Any] = {
        "cell_type": cell.kind,
        "id": f"cell-{number}",
        "metadata": dict(cell.metadata),
        "source": cell.source.splitlines(keepends=True),
    }
    if cell.kind == "code":
        content["execution_count"] = cell.execution_count
        content["outputs"] = [dict(output) for output in cell.outputs]
    if cell.attachments:
        content["attachments"] = {name: dict(data) for name, data in cell.attachments.items()}
    return content
