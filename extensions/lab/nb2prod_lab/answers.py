"""From errors to answers: one mapper of status and one shape, for every route here."""

from __future__ import annotations

import secrets
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError

from nb2prod import errors
from nb2prod_lab.service import ServiceRefusal

# By class; the nearest one above an error decides, as in the workspace service.
STATUS: dict[type[errors.Nb2prodError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unavailable: 503,
    errors.Nb2prodError: 500,
}


def describe(handler: JupyterHandler, error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return status and ``{code, message, detail}`` for an error; logs what is ours."""
    if isinstance(error, ServiceRefusal):
        return error.status, error.body
    if isinstance(error, errors.Nb2prodError):
        status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        return status, {"code": error.code, "message": error.message, "detail": error.detail}
    if isinstance(error, HTTPError):
        message = error.log_message or error.reason or "The request was refused."
        return error.status_code, {"code": "refused", "message": message, "detail": {}}
    incident = secrets.token_hex(4)
    handler.log.error("nb2prod_lab request failed incident=%s", incident, exc_info=error)
    return 500, {
        "code": "internal",
        "message": f"Something went wrong here, not with you. The log has it as {incident}.",
        "detail": {"incident": incident},
    }
