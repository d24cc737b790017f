"""Members of projects and their roles.

Owners decide who is a member; an administrator of the workspace may as well, in any project.
Who is not a member gets the same answer as if there were no such project.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from nb2prod.errors import Conflict
from nb2prod.store.schema import members, projects
from nb2prod.workspace.models import Member, Project, Role
from nb2prod.workspace.people import check_person_name
from nb2prod.workspace.rows import owners_of, require, require_existing, visible
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)


def role_of(workspace: Workspace, name: str, person: str) -> Role | None:
    """Return a person's role in a project; `None` for no member, and where there is no project."""
    query = visible(person).where(projects.c.name == name)
    with workspace.database.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else Role(row.role)


def require_role(workspace: Workspace, name: str, person: str, at_least: Role) -> Project:
    """Return a project in which a person has a role, or a higher one.

    Raises
    ------
    ProjectNotFound
        There is none, or the person is no member: the same answer.
    RoleInsufficient
        The member's role does not suffice; the message says which one would, and who owns the
        project.
    """
    with workspace.database.read() as connection:
        return require(connection, name, person, at_least)


def list_members(
    workspace: Workspace, name: str, *, person: str, as_administrator: bool = False
) -> tuple[Member, ...]:
    """Return a project's members, by name of the person.

    Parameters
    ----------
    person
        Who asks; any member may.
    as_administrator
        Whether the asking person is an administrator, and so need not be a member.

    Raises
    ------
    ProjectNotFound
        There is no such project, or it is not for this person.
    """
    with workspace.database.read() as connection:
        project = _project(connection, name, person, Role.VIEWER, as_administrator=as_administrator)
        query = select(members).where(members.c.project_id == project.id)
        rows = connection.execute(query.order_by(members.c.person)).all()
    return tuple(
        Member(person=row.person, role=Role(row.role), added_at=row.added_at) for row in rows
    )


def add_member(
    workspace: Workspace,
    name: str,
    member: str,
    role: Role,
    *,
    person: str,
    as_administrator: bool = False,
) -> Member:
    """Add a person to a project, or change the role of one who is in it.

    Parameters
    ----------
    person
        Who asks for it; must be an owner.
    as_administrator
        Whether the asking person is an administrator, and so need not be an owner.

    Raises
    ------
    ProjectNotFound, RoleInsufficient
        There is no such project, or the asking person does not own it.
    NameInvalid
        The member's name is none for a person.
    Conflict
        The last owner would lose the project.
    """
    check_person_name(member)
    with workspace.database.write() as connection:
        project = _project(connection, name, person, Role.OWNER, as_administrator=as_administrator)
        if role is not Role.OWNER:
            _require_other_owner(connection, project, member)
        here = members.c.project_id == project.id
        query = select(members.c.added_at).where(here, members.c.person == member)
        added_at = connection.scalar(query)
        if added_at is None:
            added_at = datetime.now(UTC)
            connection.execute(
                insert(members).values(
                    project_id=project.id, person=member, role=role.value, added_at=added_at
                )
            )
        else:
            connection.execute(
                update(members).where(here, members.c.person == member).values(role=role.value)
            )
    log.info("Member set project=%s member=%s role=%s by=%s", name, member, role.value, person)
    return Member(person=member, role=role, added_at=added_at)


def remove_member(
    workspace: Workspace,
    name: str,
    member: str,
    *,
    person: str,
    as_administrator: bool = False,
) -> bool:
    """Take a person out of a project.

    Parameters
    ----------
    person
        Who asks for it: an owner, or the member who leaves.
    as_administrator
        Whether the asking person is an administrator, and so need not be an owner.

    Returns
    -------
    bool
        Whether there was such a member.

    Raises
    ------
    ProjectNotFound, RoleInsufficient
        There is no such project, or the asking person does not own it.
    Conflict
        It is the last owner.
    """
    needed = Role.VIEWER if member == person else Role.OWNER
    with workspace.database.write() as connection:
        project = _project(connection, name, person, needed, as_administrator=as_administrator)
        _require_other_owner(connection, project, member)
        removed = connection.execute(
            delete(members).where(members.c.project_id == project.id, members.c.person == member)
        )
    log.info("Member removed project=%s member=%s by=%s", name, member, person)
    return removed.rowcount > 0


def _project(
    connection: Connection, name: str, person: str, at_least: Role, *, as_administrator: bool
) -> Project:
    if as_administrator:
        return require_existing(connection, name)
    return require(connection, name, person, at_least)


def _require_other_owner(connection: Connection, project: Project, member: str) -> None:
    if owners_of(connection, project) == (member,):
        raise Conflict(
            f"{member} is the last owner of {project.name}; make somebody else an owner first."
        )
