"""Accounts of the workspace's own: sign-up, an administrator's approval, passwords.

NativeAuthenticator keeps them in the hub's database. What is different here: approving is a
request that a link can't make, checking a password does not stop the hub for everybody, and the
first administrator is there from the start.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import bcrypt
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from traitlets import Unicode

from nb2prod_hub.account_handlers import handlers
from nb2prod_hub.secret_files import Secret, find_secret, forget_secret

# bcrypt looks at no more, and since its version 5 refuses.
PASSWORD_BYTES = 72
# A password that nobody has: an unknown name takes as long as a known one.
_NOBODY = b"$2b$12$C6UzMDM.H6dfI/f/IKcEeO7ZBhYvwnQ6rTZyqvLqJQm3fJQeJ5zOe"


class AccountAuthenticator(NativeAuthenticator):  # type: ignore[misc]  # it has no types
    """Signs people in by name and password."""

    home = Unicode(config=True, help="The workspace's folder.")

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        if self.db is not None:
            self._make_first_administrator()

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """Return the person's name if the password is right and the account approved."""
        name = self.normalize_username(data.get("username", ""))
        account = self.get_user(name)
        if self.is_blocked(name):
            handler.refusal = (
                "Too many failed attempts. Wait"
                f" {round(self.seconds_before_next_try / 60)} minutes, then try again."
            )
            return None
        hashed = _NOBODY if account is None else account.password
        is_right = await asyncio.to_thread(_matches, data.get("password", ""), hashed)
        if account is None:
            return None
        if not is_right:
            self.add_login_attempt(name)
            return None
        self.successful_login(name)
        if not account.is_authorized:
            handler.refusal = "An administrator has to approve this account first."
            return None
        return str(name)

    def is_password_strong(self, password: str) -> bool:
        """Tell whether a new password will do."""
        return _can_hash(password) and bool(super().is_password_strong(password))

    def change_password(self, username: str, new_password: str) -> bool | None:
        """Change a person's password; returns `True` if that was done."""
        changed: bool | None = super().change_password(username, new_password)
        if changed and self.normalize_username(username) in self.admin_users:
            forget_secret(Path(self.home), Secret.ADMINISTRATOR_PASSWORD)
        return changed

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        """Return the pages of accounts."""
        return [*handlers(), *_without(super().get_handlers(app), {path for path, _ in handlers()})]

    def _make_first_administrator(self) -> None:
        password = find_secret(Path(self.home), Secret.ADMINISTRATOR_PASSWORD)
        for name in self.admin_users:
            if password is None or self.user_exists(name):
                continue
            self.db.add(
                UserInfo(
                    username=name,
                    password=bcrypt.hashpw(password.encode(), bcrypt.gensalt()),
                    is_authorized=True,
                )
            )
            self.db.commit()
            self.log.info("Made the first administrator's account, name=%s", name)


def _matches(password: str, hashed: bytes) -> bool:
    return _can_hash(password) and bcrypt.checkpw(password.encode(), hashed)


def _can_hash(password: str) -> bool:
    return "\0" not in password and len(password.encode("utf-8", "replace")) <= PASSWORD_BYTES


def _without(entries: list[tuple[str, type]], taken: set[str]) -> list[tuple[str, type]]:
    # NativeAuthenticator's own links that approve and discard by a mere visit.
    left_out = taken | {r"/discard/([^/]*)", r"/confirm/([^/]*)"}
    return [entry for entry in entries if entry[0] not in left_out]
