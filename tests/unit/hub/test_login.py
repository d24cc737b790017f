"""The login in front of a service, against a hub that is only its network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from nb2prod_hub.login import HubLogin, LoginSettings
from nb2prod_hub.login_hub import HubAccess, HubClient, identity_of_model
from nb2prod_hub.oauth import challenge
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from nb2prod.server.admission import IDENTITY, SESSION
from nb2prod.workspace.people import Identity

HOST = "http://127.0.0.1:8000"
PREFIX = "/services/workspace"
COOKIE = "nb2prod-workspace-8000"
VISIT = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
SCRIPT = {"accept": "*/*", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
ACCESS = "access:services!service=workspace"


class Hub:
    """A hub's API: tokens, administrators, and codes that are bound to a PKCE challenge."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.administrators: set[str] = set()
        self.codes: dict[str, tuple[str, str]] = {}
        self.is_down = False
        self.asked: list[str] = []

    def add(self, token: str, name: str, *scopes: str, kind: str = "user") -> None:
        self.people[token] = {"kind": kind, "name": name, "scopes": list(scopes or (ACCESS,))}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        if request.url.path == "/hub/api/oauth2/token":
            return self._token(parse_qs(request.content.decode()))
        token = request.headers["authorization"].removeprefix("token ")
        if request.url.path == "/hub/api/user":
            model = self.people.get(token)
            return httpx.Response(200, json=model) if model else httpx.Response(403, json={})
        name = request.url.path.removeprefix("/hub/api/users/")
        assert token == "service secret", "only the service may ask about a person"
        return httpx.Response(200, json={"name": name, "admin": name in self.administrators})

    def _token(self, form: dict[str, list[str]]) -> httpx.Response:
        token, wanted = self.codes.pop(form["code"][0], ("", ""))
        is_right = (
            form["client_secret"] == ["service secret"]
            and form["client_id"] == ["service-workspace"]
            and form["redirect_uri"] == [f"{PREFIX}/oauth_callback"]
            and challenge(form["code_verifier"][0]) == wanted
        )
        return httpx.Response(200 if is_right else 400, json={"access_token": token})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with who asks."""
    identity = scope[IDENTITY]
    content = {
        "person": identity and identity.person,
        "project": identity and identity.project,
        "is_administrator": identity and identity.is_administrator,
        "session": scope[SESSION],
        "scheme": Request(scope).url.scheme,
    }
    await JSONResponse(content)(scope, receive, send)


class House:
    """A service with its login, and browsers to visit it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.hub = Hub()
        self.run_tokens: dict[str, Identity] = {}
        access = HubAccess(
            service="workspace",
            api_url="http://hub.invalid/hub/api",
            api_token="service secret",
            redirect_path=f"{PREFIX}/oauth_callback",
        )
        client = HubClient(
            access,
            knows_administrators=True,
            transport=httpx.MockTransport(self.hub),
            clock=clock,
        )
        settings = LoginSettings(
            prefix=PREFIX,
            port=8000,
            public=(f"{PREFIX}/static/",),
            proxies=frozenset({"10.9.8.7"}),
        )
        self.app = HubLogin(echo, settings, client, own_token_identity=self.run_tokens.get)

    def browser(self, *, peer: str = "10.9.8.7", scheme: str = "http") -> Browser:
        return Browser(self.app, peer, scheme)


