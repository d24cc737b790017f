"""Tokens that people make for CI: shown once, good in one project, for a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from nb2prod.errors import (
    Conflict,
    InvalidInput,
    NotSignedIn,
    ProjectNotFound,
    StorageFull,
    TokenNotFound,
)
from nb2prod.server.app import create_app
from nb2prod.store.schema import access_tokens
from nb2prod.workspace import tokens
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Project, Role, add_member, found_project, remove_member
from nb2prod.workspace.tokens import (
    ci_identity_of,
    create_project_token,
    identity_of,
    issue_token,
    list_project_tokens,
    revoke_project_token,
)
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import Client, browser_of, program_of
from tests.helpers.shared import person

Later = Callable[[timedelta], None]


@pytest.fixture
def project(workspace: Workspace) -> Project:
    made = found_project(workspace, "seats", owner="ada")
    add_member(workspace, "seats", "edda", Role.EDITOR, person="ada")
    add_member(workspace, "seats", "vera", Role.VIEWER, person="ada")
    found_project(workspace, "others", owner="otto")
    return made


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Let time pass for tokens."""
    start = datetime.now(UTC)
    return lambda passed: monkeypatch.setattr(tokens, "_now", lambda: start + passed)


def make(workspace: Workspace, *, name: str = "edda", title: str = "CI") -> str:
    _, secret = create_project_token(workspace, "seats", person=name, title=title)
    return secret


@pytest.mark.usefixtures("project")
def test_project_token_speaks_for_its_person_in_the_one_project(workspace: Workspace) -> None:
    token, secret = create_project_token(
        workspace, "seats", person="edda", title=" GitHub Actions ", days=30
    )

    assert secret.startswith("nb2p_")
    assert ci_identity_of(workspace, secret) == Identity(person="edda", project="seats")
    assert token.title == "GitHub Actions"
    assert token.expires_at - token.created_at == timedelta(days=30)
    with workspace.database.read() as connection:
        (row,) = connection.execute(select(access_tokens)).all()
    assert secret.removeprefix("nb2p_") not in str(row)


def test_project_token_and_a_runs_open_each_others_door_not(
    workspace: Workspace, project: Project
) -> None:
    of_ci = make(workspace)
    of_run = issue_token(
        workspace, person="edda", project=project, purpose="run:a", ttl=timedelta(hours=1)
    )

    assert identity_of(workspace, of_ci) is None
    assert ci_identity_of(workspace, of_run) is None
    assert identity_of(workspace, of_run) == ci_identity_of(workspace, of_ci)


@pytest.mark.usefixtures("project")
def test_project_token_that_has_expired_says_so_and_is_forgotten_at_last(
    workspace: Workspace, later: Later
) -> None:
    secret = make(workspace, title="Old build")

    later(timedelta(days=89, hours=23))
    assert ci_identity_of(workspace, secret) is not None
    later(timedelta(days=90, minutes=1))
    with pytest.raises(NotSignedIn, match=r"'Old build' expired on 20.*settings of seats"):
        ci_identity_of(workspace, secret)
    (listed,) = list_project_tokens(workspace, "seats", person="edda")
    assert listed.has_expired

    later(timedelta(days=181))
    make(workspace, title="New build")
    assert [token.title for token in list_project_tokens(workspace, "seats", person="edda")] == [
        "New build"
    ]
    assert ci_identity_of(workspace, secret) is None


@pytest.mark.usefixtures("project")
def test_project_token_of_a_removed_member_is_worth_nothing(workspace: Workspace) -> None:
    secret = make(workspace)

    remove_member(workspace, "seats", "edda", person="ada")

    assert ci_identity_of(workspace, secret) is None


@pytest.mark.usefixtures("project")
def test_project_tokens_use_is_noted_once_a_minute(workspace: Workspace, later: Later) -> None:
    secret = make(workspace)
    start = datetime.now(UTC)

    def used_after(passed: timedelta) -> float | None:
        later(passed)
        ci_identity_of(workspace, secret)
        (token,) = list_project_tokens(workspace, "seats", person="edda")
        return None if token.used_at is None else round((token.used_at - start).total_seconds())

    assert list_project_tokens(workspace, "seats", person="edda")[0].used_at is None
    assert used_after(timedelta(seconds=10)) == 10
    assert used_after(timedelta(seconds=60)) == 10
    assert used_after(timedelta(seconds=71)) == 71


@pytest.mark.usefixtures("project")
def test_project_token_opens_the_door_where_its_use_cant_be_noted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = make(workspace)

    def full(*_: object) -> None:
        raise StorageFull("No space is left.")

    monkeypatch.setattr(type(workspace.database), "write", full)

    assert ci_identity_of(workspace, secret) == Identity(person="edda", project="seats")


@pytest.mark.usefixtures("project")
def test_project_tokens_are_listed_for_their_person_and_for_owners(workspace: Workspace) -> None:
    for name in ("edda", "vera", "ada"):
        make(workspace, name=name, title=f"of {name}")

    def titles(name: str) -> set[str]:
        return {token.title for token in list_project_tokens(workspace, "seats", person=name)}

    assert titles("edda") == {"of edda"}
    assert titles("vera") == {"of vera"}
    assert titles("ada") == {"of edda", "of vera", "of ada"}
    with pytest.raises(ProjectNotFound):
        titles("otto")


