"""A run's record as JSON, as the database and a run's folder keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any

from nb2prod.execution.models import RunRecord


def record_to_json(record: RunRecord) -> dict[str, Any]:
    """Return a record as a JSON value; `record_from_json` gives it back."""
    content: dict[str, Any] = _plain(record)
    return content


def record_from_json(content: Mapping[str, Any]) -> RunRecord:
    """Read what `record_to_json` gave; raises `ValueError` for anything else."""
    record: RunRecord = _adapter().validate_python(content)
    return record


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(RunRecord)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        # Halves of characters, as a message of an error may have, can't be stored as UTF-8.
        return str(value).encode("utf-8", "replace").decode()
    return value
