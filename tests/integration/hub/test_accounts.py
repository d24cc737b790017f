"""Accounts: sign-up, approval, passwords; over HTTP, through the proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nb2prod_hub.hub_configuration import FAILED_LOGINS

from nb2prod.workspace.projects import found_project
from tests.helpers.hub import BROWSER, PASSWORD, Person, StartedHub, eventually

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedHub]:
    with StartedHub(tmp_path_factory.mktemp("accounts") / "home") as started:
        yield started


@pytest.fixture(scope="module")
def ada(hub: StartedHub) -> Person:
    return hub.administrator()


def is_signed_in(person: Person) -> bool:
    return person.visit("/hub/token").url.path == "/hub/token"


def test_sign_in_of_the_first_administrator_leads_to_the_projects(ada: Person) -> None:
    landed = ada.visit("/hub/")

    assert landed.status_code == 200
    assert landed.url.path == "/services/workspace/projects"
    assert 'url=/services/workspace/projects"' in ada.visit("/hub/home").text
    assert ada.hub_api("GET", "/user").json()["admin"] is True


def test_sign_in_with_a_wrong_password_says_the_same_as_for_an_unknown_name(
    hub: StartedHub,
) -> None:
    wrong, unknown = hub.person("ada"), hub.person("nobody")

    answers = [wrong.sign_in("not it"), unknown.sign_in("not it")]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert all("The name or the password is wrong." in answer.text for answer in answers)


@pytest.mark.parametrize("password", ["x" * 100, "ä" * 40, "with\0null"], ids=["long", "wide", "0"])
def test_sign_in_with_a_password_that_nobody_can_have_is_refused(
    hub: StartedHub, password: str
) -> None:
    assert hub.person("ada").sign_in(password).status_code == 403


def test_sign_up_waits_for_an_administrators_approval(hub: StartedHub, ada: Person) -> None:
    grace = hub.person("grace")
    grace.sign_up()

    before = grace.sign_in()
    approved = ada.approve("grace")
    after = grace.sign_in()

    assert before.status_code == 403
    assert "has to approve this account" in before.text
    assert approved.status_code == 200
    assert after.status_code == 200
    assert is_signed_in(grace)
    assert grace.hub_api("GET", "/user").json()["admin"] is False


@pytest.mark.parametrize("name", ["a/b", "two words", "a,b", "ümlaut", ".hidden", "-dash"])
def test_sign_up_with_a_name_that_breaks_the_rule_makes_no_account(
    hub: StartedHub, ada: Person, name: str
) -> None:
    answer = hub.person(name).sign_up()

    assert "alert-danger" in answer.text
    assert name not in ada.visit("/hub/authorize").text


@pytest.mark.parametrize("password", ["short", "password123", "x" * 73])
def test_sign_up_with_a_bad_password_makes_no_account(hub: StartedHub, password: str) -> None:
    assert "alert-danger" in hub.person("hedy").sign_up(password).text


def test_approval_by_a_link_or_without_the_xsrf_token_does_nothing(
    hub: StartedHub, ada: Person
) -> None:
    mary = hub.person("mary")
    mary.sign_up()

    visited = ada.visit("/hub/authorize/mary")
    forged = ada.client.post("/hub/authorize/mary", data={"action": "approve"}, headers=BROWSER)

    assert visited.status_code == 405
    assert forged.status_code == 403
    assert mary.sign_in().status_code == 403


def test_approval_by_somebody_who_is_no_administrator_is_refused(
    hub: StartedHub, ada: Person
) -> None:
    alan, joan = hub.member("alan", administrator=ada), hub.person("joan")
    joan.sign_up()

    answer = alan.submit("/hub/token", {"action": "approve"}, to="/hub/authorize/joan")

    assert answer.status_code in {403, 404}
    assert alan.visit("/hub/authorize").status_code in {403, 404}
    assert joan.sign_in().status_code == 403


def test_locking_an_account_signs_the_person_out_everywhere(hub: StartedHub, ada: Person) -> None:
    edsger = hub.member("edsger", administrator=ada)
    token = edsger.hub_api("POST", "/users/edsger/tokens", json={}).json()["token"]

    ada.approve("edsger", "lock")

    assert not is_signed_in(edsger)
    assert edsger.sign_in().status_code == 403
    bearer = hub.person("edsger").client.get(
        "/hub/api/user", headers={"Authorization": f"token {token}"}
    )
    assert bearer.status_code == 403


def test_locking_oneself_out_is_refused(ada: Person) -> None:
    assert ada.approve("ada", "lock").status_code == 400
    assert is_signed_in(ada)


def test_discarding_an_account_that_was_never_approved_frees_its_name(
    hub: StartedHub, ada: Person
) -> None:
    hub.person("typo").sign_up()

    ada.approve("typo", "discard")

    assert "typo" not in ada.visit("/hub/authorize").text
    assert ada.approve("grace", "discard").status_code in {400, 404}


def test_many_failed_attempts_lock_the_name_for_a_while(hub: StartedHub, ada: Person) -> None:
    linus = hub.member("linus", administrator=ada)
    stranger = hub.person("linus")
    for _ in range(FAILED_LOGINS):
        assert stranger.sign_in("guessed").status_code == 403

    answer = stranger.sign_in(PASSWORD)

    assert answer.status_code == 403
    assert "Too many failed attempts" in answer.text
    assert is_signed_in(linus), "who is in stays in"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("mode", ["cors", "no-cors", "same-origin"])
@pytest.mark.parametrize("path", ["/hub/token", "/hub/home", "/hub/nothing"])
def test_script_of_the_same_origin_can_not_read_a_page_with_its_xsrf_token(
    ada: Person, method: str, mode: str, path: str
) -> None:
    script = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": "empty"}

    answer = ada.client.request(method, path, headers=script)

    assert answer.status_code == 403
    assert "xsrf" not in answer.text
    assert "xsrf_token" in ada.visit("/hub/token").text


def test_page_can_not_be_looked_into_by_who_opened_it_nor_its_token_read_as_a_cookie(
    hub: StartedHub,
) -> None:
    answer = hub.person("eve").visit("/hub/login")

    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie for cookie in cookies if cookie.startswith("_xsrf=") and "HttpOnly" in cookie]


def test_locking_an_account_stops_the_persons_servers(hub: StartedHub, ada: Person) -> None:
    with hub.open() as workspace:
        found_project(workspace, "locked-out", owner="mallory")
    mallory = hub.member("mallory", administrator=ada)
    mallory.start_server("locked-out")

    ada.approve("mallory", "lock")

    eventually(
        lambda: hub.server_pid("mallory", "locked-out") is None, what="the end of the server"
    )
