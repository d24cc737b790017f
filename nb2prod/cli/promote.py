"""``nb2prod promote``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.syntax import Syntax

from nb2prod.cli.context import require_own_repository
from nb2prod.cli.output import console, print_json, print_table
from nb2prod.errors import Conflict, PreflightBlocked
from nb2prod.export.models import Finding, Severity
from nb2prod.notebook.parameters import Parameter
from nb2prod.registry.diff import compare_scripts, script_diff
from nb2prod.registry.models import Version
from nb2prod.registry.versions import Proposal, confirm, propose

_SEVERITY_MARKS = {
    Severity.BLOCKING: "[bold red]✕ blocking[/]",
    Severity.WARNING: "[yellow]▲ warning[/] ",
    Severity.NOTE: "[cyan]· note[/]    ",
}


def promote(
    notebook: Annotated[Path, typer.Argument(help="The notebook, in a git repository.")],
    name: Annotated[
        str | None, typer.Option(help="The pipeline's name; by default the notebook's.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask; for CI.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for programs; asks nothing.")
    ] = False,
) -> None:
    """Check a notebook and make it the next version of a pipeline.

    Prints the preflight's findings, the parameters, and the script's difference from the last
    version; asks; then makes one commit and one tag. A blocking finding makes nothing.
    """
    require_own_repository(notebook, "promote")
    proposal = propose(notebook, name=name)
    if as_json:
        version = None if proposal.is_blocked or not yes else confirm(proposal)
        print_json(_summary(proposal, version))
        if proposal.is_blocked:
            raise PreflightBlocked(_blocked_sentence(proposal))
        return
    print_findings(proposal.findings)
    if proposal.is_blocked:
        raise PreflightBlocked(_blocked_sentence(proposal))
    console.print()
    print_parameters(proposal.parameters)
    _print_script(proposal)
    if proposal.is_unchanged:
        assert proposal.former is not None
        console.print(
            f"[green]{proposal.former.reference}[/] has exactly this content already;"
            " nothing to promote."
        )
        return
    _ask(proposal, yes)
    version = confirm(proposal)
    console.print(
        f"[bold green]{version.reference}[/] — commit {version.commit[:10]},"
        f" tag {version.pipeline}/v{version.number}"
    )
    console.print(f"Run it: [bold]nb2prod run {version.reference}[/]")


def print_findings(findings: tuple[Finding, ...]) -> None:
    """Print findings, each with its place and what to do."""
    if not findings:
        console.print("[green]✓[/] The preflight found nothing.")
    for finding in findings:
        place = "" if finding.cell is None else f" cell {finding.cell}"
        place += "" if finding.line is None else f", line {finding.line}"
        console.print(
            f"{_SEVERITY_MARKS[finding.severity]}{place}: {escape(finding.message)}"
            f" [dim]({finding.code})[/]",
            soft_wrap=True,
        )
        if finding.way_out:
            console.print(f"           [dim]→ {escape(finding.way_out)}[/]", soft_wrap=True)


def default_text(parameter: Parameter) -> str:
    """Write a parameter's default as Python would."""
    return repr(parameter.default)


def print_parameters(parameters: tuple[Parameter, ...]) -> None:
    """Print parameters with type, default and help, as a table."""
    print_table(
        ("Parameter", "Type", "Default", ""),
        [
            (
                escape(item.name),
                escape(f"{item.type_text} {item.range_text}".rstrip()),
                escape(default_text(item)),
                f"[dim]{escape(item.help)}[/]",
            )
            for item in parameters
        ],
        empty="No parameters.",
    )


def _print_script(proposal: Proposal) -> None:
    console.print()
    if proposal.former is None:
        lines = proposal.script.count("\n")
        console.print(f"The first version of {proposal.pipeline}: a script of {lines} lines.")
        return
    difference = script_diff(proposal)
    if difference:
        console.print(Syntax(difference, "diff", theme="ansi_light", background_color="default"))
    elif not proposal.is_unchanged:
        console.print(
            f"The script is that of {proposal.former.reference}; parameters' or the environment's"
            " description changed."
        )


def _ask(proposal: Proposal, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Conflict("There is nobody to ask; promote with `--yes`.")
    if not typer.confirm(f"Promote as {proposal.reference}?", default=True):
        raise Conflict("Nothing was promoted.")


def _blocked_sentence(proposal: Proposal) -> str:
    count = sum(finding.severity is Severity.BLOCKING for finding in proposal.findings)
    return (
        f"Nothing was promoted: {count} finding{'s' if count > 1 else ''} of"
        f" {proposal.notebook.name}.ipynb must be mended first."
    )


def _summary(proposal: Proposal, version: Version | None) -> dict[str, object]:
    former = proposal.former
    return {
        "pipeline": proposal.pipeline,
        "findings": proposal.findings,
        "is_blocked": proposal.is_blocked,
        "is_unchanged": proposal.is_unchanged,
        "parameters": proposal.parameters,
        "script_diff": compare_scripts(
            "" if former is None else former.script,
            proposal.script,
            "" if former is None else str(former.reference),
            str(proposal.reference),
        ),
        "version": None
        if version is None
        else {
            "reference": str(version.reference),
            "commit": version.commit,
            "tag": f"{version.pipeline}/v{version.number}",
        },
    }
