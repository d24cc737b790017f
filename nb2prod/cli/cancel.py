"""``nb2prod cancel``."""

from __future__ import annotations

from typing import Annotated

import typer

from nb2prod.cli.context import opened
from nb2prod.cli.output import JSON_OPTION, console, print_json, styled_status
from nb2prod.cli.remote import ServerOption, remote_settings, service_client
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.settings import RemoteSettings


def cancel(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, as `nb2prod runs` shows it.")],
    server: ServerOption = None,
    project: Annotated[
        str | None,
        typer.Option(help="The run's project at --server; by default that of the token."),
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Ask a run to end; what it has done by then is recorded.

    It is a run of the workspace at --server, or, where none is named, of the one on this machine.
    """
    settings = remote_settings(server)
    if settings.server or project is not None:
        record = _cancel_there(settings, run, project)
    else:
        record = _cancel_here(run)
    if as_json:
        print_json(record)
    elif record.status is RunStatus.CANCELLED:
        console.print(f"{styled_status(record.status)}  {record.reference}  run {record.id}")
    else:
        console.print(f"The run {record.id} of {record.reference} has been asked to end.")


def _cancel_here(run: str) -> RunRecord:
    from nb2prod.execution.runs import get_run
    from nb2prod.jobs.cancel import cancel_run

    with opened() as workspace:
        person = workspace.settings.person
        found = get_run(workspace, run, person=person)
        return cancel_run(workspace, found.project, found.id, person=person)


def _cancel_there(settings: RemoteSettings, run: str, project: str | None) -> RunRecord:
    from nb2prod.execution.remote_run import cancel_remote_run, project_of_run

    with service_client(settings) as client:
        return cancel_remote_run(client, project or project_of_run(client, run), run)
