"""``nb2prod sweep``: a version over many values, here or in a workspace on another machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.context import (
    GALLERY_PREFIX,
    gallery_address,
    here,
    opened,
    require_own_repository,
)
from nb2prod.cli.output import JSON_OPTION, console, error_console, print_json
from nb2prod.cli.remote import (
    ServerOption,
    follow_to_end,
    own_project,
    remote_settings,
    service_client,
)
from nb2prod.cli.run import read_pairs
from nb2prod.cli.sweep_printer import SweepPrinter, print_sweep, standing
from nb2prod.errors import InvalidInput, RunUnsuccessful, SweepInvalid
from nb2prod.execution.models import CiContext, Profile, RunRequest, RunStatus
from nb2prod.execution.recorder import write_file
from nb2prod.jobs.sweeps import (
    Sweep,
    SweepAsked,
    SweepTable,
    TableQuery,
    create_sweep,
    get_sweep,
    read_table,
    table_csv,
)
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import load_version
from nb2prod.settings import RemoteSettings
from nb2prod.workspace.projects import project_of

# More lines than that nobody reads in a terminal.
ROWS_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a person has typed; the target is a version, or the sweep to resume."""

    target: Reference | str
    values: SweepAsked
    profile: Profile
    output: Path | None
    wait: bool
    cancels: bool
    as_json: bool


