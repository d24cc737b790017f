"""The login's cookies: the person's token, and logins that are under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from nb2prod_hub.oauth import STATE_TTL_S, Login, Logins

# JupyterHub's own (`cookie_max_age_days`).
COOKIE_TTL = timedelta(days=14)
# A browser that opens many tabs at once begins as many logins; its header must not grow on.
MAX_LOGINS = 8


@dataclass(frozen=True, kw_only=True)
class LoginCookies:
    """Reads and writes the cookies of one service.

    Parameters
    ----------
    name
        Of the cookie with the person's token.
    path
        The service's prefix; people's own servers, elsewhere on the same host, are not sent it.
    """

    name: str
    path: str

    def read(self, request: Request) -> str | None:
        """Return the person's token."""
        return request.cookies.get(self.name) or None

    def keep(self, request: Request, response: Response, token: str) -> None:
        """Give the browser the person's token."""
        age_s = int(COOKIE_TTL.total_seconds())
        self._set(request, response, self.name, token, max_age_s=age_s)

    def drop(self, request: Request, response: Response) -> None:
        """Take the person's token from the browser."""
        self._set(request, response, self.name, "", max_age_s=0)

    def keep_login(self, request: Request, response: Response, login: Login, value: str) -> None:
        """Bind a login to the browser, and drop logins if there are too many."""
        under_way = [name for name in request.cookies if name.startswith(self._login_prefix)]
        for name in under_way if len(under_way) >= MAX_LOGINS else ():
            self._set(request, response, name, "", max_age_s=0)
        self._set(request, response, self._login_name(login), value, max_age_s=STATE_TTL_S)

    def drop_login(self, request: Request, response: Response, login: Login) -> None:
        """Forget a login that is done."""
        self._set(request, response, self._login_name(login), "", max_age_s=0)

    def find_login(self, request: Request, state: str, logins: Logins) -> Login | None:
        """Return the login that this browser began with a state, once."""
        kept = [
            value for name, value in request.cookies.items() if name.startswith(self._login_prefix)
        ]
        found = (logins.redeem(value, state) for value in kept)
        return next((login for login in found if login is not None), None)

    @property
    def _login_prefix(self) -> str:
        return f"{self.name}-login-"

    def _login_name(self, login: Login) -> str:
        return f"{self._login_prefix}{login.cookie_suffix}"

    def _set(
        self, request: Request, response: Response, name: str, value: str, *, max_age_s: int
    ) -> None:
        # `Lax`, as a link from a chat has to find its reader signed in, and as the way back from
        # the hub may begin on an identity provider's site.
        response.set_cookie(
            name,
            value,
            max_age=max_age_s,
            path=self.path,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