class Browser:
    """Keeps cookies, sends what a browser says of a request, and follows nothing by itself."""

    def __init__(self, app: HubLogin, peer: str, scheme: str) -> None:
        self._app = app
        self._peer = peer
        self.base_url = HOST.replace("http:", f"{scheme}:")
        self.cookies = httpx.Cookies()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, headers={**VISIT, **_named(headers)})

    def script(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, headers={**SCRIPT, **_named(headers)})

    def send(self, method: str, path: str, *, headers: dict[str, str]) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app, client=(self._peer, 1234))
            async with httpx.AsyncClient(transport=transport, cookies=self.cookies) as client:
                answer = await client.request(method, self.base_url + path, headers=headers)
                self.cookies = client.cookies
                return answer

        return asyncio.run(send())

    def begin(self, path: str = f"{PREFIX}/") -> dict[str, str]:
        """Visit a page; gives what the hub is asked."""
        answer = self.get(path)
        assert answer.status_code == 303, answer.text
        asked = urlsplit(answer.headers["location"])
        assert asked.path == "/hub/api/oauth2/authorize"
        assert not asked.netloc
        return {name: values[0] for name, values in parse_qs(asked.query).items()}

    def come_back(self, state: str, code: str) -> httpx.Response:
        return self.get(f"{PREFIX}/oauth_callback?code={code}&state={state}")


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def sign_in(house: House, browser: Browser, *, path: str = f"{PREFIX}/") -> httpx.Response:
    """Lead a browser through the login as ada."""
    asked = browser.begin(path)
    house.hub.add("ada's", "ada")
    house.hub.codes["c0de"] = ("ada's", asked["code_challenge"])
    return browser.come_back(asked["state"], "c0de")


def test_login_visit_by_nobody_leads_to_the_hub() -> None:
    asked = House().browser().begin()

    assert asked["client_id"] == "service-workspace"
    assert asked["redirect_uri"] == f"{PREFIX}/oauth_callback"
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 32


def test_login_way_back_with_the_code_signs_in_and_leads_on() -> None:
    house = House()
    browser = house.browser()

    answer = sign_in(house, browser, path=f"{PREFIX}/pages/1?tab=code")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PREFIX}/pages/1?tab=code"
    assert answer.headers["cache-control"] == "no-store"
    assert dict(browser.cookies) == {COOKIE: "ada's"}
    assert browser.get(f"{PREFIX}/").json() == {
        "person": "ada",
        "project": None,
        "is_administrator": False,
        "session": "ada's",
        "scheme": "http",
    }


def test_login_cookie_is_for_this_service_and_out_of_reach_of_scripts() -> None:
    house = House()

    answer = sign_in(house, house.browser())

    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{COOKIE}="))
    parts = set(cookie.split("; ")[1:])
    assert parts == {"HttpOnly", "Max-Age=1209600", f"Path={PREFIX}", "SameSite=lax"}


@pytest.mark.parametrize(
    ("peer", "said", "is_secure"),
    [
        ("10.9.8.7", "https", True),
        ("10.9.8.7", "https,http", True),
        ("10.9.8.7", "http", False),
        ("10.9.8.7", "http, https", False),
        ("192.0.2.1", "https", False),
    ],
    ids=["tls", "tls-before-another-proxy", "plain", "plain-before", "not-our-proxy"],
)
def test_login_cookie_over_tls_is_secure(peer: str, said: str, *, is_secure: bool) -> None:
    house = House()
    browser = house.browser(peer=peer)

    answer = browser.get(f"{PREFIX}/", x_forwarded_proto=said)

    assert ("; Secure" in answer.headers["set-cookie"]) is is_secure


def test_login_state_used_again_is_refused() -> None:
    house = House()
    browser = house.browser()
    asked = browser.begin()
    kept = dict(browser.cookies)
    house.hub.add("ada's", "ada")
    house.hub.codes |= {"one": ("ada's", asked["code_challenge"])}
    browser.come_back(asked["state"], "one")
    house.hub.codes |= {"two": ("ada's", asked["code_challenge"])}
    browser.cookies = httpx.Cookies(kept)

    answer = browser.come_back(asked["state"], "two")

    assert answer.status_code == 401
    assert COOKIE not in browser.cookies


def test_login_state_of_another_browser_is_refused() -> None:
    house = House()
    attacker, victim = house.browser(), house.browser()
    asked = attacker.begin()
    house.hub.add("mallory's", "mallory")
    house.hub.codes["c0de"] = ("mallory's", asked["code_challenge"])

    answer = victim.come_back(asked["state"], "c0de")

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "/hub/api/oauth2/token" not in house.hub.asked


