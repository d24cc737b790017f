"""What ``nb2prod sweep`` prints: how a sweep goes on, and its table."""

from __future__ import annotations

import json

from rich.markup import escape

from nb2prod.cli.output import console, duration, number, print_table, styled_status
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.jobs.sweeps import Position, Sweep, SweepTable

METRICS_SHOWN = 4
VALUE_LENGTH = 40


class SweepPrinter:
    """Tells how a sweep goes on: a line for each run that ends, or for each part that is done."""

    def __init__(self, sweep: Sweep, *, is_quiet: bool) -> None:
        self._sweep = sweep
        self._is_quiet = is_quiet
        self._status = console.status("")
        self._said = -1.0
        self._values = ""
        if not is_quiet:
            runs = f"{sweep.count} run{'' if sweep.count == 1 else 's'}"
            console.print(f"Sweep [green]{sweep.id}[/] of {sweep.reference}: {runs}")
            self._status.start()

    def begin(self, position: Position) -> None:
        """Say which run begins."""
        varied = {name: position.values[name] for name in self._sweep.varied}
        values = "  ".join(f"{name}={_short(value)}" for name, value in varied.items())
        self._values = f"{position.number} of {self._sweep.count}  {escape(values)}"
        if not self._is_quiet:
            self._status.update(self._values)

    def end(self, record: RunRecord) -> None:
        """Say how it ended."""
        if self._is_quiet:
            return
        console.print(
            f"{styled_status(record.status)}  {self._values}  {duration(record.duration_s)}"
        )
        if record.reason and record.status is not RunStatus.SUCCEEDED:
            console.print(f"  [dim]{escape(record.reason)}[/]")

    def stand(self, sweep: Sweep) -> None:
        """Say how all runs stand; where nobody sees it change, only now and then."""
        if self._is_quiet:
            return
        line = standing(sweep)
        self._status.update(line)
        waiting = (sweep.counts.get(status, 0) for status in (RunStatus.QUEUED, RunStatus.RUNNING))
        done = 1 - sum(waiting) / sweep.count
        if not console.is_terminal and (done >= self._said + 0.1 or not sweep.is_open):
            self._said = done
            console.print(line)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._status.stop()


def print_sweep(table: SweepTable) -> None:
    """Print a table of parameters, statuses and metrics."""
    metrics = table.metrics[:METRICS_SHOWN]
    console.print()
    print_table(
        ("", *map(escape, table.sweep.varied), "Status", "Time", *map(escape, metrics), "Run"),
        [
            (
                str(row.position),
                *(escape(_short(row.parameters[name])) for name in table.sweep.varied),
                styled_status(row.status),
                duration(row.duration_s),
                *(_metric(row.metrics, name, is_best=row.is_best) for name in metrics),
                row.run_id or "",
            )
            for row in table.rows
        ],
        empty="",
        whole=("Run",),
    )
    if table.total > len(table.rows):
        rest = table.total - len(table.rows)
        console.print(f"[dim]and {rest:,} more; `--output FILE` writes all.[/]")


def _metric(metrics: object, name: str, *, is_best: bool) -> str:
    value = metrics.get(name) if isinstance(metrics, dict) else None
    if value is None:
        return ""
    return f"[bold green]{number(value)}[/]" if is_best else number(value)


def standing(sweep: Sweep) -> str:
    """Return how its runs stand, as in ``1 failed, 3 succeeded``."""
    return ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in sorted(sweep.counts.items())
    )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_LENGTH else f"{text[: VALUE_LENGTH - 1]}…"
