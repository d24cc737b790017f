"""Founding a project, and giving an old one a repository of its own: whole, or not at all."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nb2prod.errors import NameInvalid, ProjectExists, StorageUnusable
from nb2prod.registry.versions import confirm, list_versions, propose
from nb2prod.settings import Settings
from nb2prod.store.git import Repository
from nb2prod.workspace import founding
from nb2prod.workspace.projects import (
    Project,
    adopt_repository,
    found_project,
    get_project,
    list_all_projects,
    project_of,
)
from nb2prod.workspace.workspace import Workspace
from tests.helpers.notebooks import code, parameters, write_notebook


def made_folders(settings: Settings) -> set[str]:
    """What there is of projects in the workspace's folder."""
    return {
        str(path.relative_to(settings.home))
        for name in ("projects", "repositories")
        for path in (settings.home / name).glob("*")
    }


def test_found_project_makes_folder_repository_and_row(workspace: Workspace) -> None:
    project = found_project(workspace, "seats", title="Seat demand", owner="ada")

    home = workspace.settings.home
    assert (project.root, project.repository) == (
        home / "projects/seats",
        home / "repositories/seats.git",
    )
    assert list(project.root.iterdir()) == []
    repository = Repository(project.repository)
    assert repository.is_bare()
    assert repository.head() is None
    assert repository.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert (project.title, project.image) == ("Seat demand", None)
    assert get_project(workspace, "seats", person="ada") == project
    assert found_project(workspace, "other", owner="ada").title == "other"


@pytest.mark.parametrize(
    ("name", "title", "owner"),
    [
        ("../x", "", "ada"),
        ("x" * 31, "", "ada"),
        ("x", "a\nb", "ada"),
        ("x", "", "a/b"),
        ("x", "", ""),
    ],
)
def test_found_project_of_a_bad_name_makes_nothing(
    workspace: Workspace, name: str, title: str, owner: str
) -> None:
    with pytest.raises(NameInvalid):
        found_project(workspace, name, title=title, owner=owner)

    assert made_folders(workspace.settings) == set()


def test_found_project_twice_leaves_the_first_as_it_is(workspace: Workspace) -> None:
    project = found_project(workspace, "seats", owner="ada")
    (project.root / "train.ipynb").write_text("work")

    with pytest.raises(ProjectExists, match="project list"):
        found_project(workspace, "seats", owner="eve")

    assert (project.root / "train.ipynb").read_text() == "work"
    assert Repository(project.repository).is_bare()


@pytest.mark.parametrize("kind", ["full", "file", "link", "repository", "strange"])
def test_found_project_over_what_belongs_to_nobody_is_refused_and_keeps_it(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    home = workspace.settings.home
    root, repository = home / "projects/seats", home / "repositories/seats.git"
    root.parent.mkdir()
    repository.parent.mkdir()
    if kind == "full":
        root.mkdir()
        (root / "work.txt").write_text("precious")
    elif kind == "file":
        root.write_text("precious")
    elif kind == "link":
        root.symlink_to(tmp_path)
    elif kind == "repository":
        work = Repository.create(tmp_path / "work")
        work.git("commit", "--quiet", "--allow-empty", "--message", "x")
        work.clone_bare(repository)
    else:
        repository.mkdir()
        (repository / "precious").touch()
    before = made_folders(workspace.settings)

    with pytest.raises(ProjectExists, match="is there already, and belongs to no project"):
        found_project(workspace, "seats", owner="ada")

    assert made_folders(workspace.settings) == before
    assert list_all_projects(workspace) == ()
    if kind == "full":
        assert (root / "work.txt").read_text() == "precious"


def test_found_project_uses_an_empty_folder(workspace: Workspace) -> None:
    (workspace.settings.home / "projects/seats").mkdir(parents=True)

    assert found_project(workspace, "seats", owner="ada").root.is_dir()


@pytest.mark.parametrize("step", ["_make_repository", "prepare_project_folder"])
def test_found_project_that_fails_half_way_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnusable("no")

    with monkeypatch.context() as patched, pytest.raises(StorageUnusable):
        patched.setattr(founding, step, fail)
        found_project(workspace, "seats", owner="ada")

    assert made_folders(workspace.settings) == set()
    assert list_all_projects(workspace) == ()
    assert found_project(workspace, "seats", owner="ada").name == "seats"


KILLED = """
import os, sys
from nb2prod.settings import Settings
from nb2prod.workspace import founding
from nb2prod.workspace.workspace import open_workspace
founding.log.info = lambda *a: None
real = getattr(founding, sys.argv[1])
def then_die(*arguments):
    real(*arguments)
    os._exit(9)
setattr(founding, sys.argv[1], then_die)
with open_workspace(Settings.from_environment()) as workspace:
    founding.found_project(workspace, "seats", owner="ada")
"""


@pytest.mark.parametrize("step", ["_make_repository", "prepare_project_folder"])
def test_found_project_killed_half_way_can_be_founded_again(
    workspace: Workspace, step: str
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, step], check=False, timeout=60)
    assert killed.returncode == 9
    assert list_all_projects(workspace) == ()

    project = found_project(workspace, "seats", owner="ada")

    assert made_folders(workspace.settings) == {"projects/seats", "repositories/seats.git"}
    assert Repository(project.repository).git("rev-parse", "--is-bare-repository") == "true\n"


