"""The login before our services with a real hub, a real proxy, and HTTP alone."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import update

from nb2prod.store.schema import access_tokens
from nb2prod.workspace.projects import get_project
from nb2prod.workspace.tokens import (
    create_project_token,
    issue_token,
    revoke,
    revoke_project_token,
)
from tests.helpers.services import ADMINISTRATOR, TIMEOUT_S, Services

SERVICES = ("workspace", "mlflow")
SERVER_SCOPES = [f"access:services!service={name}" for name in SERVICES]


def me(running: Services, token: str) -> httpx.Response:
    return ask(running, f"{running.url}/services/workspace/api/v1/me", token)


def ask(running: Services, address: str, token: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(address, headers=headers, timeout=TIMEOUT_S, trust_env=False)


@pytest.mark.parametrize("service", SERVICES)
def test_login_visit_passes_the_hubs_form_and_arrives_where_it_wanted(
    running: Services, service: str
) -> None:
    with running.signed_in("olga") as browser:
        answer = browser.get(f"/services/{service}/?from=chat", follow_redirects=True)

        assert answer.status_code == 200
        assert str(answer.url) == f"{running.url}/services/{service}/?from=chat"
        assert [step.status_code for step in answer.history] == [303, 302, 303]
        names = {c.name for c in browser.cookies.jar if c.name.startswith("nb2prod-")}
        assert names == {f"nb2prod-{service}-{running.plan.port}"}, "the login's own is gone"


def test_login_visitor_who_is_not_signed_in_sees_the_hubs_form(running: Services) -> None:
    with running.visitor() as browser:
        answer = browser.get("/services/workspace/", follow_redirects=True)

    assert urlsplit(str(answer.url)).path == "/hub/login"
    assert 'name="password"' in answer.text


@pytest.mark.parametrize("service", SERVICES)
def test_login_program_without_token_is_told_so(running: Services, service: str) -> None:
    path = {"workspace": "api/v1/projects", "mlflow": "api/2.0/mlflow/experiments/search"}[service]

    answer = httpx.get(
        f"{running.url}/services/{service}/{path}", timeout=TIMEOUT_S, trust_env=False
    )

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_signed_in"


def test_login_code_in_another_browser_is_refused(running: Services) -> None:
    with running.signed_in("edith") as attacker, running.signed_in("olga") as victim:
        address = _way_back(attacker)
        answer = victim.get(address)

        assert answer.status_code == 401
        assert not any(c.path == "/services/mlflow" for c in victim.cookies.jar)


def test_login_way_back_used_twice_is_refused(running: Services) -> None:
    with running.signed_in("olga") as browser:
        address = _way_back(browser)
        kept = list(browser.cookies.jar)
        first = browser.get(address)
        for cookie in kept:
            browser.cookies.jar.set_cookie(cookie)
        second = browser.get(address)

    assert (first.status_code, second.status_code) == (303, 401)


def test_login_code_without_our_verifier_is_refused_by_the_hub(running: Services) -> None:
    with running.signed_in("olga") as browser:
        own, other = _way_back(browser), _way_back(browser)
        stolen = parse_qs(urlsplit(other).query)["code"][0]
        state = parse_qs(urlsplit(own).query)["state"][0]
        answer = browser.get(f"/services/mlflow/oauth_callback?code={stolen}&state={state}")

    assert answer.status_code == 401


def test_login_authorisation_without_challenge_is_refused_by_the_hub(running: Services) -> None:
    with running.signed_in("olga") as browser:
        asked = browser.get("/services/mlflow/").headers["location"]
        plain = "&".join(part for part in asked.split("&") if not part.startswith("code_challenge"))
        answer = browser.get(plain)

    assert plain != asked
    assert "code=" not in answer.headers.get("location", "")


def test_login_hub_sends_codes_to_our_address_only(running: Services) -> None:
    with running.signed_in("olga") as browser:
        asked = browser.get("/services/mlflow/").headers["location"]
        foreign = asked.replace(
            "%2Fservices%2Fmlflow%2Foauth_callback", "https%3A%2F%2Fevil.example"
        )
        answer = browser.get(foreign)

    assert foreign != asked
    assert answer.status_code == 400


def test_login_browser_acts_only_with_the_token_of_a_page_of_ours(running: Services) -> None:
    script = {
        "accept": "application/json",
        "sec-fetch-mode": "cors",
        "sec-fetch-dest": "empty",
        "sec-fetch-site": "same-origin",
    }
    wanted = {"name": "made-in-a-browser", "title": "Made"}
    with running.signed_in("olga") as browser:
        page = browser.get("/services/workspace/projects", follow_redirects=True)
        found = re.search(r'<meta name="xsrf-token" content="([0-9a-f]+)"', page.text)
        assert found is not None, page.text
        without = browser.post("/services/workspace/api/v1/projects", json=wanted, headers=script)
        with_token = browser.post(
            "/services/workspace/api/v1/projects",
            json=wanted,
            headers={**script, "x-xsrf-token": found[1]},
        )

    assert (without.status_code, without.json()["code"]) == (403, "cross_site_refused")
    assert with_token.status_code == 201, with_token.text


@pytest.mark.parametrize("by", ["hub", "service"])
def test_login_logout_ends_access_at_once(running: Services, by: str) -> None:
    with running.signed_in("olga") as browser:
        browser.get("/services/workspace/", follow_redirects=True)
        name = f"nb2prod-workspace-{running.plan.port}"
        token = next(c.value for c in browser.cookies.jar if c.name == name)
        path = {"hub": "/hub/logout", "service": "/services/workspace/logout"}[by]
        browser.get(path, headers={"sec-fetch-site": "same-origin"}, follow_redirects=True)
        answer = browser.get("/services/workspace/", follow_redirects=True)

    assert urlsplit(str(answer.url)).path == "/hub/login"
    assert token is not None
    assert me(running, token).status_code == 401, "the token itself is gone from the hub"


def test_login_token_that_was_revoked_is_worth_nothing_after_the_cache(running: Services) -> None:
    token = running.token("olga")
    owner = ask(running, f"{running.plan.hub_api_url}/user", token).json()

    _revoke(running, "olga", owner["token_id"], token)

    assert me(running, token).status_code == 401


def test_login_tokens_say_who_asks(running: Services) -> None:
    answers = [
        me(running, token).json()
        for token in (
            running.token("olga"),
            running.token(ADMINISTRATOR),
            running.server_token("olga", "seats"),
        )
    ]

    facts = [(a["person"], a["is_administrator"], a["project"]) for a in answers]
    assert facts == [
        ("olga", False, None),
        (ADMINISTRATOR, True, None),
        ("olga", False, "seats"),
    ]


def test_login_of_a_run_is_for_mlflow_alone(running: Services) -> None:
    project = get_project(running.workspace, "seats", person="olga")
    token = issue_token(
        running.workspace,
        person="edith",
        project=project,
        purpose="run:test",
        ttl=timedelta(hours=1),
    )
    search = f"{running.mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
    headers = {"Authorization": f"Bearer {token}", "X-MLFLOW-WORKSPACE": "seats"}
    try:
        assert me(running, token).status_code == 401
        assert httpx.get(search, headers=headers, trust_env=False).status_code == 200
    finally:
        revoke(running.workspace, purpose="run:test")
    assert httpx.get(search, headers=headers, trust_env=False).status_code == 401


def test_login_of_ci_is_for_the_service_alone(running: Services) -> None:
    token, secret = create_project_token(running.workspace, "seats", person="edith", title="CI")
    search = f"{running.mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        assert me(running, secret).json()["project"] == "seats"
        assert ask(running, search, secret).status_code == 401
        with running.workspace.database.write() as connection:
            connection.execute(
                update(access_tokens)
                .where(access_tokens.c.purpose == f"ci:{token.id}")
                .values(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
            )
        expired = me(running, secret)
        assert expired.status_code == 401
        assert "expired on 2020-01-01" in expired.json()["message"]
    finally:
        revoke_project_token(running.workspace, "seats", token.id, person="edith")
    assert me(running, secret).status_code == 401


@pytest.mark.parametrize(
    "scopes", [["read:users!user=olga"], ["access:services!service=mlflow"]], ids=["none", "other"]
)
def test_login_token_without_access_to_the_service_is_refused(
    running: Services, scopes: list[str]
) -> None:
    assert me(running, running.token("olga", scopes)).status_code == 401


def test_login_token_of_a_service_is_nobodys(running: Services) -> None:
    from nb2prod_hub.secret_files import Secret, read_secret

    assert me(running, read_secret(running.plan.home, Secret.MLFLOW)).status_code == 401


def test_login_with_the_hub_down_goes_on_for_the_known_and_lets_in_no_other(
    running: Services,
) -> None:
    known, unknown = running.token("olga"), running.token("otto")
    address = f"{running.plan.mlflow_url}/api/3.0/mlflow/workspaces"
    assert ask(running, address, known).status_code == 200

    with _hub_killed(running):
        known_answer = ask(running, address, known)
        unknown_answer = ask(running, address, unknown)

    assert known_answer.status_code == 200
    assert unknown_answer.status_code == 503
    assert unknown_answer.json()["code"] == "service_unreachable"
    assert ask(running, address, unknown).status_code == 200, "as soon as the hub is back"


def test_login_service_stops_when_asked_to(running: Services) -> None:
    process = running.processes["workspace"]

    running.stop("workspace", signal.SIGTERM)
    returned = process.returncode
    running.start("workspace")
    running.wait_until_ready("workspace")

    assert returned in (0, -signal.SIGTERM)


def _way_back(browser: httpx.Client) -> str:
    """Begin a login and let the hub agree; gives the address that would end it."""
    asked = browser.get("/services/mlflow/")
    agreed = browser.get(asked.headers["location"])
    assert agreed.status_code == 302
    return str(agreed.headers["location"])


def _revoke(running: Services, person: str, token_id: str, token: str) -> None:
    answer = httpx.delete(
        f"{running.plan.hub_api_url}/users/{person}/tokens/{token_id}",
        headers={"authorization": f"token {token}"},
        timeout=TIMEOUT_S,
        trust_env=False,
    )
    assert answer.status_code == 204, answer.text


@contextmanager
def _hub_killed(running: Services) -> Iterator[None]:
    running.stop("hub", signal.SIGKILL)
    try:
        yield
    finally:
        running.start("hub")
        running.wait_until_ready("hub")
        running.wait_until_ready("mlflow")