def sweep(
    reference: Annotated[
        str | None,
        typer.Argument(
            metavar="VERSION",
            help="As in `train@v3`; `train` is the newest. With a project before it, as in"
            " `seats/train@v3`, it runs in the workspace at --server.",
        ),
    ] = None,
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="NAME=VALUES",
            help="The values of a parameter: a list, as in 'market=JFK-DL, LGA-AA'; a range, as in"
            " 'days=1..7', 'alpha=0.1..0.5 step 0.1' or 'rate=1e-4..1e-1 log 4'; or both."
            " Of several parameters it is every combination.",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV with parameters in its first line, and in each further line the values of"
            " a run; `-` is the standard input.",
        ),
    ] = None,
    smoke: Annotated[
        bool,
        typer.Option(
            "--smoke", help="Take the pipeline's own small values for what is not set, for a try."
        ),
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="SWEEP",
            help="Run what is missing in a sweep, by its id; of a workspace with `seats/` before"
            " it, or --server.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the whole table here, as CSV.")
    ] = None,
    server: ServerOption = None,
    wait: Annotated[
        bool, typer.Option(help="Follow a sweep in a workspace to its end, or only ask for it.")
    ] = True,
    cancel_on_interrupt: Annotated[
        bool,
        typer.Option(
            "--cancel-on-interrupt",
            help="Cancel all runs of the sweep in the workspace on Ctrl-C, or when CI ends the job;"
            " else they go on there.",
        ),
    ] = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Run a version once for each combination of values, and print a table of the runs.

    Here the runs go one after the other. Ctrl-C cancels the one that goes on and begins no other;
    --resume runs what is missing then. The exit status is 0 only if each run of the sweep has
    succeeded, or, with --no-wait, was asked for.
    """
    project, slash, what = (reference or resume or "").rpartition("/")
    if resume is not None and (parameter or csv or smoke or reference):
        raise InvalidInput(
            "A sweep that is resumed has its version and its values already: leave out the"
            " version, -p, --csv and --smoke."
        )
    asked = _Asked(
        target=_target(what) if resume is None else what,
        values=SweepAsked(axes=read_pairs(parameter or []), csv_text=_read(csv)),
        profile=Profile.SMOKE if smoke else Profile.FULL,
        output=output,
        wait=wait,
        cancels=cancel_on_interrupt,
        as_json=as_json,
    )
    if slash or (server is not None and resume is not None):
        _sweep_there(remote_settings(server), project or None, asked)
        return
    if server is not None:
        raise InvalidInput(
            f"Say which project of the workspace {reference} is in, as in `seats/{reference}`."
        )
    if not wait or cancel_on_interrupt:
        raise InvalidInput(
            "--no-wait and --cancel-on-interrupt are for sweeps in a workspace, as in"
            " `seats/train`; here a sweep goes on as long as this command, and Ctrl-C cancels it."
        )
    require_own_repository(Path.cwd(), "run sweeps")
    _sweep_here(asked)


def _target(text: str) -> Reference:
    if not text:
        raise InvalidInput(
            "Say which version, as in `nb2prod sweep train -p 'alpha=0.1, 0.2'`; or which sweep to"
            " go on with, by --resume."
        )
    return Reference.parse(text)


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = typer.get_text_stream("stdin").read() if path == Path("-") else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise SweepInvalid(f"{path} can't be read: {reason}.") from error
    if not text.strip():
        raise SweepInvalid(f"{path} is empty; its first line names the parameters.")
    return text


def _sweep_here(asked: _Asked) -> None:
    with opened() as workspace:
        person = workspace.settings.person
        project = project_of(workspace, here().root, person=person)
        if isinstance(asked.target, str):
            found = get_sweep(workspace, project.name, asked.target, person=person)
            version = load_version(here().root, Reference(found.pipeline, found.version))
        else:
            version = load_version(here().root, asked.target)
            request = RunRequest(by=person, via="cli", profile=asked.profile)
            found = create_sweep(workspace, project, version, asked.values, request=request)
        from nb2prod.execution.run import RunOptions
        from nb2prod.jobs.sweep_here import run_missing
        from nb2prod.knowledge.pages import catch_up

        printer = SweepPrinter(found, is_quiet=asked.as_json)
        options = RunOptions(requested_by=person, requested_via="cli")
        try:
            for record in run_missing(
                workspace, project, version, found, options=options, on_begin=printer.begin
            ):
                printer.end(record)
        except KeyboardInterrupt:
            _say_how_to_resume(found.id)
            raise
        finally:
            printer.close()
        catch_up(workspace)
        query = TableQuery(limit=ROWS_SHOWN)
        table = read_table(workspace, project.name, found.id, query, person=person)
        if asked.output is not None:
            whole = read_table(workspace, project.name, found.id, person=person)
            write_file(asked.output, table_csv(whole).encode())
        address = gallery_address(workspace.settings)
    path = f"{GALLERY_PREFIX}/projects/{project.name}/sweeps/{found.id}"
    address = None if address is None else address + path
    _conclude(table, address, resumable=found.id, as_json=asked.as_json)


def _sweep_there(settings: RemoteSettings, project: str | None, asked: _Asked) -> None:
    if not asked.wait and asked.output is not None:
        raise InvalidInput("With --no-wait there is no table to write; ask without it.")
    with service_client(settings) as client:
        from nb2prod.jobs import sweep_remote

        name = own_project(client, project)
        if isinstance(asked.target, str):
            made = sweep_remote.resume_remote_sweep(client, name, asked.target)
        else:
            made = sweep_remote.ask_for_sweep(
                client,
                name,
                asked.target,
                asked.values,
                profile=asked.profile,
                ci=CiContext.of(settings),
            )
        address = f"{client.address}/projects/{name}/sweeps/{made.id}"
        if not asked.wait:
            _say_asked(made, address, as_json=asked.as_json)
            return
        printer = SweepPrinter(made, is_quiet=asked.as_json)
        try:
            follow_to_end(
                partial(sweep_remote.follow_sweep, client, made, printer.stand),
                cancel=partial(sweep_remote.cancel_remote_sweep, client, made)
                if asked.cancels
                else None,
                leave=partial(_say_it_goes_on, made, address),
            )
        finally:
            printer.close()
        table = sweep_remote.remote_table(client, made, limit=ROWS_SHOWN)
        if asked.output is not None:
            write_file(asked.output, sweep_remote.remote_csv(client, made).encode())
    _conclude(table, address, resumable=f"{name}/{made.id}", as_json=asked.as_json)


def _conclude(table: SweepTable, address: str | None, *, resumable: str, as_json: bool) -> None:
    found = table.sweep
    if as_json:
        print_json({"sweep": found, "rows": table.rows, "page": address})
    else:
        print_sweep(table)
        if address is not None:
            console.print(f"Page: {address}", soft_wrap=True)
    succeeded = found.counts.get(RunStatus.SUCCEEDED, 0)
    if succeeded == found.count:
        return
    if not as_json and found.missing_count:
        _say_how_to_resume(resumable)
    raise RunUnsuccessful(
        f"Of the {found.count} runs of the sweep {found.id} {succeeded} succeeded:"
        f" {standing(found)}.",
        sweep=found.id,
        counts=dict(found.counts),
    )


def _say_asked(made: Sweep, address: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"sweep": made, "page": address})
        return
    console.print(f"Sweep [green]{made.id}[/] of {made.reference}: {standing(made)}")
    console.print(f"Page: {address}", soft_wrap=True)


def _say_it_goes_on(made: Sweep, address: str) -> None:
    error_console.print(
        f"The sweep {made.id} goes on in the workspace.\nFollow or cancel it: {escape(address)}",
        soft_wrap=True,
    )


def _say_how_to_resume(what: str) -> None:
    error_console.print(f"To run what is missing: nb2prod sweep --resume {what}", soft_wrap=True)
