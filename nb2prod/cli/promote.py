"""``nb2prod promote``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from nb2prod.cli.context import require_own_repository
from nb2prod.cli.output import console, error_console, print_json, print_table
from nb2prod.cli.remote import ServerOption, own_project, remote_settings, service_client
from nb2prod.errors import Conflict, InvalidInput, PreflightBlocked
from nb2prod.export.models import Finding, Severity
from nb2prod.notebook.parameters import Parameter
from nb2prod.registry.diff import compare_scripts, script_diff
from nb2prod.registry.models import Version
from nb2prod.registry.remote_promotion import RemoteProposal, RemoteVersion
from nb2prod.registry.versions import Proposal, confirm, propose

_SILENCED_MARK = "[dim]- silenced[/]"
_SEVERITY_MARKS = {
    Severity.BLOCKING: "[bold red]✕ blocking[/]",
    Severity.WARNING: "[yellow]▲ warning[/] ",
    Severity.NOTE: "[cyan]· note[/]    ",
}


@dataclass(frozen=True, kw_only=True)
class _Manner:
    """How a promotion speaks, and whether it asks before."""

    yes: bool
    quiet: bool
    as_json: bool


def promote(
    notebook: Annotated[
        Path,
        typer.Argument(help="The notebook: in a git repository, or, with --project, anywhere."),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(help="The pipeline's name; by default the notebook's.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask; for CI.")] = False,
    server: ServerOption = None,
    project: Annotated[
        str | None,
        typer.Option(
            help="Promote in this project of the workspace at --server, not in the repository here;"
            " with --server alone it is the token's project."
        ),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            help="Where the notebook lies in the project's folder; by default as in its repository."
            " Its runs work in that folder."
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Print the version alone, as in `train@v3`, and findings on standard error; for"
            " scripts, with --yes.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for programs; asks nothing.")
    ] = False,
) -> None:
    """Check a notebook and make it the next version of a pipeline.

    Prints the preflight's findings, the parameters, and the script's difference from the last
    version; asks; then makes one commit and one tag. A blocking finding makes nothing.
    """
    manner = _Manner(yes=yes, quiet=quiet, as_json=as_json)
    if quiet and (as_json or not yes):
        raise InvalidInput("--quiet asks nothing, and prints no JSON: give it with --yes alone.")
    if project is not None or server is not None:
        _promote_there(notebook, name, path, server, project, manner)
        return
    if path is not None:
        raise InvalidInput("--path is for a project of a workspace: give --project too.")
    require_own_repository(notebook, "promote")
    proposal = propose(notebook, name=name)
    _promote(_shown(proposal), lambda: _made(confirm(proposal)), manner)


def print_findings(findings: tuple[Finding, ...], *, to: Console = console) -> None:
    """Print findings, each with its place and what to do."""
    if not findings:
        to.print("[green]✓[/] The preflight found nothing.")
    for finding in findings:
        place = "" if finding.cell is None else f" cell {finding.cell}"
        place += "" if finding.line is None else f", line {finding.line}"
        mark = _SILENCED_MARK if finding.is_silenced else _SEVERITY_MARKS[finding.severity]
        to.print(
            f"{mark}{place}: {escape(finding.message)} [dim]({finding.code})[/]",
            soft_wrap=True,
        )
        if finding.silenced_because is not None:
            to.print(
                f"           [dim]silenced: {escape(finding.silenced_because)}[/]", soft_wrap=True
            )
        elif finding.way_out:
            to.print(f"           [dim]→ {escape(finding.way_out)}[/]", soft_wrap=True)


def print_parameters(parameters: tuple[Parameter, ...]) -> None:
    """Print parameters with type, default and help, as a table."""
    print_table(
        ("Parameter", "Type", "Default", ""),
        [
            (
                escape(item.name),
                escape(f"{item.type_text} {item.range_text}".rstrip()),
                escape(item.default_text),
                f"[dim]{escape(item.help)}[/]",
            )
            for item in parameters
        ],
        empty="No parameters.",
    )


def _promote_there(
    notebook: Path,
    name: str | None,
    path: str | None,
    server: str | None,
    project: str | None,
    manner: _Manner,
) -> None:
    from nb2prod.registry.remote_promotion import SentNotebook, confirm_there, propose_there

    sent = SentNotebook.read(notebook, path=path, pipeline=name)
    with service_client(remote_settings(server)) as client:
        where = own_project(client, project)
        shown = propose_there(client, where, sent)
        _promote(
            shown,
            lambda: confirm_there(client, where, sent, shown),
            manner,
            project=f"{where}/",
        )


def _promote(
    shown: RemoteProposal,
    make: Callable[[], RemoteVersion],
    manner: _Manner,
    *,
    project: str = "",
) -> None:
    """Show what promotion would make, ask, and make it."""
    if manner.as_json:
        _print_summary(shown, None if shown.is_blocked or not manner.yes else make())
        return
    print_findings(shown.findings, to=error_console if manner.quiet else console)
    if shown.is_blocked:
        raise _blocked(shown)
    if manner.quiet:
        typer.echo(shown.former if shown.is_unchanged else make().reference)
        return
    _show(shown)
    if shown.is_unchanged:
        return
    _ask(shown, manner.yes)
    version = make()
    _print_made(version, run=f"{project}{version.reference}")


def _shown(proposal: Proposal) -> RemoteProposal:
    """Return a proposal of this machine as one of a workspace's: people read both alike."""
    former = proposal.former
    return RemoteProposal(
        pipeline=proposal.pipeline,
        reference=str(proposal.reference),
        former=None if former is None else str(former.reference),
        is_unchanged=proposal.is_unchanged,
        is_blocked=proposal.is_blocked,
        digest=proposal.digest,
        findings=proposal.findings,
        parameters=proposal.parameters,
        script=proposal.script,
        diff=script_diff(proposal),
    )


