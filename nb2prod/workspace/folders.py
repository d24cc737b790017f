"""The folders of a project: the shared one, and each member's private one.

Containers work as one account, and the group of the project is what its members share
(`nb2prod.workspace.policy`). Giving a folder to them takes root; where this process is not
root, folders stay with its own account, as do the servers and runs that it starts.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from nb2prod.errors import StorageFull, StorageUnusable, storage_error
from nb2prod.workspace.models import Project
from nb2prod.workspace.people import check_person_name
from nb2prod.workspace.policy import PERSON_UID, private_folder, project_gid
from nb2prod.workspace.workspace import Workspace

# New files get the project's group from the folder that they are made in.
_SHARED_MODE = 0o2770
_OWN_SHARED_MODE = 0o770
_PRIVATE_MODE = 0o700

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not to wait for the other end of a named pipe.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def prepare_project_folder(project: Project) -> Path:
    """Make a project's folder where it is missing, with its owner and mode; idempotent.

    Only the folder itself is looked at; see `hand_over` for what is in it.

    Raises
    ------
    StorageFull, StorageUnusable
        It can't be made, or is no folder but, for instance, a link.
    """
    mode = _SHARED_MODE if _is_root() else _OWN_SHARED_MODE
    return _prepared(project.root, mode, project_gid(project))


def prepare_private_folder(workspace: Workspace, project: Project, person: str) -> Path:
    """Make the folder that only one person sees in a project, where it is missing; idempotent.

    Raises
    ------
    NameInvalid
        The person's name is none.
    StorageFull, StorageUnusable
        It can't be made, or is no folder but, for instance, a link.
    """
    folder = private_folder(workspace.settings.home, project, check_person_name(person))
    return _prepared(folder, _PRIVATE_MODE, project_gid(project))


def hand_over(folder: Path, project: Project) -> None:
    """Give a folder that was copied in, and all in it, to the members of a project.

    Follows no link. Leaves alone what is neither a file nor a folder, and files with a second
    name (a hard link), since that may lie elsewhere. Without root there is nothing to do.

    Raises
    ------
    StorageFull, StorageUnusable
        Something can't be given.
    """
    if not _is_root():
        return
    gid = project_gid(project)
    try:
        for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
            _own(descriptor, gid, _SHARED_MODE)
            for name in (*folders, *files):
                _give_file(name, descriptor, gid)
    except OSError as error:
        raise storage_error(folder, error) from error


def _prepared(folder: Path, mode: int, gid: int) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.path.lexists(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder, _OPEN_FOLDER)
        try:
            _own(descriptor, gid, mode)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _folder_error(folder, error) from error
    return folder


def _own(descriptor: int, gid: int, mode: int) -> None:
    now = os.fstat(descriptor)
    if _is_root() and (now.st_uid, now.st_gid) != (PERSON_UID, gid):
        os.fchown(descriptor, PERSON_UID, gid)
    if stat.S_IMODE(now.st_mode) != mode:
        os.fchmod(descriptor, mode)


def _give_file(name: str, folder: int, gid: int) -> None:
    # Only a plain file is opened: to open a device or a pipe can do something.
    try:
        if not _is_alone(os.stat(name, dir_fd=folder, follow_symlinks=False)):
            return
        descriptor = os.open(name, _OPEN_FILE, dir_fd=folder)
    except OSError as error:
        # Gone, or a link, since it was listed: members may work there meanwhile.
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            return
        raise
    try:
        found = os.fstat(descriptor)
        if _is_alone(found):
            is_program = bool(found.st_mode & stat.S_IXUSR)
            _own(descriptor, gid, 0o770 if is_program else 0o660)
    finally:
        os.close(descriptor)


def _is_alone(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def _is_root() -> bool:
    return os.geteuid() == 0


def _folder_error(folder: Path, error: OSError) -> StorageFull | StorageUnusable:
    if isinstance(error, NotADirectoryError):
        return StorageUnusable(f"{folder} is no folder. Move it away, then try again.")
    return storage_error(folder, error)
