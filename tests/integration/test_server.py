"""The gallery's answers: who gets one, in what shape, with which headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount

from nb2prod.execution.models import CellRecord, CellStatus, RunStatus
from nb2prod.server import sign_in
from nb2prod.server.app import create_app
from nb2prod.workspace.projects import Role, add_member
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import COOKIE, HOST, PREFIX, Client, session_of
from tests.helpers.gallery import ENDED, make_png, make_record, publish

RUN = "abcdefgh2345"
PUBLIC = {"/", f"{PREFIX}/sign-in", f"{PREFIX}/signed-out"}


@pytest.fixture
def app(workspace: Workspace) -> FastAPI:
    """The gallery with one page, of Ada's."""
    publish(workspace, make_record(RUN))
    return create_app(workspace)


@pytest.fixture
def browser(app: FastAPI, workspace: Workspace) -> Client:
    """Ada's browser, signed in."""
    return Client(app, session=session_of(workspace))


@pytest.fixture
def program(app: FastAPI, workspace: Workspace) -> Client:
    """A program of Ada's, with a bearer token."""
    client = Client(app, bearer=session_of(workspace))
    client.headers["accept"] = "application/json"
    return client


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Give method and path of every route, with values in place of parameters."""
    for context in iter_route_contexts(app.routes):
        path = re.sub(r"\{run_id\}", RUN, context.path or "")
        path = path.replace("{sha256}", "0" * 64).replace("{name}", "script")
        path = path.replace("{project}", "seat-demand").replace("{person}", "grace")
        path = path.replace("{pipeline}", "train").replace("{number}", "3")
        path = re.sub(r"\{(schedule_id|sweep_id|token|secret)\}", "absentaaaaaa", path)
        assert "{" not in path, f"no value for a parameter of {path}"
        for method in sorted(context.methods or ()):
            yield method, path


def assert_is_error(body: Any) -> None:
    """Check the one shape of errors."""
    assert set(body) == {"code", "message", "detail"}
    assert re.fullmatch(r"[a-z_]+", body["code"])
    assert body["message"]
    assert isinstance(body["detail"], dict)


def test_routes_walked_are_all_there(app: FastAPI) -> None:
    paths = {path for _, path in routes(app)}

    assert {f"{PREFIX}/", f"{PREFIX}/api/v1/pages", f"{PREFIX}/sign-out"} <= paths
    assert len(paths) >= 14
    assert all(path == "/" or path.startswith(f"{PREFIX}/") for path in paths)


def test_route_without_session_is_refused_everywhere_but_at_sign_in(app: FastAPI) -> None:
    stranger = Client(app)

    for method, path in routes(app):
        answer = stranger.request(method, HOST + path)
        if path in PUBLIC and path != f"{PREFIX}/sign-in":
            assert answer.status_code < 400, path
        else:
            assert answer.status_code == 401, (method, path)


def test_route_with_made_up_session_is_refused(app: FastAPI) -> None:
    for client in (Client(app, session="made-up"), Client(app, bearer="made-up")):
        for method, path in routes(app):
            if path not in PUBLIC:
                assert client.request(method, HOST + path).status_code == 401, (method, path)


def test_refusal_in_browser_says_how_to_sign_in(app: FastAPI) -> None:
    answer = Client(app).get("/")

    assert answer.status_code == 401
    assert "nb2prod open" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_error_of_every_api_route_has_one_shape(app: FastAPI, program: Client) -> None:
    stranger = Client(app)
    for method, path in routes(app):
        if f"{PREFIX}/api/" not in path:
            continue
        assert_is_error(stranger.request(method, HOST + path).json())
        wrong_method = program.request("TRACE", HOST + path)
        assert wrong_method.status_code == 405, path
        assert_is_error(wrong_method.json())


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api/v1/pages/nothing", 404, "page_not_found"),
        ("GET", "/api/v1/runs/nothing", 404, "run_not_found"),
        ("GET", "/api/v1/projects/nothing/versions", 404, "project_not_found"),
        ("POST", "/api/v1/pages", 405, "method_not_allowed"),
        ("GET", "/api/v1/pages?limit=0", 422, "invalid_input"),
        ("GET", "/api/v1/pages?limit=101", 422, "invalid_input"),
        ("GET", "/api/v1/pages?offset=-1", 422, "invalid_input"),
        ("GET", "/api/v1/pages?offset=99999999999999999999", 422, "invalid_input"),
        ("GET", "/api/v1/pages?status=fine", 422, "invalid_input"),
        ("GET", "/api/v1/pages?order=best", 422, "invalid_input"),
        ("GET", f"/api/v1/pages?q={'x' * 301}", 422, "invalid_input"),
        ("GET", "/api/v1/runs?limit=1000", 422, "invalid_input"),
        ("GET", "/api/v1/projects/seat-demand/versions?pipeline=--all", 422, "name_invalid"),
    ],
)
def test_api_error_has_one_shape_and_its_code(
    program: Client, method: str, path: str, status: int, code: str
) -> None:
    answer = program.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert_is_error(answer.json())
    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/pages/nothing", 404),
        (f"/pages/{RUN}/blobs/{'0' * 64}", 404),
        (f"/pages/{RUN}/blobs/..%2f..%2fsecret", 404),
        (f"/pages/{RUN}/download/nothing", 404),
        ("/static/nothing", 404),
        ("/?page=0", 422),
        ("/?status=fine", 422),
        ("/?page=99999999999999999999", 422),
    ],
)
def test_browser_error_is_a_page(browser: Client, path: str, status: int) -> None:
    answer = browser.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "Traceback" not in answer.text


def test_internal_error_tells_nothing_but_its_incident(
    browser: Client,
    program: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr("nb2prod.knowledge.pages.list_pages", fail)
    for client, path in ((program, "/api/v1/pages"), (browser, "/")):
        answer = client.get(path)

        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "ZeroDivisionError" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
    incident = program.get("/api/v1/pages").json()["detail"]["incident"]
    assert incident in caplog.text
    assert "the secret of the house" in caplog.text


def test_page_of_other_people_is_as_absent_everywhere(app: FastAPI, workspace: Workspace) -> None:
    stranger = Client(app, session=session_of(workspace, "mallory"))
    poster = Client(app, session=session_of(workspace)).get(f"/api/v1/pages/{RUN}").json()
    absent = "zzzzzzzz2345"
    for path in (
        "/pages/{}",
        "/pages/{}/download/script",
        "/pages/{}/blobs/" + poster["run"]["sources"]["executed"],
        "/api/v1/pages/{}",
        "/api/v1/runs/{}",
    ):
        refused, missing = stranger.get(path.format(RUN)), stranger.get(path.format(absent))

        assert refused.status_code == missing.status_code == 404, path
        unmasked = re.sub(
            r'content="[0-9a-f]{128}"|value="[0-9a-f]{128}"|nonce="[^"]*"', "", refused.text
        )
        other = re.sub(
            r'content="[0-9a-f]{128}"|value="[0-9a-f]{128}"|nonce="[^"]*"', "", missing.text
        )
        assert unmasked.replace(RUN, "ID") == other.replace(absent, "ID"), path
    assert stranger.get("/api/v1/pages").json()["total"] == 0
    assert stranger.get("/api/v1/pages?q=seats").json()["facets"] in (
        {},
        {"project": [], "pipeline": [], "status": []},
    )
    assert stranger.get("/api/v1/runs").json()["items"] == []
    assert stranger.get("/api/v1/projects").json()["items"] == []
    assert "Seats" not in stranger.get("/").text


def test_page_of_member_is_given(app: FastAPI, workspace: Workspace) -> None:
    add_member(workspace, "seat-demand", "grace", Role.VIEWER, person="ada")

    assert (
        Client(app, session=session_of(workspace, "grace")).get(f"/pages/{RUN}").status_code == 200
    )


HTML_PATHS = ["/", "/?view=table", "/?q=zzz", f"/pages/{RUN}", "/pages/nothing", "/signed-out"]


@pytest.mark.parametrize("path", HTML_PATHS)
def test_html_carries_the_headers_of_the_design(browser: Client, path: str) -> None:
    answer = browser.get(path)

    policy = answer.headers["content-security-policy"]
    nonces = set(re.findall(r'nonce="([^"]+)"', answer.text))
    assert len(nonces) == 1
    assert policy == (
        f"default-src 'none'; script-src 'nonce-{nonces.pop()}'; style-src 'self';"
        " img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'none';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-dns-prefetch-control"] == "off"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("path", HTML_PATHS)
def test_html_has_no_inline_style_script_or_foreign_address(browser: Client, path: str) -> None:
    text = browser.get(path).text

    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text)


def test_nonce_is_new_for_every_answer(browser: Client) -> None:
    policies = {browser.get("/").headers["content-security-policy"] for _ in range(5)}

    assert len(policies) == 5


def test_every_answer_is_inert_or_a_page_of_ours(app: FastAPI, browser: Client) -> None:
    for method, path in routes(app):
        answer = browser.request(method, HOST + path)
        policy = answer.headers["content-security-policy"]
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        assert ("'nonce-" in policy) == is_page, path
        assert is_page or "sandbox" in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("gallery.example:8000", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.", False),
        ("127.0.0.1:8000@evil.example", False),
        ("", False),
    ],
)
def test_host_header_of_others_is_refused(
    workspace: Workspace, *, host: str, is_ours: bool
) -> None:
    app = create_app(workspace, hosts=["gallery.example"])
    client = Client(app, session=session_of(workspace))

    for path in ("/", "/api/v1/health", "/static/x", "/signed-out"):
        answer = client.get(path, headers={"host": host})
        assert (answer.status_code != 421) == is_ours
    if not is_ours:
        assert client.get("/api/v1/health", headers={"host": host}).json()["code"] == "host_refused"


def test_root_leads_to_the_gallery(app: FastAPI) -> None:
    answer = Client(app).get(f"{HOST}/")

    assert answer.status_code == 307
    assert answer.headers["location"] == f"{PREFIX}/"


def test_sign_in_gives_a_cookie_for_the_prefix_only(app: FastAPI, workspace: Workspace) -> None:
    token = sign_in.issue_token(workspace, "ada")

    answer = Client(app).get(f"/sign-in?token={token}&next={PREFIX}/pages/{RUN}")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PREFIX}/pages/{RUN}"
    assert answer.headers["referrer-policy"] == "no-referrer"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=lax", f"Path={PREFIX}"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    session = cookie.partition("=")[2].partition(";")[0]
    assert Client(app, session=session).get("/").status_code == 200


def test_sign_in_a_second_time_is_refused(app: FastAPI, workspace: Workspace) -> None:
    token = sign_in.issue_token(workspace, "ada")
    Client(app).get(f"/sign-in?token={token}")

    answer = Client(app).get(f"/sign-in?token={token}")

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_sign_in_a_second_time_goes_on_when_signed_in(
    browser: Client, workspace: Workspace
) -> None:
    token = sign_in.issue_token(workspace, "ada")
    browser.get(f"/sign-in?token={token}")

    answer = browser.get(f"/sign-in?token={token}")

    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers


def test_sign_in_address_leads_to_its_path(app: FastAPI, workspace: Workspace) -> None:
    path = f"{PREFIX}/pages/{RUN}?a=1&b=2#cell-3"

    link = sign_in.sign_in_address(workspace, HOST + PREFIX, person="ada", path=path)

    assert Client(app).get(link).headers["location"] == path


def test_sign_in_with_old_token_is_refused(app: FastAPI, workspace: Workspace) -> None:
    token = sign_in.issue_token(workspace, "ada", timedelta(seconds=-1))

    assert Client(app).get(f"/sign-in?token={token}").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x-moz": "prefetch"},
    ],
    ids=str,
)
def test_sign_in_fetched_ahead_leaves_the_token(
    app: FastAPI, workspace: Workspace, headers: dict[str, str]
) -> None:
    token = sign_in.issue_token(workspace, "ada")

    assert Client(app).get(f"/sign-in?token={token}", headers=headers).status_code == 503
    assert Client(app).request("HEAD", f"/sign-in?token={token}").status_code == 405
    assert Client(app).get(f"/sign-in?token={token}").status_code == 303


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/hub/logout"])
def test_sign_in_goes_on_to_no_other_place(app: FastAPI, workspace: Workspace, target: str) -> None:
    token = sign_in.issue_token(workspace, "ada")

    answer = Client(app).get("/sign-in", params={"token": token, "next": target})

    assert answer.headers["location"] == f"{PREFIX}/"


def test_sign_in_secrets_are_stored_as_hashes_only(workspace: Workspace) -> None:
    token = sign_in.issue_token(workspace, "ada")
    session = sign_in.exchange(workspace, token)
    workspace.database.close()

    stored = b"".join(path.read_bytes() for path in workspace.settings.home.glob("nb2prod.db*"))
    assert b"sign_in_tokens" in stored
    assert token.encode() not in stored
    assert session.encode() not in stored


def xsrf_of(browser: Client) -> str:
    """Return the token that our page has."""
    found = re.search(r'name="xsrf-token" content="([0-9a-f]+)"', browser.get("/").text)
    assert found is not None
    return found[1]


def test_sign_out_with_token_of_page_ends_the_session(browser: Client) -> None:
    form = {"_xsrf": xsrf_of(browser)}

    answer = browser.post("/sign-out", data=form, headers={"sec-fetch-site": "same-origin"})

    assert answer.status_code == 303
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]
    assert f"Path={PREFIX}" in answer.headers["set-cookie"]
    assert browser.get("/").status_code == 401


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({"sec-fetch-site": "same-origin"}, {}),
        ({"sec-fetch-site": "same-origin"}, {"_xsrf": "00" * 64}),
        ({"sec-fetch-site": "cross-site"}, None),
        ({"sec-fetch-site": "same-site"}, None),
        ({"origin": "http://evil.example"}, None),
        ({"origin": "null"}, None),
    ],
    ids=["no token", "wrong token", "cross-site", "same-site", "other origin", "sandboxed frame"],
)
def test_sign_out_not_from_our_page_is_refused(
    browser: Client, headers: dict[str, str], form: dict[str, str] | None
) -> None:
    form = {"_xsrf": xsrf_of(browser)} if form is None else form

    answer = browser.post("/sign-out", data=form, headers=headers)

    assert answer.status_code == 403
    assert browser.get("/").status_code == 200


def test_token_of_another_session_is_refused(
    browser: Client, app: FastAPI, workspace: Workspace
) -> None:
    other = xsrf_of(Client(app, session=session_of(workspace)))

    assert browser.post("/sign-out", data={"_xsrf": other}).status_code == 403


def test_page_fetched_by_script_needs_the_token(browser: Client) -> None:
    fetched = {"sec-fetch-mode": "cors", "sec-fetch-site": "same-origin", "sec-fetch-dest": "empty"}
    token = {"x-xsrf-token": xsrf_of(browser)}

    for path in ("/", f"/pages/{RUN}", "/api/v1/pages", "/api/v1/openapi.json"):
        assert browser.get(path, headers=fetched).status_code == 403, path
        assert browser.get(path, headers={**fetched, **token}).status_code == 200, path


def test_program_with_bearer_token_needs_no_xsrf_token(program: Client) -> None:
    assert program.get("/api/v1/pages", headers={"sec-fetch-site": "cross-site"}).status_code == 200
    assert program.post("/sign-out").status_code == 303


def test_static_files_are_public_and_kept(app: FastAPI) -> None:
    stranger = Client(app)
    address = re.search(r'href="([^"]+/css/gallery\.css)"', stranger.get("/").text)
    assert address is not None

    answer = stranger.get(HOST + address[1])

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    traversal = address[1].replace("css/gallery.css", "..%2f..%2ferrors.py")
    assert stranger.get(HOST + traversal).status_code == 404


def test_static_is_the_only_mount(app: FastAPI) -> None:
    mounts = [route.path for route in app.routes if isinstance(route, Mount)]

    assert len(mounts) == 1
    assert mounts[0].startswith(f"{PREFIX}/static/")


def test_large_answer_is_compressed(browser: Client) -> None:
    assert (
        browser.get("/", headers={"accept-encoding": "gzip"}).headers["content-encoding"] == "gzip"
    )


def test_openapi_describes_the_api_and_its_errors(app: FastAPI, program: Client) -> None:
    description = program.get("/api/v1/openapi.json").json()

    described = set(description["paths"])
    served = {context.path or "" for context in iter_route_contexts(app.routes)}
    in_api = {path for path in served if path.startswith(f"{PREFIX}/api/")}
    assert described == in_api - {f"{PREFIX}/api/v1/openapi.json"}
    assert f"{PREFIX}/api/v1/projects/{{project}}/runs/{{run_id}}/stream" in described
    for operations in description["paths"].values():
        for operation in operations.values():
            for status in ("401", "404", "422"):
                schema = operation["responses"][status]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}
            assert operation["summary"]
            assert operation["security"] == [{"HTTPBearer": []}]


def test_api_pages_lists_and_counts(program: Client) -> None:
    body = program.get("/api/v1/pages").json()

    assert body["total"] == 1
    (item,) = body["items"]
    assert item["run_id"] == RUN
    assert item["url"] == f"{PREFIX}/pages/{RUN}"
    assert item["main_metric"]["value"] == 4.1
    assert program.get(HOST + item["poster_url"]).headers["content-type"] == "image/png"
    assert body["facets"]["status"] == [{"value": "succeeded", "count": 1}]


def test_api_pages_are_given_in_parts(program: Client, workspace: Workspace) -> None:
    for number in range(4):
        ended = ENDED + timedelta(minutes=number + 1)
        record = make_record(f"part2345678{'abcd'[number]}", created_at=ended, ended_at=ended)
        publish(workspace, record)

    parts = [program.get(f"/api/v1/pages?limit=2&offset={offset}").json() for offset in (0, 2, 4)]

    found = [item["run_id"] for part in parts for item in part["items"]]
    assert [part["total"] for part in parts] == [5, 5, 5]
    assert [len(part["items"]) for part in parts] == [2, 2, 1]
    assert len(set(found)) == 5
    runs = program.get("/api/v1/runs?limit=2").json()
    assert (len(runs["items"]), runs["has_more"]) == (2, True)
    assert program.get("/api/v1/runs?limit=2&offset=4").json()["has_more"] is False


def test_api_metric_that_is_no_number_becomes_null(program: Client, workspace: Workspace) -> None:
    publish(workspace, make_record("nan234567abc", metrics={"mape": 4.0, "bad": float("inf")}))

    body = program.get("/api/v1/pages/nan234567abc").json()

    assert {metric["name"]: metric["value"] for metric in body["metrics"]} == {
        "mape": 4.0,
        "bad": None,
    }
    assert program.get("/api/v1/runs/nan234567abc").json()["metrics"]["bad"] is None
    assert "∞" in program.get("/pages/nan234567abc", headers={"accept": "text/html"}).text


def test_api_page_has_its_run_and_downloads(program: Client) -> None:
    body = program.get(f"/api/v1/pages/{RUN}").json()

    assert body["run"]["parameters"]["market"] == "JFK-DL"
    assert set(body["downloads"]) == {"script", "notebook", "executed", "log", "lock", "manifest"}
    assert program.get(HOST + body["downloads"]["log"]).content == b"started\nended\n"


def test_index_shows_the_page(browser: Client) -> None:
    text = browser.get("/").text

    for fact in ("Seats departed per day", "Succeeded", "seat-demand", "train@v3", "4.1", "ada"):
        assert fact in text


def test_index_says_how_many_choices_it_does_not_show(
    browser: Client, workspace: Workspace
) -> None:
    assert "more, by search" not in browser.get("/").text

    for number in range(14):
        publish(workspace, make_record(f"facet23456{number:02}", pipeline=f"pipeline{number}"))

    assert "and 3 more, by search" in browser.get("/").text


def test_page_says_what_to_know_of_its_run(browser: Client, workspace: Workspace) -> None:
    record = make_record(
        "notes2345672",
        reason="Cell 4 ended the run with sys.exit(0).",
        notes=("The environment is not that of the lock: <b>numpy</b> 1 → 2.",),
    )
    publish(workspace, record)

    text = browser.get("/pages/notes2345672").text

    assert "Cell 4 ended the run with sys.exit(0)." in text
    assert "The environment is not that of the lock: &lt;b&gt;numpy&lt;/b&gt; 1 → 2." in text


def test_page_shows_what_is_known(browser: Client) -> None:
    text = browser.get(f"/pages/{RUN}").text

    for fact in (
        "The ensemble beats the historical average",
        "JFK-DL",
        "train@v3",
        "8f2c1d9ab0",
        "(observed)",
        "3.11.7",
        "AMD EPYC",
        "data/flights.parquet",
        "4.6 MiB",
        "42.0 s",
        "f00dfeed",
        "ada, cli",
        "epoch 1",
    ):
        assert fact in text, fact


def test_page_of_failed_run_leads_with_what_failed(browser: Client, workspace: Workspace) -> None:
    cells = (
        CellRecord(number=2, status=CellStatus.SUCCEEDED),
        CellRecord(number=3, status=CellStatus.FAILED, error="KeyError: 'seats <b>'"),
    )
    record = make_record(
        "failed234567", status=RunStatus.FAILED, cells=cells, reason="Cell 3 failed."
    )
    publish(workspace, record)

    text = browser.get("/pages/failed234567").text

    assert text.index('href="#cell-3"') < text.index("Report")
    assert "KeyError: &#39;seats &lt;b&gt;&#39;" in text
    assert "<b>" not in text


def test_page_of_running_run_says_so_and_follows_it(browser: Client, workspace: Workspace) -> None:
    from sqlalchemy import update

    from nb2prod.store.schema import pages, runs

    with workspace.database.write() as connection:
        connection.execute(pages.delete())
        connection.execute(
            update(runs).values(status="running", ended_at=None, record=None, reason=None)
        )
    answer = browser.get(f"/pages/{RUN}")

    assert answer.status_code == 200
    assert f"/runs/{RUN}/stream" in answer.text
    assert '<noscript><meta http-equiv="refresh"' in answer.text
    assert "Running" in answer.text
    assert "Running" in browser.get("/").text


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("script", "train-v3.py"),
        ("notebook", "train-v3.ipynb"),
        ("executed", f"train-v3-{RUN}.ipynb"),
        ("log", f"train-v3-{RUN}.log"),
    ],
)
def test_download_is_always_an_attachment(browser: Client, name: str, file_name: str) -> None:
    answer = browser.get(f"/pages/{RUN}/download/{name}")

    assert answer.status_code == 200
    assert f'filename="{file_name}"' in answer.headers["content-disposition"]
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; sandbox")


def test_picture_is_shown_and_kept_for_its_reader_only(browser: Client, program: Client) -> None:
    address = program.get("/api/v1/pages").json()["items"][0]["poster_url"]

    answer = browser.get(HOST + address)

    assert answer.content == make_png()
    assert answer.headers["content-type"] == "image/png"
    assert "content-disposition" not in answer.headers
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    again = browser.get(HOST + address, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_upkeep_makes_pages_and_survives_errors(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import threading

    from nb2prod.knowledge import pages
    from nb2prod.server.background import Upkeep

    done = threading.Event()
    calls: list[str] = []

    def fail_once(_workspace: Workspace) -> tuple[str, ...]:
        calls.append("catch_up")
        if len(calls) == 1:
            raise OSError("the disk is gone")
        done.set()
        return ("abc",)

    monkeypatch.setattr(pages, "catch_up", fail_once)
    upkeep = Upkeep(workspace, interval_s=0.01)
    upkeep.start()
    assert done.wait(10)
    upkeep.stop()

    assert "the disk is gone" in caplog.text
    count = len(calls)
    assert not any(thread.name == "upkeep" for thread in threading.enumerate())
    assert len(calls) == count


def test_route_is_of_fastapi_and_described(app: FastAPI) -> None:
    endpoints = [route for route in app.routes if isinstance(route, APIRoute)]

    assert all(route.include_in_schema is False for route in endpoints if "/api/" not in route.path)