def test_login_code_of_another_login_is_refused() -> None:
    house = House()
    attacker, victim = house.browser(), house.browser()
    house.hub.add("mallory's", "mallory")
    house.hub.codes["stolen"] = ("mallory's", attacker.begin()["code_challenge"])
    asked = victim.begin()

    answer = victim.come_back(asked["state"], "stolen")

    assert answer.status_code == 401
    assert COOKIE not in victim.cookies


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=c0de",
        "state={state}",
        "state={state}&error=access_denied",
        "code=c0de&code=c0de&state={state}",
        "code=c0de&state={state}&state=x",
        "code=c0de&state=x",
    ],
)
def test_login_way_back_that_lacks_something_is_refused(query: str) -> None:
    house = House()
    browser = house.browser()
    asked = browser.begin()
    house.hub.add("ada's", "ada")
    house.hub.codes["c0de"] = ("ada's", asked["code_challenge"])

    answer = browser.get(f"{PREFIX}/oauth_callback?{query.format(state=asked['state'])}")

    assert answer.status_code == 401
    assert COOKIE not in browser.cookies


def test_login_of_somebody_without_access_is_refused() -> None:
    house = House()
    browser = house.browser()
    asked = browser.begin()
    house.hub.add("eve's", "eve", "access:services!service=another")
    house.hub.codes["c0de"] = ("eve's", asked["code_challenge"])

    answer = browser.come_back(asked["state"], "c0de")

    assert answer.status_code == 401
    assert "may not use this service" in answer.text
    assert COOKIE not in browser.cookies


def test_login_two_tabs_at_once_both_arrive() -> None:
    house = House()
    browser = house.browser()
    first, second = browser.begin(f"{PREFIX}/a"), browser.begin(f"{PREFIX}/b")
    house.hub.add("ada's", "ada")
    house.hub.codes |= {
        "one": ("ada's", first["code_challenge"]),
        "two": ("ada's", second["code_challenge"]),
    }

    answers = [browser.come_back(second["state"], "two"), browser.come_back(first["state"], "one")]

    assert [a.headers["location"] for a in answers] == [f"{PREFIX}/b", f"{PREFIX}/a"]


def test_login_cookies_of_many_tabs_do_not_pile_up() -> None:
    browser = House().browser()

    for _ in range(40):
        browser.begin()

    assert len(browser.cookies) <= 8


@pytest.mark.parametrize(
    "path", [f"//evil.example{PREFIX}/", "/hub/home", "/services/workspaces/", "/"]
)
def test_login_path_outside_of_the_service_is_not_found(path: str) -> None:
    answer = House().browser().get(path)

    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_login_script_by_nobody_goes_on_without_identity() -> None:
    house = House()

    answer = house.browser().script(f"{PREFIX}/api/v1/me")

    assert answer.json()["person"] is None
    assert house.hub.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"accept": "text/html", "sec-fetch-mode": "cors"},
        {"accept": "application/json"},
    ],
    ids=["frame", "script", "program"],
)
def test_login_what_is_no_visit_is_not_led_to_the_hub(headers: dict[str, str]) -> None:
    answer = House().browser().send("GET", f"{PREFIX}/", headers=headers)

    assert answer.status_code == 200
    assert answer.json()["person"] is None


def test_login_form_by_nobody_is_not_led_to_the_hub() -> None:
    answer = House().browser().send("POST", f"{PREFIX}/projects", headers=VISIT)

    assert answer.json()["person"] is None


def test_login_old_browser_that_wants_html_is_led_to_the_hub() -> None:
    answer = House().browser().send("GET", f"{PREFIX}/", headers={"accept": "text/html,*/*"})

    assert answer.status_code == 303


