"""Pages of accounts: signing in, and an administrator's list of people.

Whatever changes something is a POST, for which the hub wants its XSRF token.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.orm import new_token
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import url_path_join
from nativeauthenticator.handlers import LocalBase, LoginHandler
from nativeauthenticator.orm import UserInfo
from tornado.web import HTTPError

NO_SUCH_LOGIN = "The name or the password is wrong."


def handlers() -> list[tuple[str, type]]:
    """Return the handlers that stand before NativeAuthenticator's own."""
    return [
        (r"/login", SignInHandler),
        (r"/authorize", PeopleHandler),
        (r"/authorize/([^/]*)", ApprovalHandler),
    ]


class SignInHandler(LoginHandler):  # type: ignore[misc]  # it has no types
    """The page for signing in."""

    # Set by the authenticator where it may say more than that something is wrong.
    refusal = ""

    async def post(self) -> None:
        """Sign a person in, or say why not."""
        data = {name: self.get_argument(name, strip=False) for name in self.request.arguments}
        user = await self.login_user(data)
        if user:
            self._jupyterhub_user = user
            self.redirect(self.get_next_url(user))
            return
        self.set_status(403)
        self.finish(
            await self._render(
                login_error=self.refusal or NO_SUCH_LOGIN, username=data.get("username", "")
            )
        )


class PeopleHandler(LocalBase):  # type: ignore[misc]  # it has no types
    """The list of all accounts, for administrators."""

    @needs_scope("admin:users")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Show it."""
        accounts = self.db.query(UserInfo).order_by(UserInfo.is_authorized, UserInfo.username)
        self.finish(await self.render_template("authorization-area.html", accounts=accounts.all()))


class ApprovalHandler(LocalBase):  # type: ignore[misc]  # it has no types
    """An administrator's decision on one account."""

    @needs_scope("admin:users")  # type: ignore[untyped-decorator]
    async def post(self, name: str) -> None:
        """Approve an account, lock it, or discard one that was never approved."""
        account = UserInfo.find(self.db, name)
        if account is None:
            raise HTTPError(404, "There is no such account.")
        action = self.get_body_argument("action")
        if action == "approve":
            account.is_authorized = True
        elif action == "lock":
            await self._lock(account)
        elif action == "discard" and not account.is_authorized and self._never_came(name):
            self.db.delete(account)
        else:
            raise HTTPError(400, "That can't be done with this account.")
        self.db.commit()
        self.log.info("Account changed, name=%s action=%s", name, action)
        self.redirect(url_path_join(self.hub.base_url, "authorize"))

    async def _lock(self, account: Any) -> None:
        if account.username == self.current_user.name:
            raise HTTPError(400, "You can't lock yourself out.")
        account.is_authorized = False
        user = self.find_user(account.username)
        if user is None:
            return
        # The person is signed out everywhere, and no token of theirs is good any more.
        user.orm_user.cookie_id = new_token()
        for token in list(user.orm_user.api_tokens):
            self.db.delete(token)
        # A terminal that is open asks nobody again.
        for name in [name for name, spawner in user.spawners.items() if spawner.ready]:
            await self.stop_single_user(user, name)

    def _never_came(self, name: str) -> bool:
        return self.find_user(name) is None
