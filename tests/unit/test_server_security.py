"""Who may ask, decided without a server: origins, tokens, addresses to go on to."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from nb2prod import errors
from nb2prod.errors import CrossSiteRefused
from nb2prod.server.admission import safe_next
from nb2prod.server.errors import STATUS, status_of
from nb2prod.server.gallery import Gallery
from nb2prod.server.security import check_origin, needs_xsrf_token, page_policy
from nb2prod.server.sign_in import is_xsrf_token, xsrf_token
from nb2prod.workspace.workspace import Workspace

PREFIX = "/services/workspace"


def make_request(method: str, **headers: str) -> Request:
    """Return a request to our host; underscores in header names stand for hyphens."""
    raw = [(b"host", b"127.0.0.1:8000")]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("method", "headers", "is_refused"),
    [
        ("GET", {"sec_fetch_site": "cross-site"}, False),
        ("POST", {"sec_fetch_site": "same-origin"}, False),
        ("POST", {"sec_fetch_site": "same-site"}, True),
        ("POST", {"sec_fetch_site": "cross-site"}, True),
        ("POST", {"sec_fetch_site": "none"}, True),
        ("POST", {"origin": "http://127.0.0.1:8000"}, False),
        ("POST", {"origin": "http://127.0.0.1:9000"}, True),
        ("POST", {"origin": "http://evil.example"}, True),
        ("POST", {"origin": "null"}, True),
        ("POST", {}, False),
        ("DELETE", {"sec_fetch_site": "cross-site"}, True),
    ],
)
def test_origin_of_acting_request_must_be_ours(
    method: str, headers: dict[str, str], *, is_refused: bool
) -> None:
    request = make_request(method, **headers)

    if is_refused:
        with pytest.raises(CrossSiteRefused):
            check_origin(request)
    else:
        check_origin(request)


@pytest.mark.parametrize(
    ("method", "headers", "is_needed"),
    [
        ("GET", {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, False),
        ("GET", {}, False),
        (
            "GET",
            {
                "sec_fetch_mode": "no-cors",
                "sec_fetch_dest": "image",
                "sec_fetch_site": "same-origin",
            },
            False,
        ),
        (
            "GET",
            {
                "sec_fetch_mode": "no-cors",
                "sec_fetch_dest": "image",
                "sec_fetch_site": "cross-site",
            },
            True,
        ),
        (
            "GET",
            {
                "sec_fetch_mode": "no-cors",
                "sec_fetch_dest": "script",
                "sec_fetch_site": "same-origin",
            },
            True,
        ),
        ("GET", {"sec_fetch_mode": "cors", "sec_fetch_site": "same-origin"}, True),
        ("GET", {"sec_fetch_mode": "same-origin"}, True),
        ("POST", {"sec_fetch_mode": "navigate"}, True),
        ("POST", {}, True),
    ],
    ids=[
        "visit",
        "old browser",
        "picture",
        "picture elsewhere",
        "as script",
        "fetch",
        "fetch same-origin",
        "form",
        "program",
    ],
)
def test_xsrf_token_is_needed_but_for_visits_and_pictures(
    method: str, headers: dict[str, str], *, is_needed: bool
) -> None:
    assert needs_xsrf_token(make_request(method, **headers)) is is_needed


def test_xsrf_token_fits_its_session_only() -> None:
    token = xsrf_token("session a")

    assert is_xsrf_token("session a", token)
    assert not is_xsrf_token("session b", token)


def test_xsrf_token_differs_each_time() -> None:
    assert xsrf_token("session") != xsrf_token("session")


@pytest.mark.parametrize("token", ["", "00", "zz", "00" * 64, "00" * 63, "é", "00" * 65])
def test_xsrf_token_made_up_is_refused(token: str) -> None:
    assert not is_xsrf_token("session", token)


@pytest.mark.parametrize(
    ("target", "is_kept"),
    [
        (f"{PREFIX}/pages/abc?x=1#cell-3", True),
        (f"{PREFIX}/", True),
        (None, False),
        ("", False),
        ("/", False),
        ("/hub/logout", False),
        (f"{PREFIX}evil/", False),
        ("//evil.example/", False),
        (f"//evil.example{PREFIX}/", False),
        ("https://evil.example/", False),
        ("/\\evil.example", False),
        (f"{PREFIX}/../../hub/logout", False),
        (f"{PREFIX}/%2e%2E/%2e./hub/logout", False),
        (f"{PREFIX}/\\..\\..\\hub", False),
        (f"{PREFIX}/\r\nSet-Cookie: a=b", False),
        (f"{PREFIX}/\t/x", False),
        ("javascript:alert(1)", False),
    ],
)
def test_next_address_stays_within_the_gallery(
    workspace: Workspace, target: str | None, *, is_kept: bool
) -> None:
    gallery = Gallery(workspace, prefix=PREFIX)

    assert safe_next(gallery, target) == (target if is_kept else f"{PREFIX}/")


def test_page_policy_allows_scripts_by_nonce_only() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in page_policy("n0nce").split(";"))

    assert rules["script-src"] == "'nonce-n0nce'"
    assert rules["style-src"] == "'self'"
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert "unsafe" not in page_policy("n0nce")


def every_error() -> list[type[errors.Nb2prodError]]:
    found, new = [], [errors.Nb2prodError]
    while new:
        kind = new.pop()
        found.append(kind)
        new += kind.__subclasses__()
    return found


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_status_of_every_error_is_of_its_family(kind: type[errors.Nb2prodError]) -> None:
    status = status_of(kind("what happened"))

    if issubclass(kind, errors.NotFound):
        assert status == 404
    elif issubclass(kind, errors.InvalidInput):
        assert status == 422
    elif issubclass(kind, errors.Unavailable) or kind is errors.Nb2prodError:
        assert status >= 500
    else:
        assert status in set(STATUS.values())
        assert 400 <= status < 500
