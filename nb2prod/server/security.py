"""What every request must satisfy, and the headers that every response carries.

The headers are those of the design that was tested in a browser:
scripts run by nonce only, styles, images and fonts come from us, nothing is framed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nb2prod.errors import CrossSiteRefused, HostRefused

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
XSRF_HEADER = "X-XSRF-Token"
XSRF_FIELD = "_xsrf"

COMMON_HEADERS = {
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# For everything that is no page of ours: nothing in it may act, wherever it is opened.
INERT_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


def page_policy(nonce: str) -> str:
    """Return the Content-Security-Policy of our pages.

    ``frame-src`` is ``'none'`` until there are sandboxed outputs; then it must name their path:
    a sandbox does not stop a frame from navigating itself.
    """
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self';"
        " img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'none';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )


class SecurityHeaders:
    """ASGI middleware: one nonce per request, and the headers on every response.

    A response that brings its own policy keeps it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with ``state.nonce`` set."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), nonce)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class HostCheck:
    """ASGI middleware: answer only for names that are ours.

    Another site can make its own name point to this machine (DNS rebinding) and would then be
    of one origin with us in the browser; the ``Host`` header gives it away.

    Parameters
    ----------
    hosts
        Names without port, beside those of the loopback device.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self.hosts = LOOPBACK_HOSTS | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise `HostRefused`."""
        if scope["type"] in ("http", "websocket"):
            host = Headers(scope=scope).get("host", "")
            if _without_port(host) not in self.hosts:
                raise HostRefused(
                    f"This server does not answer for the host {host[:255]!r}."
                    " Open the address that `nb2prod open` prints."
                )
        await self.app(scope, receive, send)


def check_origin(request: Request) -> None:
    """Refuse a request that acts and was not sent by a page of our own origin.

    The rule of Filippo Valsorda's "Cross-Site Request Forgery" (2025), as Datasette has it:
    ``Sec-Fetch-Site`` where the browser sends it, else ``Origin`` against ``Host``; a request
    with neither comes from no browser.

    Raises
    ------
    CrossSiteRefused
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise _cross_site()
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise _cross_site()


def needs_xsrf_token(request: Request) -> bool:
    """Tell whether a request by a browser's session has to prove that a page of ours sent it.

    Under a hub, other people's servers may share our origin, so the origin proves little. A
    script there can't open our pages (no frames, no opener) but could fetch them; so whatever
    is no plain visit needs the token, reading included. The rule is the hub's own: visits, and
    images of our pages, need none; neither do old browsers and programs, which do not say what
    they do, when they only read.
    """
    if request.method not in SAFE_METHODS:
        return True
    mode = request.headers.get("sec-fetch-mode", "navigate")
    if mode == "navigate":
        return False
    is_picture = request.headers.get("sec-fetch-dest") == "image"
    is_ours = request.headers.get("sec-fetch-site") == "same-origin"
    return not (mode == "no-cors" and is_picture and is_ours)


def _add_headers(headers: MutableHeaders, nonce: str) -> None:
    for name, value in COMMON_HEADERS.items():
        headers.setdefault(name, value)
    is_page = headers.get("content-type", "").startswith("text/html")
    headers.setdefault("Content-Security-Policy", page_policy(nonce) if is_page else INERT_POLICY)
    # Whatever is not said to be cacheable may be private, and changes.
    headers.setdefault("Cache-Control", "no-store")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _cross_site() -> CrossSiteRefused:
    return CrossSiteRefused(
        "This request was not sent by a page of this gallery, and is refused. Reload the page"
        " and try again; programs use a bearer token."
    )


def xsrf_refusal() -> CrossSiteRefused:
    """Return the error for a request whose XSRF token is absent or wrong."""
    return _cross_site()
