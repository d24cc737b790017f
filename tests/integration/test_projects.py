"""Projects, members and roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb2prod.errors import (
    Conflict,
    NameInvalid,
    ProjectExists,
    ProjectNotFound,
    RoleInsufficient,
)
from nb2prod.workspace.projects import (
    Role,
    add_member,
    create_project,
    get_project,
    list_members,
    list_projects,
    project_of,
)
from nb2prod.workspace.workspace import Workspace
from tests.helpers.postgresql import on_both_databases

pytestmark = on_both_databases


@pytest.mark.parametrize("name", ["a", "seat-demand", "a1", "a" * 30])
def test_create_project_with_a_good_name_makes_it(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    project = create_project(workspace, name, root=tmp_path, owner="ada")

    assert get_project(workspace, name, person="ada") == project
    members = list_members(workspace, name, person="ada")
    assert [(member.person, member.role) for member in members] == [("ada", Role.OWNER)]


@pytest.mark.parametrize(
    "name",
    ["", "A", "1a", "-a", "a-", "a--b", "a b", "a_b", "ä", "a" * 31, "a\n", "../a"],
)
def test_create_project_with_a_bad_name_is_refused(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    with pytest.raises(NameInvalid, match="1 to 30"):
        create_project(workspace, name, root=tmp_path, owner="ada")


@pytest.mark.parametrize(("name", "folder"), [("same", "other"), ("other", "same")])
def test_create_project_twice_is_refused(
    workspace: Workspace, tmp_path: Path, name: str, folder: str
) -> None:
    create_project(workspace, "same", root=tmp_path / "same", owner="ada")

    with pytest.raises(ProjectExists):
        create_project(workspace, name, root=tmp_path / folder, owner="ada")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("seat-demand", "seat-demand"),
        ("Seat Demand", "seat-demand"),
        ("2026_Prévisions", "previsions"),
        ("日本", "project"),
        ("x" * 50, "x" * 30),
    ],
)
def test_project_of_a_repository_is_named_after_its_folder(
    workspace: Workspace, tmp_path: Path, folder: str, name: str
) -> None:
    project = project_of(workspace, tmp_path / folder, person="ada")

    assert project.name == name
    assert project_of(workspace, tmp_path / folder, person="ada") == project


def test_project_of_two_folders_of_one_name_gets_a_free_name(
    workspace: Workspace, tmp_path: Path
) -> None:
    first = project_of(workspace, tmp_path / "a" / ("x" * 30), person="ada")
    second = project_of(workspace, tmp_path / "b" / ("x" * 30), person="ada")

    assert first.name == "x" * 30
    assert second.name == "x" * 28 + "-2"


def test_projects_of_others_are_not_there(workspace: Workspace, tmp_path: Path) -> None:
    project_of(workspace, tmp_path / "secret", person="ada")

    assert list_projects(workspace, person="eve") == ()
    with pytest.raises(ProjectNotFound) as forbidden:
        get_project(workspace, "secret", person="eve")
    with pytest.raises(ProjectNotFound) as absent:
        get_project(workspace, "absent", person="eve")
    assert forbidden.value.message.replace("secret", "absent") == absent.value.message


def test_add_member_gives_sight_and_again_changes_the_role(
    workspace: Workspace, tmp_path: Path
) -> None:
    project_of(workspace, tmp_path / "p", person="ada")

    add_member(workspace, "p", "bob", Role.VIEWER, person="ada")
    add_member(workspace, "p", "bob", Role.EDITOR, person="ada")

    assert [project.name for project in list_projects(workspace, person="bob")] == ["p"]
    members = list_members(workspace, "p", person="bob")
    assert [(member.person, member.role) for member in members] == [
        ("ada", Role.OWNER),
        ("bob", Role.EDITOR),
    ]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_add_member_by_who_is_no_owner_is_refused(
    workspace: Workspace, tmp_path: Path, role: Role
) -> None:
    project_of(workspace, tmp_path / "p", person="ada")
    add_member(workspace, "p", "bob", role, person="ada")

    with pytest.raises(RoleInsufficient, match=r"Only an owner of p.*Ask ada"):
        add_member(workspace, "p", "bob", Role.OWNER, person="bob")


def test_add_member_that_would_leave_no_owner_is_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    project_of(workspace, tmp_path / "p", person="ada")

    with pytest.raises(Conflict, match="last owner"):
        add_member(workspace, "p", "ada", Role.VIEWER, person="ada")
