"""``nb2prod run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.context import (
    gallery_address,
    here,
    opened,
    page_address,
    require_own_repository,
)
from nb2prod.cli.output import (
    JSON_OPTION,
    console,
    duration,
    number,
    print_json,
    print_table,
    styled_status,
)
from nb2prod.cli.progress import ProgressPrinter
from nb2prod.errors import ParameterInvalid, RunUnsuccessful
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import load_version
from nb2prod.workspace.projects import project_of


def run(
    reference: Annotated[
        str, typer.Argument(metavar="VERSION", help="As in `train@v3`; `train` is the newest.")
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter."),
    ] = None,
    cell_timeout: Annotated[
        float | None, typer.Option(help="Seconds that one cell may take.", min=0.001)
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that the whole run may take.", min=0.001)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the executed notebook here.")
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Run a version, record it, and print its page's address.

    The exit status is 0 only for a run that succeeded.
    """
    values = read_pairs(parameter or [])
    wanted = Reference.parse(reference)
    require_own_repository(Path.cwd(), "run")
    version = load_version(here().root, wanted)
    with opened() as workspace:
        project = project_of(workspace, version.repository, person=workspace.settings.person)
        from nb2prod.execution.run import RunOptions, run_version
        from nb2prod.knowledge.pages import catch_up

        options = RunOptions(
            cell_timeout_s=cell_timeout,
            timeout_s=timeout,
            output_path=output,
            requested_by=workspace.settings.person,
            requested_via="cli",
        )
        with ProgressPrinter(is_quiet=as_json) as printer:
            record = run_version(
                workspace, project, version, values, options=options, listener=printer.show
            )
        catch_up(workspace)
        address = page_address(workspace.settings, record.id)
        is_served = gallery_address(workspace.settings) is not None
    if as_json:
        print_json({"run": record, "page": address})
    else:
        _print_end(record, address, is_served=is_served)
    if record.status is not RunStatus.SUCCEEDED:
        raise RunUnsuccessful(
            f"{record.reference} {record.status}: {record.reason}",
            run=record.id,
            status=record.status.value,
        )


def read_pairs(pairs: list[str]) -> dict[str, object]:
    """Read parameters as they are typed, ``alpha=0.2``; raises `ParameterInvalid`."""
    values: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ParameterInvalid(
                f"{pair!r} is no parameter; write NAME=VALUE, as in `-p alpha=0.2`."
            )
        if name.strip() in values:
            raise ParameterInvalid(f"The parameter {name.strip()} is given twice.")
        values[name.strip()] = value
    return values


def _print_end(record: RunRecord, address: str, *, is_served: bool) -> None:
    console.print()
    console.print(
        f"{styled_status(record.status)}  {record.reference}  run {record.id}"
        f"  {duration(record.duration_s)}"
    )
    if record.reason and record.status is RunStatus.SUCCEEDED:
        console.print(escape(record.reason))
    if record.metrics:
        print_table(
            ("Metric", "Value"),
            [(escape(name), number(value)) for name, value in sorted(record.metrics.items())],
            empty="",
        )
    for artifact in record.artifacts:
        console.print(f"[dim]{artifact.kind}[/] {escape(artifact.name)}")
    console.print(f"Page: {address}", soft_wrap=True)
    if not is_served:
        console.print("[dim]The gallery is not running; `nb2prod serve` starts it.[/]")