def test_login_public_path_needs_nobody() -> None:
    house = House()
    browser = house.browser()
    browser.cookies.set(COOKIE, "forged", domain="127.0.0.1", path=PREFIX)

    assert browser.get(f"{PREFIX}/static/abc/app.css").json()["person"] is None
    assert house.hub.asked == []


def test_login_cookie_that_the_hub_revoked_leads_to_the_hub_again() -> None:
    clock = Clock()
    house = House(clock=clock)
    browser = house.browser()
    sign_in(house, browser)
    del house.hub.people["ada's"]

    within = browser.get(f"{PREFIX}/")
    clock.now += 60
    after = browser.get(f"{PREFIX}/")

    assert within.json()["person"] == "ada"
    assert after.status_code == 303


def test_login_hub_session_that_ended_asks_the_hub_at_once() -> None:
    house = House(clock=Clock())
    browser = house.browser()
    browser.cookies.set("jupyterhub-session-id", "s1", domain="127.0.0.1", path="/")
    sign_in(house, browser)
    assert browser.get(f"{PREFIX}/").json()["person"] == "ada"
    del house.hub.people["ada's"]
    browser.cookies.delete("jupyterhub-session-id")

    assert browser.get(f"{PREFIX}/").status_code == 303


def test_login_with_the_hub_down_lets_remembered_ones_go_on_for_a_minute() -> None:
    clock = Clock()
    house = House(clock=clock)
    browser = house.browser()
    sign_in(house, browser)
    house.hub.is_down = True

    clock.now += 59
    within = browser.get(f"{PREFIX}/")
    clock.now += 1
    after = browser.get(f"{PREFIX}/")

    assert within.json()["person"] == "ada"
    assert after.status_code == 503
    assert "The hub does not answer" in after.text


@pytest.mark.parametrize("answer", ["page", "json"])
def test_login_with_the_hub_down_lets_no_stranger_in(answer: str) -> None:
    house = House()
    house.hub.add("ada's", "ada")
    house.hub.is_down = True
    browser = house.browser()
    browser.cookies.set(COOKIE, "ada's", domain="127.0.0.1", path=PREFIX)

    said = browser.get(f"{PREFIX}/") if answer == "page" else browser.script(f"{PREFIX}/api/v1/me")

    assert said.status_code == 503
    if answer == "json":
        assert said.json()["code"] == "service_unreachable"


@pytest.mark.parametrize("status", [302, 404, 500, 502])
def test_login_hub_that_answers_something_else_lets_nobody_in(status: int) -> None:
    house = House()
    house.hub.add("ada's", "ada")

    def fail(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text="oh no")

    house.app.hub._http = httpx.AsyncClient(transport=httpx.MockTransport(fail))
    answer = house.browser().script(f"{PREFIX}/", authorization="Bearer ada's")

    assert answer.status_code == 503


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "token", "Token"])
def test_login_token_of_a_person_says_who_asks(scheme: str) -> None:
    house = House()
    house.hub.add("t0ken", "ada")
    house.hub.administrators.add("ada")

    answer = house.browser().script(f"{PREFIX}/", authorization=f"{scheme} t0ken").json()

    assert answer == {
        "person": "ada",
        "project": None,
        "is_administrator": True,
        "session": None,
        "scheme": "http",
    }


def test_login_token_of_a_server_speaks_for_its_project_only() -> None:
    house = House()
    house.hub.add("t0ken", "ada", ACCESS, "access:servers!server=ada/seats")
    house.hub.administrators.add("ada")

    answer = house.browser().script(f"{PREFIX}/", authorization="Bearer t0ken").json()

    assert (answer["person"], answer["project"]) == ("ada", "seats")
    assert answer["is_administrator"] is False


def test_login_run_token_is_not_shown_to_the_hub() -> None:
    house = House()
    house.run_tokens["nb2p_abc"] = Identity(person="ada", project="seats")

    known = house.browser().script(f"{PREFIX}/", authorization="Bearer nb2p_abc").json()
    unknown = house.browser().script(f"{PREFIX}/", authorization="Bearer nb2p_x").json()

    assert (known["person"], known["project"]) == ("ada", "seats")
    assert unknown["person"] is None
    assert house.hub.asked == []


