"""Removing what a run wrote: as a stranger's, whatever it made there.

Folders can be nested more deeply than Python's calls, or than a process may have files open, and
links lead elsewhere. Nothing of the run may still be at work there.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from nb2prod.errors import storage_error

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it, or a file; nothing where there is none.

    Follows no link, and opens nothing but folders. Each folder that is found is first moved to
    the top, so that there is never a deep one.

    Raises
    ------
    StorageFull, StorageUnusable
        Something can't be removed.
    """
    try:
        top = os.open(path, _OPEN_FOLDER)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        path.unlink(missing_ok=True)
        return
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        _empty(top)
        path.rmdir()
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        os.close(top)


def _empty(top: int) -> None:
    # Not to be guessed by a run, which could have made a folder of that name before.
    prefix, number = f"nb2prod-{secrets.token_hex(8)}", 0
    waiting = _clear(top)
    while waiting:
        name = waiting.pop()
        # An overlay's work folder is empty, and closed to all but root.
        with suppress(OSError):
            os.rmdir(name, dir_fd=top)
            continue
        folder = os.open(name, _OPEN_FOLDER, dir_fd=top)
        try:
            for inner in _clear(folder):
                number += 1
                os.rename(inner, f"{prefix}-{number}", src_dir_fd=folder, dst_dir_fd=top)
                waiting.append(f"{prefix}-{number}")
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=top)


def _clear(folder: int) -> list[str]:
    """Remove all but folders from a folder, and return the names of these."""
    folders = []
    for name in os.listdir(folder):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            # To move a folder takes the right to write to it.
            _allow(name, folder)
            folders.append(name)
        else:
            os.unlink(name, dir_fd=folder)
    return folders


def _allow(name: str, folder: int) -> None:
    # Somebody else's folder may be removed all the same, where it is empty.
    if os.geteuid() != 0:
        with suppress(PermissionError):
            os.chmod(name, 0o700, dir_fd=folder)
