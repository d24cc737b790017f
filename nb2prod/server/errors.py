"""From errors to answers: one mapper of status, one shape, for every route.

API clients get ``{code, message, detail}``, browsers a page that says the same.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nb2prod import errors
from nb2prod.server.bodies import BODY_LIMIT_BYTES, NOTEBOOK_LIMIT_BYTES

if TYPE_CHECKING:
    from nb2prod.server.gallery import Gallery

log = logging.getLogger(__name__)

# By class; the nearest one above an error decides. The caller's mistake is 4xx, ours 5xx.
STATUS: dict[type[errors.Nb2prodError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.NotSignedIn: 401,
    errors.RoleInsufficient: 403,
    errors.RunUnsuccessful: 409,
    errors.LimitReached: 429,
    errors.Unavailable: 503,
    errors.RequestRefused: 403,
    errors.HostRefused: 421,
    errors.Nb2prodError: 500,
}

_TOO_LARGE = (
    f"The request is too large: a notebook may have {NOTEBOOK_LIMIT_BYTES >> 20} MiB, anything"
    f" else {BODY_LIMIT_BYTES >> 20} MiB."
)

# For errors of the protocol itself, which have no error of ours: status → code, message.
PROTOCOL_ERRORS = {
    404: ("not_found", "There is nothing at this address, or it is not for you."),
    405: ("method_not_allowed", "This address can't be used in this way."),
    413: ("too_large", _TOO_LARGE),
}


class ErrorBody(BaseModel):
    """The one shape of every error of the API."""

    code: str = Field(description="Stable name of the kind of error.")
    message: str = Field(description="What happened, to which object, what to do.")
    detail: dict[str, object] = Field(description="Facts for a program.")


def status_of(error: errors.Nb2prodError) -> int:
    """Return the HTTP status for an error.

    >>> status_of(errors.RunNotFound("no such run"))
    404
    """
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer an error in the shape that its reader understands; the handler of all errors."""
    status, body, headers = describe(error)
    gallery: Gallery = request.app.state.gallery
    if request.headers.get("hx-request") == "true":
        # htmx ignores the content of errors; a whole load shows the page that says why.
        headers["HX-Refresh"] = "true"
    if wants_json(request, gallery.prefix):
        return JSONResponse(body.model_dump(), status, headers)
    return gallery.html(request, "error.html", status=status, headers=headers, error=body)


def describe(error: Exception) -> tuple[int, ErrorBody, dict[str, str]]:
    """Return status, body and headers of the answer to an error."""
    if isinstance(error, errors.Nb2prodError):
        status = status_of(error)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        body = ErrorBody(code=error.code, message=error.message, detail=_plain(error.detail))
        return status, body, headers
    if isinstance(error, RequestValidationError):
        return 422, _invalid(error), {}
    if isinstance(error, HTTPException):
        code, message = PROTOCOL_ERRORS.get(error.status_code, ("refused", str(error.detail)))
        body = ErrorBody(code=code, message=message, detail={})
        return error.status_code, body, dict(error.headers or {})
    return 500, _internal(error), {}


def wants_json(request: Request, prefix: str) -> bool:
    """Tell whether a request is for the API, or comes from a program that asks for JSON."""
    accept = request.headers.get("accept", "")
    is_program = "application/json" in accept and "text/html" not in accept
    return is_program or request.url.path.startswith(f"{prefix}/api/")


class ErrorBoundary:
    """ASGI middleware: nothing that goes wrong leaves the house as a traceback.

    It stands within the middleware that sets headers, so that answers to errors carry them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer what the application has not answered itself."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_started = False

        async def watch(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if has_started:
                raise
            response = await answer_error(Request(scope), error)
            await response(scope, receive, send)


def _internal(error: Exception) -> ErrorBody:
    incident = secrets.token_hex(4)
    log.error("Request failed, incident=%s", incident, exc_info=error)
    return ErrorBody(
        code="internal",
        message=f"Something went wrong here, not with you. The log has it as {incident}.",
        detail={"incident": incident},
    )


def _invalid(error: RequestValidationError) -> ErrorBody:
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
        for fault in error.errors()
    ]
    first = faults[0]
    return ErrorBody(
        code="invalid_input",
        message=f"{first['field']}: {first['message']}.",
        detail={"faults": faults},
    )


def _plain(detail: dict[str, object]) -> dict[str, object]:
    import json

    plain: dict[str, object] = json.loads(json.dumps(detail, default=str))
    return plain
