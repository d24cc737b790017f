"""Projects, their members and roles.

Each repository is one project, made when it is first used; its maker owns it. Who is not a
member sees nothing of a project, and gets the same answer as if there were none.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from nb2prod.errors import NameInvalid, ProjectExists, ProjectNotFound
from nb2prod.store.schema import members, projects
from nb2prod.workspace.workspace import Workspace

# JupyterHub 6's rule for server names, since a project is a person's named server there.
PROJECT_NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,28}[a-z0-9])?\Z")
PROJECT_NAME_LENGTH = 30


class Role(StrEnum):
    """What a member may do: a viewer reads, an editor promotes and runs, an owner decides."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A team's unit: a folder, the repository of its versions, and its members.

    Parameters
    ----------
    root
        The folder that its members share.
    repository
        Where its versions are: a bare repository that only the workspace writes, or ``root``
        itself, where that is a work tree of git.
    image
        The container image of its servers and runs; `None` for the workspace's default.
    """

    id: int
    name: str
    title: str
    root: Path
    repository: Path
    image: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A person in a project."""

    person: str
    role: Role
    added_at: datetime


def create_project(workspace: Workspace, name: str, *, root: Path, owner: str) -> Project:
    """Make a project for a repository.

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
    if not PROJECT_NAME.match(name):
        raise NameInvalid(
            f"{name!r} is no name for a project: use 1 to 30 of a–z, 0–9 and single hyphens,"
            " beginning with a letter and not ending with a hyphen."
        )
    with workspace.database.write() as connection:
        return _insert(connection, name, root, owner)


def project_of(workspace: Workspace, root: Path, *, person: str) -> Project:
    """Return the project of a repository, making it on first use under a free name."""
    root = root.resolve()
    with workspace.database.write() as connection:
        found = connection.execute(select(projects).where(projects.c.root == str(root))).first()
        if found is not None:
            return _project(found)
        taken = set(connection.scalars(select(projects.c.name)))
        return _insert(connection, _free_name(root.name, taken), root, person)


def list_projects(workspace: Workspace, *, person: str) -> tuple[Project, ...]:
    """Return the projects that a person is a member of, by name."""
    query = _visible(person).order_by(projects.c.name)
    with workspace.database.read() as connection:
        return tuple(_project(row) for row in connection.execute(query))


def get_project(workspace: Workspace, name: str, *, person: str) -> Project:
    """Return a project by name; raises `ProjectNotFound` also for who is no member."""
    with workspace.database.read() as connection:
        return _project(_require(connection, name, person))


def list_members(workspace: Workspace, name: str, *, person: str) -> tuple[Member, ...]:
    """Return a project's members, by name of the person."""
    with workspace.database.read() as connection:
        project = _require(connection, name, person)
        query = select(members).where(members.c.project_id == project.id)
        rows = connection.execute(query.order_by(members.c.person)).all()
    return tuple(
        Member(person=row.person, role=Role(row.role), added_at=row.added_at) for row in rows
    )


def add_member(workspace: Workspace, name: str, member: str, role: Role, *, person: str) -> Member:
    """Add a person to a project, or change the role of one who is in it.

    Parameters
    ----------
    person
        Who asks for it; must be an owner.

    Raises
    ------
    ProjectNotFound
        There is no such project, or the asking person does not own it.
    NameInvalid
        The member's name is empty, or the last owner would lose the project.
    """
    if not member.strip() or len(member) > 255:
        raise NameInvalid("A member's name has 1 to 255 characters.")
    with workspace.database.write() as connection:
        project = _require(connection, name, person, Role.OWNER)
        here = members.c.project_id == project.id
        owners = set(
            connection.scalars(
                select(members.c.person).where(here, members.c.role == Role.OWNER.value)
            )
        )
        if role is not Role.OWNER and owners == {member}:
            raise NameInvalid(f"{member} is the last owner of {name}; name another owner first.")
        added = Member(person=member, role=role, added_at=datetime.now(UTC))
        changed = connection.execute(
            update(members).where(here, members.c.person == member).values(role=role.value)
        )
        if changed.rowcount == 0:
            connection.execute(
                insert(members).values(
                    project_id=project.id,
                    person=member,
                    role=role.value,
                    added_at=added.added_at,
                )
            )
    return added


def _visible(person: str) -> Select[Any]:
    return (
        select(projects)
        .join(members, members.c.project_id == projects.c.id)
        .where(members.c.person == person)
    )


def _require(connection: Connection, name: str, person: str, role: Role | None = None) -> Row[Any]:
    query = _visible(person).where(projects.c.name == name)
    if role is not None:
        query = query.where(members.c.role == role.value)
    found = connection.execute(query).first()
    if found is None:
        raise ProjectNotFound(f"There is no project {name!r} that you {_may(role)}.")
    return found


def _may(role: Role | None) -> str:
    return "own" if role is Role.OWNER else "are a member of"


def _insert(connection: Connection, name: str, root: Path, owner: str) -> Project:
    now = datetime.now(UTC)
    values = {"name": name, "title": name, "root": str(root.resolve()), "created_at": now}
    try:
        key = connection.execute(insert(projects).values(**values)).inserted_primary_key
    except IntegrityError as error:
        raise ProjectExists(
            f"A project {name!r}, or one for {root}, exists already; see `nb2prod project list`."
        ) from error
    assert key is not None
    connection.execute(
        insert(members).values(project_id=key[0], person=owner, role=Role.OWNER.value, added_at=now)
    )
    folder = root.resolve()
    return Project(
        id=key[0],
        name=name,
        title=name,
        root=folder,
        repository=folder,
        image=None,
        created_at=now,
    )


def _project(row: Row[Any]) -> Project:
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


def _free_name(folder: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-").lstrip("0123456789-") or "project"
    base = base[:PROJECT_NAME_LENGTH].rstrip("-")
    name, number = base, 2
    while name in taken:
        suffix = f"-{number}"
        name = base[: PROJECT_NAME_LENGTH - len(suffix)].rstrip("-") + suffix
        number += 1
    return name
