"""Builders of what the gallery shows: records, documents, cards, whole pages."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from nb2prod.errors import ProjectNotFound
from nb2prod.execution.models import (
    Artifact,
    ArtifactKind,
    CellStatus,
    FileAccess,
    FileUse,
    Machine,
    RunRecord,
    RunStatus,
)
from nb2prod.knowledge import pages
from nb2prod.knowledge.models import (
    Baseline,
    Heading,
    MetricChange,
    PageBlob,
    PageCard,
    PageDocument,
    PageView,
    RenderedCell,
    RenderedOutput,
)
from nb2prod.workspace.projects import Project, create_project, get_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.notebooks import code, display_data, markdown, notebook_json, stream
from tests.helpers.runs import finished_run, manifest_text

ENDED = datetime(2026, 11, 20, 12, 0, 42, tzinfo=UTC)
Color = tuple[int, int, int]
SHA = "0123456789abcdef" * 4


def make_png(width: int = 64, height: int = 36, color: Color = (14, 102, 116)) -> bytes:
    """Return a PNG of one colour, written by hand: tests need no drawing library."""
    return _png(width, height, bytes(color) * width * height)


def make_plot(seed: int = 1, width: int = 640, height: int = 360) -> bytes:
    """Return a PNG of a curve over a year, so that pages look as pages do."""
    pixels = bytearray(b"\xff" * (width * height * 3))

    def dot(x: int, y: int, color: Color) -> None:
        if 0 <= x < width and 0 <= y < height:
            pixels[(y * width + x) * 3 : (y * width + x) * 3 + 3] = bytes(color)

    for x in range(40, width - 20):
        dot(x, height - 30, (90, 90, 90))
        trend = height / 2 + 60 * math.sin(x / 70 + seed) + 25 * math.sin(x / 23 * seed)
        week = 18 * math.sin(x * 1.1)
        for thick in range(3):
            dot(x, int(trend) + thick, (214, 120, 30))
        for step in range(abs(int(week)) + 1):
            dot(x, int(trend + math.copysign(step, week)), (66, 120, 180))
    for y in range(20, height - 30):
        dot(40, y, (90, 90, 90))
    return _png(width, height, bytes(pixels))


def _png(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    stride = width * 3
    rows = b"".join(b"\0" + pixels[y * stride : (y + 1) * stride] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def make_record(run_id: str = "abcdefgh2345", **changes: Any) -> RunRecord:
    """Return the record of a run that succeeded; changes replace fields."""
    values: dict[str, Any] = {
        "id": run_id,
        "project": "seat-demand",
        "pipeline": "train",
        "version": 3,
        "commit": "8f2c1d9ab04e5f6677889900aabbccddeeff0011",
        "parameters": {"market": "JFK-DL", "horizon": 28, "alpha": 0.2, "epochs": 40},
        "status": RunStatus.SUCCEEDED,
        "reason": "",
        "requested_by": "ada",
        "requested_via": "cli",
        "created_at": ENDED - timedelta(seconds=45),
        "started_at": ENDED - timedelta(seconds=42),
        "ended_at": ENDED,
        "kernel_name": "nb2prod-python",
        "lock_sha256": SHA,
        "lock_is_observed": True,
        "machine": Machine(
            python="3.11.7",
            platform="Linux-6.1.0-x86_64-with-glibc2.36",
            cpu="AMD EPYC 9V74",
            cpu_count=2,
            host="ada-laptop",
        ),
        "files": (
            FileUse(
                path="data/flights.parquet",
                access=FileAccess.READ,
                sha256=SHA,
                size_bytes=4_812_332,
            ),
        ),
        "is_lineage_complete": True,
        "metrics": {"mape": 4.1, "mape_baseline": 6.2},
        "artifacts": (
            Artifact(
                name="model.pt",
                kind=ArtifactKind.MODEL,
                media_type="application/octet-stream",
                sha256=SHA[::-1],
                size_bytes=120_000,
            ),
        ),
        "mlflow_run_id": "f00dfeed" * 4,
    }
    return RunRecord(**{**values, **changes})


def make_document(run_id: str = "abcdefgh2345", **changes: Any) -> PageDocument:
    """Return a rendered page with markdown, code, a table and a text output."""
    values: dict[str, Any] = {
        "run_id": run_id,
        "title": "Seats departed per day: LASSO and a small network",
        "conclusion_html": "<p>The ensemble beats the historical average by a third.</p>",
        "conclusion": "The ensemble beats the historical average by a third.",
        "cells": (
            RenderedCell(
                number=1, kind="markdown", html='<h2 id="data">Data</h2><p>All of 2013.</p>'
            ),
            RenderedCell(
                number=2,
                kind="code",
                html='<pre><span class="n">x</span> = <span class="mi">1</span></pre>',
                status=CellStatus.SUCCEEDED,
                duration_s=0.8,
                outputs=(RenderedOutput(kind="html", html="<pre>hello</pre>"),),
            ),
            RenderedCell(
                number=3,
                kind="code",
                html="<pre>table</pre>",
                status=CellStatus.SUCCEEDED,
                duration_s=2.0,
                outputs=(
                    RenderedOutput(
                        kind="html",
                        html="<table><thead><tr><th>model</th><th>mape</th></tr></thead>"
                        "<tbody><tr><th>lasso</th><td>4.6</td></tr></tbody></table>",
                    ),
                ),
            ),
        ),
        "outline": (Heading(level=2, text="Data", anchor="data"),),
        "poster": None,
        "main_metric": "mape",
        "lower_is_better": True,
        "blobs": (),
    }
    return PageDocument(**{**values, **changes})


def make_blob(content: bytes, media_type: str, name: str) -> PageBlob:
    """Return the entry of a content among a page's blobs."""
    import hashlib

    return PageBlob(
        sha256=hashlib.sha256(content).hexdigest(),
        media_type=media_type,
        name=name,
        size_bytes=len(content),
    )


