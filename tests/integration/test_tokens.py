"""Tokens of programs: good for one person in one project, for a time, and only a hash is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from nb2prod.errors import InvalidInput
from nb2prod.store.schema import access_tokens
from nb2prod.workspace import tokens
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Project, Role, add_member, found_project, remove_member
from nb2prod.workspace.tokens import identity_of, issue_token, revoke
from nb2prod.workspace.workspace import Workspace
from tests.helpers.postgresql import on_both_databases

pytestmark = on_both_databases

HOUR = timedelta(hours=1)


@pytest.fixture
def project(workspace: Workspace) -> Project:
    made = found_project(workspace, "seats", owner="ada")
    add_member(workspace, "seats", "bob", Role.EDITOR, person="ada")
    return made


def issue(workspace: Workspace, project: Project, *, person: str = "bob", run: str = "a") -> str:
    return issue_token(workspace, person=person, project=project, purpose=f"run:{run}", ttl=HOUR)


def test_identity_of_a_token_is_the_person_in_the_one_project(
    workspace: Workspace, project: Project
) -> None:
    token = issue(workspace, project)

    assert token.startswith("nb2p_")
    assert identity_of(workspace, token) == Identity(person="bob", project="seats")
    assert identity_of(workspace, issue(workspace, project, person="ada")) == Identity(
        person="ada", project="seats"
    )


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("token", ["", "nb2p_", "nb2p_" + "x" * 43, "x", "nb2p_\ud800"], ids=ascii)
def test_identity_of_an_unknown_token_is_none(workspace: Workspace, token: str) -> None:
    assert identity_of(workspace, token) is None


def test_database_has_no_token(workspace: Workspace, project: Project) -> None:
    token = issue(workspace, project)

    with workspace.database.read() as connection:
        (row,) = connection.execute(select(access_tokens)).all()
    assert token not in str(row)
    assert token.removeprefix("nb2p_") not in str(row)
    assert identity_of(workspace, row.sha256) is None


def test_token_of_a_removed_member_is_worth_nothing(workspace: Workspace, project: Project) -> None:
    token = issue(workspace, project)

    remove_member(workspace, "seats", "bob", person="ada")
    assert identity_of(workspace, token) is None

    # Not that of the person's other projects either.
    found_project(workspace, "other", owner="bob")
    assert identity_of(workspace, token) is None


def test_token_that_has_expired_is_worth_nothing_and_goes(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issue(workspace, project)
    start = datetime.now(UTC)

    monkeypatch.setattr(tokens, "_now", lambda: start + HOUR - timedelta(seconds=5))
    assert identity_of(workspace, token) is not None
    monkeypatch.setattr(tokens, "_now", lambda: start + HOUR + timedelta(seconds=5))
    assert identity_of(workspace, token) is None

    issue(workspace, project, run="later")
    with workspace.database.read() as connection:
        assert connection.scalars(select(access_tokens.c.purpose)).all() == ["run:later"]


def test_revoke_takes_back_all_of_one_purpose(workspace: Workspace, project: Project) -> None:
    gone = [issue(workspace, project), issue(workspace, project, person="ada")]
    kept = issue(workspace, project, run="ab")

    revoke(workspace, purpose="run:a")
    revoke(workspace, purpose="run:a")

    assert [identity_of(workspace, token) for token in gone] == [None, None]
    assert identity_of(workspace, kept) is not None


@pytest.mark.parametrize("purpose", ["", "x" * 61])
def test_issue_token_without_a_usable_purpose_is_refused(
    workspace: Workspace, project: Project, purpose: str
) -> None:
    with pytest.raises(InvalidInput, match="purpose"):
        issue_token(workspace, person="bob", project=project, purpose=purpose, ttl=HOUR)
