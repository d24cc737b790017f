"""Folders of projects on a real file system: who owns them, and that no link leads us away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nb2prod.errors import NameInvalid, StorageUnusable
from nb2prod.workspace.folders import (
    hand_over,
    prepare_private_folder,
    prepare_project_folder,
)
from nb2prod.workspace.policy import PERSON_UID, project_gid
from nb2prod.workspace.projects import Project, found_project
from nb2prod.workspace.workspace import Workspace

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return found_project(workspace, "seats", owner="ada")


def owner_and_mode(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def expected(project: Project, mode: int) -> tuple[int, int, int]:
    """Owner, group and mode that something of the project has."""
    if IS_ROOT:
        return PERSON_UID, project_gid(project), mode
    return os.geteuid(), os.getegid(), mode & 0o777


def test_project_folder_is_shared_and_private_folder_is_not(
    workspace: Workspace, project: Project
) -> None:
    private = prepare_private_folder(workspace, project, "ada")

    assert private == workspace.settings.home / "people/ada/seats"
    assert owner_and_mode(private) == expected(project, 0o700)
    assert owner_and_mode(project.root) == expected(project, 0o2770)


@needs_root
def test_file_made_in_the_project_folder_has_the_projects_group(project: Project) -> None:
    (project.root / "new").touch()

    assert (project.root / "new").stat().st_gid == project_gid(project)


def test_prepare_again_mends_the_folder_and_leaves_what_is_in_it(
    workspace: Workspace, project: Project
) -> None:
    private = prepare_private_folder(workspace, project, "ada")
    inside = private / "notes.txt"
    inside.touch(mode=0o600)
    before = owner_and_mode(inside)
    for folder in (private, project.root):
        folder.chmod(0o777)

    assert prepare_private_folder(workspace, project, "ada") == private
    assert prepare_project_folder(project) == project.root

    assert owner_and_mode(private) == expected(project, 0o700)
    assert owner_and_mode(project.root) == expected(project, 0o2770)
    assert owner_and_mode(inside) == before


def test_prepare_of_a_folder_that_is_gone_makes_it_again(project: Project) -> None:
    project.root.rmdir()

    assert prepare_project_folder(project).is_dir()


@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_prepare_of_what_is_no_folder_is_refused_and_touches_no_other(
    workspace: Workspace, project: Project, tmp_path: Path, kind: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    before = owner_and_mode(elsewhere)
    place = workspace.settings.home / "people/ada/seats"
    place.parent.mkdir(parents=True)
    if kind == "file":
        place.touch()
    else:
        place.symlink_to(elsewhere if kind == "link" else tmp_path / "absent")

    with pytest.raises(StorageUnusable):
        prepare_private_folder(workspace, project, "ada")

    assert owner_and_mode(elsewhere) == before
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("person", ["", "../eve", "a/b", "a\0"], ids=ascii)
def test_prepare_private_folder_for_a_name_that_no_hub_gives_is_refused(
    workspace: Workspace, project: Project, person: str
) -> None:
    with pytest.raises(NameInvalid):
        prepare_private_folder(workspace, project, person)


def test_private_folders_of_alike_people_are_apart(workspace: Workspace, project: Project) -> None:
    people = ("ada", "Ada", "ada.", "..", ".", "ada ada", "ada-ada")

    folders = {prepare_private_folder(workspace, project, person) for person in people}

    assert len(folders) == len(people)
    home = workspace.settings.home
    assert all(folder.resolve().parent.parent == home / "people" for folder in folders)


@needs_root
def test_hand_over_gives_files_and_folders_and_follows_no_link(
    project: Project, tmp_path: Path
) -> None:
    secret, elsewhere = tmp_path / "secret", tmp_path / "elsewhere"
    secret.touch(mode=0o600)
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "file").touch(mode=0o600)
    root = project.root
    (root / "data").mkdir()
    (root / "data/a.csv").touch(mode=0o600)
    (root / "run.sh").touch(mode=0o755)
    (root / "link").symlink_to(secret)
    (root / "data/folder-link").symlink_to(elsewhere)
    (root / "hard").hardlink_to(secret)
    os.mkfifo(root / "pipe")
    untouched = (secret, elsewhere, elsewhere / "file", root / "pipe", root / "link")
    before = [owner_and_mode(path) for path in untouched]

    hand_over(root, project)

    assert owner_and_mode(root / "data") == expected(project, 0o2770)
    assert owner_and_mode(root / "data/a.csv") == expected(project, 0o660)
    assert owner_and_mode(root / "run.sh") == expected(project, 0o770)
    assert [owner_and_mode(path) for path in untouched] == before


@needs_root
def test_hand_over_of_a_link_does_nothing(project: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    before = owner_and_mode(elsewhere)
    (project.root / "link").symlink_to(elsewhere)

    hand_over(project.root / "link", project)

    assert owner_and_mode(elsewhere) == before


@needs_root
@pytest.mark.parametrize("becomes", ["gone", "link", "pipe", "linked"])
def test_hand_over_of_what_changes_meanwhile_touches_no_other(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    before = owner_and_mode(secret)
    file, last = project.root / "a.txt", project.root / "b.txt"
    file.touch()
    last.touch()
    real = os.open

    def swap_then_open(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "a.txt":
            file.unlink()
            if becomes == "link":
                file.symlink_to(secret)
            elif becomes == "pipe":
                os.mkfifo(file)
            elif becomes == "linked":
                file.hardlink_to(secret)
        return real(path, flags, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr("nb2prod.workspace.folders.os.open", swap_then_open)
        hand_over(project.root, project)

    assert owner_and_mode(secret) == before
    assert owner_and_mode(last) == expected(project, 0o660)
