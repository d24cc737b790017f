"""A project, its members, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class Role(StrEnum):
    """What a member may do: a viewer reads, an editor promotes and runs, an owner decides."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"

    def includes(self, other: Role) -> bool:
        """Tell whether a member of this role may do all that one of another may.

        >>> Role.EDITOR.includes(Role.VIEWER), Role.EDITOR.includes(Role.OWNER)
        (True, False)
        """
        return _RANKS[self] >= _RANKS[other]


_RANKS = {Role.VIEWER: 0, Role.EDITOR: 1, Role.OWNER: 2}


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """A project as one of its members sees it in a list.

    Parameters
    ----------
    role
        Of the person whom the list is for.
    member_count
        How many members the project has.
    """

    project: Project
    role: Role
    member_count: int