def make_card(run_id: str = "abcdefgh2345", **changes: Any) -> PageCard:
    """Return what lists show of a page."""
    values: dict[str, Any] = {
        "run_id": run_id,
        "project": "seat-demand",
        "pipeline": "train",
        "version": 3,
        "title": "Seats departed per day",
        "conclusion": "The ensemble beats the historical average by a third.",
        "status": RunStatus.SUCCEEDED,
        "main_metric": MetricChange(name="mape", value=4.1, before=4.4, lower_is_better=True),
        "author": "ada",
        "created_at": ENDED - timedelta(seconds=45),
        "ended_at": ENDED,
        "duration_s": 42.0,
        "poster": None,
    }
    return PageCard(**{**values, **changes})


def make_view(
    record: RunRecord | None = None, document: PageDocument | None = None, **changes: Any
) -> PageView:
    """Return a page as a reader gets it."""
    record = record or make_record()
    values: dict[str, Any] = {
        "document": document or make_document(record.id),
        "record": record,
        "baseline": Baseline(run_id="basebasebase", version=2, has_same_parameters=True),
        "metrics": (
            MetricChange(name="mape", value=4.1, before=4.4, lower_is_better=True),
            MetricChange(name="mape_baseline", value=6.2, before=6.2),
        ),
        "siblings": (make_card("basebasebase", version=2),),
    }
    return PageView(**{**values, **changes})


def picture(content: bytes | None = None) -> dict[str, Any]:
    """Return a display of a PNG."""
    encoded = base64.b64encode(content or make_png()).decode()
    return display_data({"image/png": encoded, "text/plain": "<Figure>"})


def usual_notebook(title: str = "Seats departed per day") -> dict[str, Any]:
    """Return a notebook as a data scientist would leave it: text, code, a plot, a table."""
    return notebook_json(
        markdown(f"# {title}\n\nHow many seats leave each day?"),
        code("market = 'JFK-DL'", tags=["injected-parameters"], execution_count=1),
        code(
            "print('epoch 1')\nplot(seats)",
            outputs=[stream("epoch 1\n"), picture()],
            execution_count=2,
        ),
        markdown("## Conclusion\n\nThe ensemble beats the historical average by a third."),
    )


def publish(
    workspace: Workspace,
    record: RunRecord | None = None,
    notebook: dict[str, Any] | None = None,
    *,
    owner: str = "ada",
) -> RunRecord:
    """Store an ended run as execution does, and have its page made; gives its record.

    A record without cells gets those of its notebook, all of them succeeded.
    """
    record = record or make_record()
    named = {item.name: getattr(record, item.name) for item in fields(record)}
    kept = {name: value for name, value in named.items() if name not in ("project", "sources")}
    if not record.cells:
        del kept["cells"]
    stored = finished_run(
        workspace,
        _project(workspace, record.project, owner),
        notebook or usual_notebook(),
        manifest=manifest_text("mape", lower_is_better=True),
        **kept,
    )
    pages.catch_up(workspace)
    return stored


def _project(workspace: Workspace, name: str, owner: str) -> Project:
    try:
        return get_project(workspace, name, person=owner)
    except ProjectNotFound:
        root = workspace.settings.home / name
        return create_project(workspace, name, root=root, owner=owner)