def test_login_wrong_token_is_asked_about_once_and_never_led_to_the_hub() -> None:
    clock = Clock()
    house = House(clock=clock)

    answers = [house.browser().get(f"{PREFIX}/", authorization="Bearer guess") for _ in range(5)]
    asked_within = len(house.hub.asked)
    clock.now += 5
    house.browser().get(f"{PREFIX}/", authorization="Bearer guess")

    assert {answer.json()["person"] for answer in answers} == {None}
    assert asked_within == 1
    assert len(house.hub.asked) == 2


def test_login_wrong_token_does_not_fall_back_to_the_cookie() -> None:
    house = House()
    browser = house.browser()
    sign_in(house, browser)

    assert browser.script(f"{PREFIX}/", authorization="Bearer wrong").json()["person"] is None


def test_login_token_in_the_address_is_refused() -> None:
    house = House()
    house.hub.add("t0ken", "ada")

    answer = house.browser().script(f"{PREFIX}/?token=t0ken")

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_signed_in"
    assert house.hub.asked == []


def test_login_logout_drops_the_cookie_and_leads_to_the_hubs_logout() -> None:
    house = House()
    browser = house.browser()
    sign_in(house, browser)
    house.hub.people.clear()

    answer = browser.get(f"{PREFIX}/logout", sec_fetch_site="same-origin")

    assert answer.headers["location"] == "/hub/logout"
    assert COOKIE not in browser.cookies
    browser.cookies.set(COOKIE, "ada's", domain="127.0.0.1", path=PREFIX)
    assert browser.get(f"{PREFIX}/").status_code == 303, "a copy of the cookie is worth nothing"


def test_login_logout_from_another_site_is_not_done() -> None:
    house = House()
    browser = house.browser()
    sign_in(house, browser)

    browser.get(f"{PREFIX}/logout", sec_fetch_site="cross-site")

    assert COOKIE in browser.cookies


def test_login_what_a_caller_puts_into_the_scope_does_not_stay() -> None:
    seen: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[IDENTITY])
        await JSONResponse({})(scope, receive, send)

    house = House()
    house.app.app = inner

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        await house.app({**scope, IDENTITY: Identity(person="mallory")}, receive, send)

    async def send_request() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=outer)) as client:
            await client.get(f"{HOST}{PREFIX}/", headers=SCRIPT)

    asyncio.run(send_request())
    assert seen == [None]


def test_login_web_socket_is_closed() -> None:
    house = House()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(house.app({"type": "websocket", "path": f"{PREFIX}/"}, receive, send))

    assert [message["type"] for message in sent] == ["websocket.close"]


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["access:services"], Identity(person="ada")),
        ([ACCESS], Identity(person="ada")),
        ([ACCESS, "access:servers!user=ada"], Identity(person="ada")),
        ([ACCESS, "access:servers!server=bob/seats"], Identity(person="ada")),
        (
            [ACCESS, "access:servers!server=ada/seats"],
            Identity(person="ada", project="seats"),
        ),
        ([ACCESS, "access:servers!server=ada/a", "access:servers!server=ada/b"], None),
        ([ACCESS, "access:servers!server=ada/"], None),
        (["access:services!service=mlflow"], None),
        (["access:services!user=ada"], None),
        ([], None),
    ],
)
def test_identity_of_a_hub_token_follows_its_scopes(
    scopes: list[str], expected: Identity | None
) -> None:
    model = {"kind": "user", "name": "ada", "scopes": scopes}

    assert identity_of_model(model, "workspace") == expected


def test_identity_of_a_services_token_is_nobody() -> None:
    model = {"kind": "service", "name": "ada", "scopes": [ACCESS]}

    assert identity_of_model(model, "workspace") is None
