"""The hub's login in front of a service of ours: one ASGI middleware for all of them.

A browser that visits a page is sent to the hub and comes back with a token, which becomes the
service's cookie; a program brings a token of the hub, or one of ours. Either way the service
finds who asks in the request's scope (`nb2prod.server.admission.IDENTITY` and ``SESSION``).
Requests that nobody stands behind go on without, and the service answers them; its own checks
against forged requests are its own, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nb2prod.errors import Nb2prodError, NotFound, NotSignedIn
from nb2prod.server.admission import IDENTITY, SESSION
from nb2prod.workspace.people import Identity
from nb2prod_hub.login_answers import is_page_visit, refusal
from nb2prod_hub.login_cookies import LoginCookies
from nb2prod_hub.login_hub import HubClient
from nb2prod_hub.oauth import Logins, challenge, next_path

log = logging.getLogger(__name__)

HUB_AUTHORIZE_PATH = "/hub/api/oauth2/authorize"
HUB_LOGOUT_PATH = "/hub/logout"
HUB_SESSION_COOKIE = "jupyterhub-session-id"
CALLBACK = "oauth_callback"
LOGOUT = "logout"
OWN_TOKEN_PREFIX = "nb2p_"  # noqa: S105 (a prefix is no secret)


@dataclass(frozen=True, kw_only=True)
class LoginSettings:
    """How a service stands behind the login.

    Parameters
    ----------
    prefix
        Path of the service, without a slash at its end.
    port
        The port that browsers see; it is part of the cookie's name, since browsers don't tell
        the ports of one host apart.
    public
        Paths below which anybody may read.
    proxies
        Addresses whose word counts on whether the browser came over TLS.
    """

    prefix: str
    port: int
    public: tuple[str, ...] = ()
    proxies: frozenset[str] = frozenset()


class HubLogin:
    """ASGI middleware: says who asks, and leads visitors through the hub's login.

    Parameters
    ----------
    own_token_identity
        Says who one of our own tokens speaks for; runs in a thread.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: LoginSettings,
        hub: HubClient,
        *,
        own_token_identity: Callable[[str], Identity | None] = lambda _token: None,
    ) -> None:
        self.app = app
        self.settings = settings
        self.hub = hub
        self._own_token_identity = own_token_identity
        self._logins = Logins(hub.access.api_token)
        self._cookies = LoginCookies(
            name=f"nb2prod-{hub.access.service}-{settings.port}", path=settings.prefix
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with who asks, or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            await self.hub.close()
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        scope = {**scope, IDENTITY: None, SESSION: None, "scheme": self._scheme(scope)}
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Nb2prodError as error:
            response = refusal(request, error, home=f"{self.settings.prefix}/")
        await (response or self.app)(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        path, prefix = request.scope["path"], self.settings.prefix
        if path == prefix:
            return RedirectResponse(f"{prefix}/", 308)
        if not path.startswith(f"{prefix}/"):
            raise NotFound("There is nothing at this address, or it is not for you.")
        if path == f"{prefix}/{CALLBACK}":
            return await self._finish_login(request)
        if path == f"{prefix}/{LOGOUT}":
            return self._log_out(request)
        if any(path.startswith(public) for public in self.settings.public):
            return None
        if "token" in request.query_params:
            raise NotSignedIn(
                "A token in an address is not accepted, since addresses end up in histories and"
                " logs. Send it in the header Authorization."
            )
        return await self._identify(request)

    async def _identify(self, request: Request) -> Response | None:
        bearer = bearer_token(request)
        session = None if bearer else self._cookies.read(request)
        if bearer:
            identity = await self._identity_of_bearer(bearer)
        elif session:
            identity = await self.hub.identity_of(session, _hub_session(request))
        else:
            identity = None
        if identity is not None:
            request.scope[IDENTITY], request.scope[SESSION] = identity, session
            return None
        return self._begin_login(request) if not bearer and is_page_visit(request) else None

    async def _identity_of_bearer(self, token: str) -> Identity | None:
        if token.startswith(OWN_TOKEN_PREFIX):
            return await run_in_threadpool(self._own_token_identity, token)
        return await self.hub.identity_of(token)

    def _begin_login(self, request: Request) -> Response:
        target = request.scope.get("raw_path", b"").decode("latin-1")
        if request.url.query:
            target += f"?{request.url.query}"
        login, cookie = self._logins.begin(next_path(self.settings.prefix, target))
        access = self.hub.access
        query = {
            "client_id": access.client_id,
            "redirect_uri": access.redirect_path,
            "response_type": "code",
            "state": login.state,
            "code_challenge": challenge(self._logins.verifier(login)),
            "code_challenge_method": "S256",
        }
        response = _redirect(f"{HUB_AUTHORIZE_PATH}?{urlencode(query)}")
        self._cookies.keep_login(request, response, login, cookie)
        return response

    async def _finish_login(self, request: Request) -> Response:
        state, code = _only(request, "state"), _only(request, "code")
        login = self._cookies.find_login(request, state, self._logins) if state else None
        if login is None:
            raise NotSignedIn(
                "This login was not begun in this browser, or it is too old or was used before."
                " Open the page again to sign in."
            )
        if not code:
            raise NotSignedIn("The hub did not let you in here. Open the page again to try again.")
        token = await self.hub.exchange(code, self._logins.verifier(login))
        identity = await self.hub.identity_of(token, _hub_session(request))
        if identity is None:
            raise NotSignedIn("Your account may not use this service. Ask the administrator.")
        log.info("Signed in, service=%s person=%s", self.hub.access.service, identity.person)
        response = _redirect(login.next_path)
        self._cookies.drop_login(request, response, login)
        self._cookies.keep(request, response, token)
        return response

    def _log_out(self, request: Request) -> Response:
        # A link on another site must not log anybody out; typing the address may.
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _redirect(f"{self.settings.prefix}/")
        session = self._cookies.read(request)
        if session:
            self.hub.forget(session, _hub_session(request))
        response = _redirect(HUB_LOGOUT_PATH)
        self._cookies.drop(request, response)
        return response

    def _scheme(self, scope: Scope) -> str:
        peer = (scope.get("client") or ("",))[0]
        if peer not in self.settings.proxies:
            return str(scope["scheme"])
        said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        # Proxies in a row append; the first is what the browser spoke.
        first = said[0].split(b",")[0].strip() if said else b""
        return "https" if first == b"https" else "http"


def bearer_token(request: Request) -> str | None:
    """Return the token that a program sends: ``Bearer …`` or, as JupyterHub has it, ``token …``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() in ("bearer", "token") else None


def _hub_session(request: Request) -> str:
    return request.cookies.get(HUB_SESSION_COOKIE, "")


def _only(request: Request, name: str) -> str | None:
    values = request.query_params.getlist(name)
    return values[0] if len(values) == 1 and values[0] else None


def _redirect(target: str) -> Response:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(target, 303, headers=headers)
