"""Secrets and tokens over HTTP: what the API and the page's forms give, take and refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from nb2prod.settings import Settings
from nb2prod.store.schema import access_tokens, project_secrets
from nb2prod.workspace.projects import get_project
from nb2prod.workspace.secret_rules import MAX_BYTES
from nb2prod.workspace.secrets import read_secrets
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.client import Client, browser_of, program_of
from tests.helpers.shared import PROJECT, SharedProject, person, share

API = f"/api/v1/projects/{PROJECT}/secrets"
PAGE = f"/projects/{PROJECT}/settings"
NAME, VALUE = "DB_PASSWORD", "correct horse battery"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedProject]:
    """A project with a version, an owner, an editor and a viewer."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"NB2PROD_HOME": str(home), "NB2PROD_USER": "ada"})
    with open_workspace(settings) as workspace:
        yield share(workspace)


@pytest.fixture
def world(shared: SharedProject) -> SharedProject:
    """The project without secrets and tokens."""
    with shared.workspace.database.write() as connection:
        connection.execute(delete(project_secrets))
        connection.execute(delete(access_tokens))
    return shared


@pytest.fixture
def owner(world: SharedProject) -> Client:
    """Olga's browser."""
    return browser_of(world.app, person("olga"))


def value_of(world: SharedProject, name: str = NAME) -> str:
    project = get_project(world.workspace, PROJECT, person="olga")
    return read_secrets(world.workspace, project, [name])[name]


def test_secret_is_set_listed_and_removed(world: SharedProject, owner: Client) -> None:
    answer = owner.request("PUT", f"{API}/{NAME}", json={"value": VALUE})

    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["set_by"]) == (NAME, "olga")
    assert value_of(world) == VALUE
    listed = owner.get(API).json()
    assert (listed["total"], listed["items"]) == (1, [answer.json()])
    assert owner.request("DELETE", f"{API}/{NAME}").status_code == 204
    assert owner.request("DELETE", f"{API}/{NAME}").status_code == 404
    assert owner.get(API).json()["items"] == []


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("db_password", {"value": VALUE}, "is no name of a secret"),
        ("LD_PRELOAD", {"value": VALUE}, "decides how programs run"),
        (NAME, {"value": "12345"}, "too short"),
        (NAME, {"value": "pass\0word"}, "NUL"),
        (NAME, {}, "value"),
        (NAME, {"value": VALUE, "name": "X"}, "name"),
        (NAME, {"value": 123456}, "value"),
        (NAME, {"value": "ä" * MAX_BYTES}, "bytes"),
    ],
)
def test_what_can_not_be_used_is_refused_and_not_repeated(
    world: SharedProject, owner: Client, name: str, body: dict[str, object], said: str
) -> None:
    answer = owner.request("PUT", f"{API}/{name}", json=body)

    assert answer.status_code == 422
    assert said in answer.json()["message"]
    assert VALUE not in answer.text
    assert "pass\\u0000word" not in answer.text
    assert owner.get(API).json()["items"] == []


def test_page_shows_names_and_never_a_value(world: SharedProject, owner: Client) -> None:
    answer = owner.post(PAGE + "/secrets", data={"name": f" {NAME} ", "value": VALUE})

    assert (answer.status_code, answer.headers["location"].partition("#")[2]) == (303, "secrets")
    assert value_of(world) == VALUE
    page = owner.get(PAGE)
    assert NAME in page.text
    assert VALUE not in page.text
    for name in ("edda", "vera"):
        text = browser_of(world.app, person(name)).get(PAGE).text
        assert NAME in text
        assert "Owners of the project set and remove them." in text
        assert "/settings/secrets" not in text


def test_key_of_several_lines_is_kept_with_lines_as_in_a_file(
    world: SharedProject, owner: Client
) -> None:
    key = "-----BEGIN KEY-----\r\nabcdef\r\n-----END KEY-----\r\n"

    owner.post(PAGE + "/secrets", data={"name": "SSH_KEY", "value": key})

    assert value_of(world, "SSH_KEY") == key.replace("\r\n", "\n")


def test_form_that_is_refused_has_the_name_and_not_the_value(owner: Client) -> None:
    answer = owner.post(PAGE + "/secrets", data={"name": "db_password", "value": VALUE})

    assert answer.status_code == 422
    assert 'value="db_password"' in answer.text
    assert "is no name of a secret" in answer.text
    assert VALUE not in answer.text


def test_secret_that_is_gone_already_is_said_beside_the_form(owner: Client) -> None:
    answer = owner.post(PAGE + "/secrets/remove", data={"name": NAME})

    assert answer.status_code == 404
    assert "has no secret" in answer.text
    assert 'id="secret-name"' in answer.text


def test_token_is_shown_once_and_works_in_its_project_only(
    world: SharedProject, owner: Client
) -> None:
    answer = owner.post(PAGE + "/tokens", data={"title": "CI of <ours>", "days": "7"})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = re.search(r'id="new-token">(nb2p_[^<]+)<', answer.text)
    assert found
    page = owner.get(PAGE).text
    assert found[1] not in page
    assert "CI of &lt;ours&gt;" in page
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    assert owner.post(PAGE + "/tokens/revoke", data={"token": token[1]}).status_code == 303
    assert "CI of" not in owner.get(PAGE).text
    assert owner.post(PAGE + "/tokens/revoke", data={"token": token[1]}).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [{"title": "", "days": "7"}, {"title": "CI", "days": "0"}, {"title": "CI", "days": "x"}],
)
def test_token_that_can_not_be_made_is_refused_beside_the_form(
    owner: Client, fields: dict[str, str]
) -> None:
    answer = owner.post(PAGE + "/tokens", data=fields)

    assert answer.status_code == 422
    assert 'id="token-refused"' in answer.text
    assert "There are none." in answer.text


def test_program_of_a_project_reaches_no_secrets(world: SharedProject, owner: Client) -> None:
    owner.request("PUT", f"{API}/{NAME}", json={"value": VALUE})
    program = program_of(world.app, person("olga", PROJECT))

    assert program.get(API).status_code == 403
    assert program.request("PUT", f"{API}/{NAME}", json={"value": "x" * 20}).status_code == 403
    assert program.get(PAGE).status_code == 404
    assert value_of(world) == VALUE
