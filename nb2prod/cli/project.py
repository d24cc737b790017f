"""``nb2prod project``: projects, members and roles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nb2prod.cli.context import opened, project_here, require_own_repository
from nb2prod.cli.output import JSON_OPTION, age, console, print_json, print_table
from nb2prod.errors import InvalidInput
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import (
    Member,
    Role,
    add_member,
    create_project,
    found_project,
    list_all_projects,
    list_members,
    list_projects,
    remove_member,
    update_project,
)
from nb2prod.workspace.workspace import Workspace

app = typer.Typer(no_args_is_help=True, help="Projects, their members and roles.")

ProjectOption = Annotated[
    str | None, typer.Option(help="The project; by default this repository's.")
]
MemberArgument = Annotated[str, typer.Argument(help="The person's name.")]
AdministratorOption = Annotated[
    bool,
    typer.Option("--as-administrator", help="Of any project, not only of those that you own."),
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="1 to 30 of a–z, 0–9 and single hyphens.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="A repository to make the project for; made where there is none."),
    ] = None,
    in_workspace: Annotated[
        bool,
        typer.Option("--in-workspace", help="As the hub does: folder and repository are made."),
    ] = False,
    title: Annotated[str, typer.Option(help="For people; with --in-workspace.")] = "",
    owner: Annotated[
        str | None, typer.Option(help="Who owns it; by default you. With --in-workspace.")
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Make a project: for a repository of yours, or in the workspace, for a team."""
    if in_workspace and folder is not None:
        raise InvalidInput("A project in the workspace has a folder there; give no --folder.")
    if not in_workspace and (title or owner):
        raise InvalidInput("--title and --owner go with --in-workspace.")
    with opened() as workspace:
        person = workspace.settings.person
        if in_workspace:
            project = found_project(workspace, name, title=title, owner=owner or person)
        else:
            root = (folder or Path()).absolute()
            require_own_repository(root, "promote and run")
            repository = Repository.discover(root) if root.exists() else Repository.create(root)
            project = create_project(workspace, name, root=repository.root, owner=person)
    if as_json:
        print_json(project)
    else:
        console.print(f"[green]{project.name}[/] — {escape(str(project.root))}")


@app.command("list")
def list_(
    as_json: bool = JSON_OPTION,
    all_: Annotated[
        bool, typer.Option("--all", help="Those of others too, for who administers the workspace.")
    ] = False,
) -> None:
    """List your projects with their members."""
    with opened() as workspace:
        person = workspace.settings.person
        projects = list_all_projects(workspace) if all_ else list_projects(workspace, person=person)
        found = [
            (project, list_members(workspace, project.name, person=person, as_administrator=all_))
            for project in projects
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
def members(
    project: ProjectOption = None,
    as_administrator: AdministratorOption = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """List a project's members and their roles."""
    with opened() as workspace:
        found = list_members(
            workspace,
            _name(workspace, project),
            person=workspace.settings.person,
            as_administrator=as_administrator,
        )
    if as_json:
        print_json(found)
        return
    print_table(("Person", "Role", "Since"), [_member_row(member) for member in found], empty="")


@app.command()
def add(
    member: MemberArgument,
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.EDITOR,
    project: ProjectOption = None,
    as_administrator: AdministratorOption = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Add a person to a project, or change the person's role."""
    with opened() as workspace:
        name = _name(workspace, project)
        person = workspace.settings.person
        added = add_member(
            workspace, name, member, role, person=person, as_administrator=as_administrator
        )
    if as_json:
        print_json(added)
    else:
        console.print(f"{escape(added.person)} is {added.role} of [green]{name}[/].")


@app.command()
def remove(
    member: MemberArgument,
    project: ProjectOption = None,
    as_administrator: AdministratorOption = False,
    as_json: bool = JSON_OPTION,
) -> None:
    """Take a person out of a project; to leave one, give your own name."""
    with opened() as workspace:
        name = _name(workspace, project)
        person = workspace.settings.person
        was_member = remove_member(
            workspace, name, member, person=person, as_administrator=as_administrator
        )
    if as_json:
        print_json({"person": member, "was_member": was_member})
    elif was_member:
        console.print(f"{escape(member)} is no member of [green]{name}[/] any more.")
    else:
        console.print(f"{escape(member)} was no member of [green]{name}[/].")


@app.command("set")
def set_(
    project: ProjectOption = None,
    title: Annotated[
        str | None, typer.Option(help="For people; an empty one stands for the name.")
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            help="Container image of its servers and runs, from their next start on; an empty one"
            " stands for the workspace's default."
        ),
    ] = None,
    as_json: bool = JSON_OPTION,
) -> None:
    """Change the title or the image of a project that you own.

    Only on the workspace's own machine: who chooses a server's image chooses what runs in it.
    """
    if title is None and image is None:
        raise InvalidInput("Say what to change: --title or --image.")
    with opened() as workspace:
        changed = update_project(
            workspace,
            _name(workspace, project),
            person=workspace.settings.person,
            title=title,
            image=image,
        )
    if as_json:
        print_json(changed)
        return
    shown = changed.image or "the workspace's default image"
    console.print(f"[green]{changed.name}[/]: {escape(changed.title)}, {escape(shown)}")


def _name(workspace: Workspace, project: str | None) -> str:
    return project or project_here(workspace).name


def _member_row(member: Member) -> tuple[str, str, str]:
    return escape(member.person), member.role.value, age(member.added_at)
