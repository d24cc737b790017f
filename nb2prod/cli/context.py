"""Where a command works: the workspace, and the project of the repository it stands in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nb2prod.errors import Conflict, PortTaken, RepositoryNotFound
from nb2prod.settings import Settings
from nb2prod.store.git import Repository
from nb2prod.workspace.announcement import find_announcement, runs_already
from nb2prod.workspace.founding import PROJECTS_FOLDER
from nb2prod.workspace.projects import Project, project_beneath, project_of
from nb2prod.workspace.workspace import Workspace, open_workspace

GALLERY_PREFIX = "/services/workspace"


@contextmanager
def opened() -> Iterator[Workspace]:
    """Open the workspace that the environment names."""
    with open_workspace(Settings.from_environment()) as workspace:
        yield workspace


def here() -> Repository:
    """Return the repository of the current folder; raises `RepositoryNotFound`.

    In the folder of a project that the workspace has founded it is the project's bare one.
    """
    project = founded_project(Path.cwd())
    return Repository.discover(Path.cwd()) if project is None else Repository(project.repository)


def project_here(workspace: Workspace) -> Project:
    """Return the project of the current folder's repository, made on first use."""
    return project_of(workspace, here().root, person=workspace.settings.person)


def founded_project(path: Path) -> Project | None:
    """Return the project of the workspace's own whose folder a path lies in, if any."""
    settings = Settings.from_environment()
    folder = path.resolve()
    # Most paths are elsewhere, and need no look into the workspace.
    if not folder.is_relative_to(settings.home.resolve() / PROJECTS_FOLDER):
        return None
    with open_workspace(settings) as workspace:
        return project_beneath(workspace, folder)


def require_own_repository(path: Path, what: str) -> None:
    """Raise `Conflict` where a path lies in a project that the workspace keeps the versions of.

    Parameters
    ----------
    what
        What was to be done: "promote", "run".
    """
    project = founded_project(path)
    if project is None:
        return
    settings = Settings.from_environment()
    address = gallery_address(settings)
    where = f" at {address}" if address else ", which `nb2prod up` starts"
    raise Conflict(
        f"{project.root} is the folder of {project.name}, a project of the workspace{where}:"
        f" {what} with the buttons in JupyterLab there.",
        project=project.name,
    )


def project_name_here(workspace: Workspace) -> str | None:
    """Return the name of the project one stands in; `None` outside of any repository."""
    try:
        return project_here(workspace).name
    except RepositoryNotFound:
        return None


def gallery_address(settings: Settings) -> str | None:
    """Return the address of the running gallery of this workspace; `None` if none runs."""
    announcement = find_announcement(settings)
    return None if announcement is None else announcement.address


def has_login(settings: Settings) -> bool:
    """Tell whether the running gallery is behind a hub, which signs people in."""
    announcement = find_announcement(settings)
    return announcement is not None and announcement.has_login


def require_none_running(settings: Settings) -> None:
    """Raise `Conflict` if this workspace's gallery runs."""
    announcement = find_announcement(settings)
    if announcement is not None:
        raise runs_already(settings, announcement)


def port_taken(port: int, reason: str | None = None) -> PortTaken:
    """Return what to raise where a port can't be listened at; without reason, it is in use."""
    if reason is not None:
        return PortTaken(f"Port {port} can't be used: {reason}.")
    return PortTaken(
        f"Port {port} is taken by another program. Give another one:"
        " `--port N`, or NB2PROD_PORT=N with `make up`."
    )


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
