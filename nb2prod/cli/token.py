"""``nb2prod token``: tokens with which CI acts for a person in one project."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.context import opened
from nb2prod.cli.output import JSON_OPTION, age, console, error_console, print_json, print_table
from nb2prod.workspace.tokens import (
    DEFAULT_DAYS,
    MAX_DAYS,
    ProjectToken,
    create_project_token,
    list_project_tokens,
    revoke_project_token,
)

app = typer.Typer(
    no_args_is_help=True,
    help="Tokens with which CI acts for you in one project; on the workspace's own machine.",
)

ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="The project's name.")]


@app.command()
def create(
    project: ProjectArgument,
    title: Annotated[str, typer.Option(help="What it is for, as in 'GitHub Actions'.")],
    days: Annotated[
        int, typer.Option(help=f"How long it is good for, at most {MAX_DAYS} days.")
    ] = DEFAULT_DAYS,
    as_json: bool = JSON_OPTION,
) -> None:
    """Make a token and print it, this once: nobody can look it up.

    Its bearer promotes and runs in this project, and no other, if you may; give it to CI as
    NB2PROD_TOKEN.
    """
    with opened() as workspace:
        made, secret = create_project_token(
            workspace, project, person=workspace.settings.person, title=title, days=days
        )
    if as_json:
        print_json({"token": secret, **_described(made)})
        return
    # Alone on standard output, for a program to take it.
    typer.echo(secret)
    error_console.print(
        f"The token {made.id} is good until {made.expires_at:%Y-%m-%d}. Keep it now: it can't be"
        " shown again.",
        soft_wrap=True,
    )


@app.command("list")
def list_(project: ProjectArgument, as_json: bool = JSON_OPTION) -> None:
    """List your tokens of a project; an owner's list has everybody's."""
    with opened() as workspace:
        found = list_project_tokens(workspace, project, person=workspace.settings.person)
    if as_json:
        print_json([_described(token) for token in found])
        return
    now = datetime.now(UTC)
    print_table(
        ("Token", "For", "By", "Last used", "Good until"),
        [
            (
                token.id,
                escape(token.title),
                escape(token.person),
                "never" if token.used_at is None else age(token.used_at, now=now),
                f"{token.expires_at:%Y-%m-%d}{' (expired)' * token.has_expired}",
            )
            for token in found
        ],
        empty=f"{project} has no token of yours; `nb2prod token create {project}` makes one.",
        whole=("Token",),
    )


@app.command()
def revoke(
    project: ProjectArgument,
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="Its id, as `nb2prod token list` shows it.")
    ],
    as_json: bool = JSON_OPTION,
) -> None:
    """Take a token back: it is good for nothing at once."""
    with opened() as workspace:
        revoke_project_token(workspace, project, token, person=workspace.settings.person)
    if as_json:
        print_json({"id": token, "project": project})
    else:
        console.print(f"Revoked the token {escape(token)} of [green]{escape(project)}[/].")


def _described(token: ProjectToken) -> dict[str, object]:
    return {
        "id": token.id,
        "title": token.title,
        "person": token.person,
        "created_at": token.created_at,
        "used_at": token.used_at,
        "expires_at": token.expires_at,
        "has_expired": token.has_expired,
    }
