"""What requests bring with them: read after admission, by a limit, and checked strictly.

FastAPI would read a declared body before it asks who sends it; so the routes declare none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs

from fastapi.exceptions import HTTPException, RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

Body = TypeVar("Body", bound=BaseModel)

# A notebook carries its pictures; Jupyter's own limit for a request is larger than anybody needs.
NOTEBOOK_LIMIT_BYTES = 64 * 2**20
BODY_LIMIT_BYTES = 2**20
MAX_FORM_BYTES = 65_536
FORM_TYPE = "application/x-www-form-urlencoded"


async def read_body(request: Request, limit_bytes: int = BODY_LIMIT_BYTES) -> bytes:
    """Return a request's body; one that is too large is refused before it is all read."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit_bytes:
        raise HTTPException(413)
    parts, size_bytes = [], 0
    async for part in request.stream():
        size_bytes += len(part)
        if size_bytes > limit_bytes:
            raise HTTPException(413)
        parts.append(part)
    return b"".join(parts)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form of ours; of a field that is sent twice the last value.

    Admission and a route may both ask: the request keeps the answer.
    """
    known: dict[str, str] | None = getattr(request.state, "form", None)
    if known is not None:
        return known
    content = await read_body(request, MAX_FORM_BYTES)
    fields = parse_qs(content.decode("ascii", "replace"), keep_blank_values=True)
    form = {name: values[-1] for name, values in fields.items()}
    request.state.form = form
    return form


def parse_body(model: type[Body], content: bytes) -> Body:
    """Read a JSON body; raises `RequestValidationError` with what is wrong in it."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from error


def json_body(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """Return what reads a JSON body, for FastAPI's `Depends`."""

    async def read(request: Request) -> Body:
        return parse_body(model, await read_body(request))

    return read


def described(model: type[BaseModel]) -> dict[str, Any]:
    """Return a body's part of the OpenAPI description of a route.

    What pydantic keeps in ``$defs`` stands where it is used: a reference within the description
    begins at its top, where there are none such.
    """
    schema = model.model_json_schema()
    schema = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {name: _inlined(item, definitions) for name, item in schema.items() if name != "$ref"}
    reference = schema.get("$ref")
    if reference is None:
        return rest
    found = _inlined(definitions[reference.rpartition("/")[2]], definitions)
    return {**found, **rest}
