"""Who may see and change what in a project: one table of people and deeds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nb2prod.errors import Conflict, NameInvalid, ProjectNotFound, RoleInsufficient
from nb2prod.workspace.projects import (
    Membership,
    Project,
    Role,
    add_member,
    found_project,
    get_project,
    list_all_projects,
    list_members,
    list_memberships,
    list_projects,
    remove_member,
    require_role,
    role_of,
    update_project,
)
from nb2prod.workspace.workspace import Workspace
from tests.helpers.postgresql import on_both_databases

pytestmark = on_both_databases

PEOPLE = {"owen": Role.OWNER, "edna": Role.EDITOR, "vera": Role.VIEWER}
ADMINISTRATOR = "an administrator"
ASKING = (*PEOPLE, "stranger", ADMINISTRATOR)
MEMBERS, OWNERS = frozenset(PEOPLE), frozenset({"owen"})

Deed = Callable[[Workspace, str], object]


@pytest.fixture
def project(workspace: Workspace) -> Project:
    made = found_project(workspace, "p", title="The p", owner="owen")
    add_member(workspace, "p", "second", Role.OWNER, person="owen")
    for person in ("edna", "vera"):
        add_member(workspace, "p", person, PEOPLE[person], person="owen")
    return made


def by(person: str) -> dict[str, bool]:
    return {"as_administrator": person == ADMINISTRATOR}


DEEDS: dict[str, tuple[Deed, frozenset[str]]] = {
    "get": (lambda w, who: get_project(w, "p", person=who), MEMBERS),
    "require viewer": (lambda w, who: require_role(w, "p", who, Role.VIEWER), MEMBERS),
    "require editor": (
        lambda w, who: require_role(w, "p", who, Role.EDITOR),
        frozenset({"owen", "edna"}),
    ),
    "require owner": (lambda w, who: require_role(w, "p", who, Role.OWNER), OWNERS),
    "update": (lambda w, who: update_project(w, "p", person=who, title="Another"), OWNERS),
    "list members": (
        lambda w, who: list_members(w, "p", person=who, **by(who)),
        MEMBERS | {ADMINISTRATOR},
    ),
    "add": (
        lambda w, who: add_member(w, "p", "new", Role.VIEWER, person=who, **by(who)),
        OWNERS | {ADMINISTRATOR},
    ),
    "promote oneself": (
        lambda w, who: add_member(w, "p", who, Role.OWNER, person=who, **by(who)),
        OWNERS | {ADMINISTRATOR},
    ),
    "remove another": (
        lambda w, who: remove_member(w, "p", "second", person=who, **by(who)),
        OWNERS | {ADMINISTRATOR},
    ),
    "leave": (
        lambda w, who: remove_member(w, "p", who, person=who, **by(who)),
        MEMBERS | {ADMINISTRATOR},
    ),
}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("person", ASKING)
@pytest.mark.parametrize("deed", DEEDS)
def test_deed_by_person_is_done_or_refused(workspace: Workspace, deed: str, person: str) -> None:
    do, allowed = DEEDS[deed]
    before = list_members(workspace, "p", person="owen")

    if person in allowed:
        do(workspace, person)
        return
    # Who is no member learns nothing; an administrator has no rights but over members.
    error = RoleInsufficient if person in PEOPLE else ProjectNotFound
    with pytest.raises(error):
        do(workspace, person)
    assert list_members(workspace, "p", person="owen") == before


@pytest.mark.usefixtures("project")
def test_require_role_of_too_little_says_what_is_needed_and_whom_to_ask(
    workspace: Workspace,
) -> None:
    with pytest.raises(RoleInsufficient) as refused:
        require_role(workspace, "p", "vera", Role.EDITOR)

    assert refused.value.message == (
        "Only an editor or owner of p may do this; you are a viewer of it. Ask owen, second."
    )
    assert refused.value.detail == {"role": "viewer", "needed": "editor"}


@pytest.mark.parametrize("administers", [False, True])
def test_absent_and_foreign_projects_get_one_answer(
    workspace: Workspace, project: Project, *, administers: bool
) -> None:
    with pytest.raises(ProjectNotFound) as absent:
        list_members(workspace, "absent", person="eve", as_administrator=administers)
    with pytest.raises(ProjectNotFound) as foreign:
        list_members(workspace, project.name, person="eve")

    if not administers:
        assert absent.value.message == foreign.value.message.replace("'p'", "'absent'")
    assert "absent" in absent.value.message


@pytest.mark.usefixtures("project")
def test_role_of_is_the_members_own_and_none_for_others(workspace: Workspace) -> None:
    assert {person: role_of(workspace, "p", person) for person in (*PEOPLE, "eve")} == {
        **PEOPLE,
        "eve": None,
    }
    assert role_of(workspace, "absent", "owen") is None


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("administers", [False, True])
def test_last_owner_cannot_go_or_step_down(workspace: Workspace, *, administers: bool) -> None:
    who = {"person": "owen", "as_administrator": administers}
    assert remove_member(workspace, "p", "second", **who)  # type: ignore[arg-type]

    for role in (Role.EDITOR, Role.VIEWER):
        with pytest.raises(Conflict, match="owen is the last owner of p"):
            add_member(workspace, "p", "owen", role, **who)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="somebody else an owner first"):
        remove_member(workspace, "p", "owen", **who)  # type: ignore[arg-type]

    assert role_of(workspace, "p", "owen") is Role.OWNER


@pytest.mark.usefixtures("project")
def test_remove_member_twice_says_that_there_is_none(workspace: Workspace) -> None:
    assert remove_member(workspace, "p", "vera", person="owen")
    assert not remove_member(workspace, "p", "vera", person="owen")

    assert list_projects(workspace, person="vera") == ()


@pytest.mark.usefixtures("project")
def test_change_of_role_keeps_since_when_one_is_a_member(workspace: Workspace) -> None:
    (before,) = (m for m in list_members(workspace, "p", person="owen") if m.person == "vera")

    added = add_member(workspace, "p", "vera", Role.EDITOR, person="owen")

    assert (added.role, added.added_at) == (Role.EDITOR, before.added_at)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "a" * 256], ids=ascii)
def test_add_member_whose_name_no_hub_gives_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(NameInvalid, match="no name of a person"):
        add_member(workspace, "p", name, Role.VIEWER, person="owen")


def test_list_memberships_has_own_role_and_all_members(
    workspace: Workspace, project: Project
) -> None:
    other = found_project(workspace, "a-first", owner="edna")
    found_project(workspace, "foreign", owner="eve")

    assert list_memberships(workspace, person="edna") == (
        Membership(project=other, role=Role.OWNER, member_count=1),
        Membership(project=project, role=Role.EDITOR, member_count=4),
    )
    assert [item.name for item in list_all_projects(workspace)] == ["a-first", "foreign", "p"]


def test_update_project_changes_what_is_given_and_resets_what_is_empty(
    workspace: Workspace, project: Project
) -> None:
    changed = update_project(workspace, "p", person="owen", image="team/image:1")
    assert (changed.title, changed.image) == (project.title, "team/image:1")
    assert get_project(workspace, "p", person="vera") == changed

    update_project(workspace, "p", person="owen", title=" Seats ")
    reset = update_project(workspace, "p", person="owen", image="")
    assert (reset.title, reset.image) == ("Seats", None)
    assert update_project(workspace, "p", person="owen", title="").title == "p"
    assert get_project(workspace, "p", person="vera") == update_project(
        workspace, "p", person="owen"
    )


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("change", [{"title": "a\nb"}, {"image": "--privileged"}])
def test_update_project_to_what_is_no_name_is_refused(
    workspace: Workspace, change: dict[str, str]
) -> None:
    with pytest.raises(NameInvalid):
        update_project(workspace, "p", person="owen", **change)
