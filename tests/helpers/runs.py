"""Builders of finished runs for tests: rows, record and stored contents, without running."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from nb2prod.execution.models import CellRecord, CellStatus, Machine, RunRecord, RunStatus
from nb2prod.execution.record_json import record_from_json, record_to_json
from nb2prod.store.blobs import BlobStore
from nb2prod.store.schema import metrics, runs
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace

FIRST_RUN_AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

MANIFEST = """\
title = "Seat demand"
[kernel]
name = "python3"
display_name = "Python 3"
language = "python"
[source]
notebook = "train.ipynb"
directory = "."
[environment]
python = "3.11.7"
lock = "requirements.lock"
is_observed = true
"""

_counter = itertools.count()


def new_run_id() -> str:
    """A run id that no other run of this test session has."""
    number = next(_counter)
    digits = ""
    for _ in range(12):
        number, digit = divmod(number, 32)
        digits = ALPHABET[digit] + digits
    return digits


def manifest_text(main_metric: str | None = None, *, lower_is_better: bool | None = None) -> str:
    """The text of a ``pipeline.toml``, with a main metric where one is given."""
    if main_metric is None:
        return MANIFEST
    text = f"{MANIFEST}[metrics]\nmain = {json.dumps(main_metric)}\n"
    if lower_is_better is not None:
        text += f"lower_is_better = {json.dumps(lower_is_better)}\n"
    return text


def run_record(
    blobs: BlobStore,
    notebook: Mapping[str, Any] | None,
    *,
    manifest: str = MANIFEST,
    **fields: Any,
) -> RunRecord:
    """The record of a run that has ended, its sources stored.

    Parameters
    ----------
    notebook
        The executed notebook, as nbformat 4 JSON; `None` where the run left none.
    fields
        Any field of `RunRecord`, instead of what a plain success has.
    """
    contents: dict[str, bytes] = {
        "script": b"# %%\nprint('demand')\n",
        "manifest": manifest.encode(),
        "lock": b"numpy==2.0.0\n",
        "log": b"started\nended\n",
    }
    if notebook is not None:
        # Lone surrogates are legal in JSON as escapes, so ASCII is what keeps them.
        contents["executed"] = json.dumps(notebook).encode()
        contents["notebook"] = json.dumps(_without_outputs(notebook)).encode()
    sources = {name: blobs.put_bytes(content).sha256 for name, content in contents.items()}
    number = next(_counter)
    created = fields.pop("created_at", FIRST_RUN_AT + timedelta(minutes=number))
    values: dict[str, Any] = {
        "id": fields.pop("id", None) or new_run_id(),
        "project": "seat-demand",
        "pipeline": "train",
        "version": 1,
        "commit": "c0ffee" + "0" * 34,
        "parameters": {"market": "JFK-DL", "alpha": 0.1},
        "status": RunStatus.SUCCEEDED,
        "reason": "",
        "requested_by": "ada",
        "requested_via": "cli",
        "created_at": created,
        "started_at": created + timedelta(seconds=1),
        "ended_at": created + timedelta(seconds=43),
        "kernel_name": "python3",
        "lock_sha256": "0" * 64,
        "lock_is_observed": True,
        "machine": Machine(
            python="3.11.7", platform="Linux", cpu="A CPU", cpu_count=2, host="modelling-1"
        ),
        "cells": _cell_records(notebook, created),
        "is_lineage_complete": True,
        "sources": sources,
        **fields,
    }
    return RunRecord(**values)


def store_run(workspace: Workspace, project: Project, record: RunRecord) -> RunRecord:
    """Put a record into the database, as `execution` does at a run's end."""
    # Halves of characters have no UTF-8; the record as it is stored has none.
    record = record_from_json(record_to_json(record))
    with workspace.database.write() as connection:
        connection.execute(
            insert(runs).values(
                id=record.id,
                project_id=project.id,
                pipeline=record.pipeline,
                version=record.version,
                commit=record.commit,
                parameters=record.parameters,
                status=record.status.value,
                reason=record.reason,
                requested_by=record.requested_by,
                requested_via=record.requested_via,
                created_at=record.created_at,
                started_at=record.started_at,
                ended_at=record.ended_at,
                profile=record.profile.value,
                record=record_to_json(record),
            )
        )
        for name, value in record.metrics.items():
            connection.execute(insert(metrics).values(run_id=record.id, name=name, value=value))
    return record


def finished_run(
    workspace: Workspace,
    project: Project,
    notebook: Mapping[str, Any] | None,
    *,
    manifest: str = MANIFEST,
    **record_fields: Any,
) -> RunRecord:
    """Make a run that has ended, with everything that one leaves but its page."""
    record = run_record(
        workspace.blobs,
        notebook,
        manifest=manifest,
        **{"project": project.name, **record_fields},
    )
    return store_run(workspace, project, record)


def _cell_records(notebook: Mapping[str, Any] | None, created: datetime) -> tuple[CellRecord, ...]:
    cells = notebook.get("cells") if notebook is not None else None
    return tuple(
        CellRecord(
            number=number,
            status=CellStatus.SUCCEEDED,
            started_at=created + timedelta(seconds=number),
            ended_at=created + timedelta(seconds=number, milliseconds=250),
            execution_count=number,
        )
        for number, cell in enumerate(cells if isinstance(cells, list) else [], start=1)
        if isinstance(cell, Mapping) and cell.get("cell_type") == "code"
    )


def _without_outputs(notebook: Mapping[str, Any]) -> dict[str, Any]:
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        return dict(notebook)
    bare = [
        {**cell, "outputs": []} if isinstance(cell, Mapping) and "outputs" in cell else cell
        for cell in cells
    ]
    return {**notebook, "cells": bare}
