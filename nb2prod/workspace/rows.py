"""Projects and memberships in the database; who may see a project is decided here only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select
from sqlalchemy.exc import IntegrityError

from nb2prod.errors import ProjectExists, ProjectNotFound, RoleInsufficient
from nb2prod.store.schema import members, projects
from nb2prod.workspace.models import Project, Role


def visible(person: str) -> Select[Any]:
    """Select the projects that a person is a member of, each with the person's ``role``."""
    return (
        select(projects, members.c.role)
        .join(members, members.c.project_id == projects.c.id)
        .where(members.c.person == person)
    )


def require(connection: Connection, name: str, person: str, at_least: Role) -> Project:
    """Return a project in which a person has a role, or a higher one.

    Raises
    ------
    ProjectNotFound
        There is none, or the person is no member: the same answer.
    RoleInsufficient
        The member's role does not suffice.
    """
    row = connection.execute(visible(person).where(projects.c.name == name)).first()
    if row is None:
        raise ProjectNotFound(f"There is no project {name!r} that you are a member of.")
    project, role = project_from(row), Role(row.role)
    if not role.includes(at_least):
        owners = ", ".join(owners_of(connection, project))
        needed = "an owner" if at_least is Role.OWNER else "an editor or owner"
        raise RoleInsufficient(
            f"Only {needed} of {name} may do this; you are {_article(role)} of it. Ask {owners}.",
            role=role.value,
            needed=at_least.value,
        )
    return project


def require_existing(connection: Connection, name: str) -> Project:
    """Return a project by name, whoever asks; raises `ProjectNotFound`."""
    row = connection.execute(select(projects).where(projects.c.name == name)).first()
    if row is None:
        raise ProjectNotFound(f"There is no project {name!r}.")
    return project_from(row)


def owners_of(connection: Connection, project: Project) -> tuple[str, ...]:
    """Return the owners of a project, by name."""
    query = select(members.c.person).where(
        members.c.project_id == project.id, members.c.role == Role.OWNER.value
    )
    return tuple(connection.scalars(query.order_by(members.c.person)))


def insert_project(connection: Connection, project: Project, owner: str) -> Project:
    """Write a new project with its first member, and return it with its id.

    Raises
    ------
    ProjectExists
        The name, or the folder, has a project already.
    """
    has_own = project.repository != project.root
    values = {
        "name": project.name,
        "title": project.title,
        "root": str(project.root),
        "repository": str(project.repository) if has_own else None,
        "image": project.image,
        "created_at": project.created_at,
    }
    try:
        key = connection.execute(insert(projects).values(**values)).inserted_primary_key
    except IntegrityError as error:
        raise ProjectExists(
            f"A project {project.name!r}, or one for {project.root}, exists already; see"
            " `nb2prod project list`."
        ) from error
    assert key is not None
    connection.execute(
        insert(members).values(
            project_id=key[0],
            person=owner,
            role=Role.OWNER.value,
            added_at=project.created_at,
        )
    )
    return replace(project, id=key[0])


def new_project(name: str, *, title: str, root: Path, repository: Path) -> Project:
    """Describe a project that has no row, and so no id, yet."""
    return Project(
        id=0,
        name=name,
        title=title,
        root=root,
        repository=repository,
        image=None,
        created_at=datetime.now(UTC),
    )


def project_from(row: Row[Any]) -> Project:
    """Read a project from its row."""
    root = Path(row.root)
    return Project(
        id=row.id,
        name=row.name,
        title=row.title,
        root=root,
        repository=Path(row.repository) if row.repository else root,
        image=row.image,
        created_at=row.created_at,
    )


def _article(role: Role) -> str:
    return f"{'a' if role is Role.VIEWER else 'an'} {role.value}"
