"""Secrets of projects: set by owners, encrypted at rest, given to the runs that name them.

A value goes in and comes out in two places only: `set_secret`, and `read_secrets` where a run is
started. Nobody is ever shown one again; to change it is to set it anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from nb2prod.errors import SecretNotFound, StorageUnusable
from nb2prod.store.schema import project_secrets, projects
from nb2prod.workspace.models import Project, Role
from nb2prod.workspace.rows import owners_of, require
from nb2prod.workspace.secret_keys import (
    KeysWrong,
    ensure_keys,
    key_file,
    new_key,
    read_keys,
    seal,
    unseal,
    write_keys,
)
from nb2prod.workspace.secret_rules import check_name, check_value
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretEntry:
    """What is known of a secret: all but its value."""

    name: str
    set_by: str
    set_at: datetime


def set_secret(
    workspace: Workspace, project: str, name: str, value: str, *, person: str
) -> SecretEntry:
    """Keep a secret of a project, in place of the one of that name.

    Runs that are started from now on are given it; those that go on keep what they have.

    Parameters
    ----------
    name
        1 to 64 of A–Z, 0–9 and ``_``; begins with a letter. It is the environment variable's.
    value
        6 characters to 32,768 bytes of UTF-8, without NUL.
    person
        Who asks; must be an owner.

    Raises
    ------
    SecretInvalid
        The name or the value can't be used.
    ProjectNotFound, RoleInsufficient
        There is no such project, or the person does not own it.
    StorageFull, StorageUnusable
        It can't be kept.
    """
    entry = SecretEntry(name=check_name(name), set_by=person, set_at=datetime.now(UTC))
    content = check_value(name, value)
    with workspace.database.write() as connection:
        found = require(connection, project, person, Role.OWNER)
        # Within the transaction: a rotation of keys waits for it, or comes first.
        sealed = seal(ensure_keys(workspace.settings.home), content, _place(found.id, name))
        here = (project_secrets.c.project_id == found.id) & (project_secrets.c.name == name)
        values = {"ciphertext": sealed, "set_by": entry.set_by, "set_at": entry.set_at}
        changed = connection.execute(update(project_secrets).where(here).values(**values))
        if changed.rowcount == 0:
            connection.execute(
                insert(project_secrets).values(project_id=found.id, name=name, **values)
            )
    log.info("Secret set project=%s name=%s by=%s", project, name, person)
    return entry


def list_secrets(workspace: Workspace, project: str, *, person: str) -> tuple[SecretEntry, ...]:
    """Return the secrets of a project by name; any member may know them, without their values.

    Raises
    ------
    ProjectNotFound
        There is no such project, or the person is no member.
    """
    with workspace.database.read() as connection:
        found = require(connection, project, person, Role.VIEWER)
        columns = (project_secrets.c.name, project_secrets.c.set_by, project_secrets.c.set_at)
        query = select(*columns).where(project_secrets.c.project_id == found.id)
        rows = connection.execute(query.order_by(project_secrets.c.name)).all()
    return tuple(SecretEntry(name=row.name, set_by=row.set_by, set_at=row.set_at) for row in rows)


def remove_secret(workspace: Workspace, project: str, name: str, *, person: str) -> None:
    """Remove a secret; runs that name it can't be started any more.

    Parameters
    ----------
    person
        Who asks; must be an owner.

    Raises
    ------
    ProjectNotFound, RoleInsufficient
        There is no such project, or the person does not own it.
    SecretNotFound
        It has no secret of that name.
    """
    with workspace.database.write() as connection:
        found = require(connection, project, person, Role.OWNER)
        here = (project_secrets.c.project_id == found.id) & (project_secrets.c.name == name)
        removed = connection.execute(delete(project_secrets).where(here))
        if removed.rowcount == 0:
            raise SecretNotFound(f"{project} has no secret {name[:80]!r}.", secret=name[:80])
    log.info("Secret removed project=%s name=%s by=%s", project, name, person)


def read_secrets(workspace: Workspace, project: Project, names: Iterable[str]) -> dict[str, str]:
    """Return the values of secrets, for a run that is being started.

    Parameters
    ----------
    names
        Those that the run's version names.

    Raises
    ------
    SecretNotFound
        The project lacks one of them; the message says who can set it.
    StorageUnusable
        A value can't be decrypted with the keys that are there.
    """
    wanted = tuple(dict.fromkeys(names))
    if not wanted:
        return {}
    with workspace.database.read() as connection:
        values = _values(workspace, connection, project.id, project.name, wanted)
        missing = [name for name in wanted if name not in values]
        if missing:
            owners = ", ".join(owners_of(connection, project))
            raise SecretNotFound(
                f"The pipeline's settings name the secret {missing[0]} (`secrets` under [run]), and"
                f" {project.name} has none of that name. An owner can set it ({owners}): on the"
                f" project's page of settings, or with `nb2prod secret set {project.name}"
                f" {missing[0]}`.",
                secret=missing[0],
            )
    return {name: values[name] for name in wanted}


def known_values(workspace: Workspace, project_id: int) -> dict[str, str]:
    """Return the values of all secrets of a project, to take them out of what runs put out.

    Those that can't be decrypted are left out, and the log says so: what a run has done must not
    be lost for it.
    """
    with workspace.database.read() as connection:
        here = project_secrets.c.project_id == project_id
        names = tuple(connection.scalars(select(project_secrets.c.name).where(here)))
        if not names:
            return {}
        name = connection.scalars(select(projects.c.name).where(projects.c.id == project_id)).one()
        try:
            return _values(workspace, connection, project_id, name, names)
        except StorageUnusable as error:
            log.warning("Secrets can't be looked for, project=%s reason=%s", name, error)
            return {}


def rotate(workspace: Workspace) -> int:
    """Encrypt all secrets of the workspace with a new key; return how many there are.

    The former key stays in the file until the next rotation, for those that read just now.

    Raises
    ------
    StorageFull, StorageUnusable
        A value can't be decrypted, or the file not be written; all values can be read as before.
    """
    home = workspace.settings.home
    with workspace.database.write() as connection:
        former = ensure_keys(home)
        keys = (new_key(), *former)
        # First the file, then the values: at each moment all keys that are needed are there.
        write_keys(home, keys)
        rows = connection.execute(
            select(project_secrets, projects.c.name.label("project_name")).join(projects)
        ).all()
        for row in rows:
            place = _place(row.project_id, row.name)
            value = _open(workspace, keys, row.ciphertext, place, row.project_name)
            connection.execute(
                update(project_secrets)
                .where(
                    project_secrets.c.project_id == row.project_id,
                    project_secrets.c.name == row.name,
                )
                .values(ciphertext=seal(keys, value, place))
            )
    write_keys(home, keys[:2])
    log.info("Secrets encrypted with a new key, secrets=%s", len(rows))
    return len(rows)


def _values(
    workspace: Workspace,
    connection: Connection,
    project_id: int,
    project: str,
    names: Sequence[str],
) -> dict[str, str]:
    query = select(project_secrets.c.name, project_secrets.c.ciphertext).where(
        project_secrets.c.project_id == project_id, project_secrets.c.name.in_(names)
    )
    rows = connection.execute(query.order_by(project_secrets.c.name)).all()
    keys = read_keys(workspace.settings.home) if rows else ()
    found = {}
    for row in rows:
        place = _place(project_id, row.name)
        found[row.name] = _open(workspace, keys, row.ciphertext, place, project).decode()
    return found


def _open(
    workspace: Workspace, keys: Sequence[bytes], sealed: bytes, place: bytes, project: str
) -> bytes:
    try:
        return unseal(keys, sealed, place)
    except KeysWrong:
        name = place.rpartition(b"\0")[2].decode()
        file = key_file(workspace.settings.home)
        raise StorageUnusable(
            f"The secret {name} of {project} can't be decrypted with the keys in {file}. Put that"
            " file back from a backup, or let an owner set the secret anew."
        ) from None


def _place(project_id: int, name: str) -> bytes:
    return b"nb2prod secret\0%d\0%s" % (project_id, name.encode())
