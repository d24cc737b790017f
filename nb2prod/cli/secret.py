"""``nb2prod secret``: what runs need and nobody may read."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.context import opened
from nb2prod.cli.output import JSON_OPTION, age, console, print_json, print_table
from nb2prod.errors import SecretInvalid
from nb2prod.workspace.secret_rules import MAX_BYTES, check_name
from nb2prod.workspace.secrets import SecretEntry, list_secrets, remove_secret, rotate, set_secret

app = typer.Typer(
    no_args_is_help=True,
    help="Secrets of a project, given to runs that name them; on the workspace's own machine.",
)

ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="The project's name.")]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Its environment variable, as in DB_PASSWORD.")
]


@app.command("set")
def set_(project: ProjectArgument, name: NameArgument, as_json: bool = JSON_OPTION) -> None:
    """Set a secret, in place of the one of that name; for owners.

    The value is asked for, or read from standard input, without the line end at its end:
    `nb2prod secret set seats DB_PASSWORD < password.txt`. It is never shown again.
    """
    # Before anybody types a value.
    check_name(name)
    value = _value(name)
    with opened() as workspace:
        entry = set_secret(workspace, project, name, value, person=workspace.settings.person)
    if as_json:
        print_json(_described(entry))
    else:
        console.print(f"Set [green]{escape(name)}[/] of {escape(project)}.")


@app.command("list")
def list_(project: ProjectArgument, as_json: bool = JSON_OPTION) -> None:
    """List a project's secrets, without their values."""
    with opened() as workspace:
        found = list_secrets(workspace, project, person=workspace.settings.person)
    if as_json:
        print_json([_described(entry) for entry in found])
        return
    now = datetime.now(UTC)
    print_table(
        ("Secret", "Set by", "Set"),
        [(entry.name, escape(entry.set_by), age(entry.set_at, now=now)) for entry in found],
        empty=f"{project} has no secrets; `nb2prod secret set {project} NAME` sets one.",
        whole=("Secret",),
    )


@app.command()
def remove(project: ProjectArgument, name: NameArgument, as_json: bool = JSON_OPTION) -> None:
    """Remove a secret; runs that name it can't be started any more. For owners."""
    with opened() as workspace:
        remove_secret(workspace, project, name, person=workspace.settings.person)
    if as_json:
        print_json({"name": name, "project": project})
    else:
        console.print(f"Removed [green]{escape(name)}[/] of {escape(project)}.")


@app.command("rotate")
def rotate_(as_json: bool = JSON_OPTION) -> None:
    """Encrypt the secrets of all projects with a new key, as after the old one was seen."""
    with opened() as workspace:
        count = rotate(workspace)
    if as_json:
        print_json({"secrets": count})
    else:
        console.print(f"A new key; {count} secret{'' if count == 1 else 's'} encrypted with it.")


def _value(name: str) -> str:
    if sys.stdin.isatty():
        typed: str = typer.prompt(f"Value of {name}", hide_input=True)
        return typed
    # One byte more than there may be, so that what is too long is refused and not cut.
    content = sys.stdin.buffer.read(MAX_BYTES + 2)
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise SecretInvalid(
            f"The value of {name} is no text in UTF-8. Set it in base64."
        ) from error


def _described(entry: SecretEntry) -> dict[str, object]:
    return {"name": entry.name, "set_by": entry.set_by, "set_at": entry.set_at}