@pytest.mark.usefixtures("project")
def test_project_token_is_revoked_by_its_person_or_an_owner(workspace: Workspace) -> None:
    token, secret = create_project_token(workspace, "seats", person="edda", title="CI")

    with pytest.raises(TokenNotFound):
        revoke_project_token(workspace, "seats", token.id, person="vera")
    with pytest.raises(ProjectNotFound):
        revoke_project_token(workspace, "seats", token.id, person="otto")
    with pytest.raises(ProjectNotFound):
        revoke_project_token(workspace, "others", token.id, person="edda")
    assert ci_identity_of(workspace, secret) is not None
    revoke_project_token(workspace, "seats", token.id, person="ada")

    assert ci_identity_of(workspace, secret) is None
    with pytest.raises(TokenNotFound, match="revoked already"):
        revoke_project_token(workspace, "seats", token.id, person="edda")


@pytest.mark.parametrize("token_id", ["", "%", "x" * 12 + "%", "nosuchtokena", "\ud800"], ids=ascii)
def test_revoke_of_no_token_leaves_a_runs_alone(
    workspace: Workspace, project: Project, token_id: str
) -> None:
    of_run = issue_token(
        workspace, person="edda", project=project, purpose="run:a", ttl=timedelta(hours=1)
    )
    secret = make(workspace)

    with pytest.raises(TokenNotFound):
        revoke_project_token(workspace, "seats", token_id, person="ada")

    assert identity_of(workspace, of_run) is not None
    assert ci_identity_of(workspace, secret) is not None


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("title", "days", "message"),
    [
        ("", 90, "1 to 100 characters"),
        ("  ", 90, "1 to 100 characters"),
        ("x" * 101, 90, "1 to 100 characters"),
        ("two\nlines", 90, "one line"),
        ("CI", 0, "1 to 366 days, not for 0"),
        ("CI", 367, "1 to 366 days, not for 367"),
    ],
)
def test_project_token_of_an_unusable_title_or_time_is_refused(
    workspace: Workspace, title: str, days: int, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        create_project_token(workspace, "seats", person="edda", title=title, days=days)


@pytest.mark.usefixtures("project")
def test_project_tokens_have_a_limit_for_each_person(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    for _ in range(2):
        make(workspace)

    with pytest.raises(Conflict, match="2 tokens of seats already"):
        make(workspace)
    make(workspace, name="vera")


@pytest.mark.usefixtures("project")
def test_route_tells_a_secret_once(workspace: Workspace) -> None:
    edda = browser_of(create_app(workspace, is_behind_login=True), person("edda"))

    made = edda.post("/api/v1/projects/seats/tokens", json={"title": "CI"})
    listed = edda.get("/api/v1/projects/seats/tokens")

    assert made.status_code == 201
    assert ci_identity_of(workspace, made.json()["token"]) is not None
    assert listed.json()["total"] == 1
    assert listed.json()["items"][0]["id"] == made.json()["id"]
    assert made.json()["token"] not in listed.text
    gone = edda.request("DELETE", f"/api/v1/projects/seats/tokens/{made.json()['id']}")
    assert gone.status_code == 204
    assert ci_identity_of(workspace, made.json()["token"]) is None


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "tokens", None),
        ("POST", "tokens", {"title": "CI"}),
        ("DELETE", "tokens/aaaaaaaaaaaa", None),
        ("PUT", "members/zoe", {"role": "owner"}),
        ("DELETE", "members/edda", None),
    ],
)
def test_program_of_an_owner_makes_no_tokens_and_no_members(
    workspace: Workspace, method: str, path: str, body: object
) -> None:
    program = program_of(create_app(workspace, is_behind_login=True), person("ada", "seats"))

    answer = program.request(method, f"/api/v1/projects/seats/{path}", json=body)

    assert answer.status_code == 403
    assert answer.json()["code"] == "role_insufficient"


@pytest.mark.usefixtures("project")
def test_gallery_of_one_machine_knows_tokens_of_ci_too(workspace: Workspace) -> None:
    app = create_app(workspace)
    secret = make(workspace)
    known, unknown = Client(app, bearer=secret), Client(app, bearer=f"{secret}x")

    assert known.get("/api/v1/me").json()["project"] == "seats"
    assert known.get("/api/v1/projects/seats").status_code == 200
    assert known.get("/api/v1/projects").status_code == 404
    assert known.get("/api/v1/projects/others").status_code == 404
    assert known.get("/").status_code == 404
    assert unknown.get("/api/v1/me").status_code == 401
    with workspace.database.write() as connection:
        connection.execute(
            update(access_tokens).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
        )
    expired = known.get("/api/v1/me")
    assert expired.status_code == 401
    assert "expired on 2020-01-01" in expired.json()["message"]
