"""The hub's pages are for people: scripts in people's servers, of the same origin, can't read them.

JupyterHub's pages carry the XSRF token with which a script could make itself a token of the
person. It leaves this to the browser's walls between origins, which there are not without a
domain for each person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TORNADO_SETTINGS: dict[str, Any] = {
    # A page that is opened from a script's page is none that the script can look into.
    "headers": {"Cross-Origin-Opener-Policy": "same-origin"},
    # A script can move its page's address below a cookie's path.
    "xsrf_cookie_kwargs": {"httponly": True},
}


def is_visit(headers: Mapping[str, str]) -> bool:
    """Tell whether a request is a page's visit; old browsers and programs do not say."""
    return headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def guard_pages() -> None:
    """Let the hub's pages answer visits only, links and forms, and no script's request."""
    from jupyterhub.apihandlers.base import APIHandler
    from jupyterhub.handlers.base import BaseHandler

    if getattr(BaseHandler.prepare, "is_guard", False):
        return
    prepare = BaseHandler.prepare

    async def guarded(self: Any) -> None:
        # The API has JupyterHub's own check, for reading as well.
        if not isinstance(self, APIHandler) and not is_visit(self.request.headers):
            self.set_status(403)
            # No page of an error: that has the token, too.
            self.finish("This page is for people, not for scripts.")
            return
        await prepare(self)

    guarded.is_guard = True  # type: ignore[attr-defined]
    BaseHandler.prepare = guarded
