"""The files of a project that a promotion reads beside the notebook.

They are the project's own modules, and what declares its environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from nb2prod.store.untrusted_folder import UntrustedFolder

MAX_FILE_BYTES = 5_000_000
# A folder of more entries is nobody's package.
MAX_LISTED = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What a folder holds: the names of its files and of its folders, sorted."""

    files: tuple[str, ...]
    folders: tuple[str, ...]


class ProjectFiles(Protocol):
    """Files by their path relative to the project's folder, with ``/``; ``.`` is the folder."""

    @property
    def root(self) -> Path | None:
        """The project's folder; `None` where the files lie in none that is here."""
        ...

    @property
    def is_own(self) -> bool:
        """Whether they are of the person who promotes, on the person's own machine.

        Then what they say may lead anywhere: to other indexes, and to packages that are built.
        """
        ...

    def read(self, path: str) -> bytes | None:
        """Return a file's content; `None` where there is no regular file of that name.

        One of more than `MAX_FILE_BYTES` is as if it were not there.
        """
        ...

    def names(self, folder: str) -> Names:
        """List a folder; of one that is not there, nothing."""
        ...


@dataclass(frozen=True, kw_only=True)
class FolderFiles:
    """A project's folder on this machine. No link is followed.

    Parameters
    ----------
    is_own
        See `ProjectFiles`.
    """

    root: Path | None
    is_own: bool = False

    def read(self, path: str) -> bytes | None:
        """See `ProjectFiles`."""
        parts = PurePosixPath(path).parts
        if self.root is None or not parts:
            return None
        try:
            folder = UntrustedFolder(self.root.resolve())
        except FileNotFoundError:
            return None
        with folder:
            stream = folder.open(*parts)
            if stream is None:
                return None
            with stream:
                content = stream.read(MAX_FILE_BYTES + 1)
        return content if len(content) <= MAX_FILE_BYTES else None

    def names(self, folder: str) -> Names:
        """See `ProjectFiles`."""
        nothing = Names(files=(), folders=())
        if self.root is None:
            return nothing
        try:
            opened = UntrustedFolder(self.root.resolve())
        except FileNotFoundError:
            return nothing
        with opened:
            found = opened.list(*PurePosixPath(folder).parts, limit=MAX_LISTED)
        if found is None:
            return nothing
        return Names(files=tuple(sorted(found.files)), folders=tuple(sorted(found.folders)))


@dataclass(frozen=True, kw_only=True)
class GivenFiles:
    """Files that came along with the notebook, as from CI.

    Parameters
    ----------
    contents
        Content by path.
    """

    contents: Mapping[str, bytes] = field(default_factory=dict)
    root: Path | None = None
    is_own: bool = False

    def read(self, path: str) -> bytes | None:
        """See `ProjectFiles`."""
        content = self.contents.get(PurePosixPath(path).as_posix())
        return content if content is None or len(content) <= MAX_FILE_BYTES else None

    def names(self, folder: str) -> Names:
        """See `ProjectFiles`."""
        depth = len(PurePosixPath(folder).parts)
        files: set[str] = set()
        folders: set[str] = set()
        for path in map(PurePosixPath, self.contents):
            if path.is_relative_to(folder) and len(path.parts) > depth:
                found = files if len(path.parts) == depth + 1 else folders
                found.add(path.parts[depth])
        return Names(files=tuple(sorted(files)), folders=tuple(sorted(folders)))


@dataclass(frozen=True, kw_only=True)
class NotedFiles:
    """Files of which it is kept what was read: all that a promotion elsewhere needs.

    Parameters
    ----------
    noted
        Filled with the content of each file that was read, by path.
    """

    files: ProjectFiles
    noted: dict[str, bytes] = field(default_factory=dict)

    @property
    def root(self) -> Path | None:
        """See `ProjectFiles`."""
        return self.files.root

    @property
    def is_own(self) -> bool:
        """See `ProjectFiles`."""
        return self.files.is_own

    def read(self, path: str) -> bytes | None:
        """See `ProjectFiles`."""
        content = self.files.read(path)
        if content is not None:
            self.noted[PurePosixPath(path).as_posix()] = content
        return content

    def names(self, folder: str) -> Names:
        """See `ProjectFiles`."""
        return self.files.names(folder)


def inside(folder: str, relative: str) -> str | None:
    """Return a path in the project, given relative to one of its folders.

    Returns
    -------
    str or None
        `None` where it leads out of the project.

    Examples
    --------
    >>> inside("models/a", "../b.py"), inside("models", "../../b.py"), inside(".", "..")
    ('models/b.py', None, None)
    """
    if PurePosixPath(relative).is_absolute():
        return None
    parts: list[str] = []
    for part in (*PurePosixPath(folder).parts, *PurePosixPath(relative).parts):
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return PurePosixPath(*parts).as_posix()
