"""``nb2prod check``: what promotion would find, without promoting, and with no workspace."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.output import console, print_json
from nb2prod.cli.promote import print_findings
from nb2prod.errors import InvalidInput, NotebookUnreadable, RepositoryNotFound
from nb2prod.export.models import Finding, Severity
from nb2prod.notebook.reading import read_notebook
from nb2prod.registry import versions
from nb2prod.registry.findings import finding
from nb2prod.registry.policies import KINDS
from nb2prod.registry.project_files import FolderFiles

EXIT_FOUND = 1
# Copies that Jupyter makes, environments, and what version control keeps.
_SKIPPED_FOLDERS = frozenset({".git", ".ipynb_checkpoints", ".venv", "node_modules"})


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def check(
    notebooks: Annotated[
        list[Path],
        typer.Argument(
            metavar="NOTEBOOK...", help="The notebooks to check, or folders that have some."
        ),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Let warnings count as what blocks does.")
    ] = False,
    format_: Annotated[
        Format,
        typer.Option("--format", help="For people, for programs, or for code hosts (SARIF 2.1.0)."),
    ] = Format.TEXT,
) -> None:
    """Check notebooks as promotion does, and change nothing; for CI, and before a commit.

    The exit status is 1 where a finding blocks promotion. How much a finding weighs is what
    `[tool.nb2prod.findings]` in the project's pyproject.toml says.
    """
    found = {path: _check(path) for path in dict.fromkeys(_notebooks(notebooks))}
    if format_ is Format.JSON:
        print_json(
            [
                {
                    "notebook": str(path),
                    "is_blocked": _counts(findings, Severity.BLOCKING),
                    "findings": findings,
                }
                for path, findings in found.items()
            ]
        )
    elif format_ is Format.SARIF:
        from nb2prod.cli.sarif import to_sarif

        print_json(to_sarif(found, KINDS))
    else:
        for path, findings in found.items():
            console.print(f"[bold]{escape(str(path))}[/]", soft_wrap=True)
            print_findings(findings)
    bad = (Severity.BLOCKING, Severity.WARNING) if strict else (Severity.BLOCKING,)
    if any(_counts(findings, *bad) for findings in found.values()):
        raise typer.Exit(EXIT_FOUND)


def _notebooks(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = [
            item
            for item in sorted(path.rglob("*.ipynb"))
            if _SKIPPED_FOLDERS.isdisjoint(item.relative_to(path).parts)
        ]
        if not inside:
            raise InvalidInput(f"There is no notebook in the folder {path}.")
        yield from inside


def _check(path: Path) -> tuple[Finding, ...]:
    try:
        notebook = read_notebook(path)
    except NotebookUnreadable as error:
        return (finding("notebook-unreadable", error.message),)
    root = _root(path)
    if root is None:
        return versions.check(notebook)
    directory = path.resolve().parent.relative_to(root).as_posix()
    return versions.check(
        notebook, project=FolderFiles(root=root, is_own=True), directory=directory
    )


def _root(path: Path) -> Path | None:
    """Return the folder of the project: that of the repository; `None` outside of one."""
    from nb2prod.store.git import Repository

    try:
        return Repository.discover(path.resolve()).root.resolve()
    except RepositoryNotFound:
        return None


def _counts(findings: tuple[Finding, ...], *severities: Severity) -> bool:
    return any(item.severity in severities and not item.is_silenced for item in findings)