def _made(version: Version) -> RemoteVersion:
    return RemoteVersion(
        pipeline=version.pipeline,
        number=version.number,
        reference=str(version.reference),
        commit=version.commit,
    )


def _show(shown: RemoteProposal) -> None:
    console.print()
    print_parameters(shown.parameters)
    _print_script(shown)
    if shown.is_unchanged:
        console.print(
            f"[green]{shown.former}[/] has exactly this content already; nothing to promote."
        )


def _print_script(shown: RemoteProposal) -> None:
    console.print()
    if shown.former is None:
        lines = shown.script.count("\n")
        console.print(f"The first version of {shown.pipeline}: a script of {lines} lines.")
    elif shown.diff:
        console.print(Syntax(shown.diff, "diff", theme="ansi_light", background_color="default"))
    elif not shown.is_unchanged:
        console.print(
            f"The script is that of {shown.former}; what changed are settings, the environment's"
            " lock, or modules of your own."
        )


def _ask(shown: RemoteProposal, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Conflict("There is nobody to ask; promote with `--yes`.")
    if not typer.confirm(f"Promote as {shown.reference}?", default=True):
        raise Conflict("Nothing was promoted.")


def _print_made(version: RemoteVersion, *, run: str) -> None:
    console.print(
        f"[bold green]{version.reference}[/] — commit {version.commit[:10]},"
        f" tag {version.pipeline}/v{version.number}"
    )
    console.print(f"Run it: [bold]nb2prod run {run}[/]")


def _blocked(shown: RemoteProposal) -> PreflightBlocked:
    count = sum(finding.blocks for finding in shown.findings)
    return PreflightBlocked(
        f"Nothing was promoted: {count} finding{'s' if count > 1 else ''} of {shown.pipeline} must"
        " be mended first."
    )


def _print_summary(shown: RemoteProposal, version: RemoteVersion | None) -> None:
    print_json(
        {
            "pipeline": shown.pipeline,
            "findings": shown.findings,
            "is_blocked": shown.is_blocked,
            "is_unchanged": shown.is_unchanged,
            "parameters": shown.parameters,
            "script_diff": shown.diff
            if shown.former
            else compare_scripts("", shown.script, "", shown.reference),
            "version": None
            if version is None
            else {
                "reference": version.reference,
                "commit": version.commit,
                "tag": f"{version.pipeline}/v{version.number}",
            },
        }
    )
    if shown.is_blocked:
        raise _blocked(shown)
