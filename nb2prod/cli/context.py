"""Where a command works: the workspace, and the project of the repository it stands in."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nb2prod.errors import Conflict, PortTaken, RepositoryNotFound, StorageUnusable
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
    announcement = _announcement(settings)
    return None if announcement is None else str(announcement["address"])


def has_login(settings: Settings) -> bool:
    """Tell whether the running gallery is behind a hub, which signs people in."""
    announcement = _announcement(settings)
    return announcement is not None and bool(announcement.get("has_login"))


@contextmanager
def announced(settings: Settings, address: str, *, has_login: bool) -> Iterator[None]:
    """Make a gallery's address known to the other commands, as long as it serves.

    Raises
    ------
    Conflict
        One of this workspace serves already.
    StorageUnusable
        The file that says so can't be written.
    """
    file = settings.home / GALLERY_FILE
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        stream = file.open("a+")
    except OSError as error:
        raise StorageUnusable(f"{file} can't be written: {error}.") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _runs_already(settings, gallery_address(settings)) from error
        except OSError as error:
            raise StorageUnusable(f"{file} can't be locked: {error}.") from error
        stream.truncate(0)
        stream.write(json.dumps({"address": address, "has_login": has_login}))
        stream.flush()
        yield


def require_none_running(settings: Settings) -> None:
    """Raise `Conflict` if this workspace's gallery runs."""
    running = gallery_address(settings)
    if running is not None:
        raise _runs_already(settings, running)


def port_taken(port: int, reason: str | None = None) -> PortTaken:
    """Return what to raise where a port can't be listened at; without reason, it is in use."""
    if reason is not None:
        return PortTaken(f"Port {port} can't be used: {reason}.")
    return PortTaken(
        f"Port {port} is taken by another program. Give another one:"
        " `--port N`, or NB2PROD_PORT=N with `make up`."
    )


def _runs_already(settings: Settings, address: str | None) -> Conflict:
    where = f", at {address}" if address else ""
    return Conflict(
        f"The workspace in {settings.home} runs already{where}; `nb2prod open` opens it."
    )


def _announcement(settings: Settings) -> dict[str, object] | None:
    file = settings.home / GALLERY_FILE
    try:
        with file.open() as stream:
            # The gallery holds this lock while it lives; a crash frees it.
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                announcement: dict[str, object] = json.load(stream)
                return announcement if "address" in announcement else None
    except (FileNotFoundError, ValueError):
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
        raise Conflict("The gallery is not running. Start it: `nb2prod serve`, or `nb2prod up`.")
    return address
