"""The login's own answers: an error in the one shape, or a page that says the same."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from nb2prod.errors import Nb2prodError
from nb2prod.server.errors import describe
from nb2prod.server.security import COMMON_HEADERS, INERT_POLICY

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>nb2prod</title></head>
<body>
<h1>{title}</h1>
<p>{message}</p>
<p><a href="{home}">Open the start page</a></p>
</body>
</html>
"""
_TITLES = {401: "Not signed in", 403: "Not allowed", 404: "Not found", 503: "Not available"}


def is_page_visit(request: Request) -> bool:
    """Tell whether somebody visits a page in a browser, and could sign in.

    Browsers say so (Fetch Metadata); older ones, and those on plain HTTP, only that they
    want HTML.
    """
    if request.method != "GET":
        return False
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate" and request.headers.get("sec-fetch-dest") == "document"
    return "text/html" in request.headers.get("accept", "")


def refusal(request: Request, error: Nb2prodError, *, home: str) -> Response:
    """Answer an error.

    Parameters
    ----------
    home
        Path of the page to begin again at.
    """
    status, body, headers = describe(error)
    headers |= {**COMMON_HEADERS, "Content-Security-Policy": INERT_POLICY}
    headers["Cache-Control"] = "no-store"
    if not is_page_visit(request):
        return JSONResponse(body.model_dump(), status, headers)
    page = _PAGE.format(
        title=_TITLES.get(status, "Refused"),
        message=escape(body.message),
        home=escape(home),
    )
    return HTMLResponse(page, status, headers)
