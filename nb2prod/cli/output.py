"""How the commands speak: tables and sentences for people, JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


class _Terminal(Console):
    """A console whose reader may leave, as in ``nb2prod run train | head``: work goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # What is still buffered would fail again when the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


console = _Terminal(highlight=False)
error_console = _Terminal(stderr=True, highlight=False)

JSON_OPTION = typer.Option(False, "--json", help="Print JSON, for programs.")

STATUS_STYLES = {
    "succeeded": "green",
    "running": "cyan",
    "queued": "cyan",
    "cancelled": "yellow",
    "lost": "magenta",
}


def print_json(value: Any) -> None:
    """Print models, or anything made of them, as JSON on standard output."""
    typer.echo(json.dumps(to_json(value), indent=2, ensure_ascii=False))


def to_json(value: Any) -> Any:
    """Turn models into JSON values: dataclasses into objects, times into ISO 8601."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    empty: str,
    whole: Sequence[str] = (),
) -> None:
    """Print rows as a table, or a sentence where there are none.

    Parameters
    ----------
    rows
        Cells as console markup.
    whole
        Columns that must not be broken into lines, since people copy from them.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        console.print(table)
    else:
        console.print(escape(empty))


def styled_status(status: str) -> str:
    """Return a status with its colour, as console markup."""
    return f"[{STATUS_STYLES.get(status, 'red')}]{status}[/]"


def age(moment: datetime, *, now: datetime | None = None) -> str:
    """Say how long ago something was.

    >>> age(datetime(2026, 1, 1, tzinfo=UTC), now=datetime(2026, 1, 3, tzinfo=UTC))
    '2 days ago'
    """
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // size)
        if count >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def duration(seconds: float | None) -> str:
    """Write a duration shortly.

    >>> duration(83.2)
    '1 min 23 s'
    """
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"
    return f"{minutes} min {rest} s"


def number(value: float) -> str:
    """Write a metric with four significant digits, and no exponent where it needs none.

    >>> number(4.12345), number(120000.0)
    ('4.123', '120000')
    """
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"
