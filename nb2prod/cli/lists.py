"""``nb2prod runs | show | pages | open``."""

from __future__ import annotations

import webbrowser
from typing import Annotated, Any

import typer
from rich.markup import escape

from nb2prod.cli.context import (
    GALLERY_PREFIX,
    has_login,
    here,
    opened,
    page_path,
    project_name_here,
    require_gallery,
)
from nb2prod.cli.output import (
    JSON_OPTION,
    age,
    console,
    duration,
    number,
    print_json,
    print_table,
    styled_status,
)
from nb2prod.cli.promote import print_parameters
from nb2prod.errors import RunNotFound
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.registry.models import Reference, Version
from nb2prod.registry.versions import load_version
from nb2prod.workspace.workspace import Workspace

ALL_OPTION = typer.Option(False, "--all", "-a", help="Of all your projects, not only this one.")


def runs(
    pipeline: Annotated[str | None, typer.Argument(help="Only this pipeline's.")] = None,
    status: Annotated[RunStatus | None, typer.Option(help="Only runs that stand so.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 30,
    everywhere: bool = ALL_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    """List runs, newest first."""
    with opened() as workspace:
        from nb2prod.execution.runs import list_runs, reconcile

        reconcile(workspace)
        records = list_runs(
            workspace,
            person=workspace.settings.person,
            project=None if everywhere else project_name_here(workspace),
            pipeline=pipeline,
            status=status,
            limit=limit,
        )
    if as_json:
        print_json(records)
        return
    print_table(
        ("Run", "Project", "Version", "Status", "Metrics", "Took", "Asked for"),
        [
            (
                record.id,
                record.project,
                record.reference,
                styled_status(record.status),
                escape(_metrics_text(record)),
                _took(record),
                f"{age(record.created_at)} by {escape(record.requested_by)}",
            )
            for record in records
        ],
        empty="No runs yet; `nb2prod run VERSION` makes one.",
        whole=("Run", "Version", "Status"),
    )


def show(
    what: Annotated[
        str, typer.Argument(metavar="RUN|VERSION", help="A run's id, or a version (`train@v3`).")
    ],
    as_json: bool = JSON_OPTION,
) -> None:
    """Show all that is known of a run, or of a version."""
    with opened() as workspace:
        record = _run_or_none(workspace, what)
    if record is not None:
        if as_json:
            print_json(record)
        else:
            _print_run(record)
        return
    version = load_version(here().root, Reference.parse(what))
    if as_json:
        print_json(_version_json(version))
    else:
        _print_version(version)


def pages(
    text: Annotated[str, typer.Argument(help="Search title, text, code and outputs.")] = "",
    pipeline: Annotated[str | None, typer.Option(help="Only this pipeline's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many.")] = 20,
    as_json: bool = JSON_OPTION,
) -> None:
    """List or search the pages of the gallery, over all your projects."""
    with opened() as workspace:
        from nb2prod.execution.runs import reconcile
        from nb2prod.knowledge.models import PageQuery
        from nb2prod.knowledge.pages import catch_up, list_pages

        reconcile(workspace)
        catch_up(workspace)
        listing = list_pages(
            workspace,
            PageQuery(text=text, pipeline=pipeline, limit=limit),
            person=workspace.settings.person,
        )
    if as_json:
        print_json(listing)
        return
    print_table(
        ("Run", "Title", "Version", "Status", "Metric", "Age"),
        [
            (
                card.run_id,
                escape(card.title),
                f"{card.project}/{card.pipeline}@v{card.version}",
                styled_status(card.status),
                ""
                if card.main_metric is None
                else escape(f"{card.main_metric.name} {number(card.main_metric.value)}"),
                age(card.created_at),
            )
            for card in listing.items
        ],
        empty="No page matches." if text or pipeline else "No pages yet; each run leaves one.",
        whole=("Run", "Version", "Status"),
    )
    if listing.total > len(listing.items):
        console.print(f"[dim]{len(listing.items)} of {listing.total}[/]")


def open_(
    run: Annotated[
        str | None, typer.Argument(help="A run's id; by default the gallery itself.")
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Open a run's page in the browser, signed in, and print the address."""
    with opened() as workspace:
        from nb2prod.server.sign_in import sign_in_address

        settings = workspace.settings
        base = require_gallery(settings)
        path = f"{GALLERY_PREFIX}/"
        if run is not None:
            from nb2prod.execution.runs import get_run

            path = page_path(get_run(workspace, run, person=settings.person).id)
        if has_login(settings):
            address = base + path
        else:
            address = sign_in_address(
                workspace, base + GALLERY_PREFIX, person=settings.person, path=path
            )
    if as_json:
        print_json({"address": address, "page": base + path})
        return
    console.print(base + path, soft_wrap=True)
    if not webbrowser.open(address):
        often = "" if address == base + path else " once"
        console.print(f"No browser here. Open this{often}: {address}", soft_wrap=True)


def _run_or_none(workspace: Workspace, text: str) -> RunRecord | None:
    from nb2prod.execution.runs import get_run, reconcile

    if "@" in text:
        return None
    reconcile(workspace)
    try:
        return get_run(workspace, text, person=workspace.settings.person)
    except RunNotFound:
        return None


def _took(record: RunRecord) -> str:
    # Of a lost run only the last sign of life is known.
    prefix = "at least " if record.status is RunStatus.LOST else ""
    return prefix + duration(record.duration_s)


def _metrics_text(record: RunRecord) -> str:
    shown = [f"{name} {number(value)}" for name, value in sorted(record.metrics.items())[:2]]
    return ", ".join(shown) + (" …" if len(record.metrics) > 2 else "")


def _print_run(record: RunRecord) -> None:
    facts = [
        ("run", record.id),
        ("project", record.project),
        ("version", f"{record.reference} ({record.commit[:10]})"),
        ("status", record.status.value + (f": {record.reason}" if record.reason else "")),
        ("asked for", f"by {record.requested_by} via {record.requested_via}"),
        (
            "started",
            "" if record.started_at is None else record.started_at.isoformat(" ", "seconds"),
        ),
        ("took", _took(record)),
        ("kernel", record.kernel_name),
        ("lock", record.lock_sha256[:12] + (" (observed)" if record.lock_is_observed else "")),
    ]
    if record.machine is not None:
        machine = record.machine
        facts.append(("machine", f"Python {machine.python}, {machine.platform}, {machine.cpu}"))
        facts += [("gpu", gpu) for gpu in machine.gpus]
    if record.conditions is not None:
        fixed = record.conditions
        seeded = f" for {', '.join(fixed.seeded)}" if fixed.seeded else ""
        facts += [
            ("seed", f"{fixed.seed}{seeded}"),
            ("threads", f"{fixed.threads}"),
            ("time zone", f"{fixed.time_zone}, locale {fixed.locale}"),
        ]
    facts += [("to know", note) for note in record.notes]
    facts += [(f"-p {name}", repr(value)) for name, value in record.parameters.items()]
    facts += [(name, number(value)) for name, value in sorted(record.metrics.items())]
    facts += [
        (use.access.value, f"{use.path}  {(use.sha256 or 'gone')[:12]}") for use in record.files
    ]
    facts += [(item.kind.value, item.name) for item in record.artifacts]
    for name, value in facts:
        console.print(f"[dim]{escape(name):>12}[/]  {escape(value)}", soft_wrap=True)


def _print_version(version: Version) -> None:
    manifest, lock = version.manifest, version.lock
    console.print(f"[bold]{version.reference}[/]  {escape(manifest.title)}")
    console.print(
        f"commit {version.commit}\npromoted {age(version.created_at)} by {escape(version.author)}"
        f"\nfrom {escape(manifest.notebook)}, kernel {escape(manifest.kernel_name)},"
        f" {escape(lock.interpreter)}, lock {lock.sha256[:12]}"
        f" ({escape(lock.declared_in) or 'observed'})"
    )
    for module in manifest.modules:
        console.print(f"own module {escape(module.path)} [dim]{module.sha256[:12]}[/]")
    print_parameters(manifest.parameters)


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "reference": str(version.reference),
        "commit": version.commit,
        "author": version.author,
        "created_at": version.created_at,
        "manifest": version.manifest,
        "lock": {
            "sha256": version.lock.sha256,
            "is_observed": version.lock.is_observed,
            "declared_in": version.lock.declared_in,
        },
        "script": version.script,
        "assets": sorted(version.assets),
    }
