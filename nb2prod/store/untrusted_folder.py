"""Opening files beneath a folder that strangers write to.

Who looks into such a folder may read more than those who write there. So files are opened
beneath the folder, one name after the other, with no link followed; only regular files are
read, and folders are listed no further than is sensible.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What is in a folder, in no order.

    Parameters
    ----------
    folders, files
        Names; links, and what is neither, are left out.
    count
        How many names were read, those that were left out included.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]
    count: int


class UntrustedFolder:
    """Opens files beneath a folder that a stranger writes to. A context manager.

    Raises
    ------
    FileNotFoundError
        There is no such folder; a link to one is none.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags)
        except OSError as error:
            raise FileNotFoundError(f"{path} is no folder") from error

    def open(self, *names: str) -> IO[bytes] | None:
        """Open a file for reading, by the names that lead to it.

        Returns
        -------
        IO or None
            `None` where there is no regular file of that name, or a link on the way to it.
        """
        descriptor = os.dup(self._descriptor)
        try:
            for name in names[:-1]:
                descriptor = _step(descriptor, name, os.O_DIRECTORY)
            # Not to be stopped by a named pipe that nobody writes to.
            descriptor = _step(descriptor, names[-1], os.O_NONBLOCK)
        except OSError:
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
        return None

    def list(self, *names: str, limit: int) -> Listing | None:
        """List a folder, by the names that lead to it; without names the folder itself.

        Parameters
        ----------
        limit
            How many names are read at most.

        Returns
        -------
        Listing or None
            `None` where there is no folder of that name, or a link on the way to it.
        """
        descriptor = os.dup(self._descriptor)
        try:
            for name in names:
                descriptor = _step(descriptor, name, os.O_DIRECTORY)
        except OSError:
            return None
        try:
            with os.scandir(descriptor) as entries:
                found = list(islice(entries, limit))
            return Listing(
                folders=tuple(item.name for item in found if item.is_dir(follow_symlinks=False)),
                files=tuple(item.name for item in found if item.is_file(follow_symlinks=False)),
                count=len(found),
            )
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)


def _step(descriptor: int, name: str, flags: int) -> int:
    try:
        if name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise FileNotFoundError(name)
        wanted = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags
        return os.open(name, wanted, dir_fd=descriptor)
    finally:
        os.close(descriptor)
