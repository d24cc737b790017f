"""``nb2prod run``: here, or in a workspace on another machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    error_console,
    number,
    print_json,
    print_table,
    styled_status,
)
from nb2prod.cli.progress import ProgressPrinter
from nb2prod.cli.remote import (
    ServerOption,
    follow_to_end,
    remote_settings,
    server_of,
    service_client,
)
from nb2prod.cli.reports import Change, Reports
from nb2prod.errors import InvalidInput, ParameterInvalid, RunUnsuccessful
from nb2prod.execution.models import CiContext, Profile, RunRecord, RunStatus
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import load_version
from nb2prod.settings import RemoteSettings
from nb2prod.workspace.projects import project_of

if TYPE_CHECKING:
    from nb2prod.remote.client import ServiceClient


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a person has typed."""

    reference: Reference
    values: dict[str, object]
    profile: Profile
    cell_timeout_s: float | None
    timeout_s: float | None
    output: Path | None
    reports: Reports
    ci: CiContext | None
    as_json: bool


def run(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="VERSION",
            help="As in `train@v3`; `train` is the newest. With a project before it, as in"
            " `seats/train@v3`, it runs in the workspace at --server.",
        ),
    ],
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter."),
    ] = None,
    smoke: Annotated[
        bool,
        typer.Option(
            "--smoke", help="Take the pipeline's own small values for what is not set, for a try."
        ),
    ] = False,
    cell_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds that one cell may take; by default as the version says.", min=1e-3
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds that the whole run may take; by default as the version says.", min=1e-3
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the executed notebook here.")
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write a JUnit report here, with a test case for each cell."),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(help="Add a summary in Markdown to this file, as to $GITHUB_STEP_SUMMARY."),
    ] = None,
    server: ServerOption = None,
    wait: Annotated[
        bool,
        typer.Option(help="Follow a run in a workspace to its end, or only ask for it."),
    ] = True,
    cancel_on_interrupt: Annotated[
        bool,
        typer.Option(
            "--cancel-on-interrupt",
            help="Cancel the run in the workspace on Ctrl-C, or when CI ends the job; else it goes"
            " on there.",
        ),
    ] = False,
    commit: Annotated[
        str | None,
        typer.Option(
            help="Commit that the page names; by default that of GitHub's or GitLab's CI."
        ),
    ] = None,
    branch: Annotated[
        str | None, typer.Option(help="Branch that the page names; by default that of CI.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Address that the page names; by default that of the CI job."),
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Run a version, record it, and print its page's address.

    The exit status is 0 only for a run that succeeded, or, with --no-wait, was asked for.
    """
    project, slash, pipeline = reference.partition("/")
    settings = remote_settings(server)
    asked = _Asked(
        reference=Reference.parse(pipeline if slash else reference),
        values=read_pairs(parameter or []),
        profile=Profile.SMOKE if smoke else Profile.FULL,
        cell_timeout_s=cell_timeout,
        timeout_s=timeout,
        output=output,
        reports=Reports(junit=junit, summary=summary),
        ci=_ci_context(settings, commit, branch, url),
        as_json=as_json,
    )
    if slash:
        asked.reports.prepare()
        _run_there(settings, project, asked, wait=wait, cancels=cancel_on_interrupt)
        return
    if server is not None:
        raise InvalidInput(
            f"Say which project of the workspace {reference} is in, as in `seats/{reference}`."
        )
    if not wait or cancel_on_interrupt:
        raise InvalidInput(
            "--no-wait and --cancel-on-interrupt are for runs in a workspace, as in"
            f" `seats/{reference}`; here a run goes on as long as this command, and Ctrl-C"
            " cancels it."
        )
    require_own_repository(Path.cwd(), "run")
    asked.reports.prepare()
    _run_here(asked)


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


def _run_here(asked: _Asked) -> None:
    version = load_version(here().root, asked.reference)
    with opened() as workspace:
        project = project_of(workspace, version.repository, person=workspace.settings.person)
        from nb2prod.execution.run import RunOptions, run_version
        from nb2prod.knowledge.pages import catch_up, get_page

        options = RunOptions(
            profile=asked.profile,
            cell_timeout_s=asked.cell_timeout_s,
            timeout_s=asked.timeout_s,
            output_path=asked.output,
            requested_by=workspace.settings.person,
            requested_via="cli" if asked.ci is None else "ci",
            ci=asked.ci,
        )
        with ProgressPrinter(is_quiet=asked.as_json) as printer:
            record = run_version(
                workspace, project, version, asked.values, options=options, listener=printer.show
            )
        catch_up(workspace)
        address = page_address(workspace.settings, record.id)
        is_served = gallery_address(workspace.settings) is not None
        if not asked.reports.is_empty:
            page = get_page(workspace, record.id, person=workspace.settings.person)
            asked.reports.write(
                record,
                printer.headings,
                Change.of_page(page),
                address=address if is_served else None,
            )
    _conclude(record, address, asked, is_served=is_served)


def _run_there(
    settings: RemoteSettings, project: str, asked: _Asked, *, wait: bool, cancels: bool
) -> None:
    if not wait and not (asked.reports.is_empty and asked.output is None):
        raise InvalidInput("With --no-wait there is no end to report; ask without it.")
    with service_client(settings) as client:
        from nb2prod.execution import remote_run
        from nb2prod.execution.remote_watch import RunWatch

        request = remote_run.RemoteRequest(
            reference=asked.reference,
            values=asked.values,
            profile=asked.profile,
            timeout_s=asked.timeout_s,
            cell_timeout_s=asked.cell_timeout_s,
            ci=asked.ci,
        )
        queued = remote_run.ask_for_run(client, project, request)
        address = client.page(queued.id)
        if not wait:
            _say_asked(queued, address, as_json=asked.as_json)
            return
        if not asked.as_json:
            console.print(f"Page: {address}", soft_wrap=True)
        with ProgressPrinter(is_quiet=asked.as_json, waits_for="Waiting") as printer:
            watch = RunWatch(client, queued, printer.show)
            record = follow_to_end(
                lambda: remote_run.record_of(watch.follow()),
                cancel=partial(remote_run.cancel_remote_run, client, queued.project, queued.id)
                if cancels
                else None,
                leave=partial(_say_it_goes_on, client, queued),
            )
        if asked.output is not None and "executed" in record.sources:
            from nb2prod.execution.run import write_output

            write_output(asked.output, remote_run.executed_notebook(client, record))
        if not asked.reports.is_empty:
            page = remote_run.page_of(client, record)
            change = Change.of_answer(record, page)
            asked.reports.write(record, printer.headings, change, address=address)
    _conclude(record, address, asked, is_served=True)


def _ci_context(
    settings: RemoteSettings, commit: str | None, branch: str | None, url: str | None
) -> CiContext | None:
    said = {"ci_commit": commit, "ci_branch": branch, "ci_url": url}
    given = {name: value for name, value in said.items() if value is not None}
    return CiContext.of(replace(settings, **given))


def _say_asked(queued: RunRecord, address: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"run": queued, "page": address})
        return
    console.print(f"{styled_status(queued.status)}  {queued.reference}  run {queued.id}")
    console.print(f"Page: {address}", soft_wrap=True)


def _say_it_goes_on(client: ServiceClient, run: RunRecord) -> None:
    error_console.print(
        f"The run {run.id} goes on in the workspace.\n"
        f"Follow it: {escape(client.page(run.id))}\n"
        f"Cancel it: nb2prod cancel {run.id} --server {escape(server_of(client))}"
        f" --project {run.project}",
        soft_wrap=True,
    )


def _conclude(record: RunRecord, address: str, asked: _Asked, *, is_served: bool) -> None:
    if asked.as_json:
        print_json({"run": record, "page": address})
    else:
        _print_end(record, address, is_served=is_served)
    if record.status is not RunStatus.SUCCEEDED:
        raise RunUnsuccessful(
            f"{record.reference} {record.status}: {record.reason}",
            run=record.id,
            status=record.status.value,
        )


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
