"""Where a command works: the workspace, and the project of the repository it stands in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nb2prod.errors import Conflict, RepositoryNotFound
from nb2prod.settings import Settings
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import Project, project_of
from nb2prod.workspace.workspace import Workspace, open_workspace

GALLERY_PREFIX = "/services/workspace"
GALLERY_FILE = "gallery.json"


@contextmanager
def opened() -> Iterator[Workspace]:
    """Open the workspace that the environment names."""
    with open_workspace(Settings.from_environment()) as workspace:
        yield workspace


def here() -> Repository:
    """Return the repository of the current folder; raises `RepositoryNotFound`."""
    return Repository.discover(Path.cwd())


def project_here(workspace: Workspace) -> Project:
    """Return the project of the current folder's repository, made on first use."""
    return project_of(workspace, here().root, person=workspace.settings.person)


def project_name_here(workspace: Workspace) -> str | None:
    """Return the name of the project one stands in; `None` outside of any repository."""
    try:
        return project_here(workspace).name
    except RepositoryNotFound:
        return None


def gallery_address(settings: Settings) -> str | None:
    """Return the address of the running gallery of this workspace; `None` if none runs."""
    import fcntl

    file = settings.home / GALLERY_FILE
    try:
        with file.open() as stream:
            # The gallery holds this lock while it lives; a crash frees it.
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                address: str = json.load(stream)["address"]
                return address
    except (FileNotFoundError, ValueError, KeyError):
        pass
    return None


def page_path(run_id: str) -> str:
    """Return a page's path in the gallery."""
    return f"{GALLERY_PREFIX}/pages/{run_id}"


def page_address(settings: Settings, run_id: str) -> str:
    """Return a page's address, at the running gallery or at the one that would be started."""
    address = gallery_address(settings) or f"http://127.0.0.1:{settings.port}"
    return address + page_path(run_id)


def require_gallery(settings: Settings) -> str:
    """Return the running gallery's address; raises `Conflict` if none runs."""
    address = gallery_address(settings)
    if address is None:
        raise Conflict("The gallery is not running. Start it: `nb2prod serve`.")
    return address
