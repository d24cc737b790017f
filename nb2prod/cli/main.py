"""The command ``nb2prod``: declares the commands, and turns errors into exit statuses."""

from __future__ import annotations

import errno
import json
import logging
import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer
from rich.markup import escape
from typer.exceptions import TyperException

from nb2prod import __version__
from nb2prod.cli import (
    cancel,
    check,
    lists,
    project,
    promote,
    run,
    schedule,
    secret,
    serve,
    sweep,
    token,
    versions,
)
from nb2prod.cli.errors import EXIT_INTERRUPTED, exit_status
from nb2prod.cli.output import error_console
from nb2prod.errors import Nb2prodError, StorageFull

# Commands of other distributions, or of rooms that this one may not import.
COMMAND_GROUP = "nb2prod.commands"

app = typer.Typer(
    name="nb2prod",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From a notebook to a pipeline that can be trusted, and a page that can be found.",
)
app.command()(check.check)
app.command()(promote.promote)
app.command()(run.run)
app.command()(sweep.sweep)
app.command()(cancel.cancel)
app.command()(versions.versions)
app.command()(lists.runs)
app.command()(lists.show)
app.command()(versions.diff)
app.command()(versions.checkout)
app.command()(lists.pages)
app.command("open")(lists.open_)
app.command()(serve.serve)
app.add_typer(project.app, name="project")
app.add_typer(schedule.app, name="schedule")
app.add_typer(token.app, name="token")
app.add_typer(secret.app, name="secret")
for _command in entry_points(group=COMMAND_GROUP):
    app.command(_command.name)(_command.load())


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )


def main() -> None:
    """Run the command line; the console script's entry."""
    sys.exit(_status(sys.argv[1:]))


def _status(arguments: list[str]) -> int:
    try:
        status = app(args=arguments, standalone_mode=False)
    except Nb2prodError as error:
        _print_error(error, as_json="--json" in arguments)
        return exit_status(error)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        full = StorageFull(f"No space is left on the device: {error.filename or 'writing failed'}.")
        _print_error(full, as_json="--json" in arguments)
        return exit_status(full)
    except TyperException as error:
        error_console.print(error.format_message(), markup=False, soft_wrap=True)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        error_console.print("Interrupted.")
        return EXIT_INTERRUPTED
    return status if isinstance(status, int) else 0


def _print_error(error: Nb2prodError, *, as_json: bool) -> None:
    if as_json:
        shape = {"code": error.code, "message": error.message, "detail": error.detail}
        sys.stderr.write(json.dumps(shape, default=str) + "\n")
    else:
        error_console.print(
            f"[bold red]✕[/] {escape(error.message)} [dim]({error.code})[/]", soft_wrap=True
        )
