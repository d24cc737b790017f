"""``nb2prod project``: projects, members and roles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.context import opened, project_here
from nb2prod.cli.output import JSON_OPTION, console, print_json, print_table
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import (
    Role,
    add_member,
    create_project,
    list_members,
    list_projects,
)

app = typer.Typer(no_args_is_help=True, help="Projects, their members and roles.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="1 to 30 of a–z, 0–9 and single hyphens.")],
    folder: Annotated[
        Path, typer.Option(help="The project's repository; made where there is none.")
    ] = Path(),
    as_json: bool = JSON_OPTION,
) -> None:
    """Make a project for a repository; you own it."""
    with opened() as workspace:
        person = workspace.settings.person
        root = folder.absolute()
        repository = Repository.discover(root) if root.exists() else Repository.create(root)
        project = create_project(workspace, name, root=repository.root, owner=person)
    if as_json:
        print_json(project)
    else:
        console.print(f"[green]{project.name}[/] — {escape(str(project.root))}")


@app.command("list")
def list_(as_json: bool = JSON_OPTION) -> None:
    """List your projects with their members."""
    with opened() as workspace:
        person = workspace.settings.person
        found = [
            (project, list_members(workspace, project.name, person=person))
            for project in list_projects(workspace, person=person)
        ]
    if as_json:
        print_json([{"project": project, "members": members} for project, members in found])
        return
    print_table(
        ("Project", "Folder", "Members"),
        [
            (
                project.name,
                escape(str(project.root)),
                escape(", ".join(f"{member.person} ({member.role})" for member in members)),
            )
            for project, members in found
        ],
        empty="You have no project yet; the first promotion in a repository makes one.",
    )


@app.command()
def add(
    member: Annotated[str, typer.Argument(help="The person's name.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.EDITOR,
    project: Annotated[
        str | None, typer.Option(help="The project; by default this repository's.")
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Add a person to a project, or change the person's role."""
    with opened() as workspace:
        name = project or project_here(workspace).name
        added = add_member(workspace, name, member, role, person=workspace.settings.person)
    if as_json:
        print_json(added)
    else:
        console.print(f"{escape(added.person)} is {added.role} of [green]{name}[/].")
