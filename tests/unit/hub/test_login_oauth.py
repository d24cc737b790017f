"""State, PKCE and the way back of a login."""

from __future__ import annotations

import base64
import hashlib

import pytest
from nb2prod_hub.oauth import STATE_TTL_S, Logins, challenge, next_path

PREFIX = "/services/workspace"
HOME = f"{PREFIX}/"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_login_state_of_this_browser_is_redeemed() -> None:
    logins = Logins("secret")
    begun, cookie = logins.begin(f"{HOME}pages/1")

    assert logins.redeem(cookie, begun.state) == begun


def test_login_state_used_before_is_refused() -> None:
    logins = Logins("secret")
    begun, cookie = logins.begin(HOME)
    logins.redeem(cookie, begun.state)

    assert logins.redeem(cookie, begun.state) is None


def test_login_state_of_another_login_is_refused() -> None:
    logins = Logins("secret")
    _, cookie = logins.begin(HOME)
    other, _ = logins.begin(HOME)

    assert logins.redeem(cookie, other.state) is None


def test_login_cookie_sealed_by_another_service_is_refused() -> None:
    begun, cookie = Logins("another secret").begin(HOME)

    assert Logins("secret").redeem(cookie, begun.state) is None


def test_login_cookie_with_another_way_back_is_refused() -> None:
    logins = Logins("secret")
    begun, cookie = logins.begin(HOME)
    content = base64.urlsafe_b64decode(cookie.partition(".")[0] + "==")
    forged = base64.urlsafe_b64encode(content.replace(HOME.encode(), b"//evil.example/"))
    forged_cookie = f"{forged.decode().rstrip('=')}.{cookie.partition('.')[2]}"

    assert logins.redeem(forged_cookie, begun.state) is None


@pytest.mark.parametrize("cookie", ["", ".", "x", "ü.ü", "e30.e30", "a" * 9000])
def test_login_cookie_that_is_none_is_refused(cookie: str) -> None:
    assert Logins("secret").redeem(cookie, "state") is None


def test_login_too_old_is_refused() -> None:
    clock = Clock()
    logins = Logins("secret", clock=clock)
    begun, cookie = logins.begin(HOME)
    clock.now += STATE_TTL_S + 1

    assert logins.redeem(cookie, begun.state) is None


def test_login_begun_before_a_restart_is_redeemed_with_the_same_verifier() -> None:
    before, after = Logins("secret"), Logins("secret")
    begun, cookie = before.begin(HOME)

    redeemed = after.redeem(cookie, begun.state)

    assert redeemed == begun
    assert after.verifier(begun) == before.verifier(begun)


def test_login_verifiers_differ_by_login_and_service() -> None:
    logins = Logins("secret")
    first, _ = logins.begin(HOME)
    second, _ = logins.begin(HOME)

    made = {logins.verifier(first), logins.verifier(second), Logins("x").verifier(first)}

    assert len(made) == 3
    assert all(43 <= len(verifier) <= 128 for verifier in made), "RFC 7636, section 4.1"


def test_challenge_is_the_verifiers_sha256() -> None:
    verifier = Logins("secret").verifier(Logins("secret").begin(HOME)[0])

    padded = challenge(verifier) + "="

    assert base64.urlsafe_b64decode(padded) == hashlib.sha256(verifier.encode()).digest()


@pytest.mark.parametrize(
    "target",
    [
        HOME,
        f"{HOME}pages/abc?tab=code&q=a%20b",
        f"{HOME}projects/seat-demand",
        f"{HOME}a..b/c",
    ],
)
def test_next_path_below_the_prefix_is_kept(target: str) -> None:
    assert next_path(PREFIX, target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        PREFIX,
        "/",
        "/hub/logout",
        "/services/workspaces/",
        "//evil.example/services/workspace/",
        "https://evil.example/services/workspace/",
        "/\\evil.example",
        f"{HOME}\\..\\..\\evil",
        f"{HOME}../../hub/logout",
        f"{HOME}%2e%2e/%2E%2e/hub/logout",
        f"{HOME}..%2fhub",
        f"{HOME}a%5c..%5c..%5chub",
        f"{HOME}a\r\nSet-Cookie: x=1",
        f"{HOME}a b",
        f"{HOME}ü",
        f"{HOME}{'a' * 3000}",
    ],
)
def test_next_path_elsewhere_becomes_the_index(target: str) -> None:
    assert next_path(PREFIX, target) == HOME
