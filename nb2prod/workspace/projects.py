"""Projects: made, found and listed.

A project of the workspace's own is founded there, with a bare repository; on a machine without
a hub each repository is one project, made when it is first used. Who is not a member sees
nothing of a project, and gets the same answer as if there were none.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, or_, select, update

from nb2prod.store.schema import members, projects
from nb2prod.workspace.founding import adopt_repository, found_project
from nb2prod.workspace.members import (
    add_member,
    list_members,
    remove_member,
    require_role,
    role_of,
)
from nb2prod.workspace.models import Member, Membership, Project, Role
from nb2prod.workspace.names import (
    PROJECT_NAME,
    PROJECT_NAME_LENGTH,
    check_image,
    check_project_name,
    check_title,
    free_project_name,
)
from nb2prod.workspace.rows import insert_project, new_project, project_from, require, visible
from nb2prod.workspace.workspace import Workspace

__all__ = [
    "PROJECT_NAME",
    "PROJECT_NAME_LENGTH",
    "Member",
    "Membership",
    "Project",
    "Role",
    "add_member",
    "adopt_repository",
    "create_project",
    "found_project",
    "get_project",
    "list_all_projects",
    "list_members",
    "list_memberships",
    "list_projects",
    "project_beneath",
    "project_of",
    "remove_member",
    "require_role",
    "role_of",
    "update_project",
]


def create_project(workspace: Workspace, name: str, *, root: Path, owner: str) -> Project:
    """Make a project for a repository that is there already.

    Parameters
    ----------
    name
        1 to 30 characters: a–z, 0–9 and single hyphens; begins with a letter, ends with no
        hyphen.
    root
        The repository's work tree.
    owner
        Becomes the first member.

    Raises
    ------
    NameInvalid
        The name breaks the rule.
    ProjectExists
        The name, or the repository, has a project already.
    """
    check_project_name(name)
    folder = root.resolve()
    project = new_project(name, title=name, root=folder, repository=folder)
    with workspace.database.write() as connection:
        return insert_project(connection, project, owner)


def project_of(workspace: Workspace, root: Path, *, person: str) -> Project:
    """Return the project of a repository, making it on first use under a free name.

    Parameters
    ----------
    root
        The repository: a work tree, or the bare one of a project that has its own.
    """
    folder = root.resolve()
    places = or_(projects.c.root == str(folder), projects.c.repository == str(folder))
    with workspace.database.write() as connection:
        found = connection.execute(select(projects).where(places)).first()
        if found is not None:
            return project_from(found)
        name = free_project_name(folder.name, set(connection.scalars(select(projects.c.name))))
        project = new_project(name, title=name, root=folder, repository=folder)
        return insert_project(connection, project, person)


def project_beneath(workspace: Workspace, path: Path) -> Project | None:
    """Return the project, with a repository of its own elsewhere, whose folder a path lies in."""
    folders = [str(folder) for folder in (path.resolve(), *path.resolve().parents)]
    query = select(projects).where(projects.c.root.in_(folders), projects.c.repository.is_not(None))
    with workspace.database.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else project_from(row)


def list_projects(workspace: Workspace, *, person: str) -> tuple[Project, ...]:
    """Return the projects that a person is a member of, by name."""
    query = visible(person).order_by(projects.c.name)
    with workspace.database.read() as connection:
        return tuple(project_from(row) for row in connection.execute(query))


def list_memberships(workspace: Workspace, *, person: str) -> tuple[Membership, ...]:
    """Return a person's projects by name, with the person's role and the number of members."""
    others = members.alias()
    count = select(func.count()).where(others.c.project_id == projects.c.id).scalar_subquery()
    query = visible(person).add_columns(count.label("member_count")).order_by(projects.c.name)
    with workspace.database.read() as connection:
        return tuple(
            Membership(
                project=project_from(row), role=Role(row.role), member_count=row.member_count
            )
            for row in connection.execute(query)
        )


def list_all_projects(workspace: Workspace) -> tuple[Project, ...]:
    """Return all projects by name: for administrators, and for the workspace itself."""
    with workspace.database.read() as connection:
        rows = connection.execute(select(projects).order_by(projects.c.name))
        return tuple(project_from(row) for row in rows)


def get_project(workspace: Workspace, name: str, *, person: str) -> Project:
    """Return a project by name; raises `ProjectNotFound` also for who is no member."""
    return require_role(workspace, name, person, Role.VIEWER)


def update_project(
    workspace: Workspace,
    name: str,
    *,
    person: str,
    title: str | None = None,
    image: str | None = None,
) -> Project:
    """Change a project's title or image; what is `None` stays.

    Parameters
    ----------
    person
        Who asks for it; must be an owner.
    title
        An empty one stands for the project's name.
    image
        An empty one stands for the workspace's default. Servers and runs have it from their next
        start on.

    Raises
    ------
    ProjectNotFound, RoleInsufficient
        There is no such project, or the asking person does not own it.
    NameInvalid
        The title or the image's name breaks the rule.
    """
    if title is not None:
        title = check_title(title).strip() or name
    if image:
        check_image(image)
    with workspace.database.write() as connection:
        project = require(connection, name, person, Role.OWNER)
        changed = replace(
            project,
            title=project.title if title is None else title,
            image=project.image if image is None else (image or None),
        )
        connection.execute(
            update(projects)
            .where(projects.c.id == project.id)
            .values(title=changed.title, image=changed.image)
        )
    return changed
