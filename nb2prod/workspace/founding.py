"""Founding a project: its folder, its bare repository and its row, all or none."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select, update

from nb2prod.errors import ProjectExists, storage_error
from nb2prod.store.git import Repository
from nb2prod.store.schema import projects
from nb2prod.workspace.folders import prepare_project_folder
from nb2prod.workspace.models import Project
from nb2prod.workspace.names import check_project_name, check_title
from nb2prod.workspace.people import check_person_name
from nb2prod.workspace.rows import insert_project, new_project, project_from
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

PROJECTS_FOLDER = "projects"
REPOSITORIES_FOLDER = "repositories"


def found_project(workspace: Workspace, name: str, *, title: str = "", owner: str) -> Project:
    """Make a project of the workspace's own: a shared folder, and a bare repository beside it.

    Parameters
    ----------
    name
        1 to 30 characters: a–z, 0–9 and single hyphens; begins with a letter, ends with no
        hyphen.
    title
        For people; by default the name.
    owner
        Becomes the first member.

    Raises
    ------
    NameInvalid
        The name, the title or the owner's name breaks the rule.
    ProjectExists
        The name has a project already, or a folder or repository that belongs to none.
    StorageFull, StorageUnusable, ToolMissing
        Its folder or repository can't be made; nothing is left of it.
    """
    check_project_name(name)
    check_title(title)
    check_person_name(owner)
    home = workspace.settings.home.resolve()
    planned = new_project(
        name,
        title=title.strip() or name,
        root=home / PROJECTS_FOLDER / name,
        repository=_repository_path(home, name),
    )
    # The row's transaction is also what keeps two from founding one project at once.
    with workspace.database.write() as connection:
        project = insert_project(connection, planned, owner)
        with _undone_on_error(project):
            _require_nobodys_work(project)
            _make_repository(project.repository)
            prepare_project_folder(project)
    log.info("Project founded project=%s owner=%s", name, owner)
    return project


def adopt_repository(workspace: Workspace, project: Project) -> Project:
    """Give a project whose folder is its repository a bare one of its own; idempotent.

    For a project that an earlier version of nb2prod, which had no hub, made in the workspace's
    own folder of projects. All commits and tags are kept; the folder stays as it is. The folder's
    git configuration is used once, so this comes before others may write there.

    Returns
    -------
    Project
        With its new repository; ``project`` itself where it has one already, and where its
        folder lies elsewhere: that is somebody's own work tree.

    Raises
    ------
    RepositoryNotFound
        The folder lies in no git repository.
    StorageFull, StorageUnusable
        The repository can't be made.
    """
    home = workspace.settings.home.resolve()
    if project.repository != project.root or project.root.parent != home / PROJECTS_FOLDER:
        return project
    path = _repository_path(home, project.name)
    with workspace.database.write() as connection:
        row = connection.execute(select(projects).where(projects.c.id == project.id)).one()
        if row.repository:
            return project_from(row)
        # One that is there was made whole, just before an interruption.
        if not path.exists():
            source = Repository.discover(project.root)
            with _partial(path) as partial:
                source.clone_bare(partial)
        connection.execute(
            update(projects).where(projects.c.id == project.id).values(repository=str(path))
        )
    log.info("Project has a repository of its own now project=%s", project.name)
    return replace(project, repository=path)


def _repository_path(home: Path, name: str) -> Path:
    return home / REPOSITORIES_FOLDER / f"{name}.git"


def _require_nobodys_work(project: Project) -> None:
    root, repository = project.root, project.repository
    if root.is_symlink() or (root.exists() and not (root.is_dir() and _is_empty(root))):
        raise ProjectExists(
            f"{root} is there already, and belongs to no project. Move it away, or choose another"
            " name."
        )
    # What an interruption left behind has no commit; anything else may be somebody's work.
    if repository.exists() and _has_commits(repository):
        raise ProjectExists(
            f"{repository} is there already, and belongs to no project. Move it away, or choose"
            " another name."
        )


def _is_empty(folder: Path) -> bool:
    return next(folder.iterdir(), None) is None


def _has_commits(path: Path) -> bool:
    if not (path / "HEAD").is_file():
        return True
    repository = Repository(path)
    return repository.head() is not None or bool(repository.tags())


def _make_repository(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
    with _partial(path) as partial:
        Repository.create_bare(partial)


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Give a place to make a folder in, which appears under its name only when it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(partial, ignore_errors=True)
        yield partial
        partial.rename(path)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _undone_on_error(project: Project) -> Iterator[None]:
    had = {path for path in (project.root, project.repository) if path.exists()}
    try:
        yield
    except BaseException:
        for path in {project.root, project.repository} - had:
            shutil.rmtree(path, ignore_errors=True)
        raise
