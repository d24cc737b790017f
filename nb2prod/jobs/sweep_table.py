"""The table of a sweep: which rows, in which order, which is the best, and as CSV. Pure."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nb2prod.errors import SweepInvalid
from nb2prod.execution.models import RunStatus
from nb2prod.jobs.sweep_models import NOT_RUN, Sweep, SweepRow, SweepTable, TableQuery

PARAMETER, METRIC = "parameter:", "metric:"

# What a spreadsheet takes for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Good news last: who sorts by status looks for what went wrong, or goes on.
_STATUS_ORDER = (
    RunStatus.FAILED,
    RunStatus.TIMED_OUT,
    RunStatus.KERNEL_DIED,
    RunStatus.LOST,
    RunStatus.CANCELLED,
    RunStatus.RUNNING,
    RunStatus.QUEUED,
    NOT_RUN,
    RunStatus.SUCCEEDED,
)
_STATUS_RANKS: Mapping[str, int] = {str(status): rank for rank, status in enumerate(_STATUS_ORDER)}


def check_sort(sweep: Sweep, sort: str) -> str:
    """Return the name of a column by which a table can be sorted; else raise `SweepInvalid`.

    Of a metric any name will do: it may be one that no run has yet.
    """
    is_parameter = sort.startswith(PARAMETER) and sort.removeprefix(PARAMETER) in sweep.names
    if is_parameter or sort in ("position", "status", "duration") or sort.startswith(METRIC):
        return sort
    raise SweepInvalid(
        f"The table of sweep {sweep.id} can't be sorted by {sort[:80]!r}: use position, status,"
        f" duration, {PARAMETER}NAME with a parameter of the sweep, or {METRIC}NAME."
    )


def arranged(
    rows: Sequence[SweepRow], query: TableQuery, values: Mapping[str, float]
) -> list[SweepRow]:
    """Return the rows of the query's status in its order; those without a value come last.

    Parameters
    ----------
    rows
        By position.
    values
        By id of the run, those of the metric that is sorted by.
    """
    left = [row for row in rows if query.status in (None, row.status)]
    key = _sort_key(query.sort, values)
    known = [row for row in left if key(row) is not None]
    unknown = [row for row in left if key(row) is None]
    # A stable sort: equals stay by position, whichever way.
    return sorted(known, key=key, reverse=query.is_descending) + unknown


def best_of(
    rows: Sequence[SweepRow], values: Mapping[str, float], *, lower_is_better: bool | None
) -> frozenset[str]:
    """Return the ids of the runs whose main metric no other's betters.

    Only runs that succeeded take part; there is no best where nobody said what is better.
    """
    done = [row.run_id or "" for row in rows if row.status == RunStatus.SUCCEEDED]
    found = {
        run_id: values[run_id]
        for run_id in done
        if run_id in values and math.isfinite(values[run_id])
    }
    if lower_is_better is None or not found:
        return frozenset()
    best = min(found.values()) if lower_is_better else max(found.values())
    return frozenset(run_id for run_id, value in found.items() if value == best)


def table_csv(table: SweepTable) -> str:
    """Write a table as CSV (RFC 4180), in which no text is a formula for a spreadsheet.

    >>> _guarded("=1+1"), _guarded(-0.5), _guarded([1, 2])
    ("'=1+1", '-0.5', '[1, 2]')
    """
    names = table.sweep.names
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    head = ("position", *names, "status", "duration_s", *table.metrics, "tries", "run", "reason")
    writer.writerow(map(_guarded, head))
    for row in table.rows:
        cells = (
            row.position,
            *(row.parameters[name] for name in names),
            row.status,
            row.duration_s,
            *(row.metrics.get(name) for name in table.metrics),
            row.tries,
            row.run_id,
            row.reason,
        )
        writer.writerow(["" if cell is None else _guarded(cell) for cell in cells])
    return text.getvalue()


def _guarded(cell: object) -> str:
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    return json.dumps(cell, ensure_ascii=False)


def _sort_key(sort: str, values: Mapping[str, float]) -> Callable[[SweepRow], Any]:
    if sort.startswith(METRIC):
        return lambda row: values.get(row.run_id or "")
    if sort.startswith(PARAMETER):
        name = sort.removeprefix(PARAMETER)
        return lambda row: _comparable(row.parameters[name])
    if sort == "status":
        return lambda row: _STATUS_RANKS[row.status]
    if sort == "duration":
        return lambda row: row.duration_s
    return lambda row: row.position


def _comparable(value: object) -> tuple[int, Any] | None:
    # Of one parameter all values are of one type, or none; lists and dictionaries have no order.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float):
        return 0, value
    return 1, value if isinstance(value, str) else json.dumps(value, sort_keys=True)
