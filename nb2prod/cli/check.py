"""``nb2prod check``: what promotion would find, without promoting, and with no workspace."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.output import console, print_json
from nb2prod.cli.promote import print_findings
from nb2prod.errors import NotebookUnreadable
from nb2prod.export.models import Finding, Severity
from nb2prod.notebook.reading import read_notebook
from nb2prod.registry import versions
from nb2prod.registry.findings import finding

EXIT_FOUND = 1


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


def check(
    notebooks: Annotated[
        list[Path], typer.Argument(metavar="NOTEBOOK...", help="The notebooks to check.")
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Let warnings count as what blocks does.")
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="For people, or for programs.")
    ] = Format.TEXT,
) -> None:
    """Check notebooks as promotion does, and change nothing; for CI, and before a commit.

    The exit status is 1 where a finding blocks promotion.
    """
    found = {path: _check(path) for path in notebooks}
    if format_ is Format.JSON:
        print_json(
            [
                {
                    "notebook": str(path),
                    "is_blocked": _has(findings, Severity.BLOCKING),
                    "findings": findings,
                }
                for path, findings in found.items()
            ]
        )
    else:
        for path, findings in found.items():
            console.print(f"[bold]{escape(str(path))}[/]", soft_wrap=True)
            print_findings(findings)
    bad = (Severity.BLOCKING, Severity.WARNING) if strict else (Severity.BLOCKING,)
    if any(_has(findings, *bad) for findings in found.values()):
        raise typer.Exit(EXIT_FOUND)


def _check(path: Path) -> tuple[Finding, ...]:
    try:
        return versions.check(read_notebook(path))
    except NotebookUnreadable as error:
        return (finding("notebook-unreadable", error.message),)


def _has(findings: tuple[Finding, ...], *severities: Severity) -> bool:
    return any(item.severity in severities for item in findings)