def test_found_project_by_many_at_once_has_one_winner(workspace: Workspace) -> None:
    def found(person: str) -> Project | None:
        try:
            return found_project(workspace, "seats", owner=person)
        except ProjectExists:
            return None

    with ThreadPoolExecutor(4) as pool:
        won = [project for project in pool.map(found, ["a", "b", "c", "d"]) if project]

    assert list_all_projects(workspace) == tuple(won)
    assert len(won) == 1
    assert Repository(won[0].repository).head() is None


@pytest.fixture
def old(workspace: Workspace) -> Project:
    """A project as the version before the hub made it: a work tree in the workspace's folder."""
    root = workspace.settings.home / "projects/seats"
    repository = Repository.create(root)
    path = write_notebook(root / "train.ipynb", parameters("n = 1"), code("print(n)"))
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "Begin")
    confirm(propose(path))
    write_notebook(path, parameters("n = 2"), code("print(n)"))
    confirm(propose(path))
    return project_of(workspace, root, person="ada")


def test_adopt_repository_keeps_versions_and_folder(workspace: Workspace, old: Project) -> None:
    before = list_versions(old.root)

    adopted = adopt_repository(workspace, old)

    assert adopted.repository == workspace.settings.home / "repositories/seats.git"
    assert adopted.root == old.root
    assert (old.root / "train.ipynb").is_file()
    assert list_versions(adopted.repository) == before
    assert get_project(workspace, "seats", person="ada") == adopted
    assert adopt_repository(workspace, old) == adopted
    assert adopt_repository(workspace, adopted) is adopted


@pytest.mark.parametrize("state", ["main", "other", "detached"])
def test_adopt_repository_goes_on_where_head_was(
    workspace: Workspace, old: Project, state: str
) -> None:
    source = Repository(old.root)
    if state == "other":
        source.git("branch", "--move", "master")
    if state == "detached":
        source.git("checkout", "--quiet", "--detach")
        source.git("branch", "--delete", "--force", "main")

    repository = Repository(adopt_repository(workspace, old).repository)

    assert repository.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert repository.head() == source.head()
    assert "origin" not in repository.git("config", "--list")


def test_adopt_repository_shares_no_file_with_the_folder(
    workspace: Workspace, old: Project
) -> None:
    repository = adopt_repository(workspace, old).repository

    files = [path for path in repository.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if path.stat().st_nlink > 1] == []
    assert not (repository / "objects/info/alternates").exists()
    assert not list(repository.glob("hooks/*"))


def test_adopt_repository_of_a_work_tree_elsewhere_leaves_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = Repository.create(tmp_path / "mine").root
    project = project_of(workspace, root, person="ada")

    assert adopt_repository(workspace, project) is project
    assert made_folders(workspace.settings) == set()


def test_found_project_ignores_where_git_points_elsewhere(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook of another repository, which has these variables set."""
    other = Repository.create(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git/index"))

    project = found_project(workspace, "seats", owner="ada")

    assert (project.repository / "HEAD").is_file()
    assert Repository(project.repository).head() is None


def test_project_of_a_founded_project_is_that_project(workspace: Workspace) -> None:
    project = found_project(workspace, "seats", owner="ada")

    assert project_of(workspace, project.root, person="ada") == project
