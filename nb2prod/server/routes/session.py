"""Signing in by a one-time address, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from nb2prod.errors import NotSignedIn
from nb2prod.server import sign_in
from nb2prod.server.admission import cookie_name, drop_cookie, safe_next, set_cookie
from nb2prod.server.gallery import Gallery, Reader, gallery_of, reader_of

public = APIRouter(include_in_schema=False)
private = APIRouter(include_in_schema=False)

GalleryHere = Annotated[Gallery, Depends(gallery_of)]
ReaderHere = Annotated[Reader, Depends(reader_of)]


@public.get("/sign-in", name="sign_in")
async def sign_in_by_token(
    request: Request,
    gallery: GalleryHere,
    token: str = "",
    next: str | None = None,  # noqa: A002 (the query's name)
) -> Response:
    """Exchange a one-time token for a session cookie and go on.

    Browsers fetch ahead what one types or hovers; such a request says so, and must not use the
    token up. Programs that preview links ask with HEAD, which no route answers, or from
    elsewhere, where this address leads nowhere. An address opened again by who is signed in
    already just goes on.
    """
    if _is_prefetch(request):
        return Response(status_code=503, headers={"Referrer-Policy": "no-referrer"})
    onward = RedirectResponse(safe_next(gallery, next), 303)
    # The address has a secret: nobody who is linked to from the next page learns it.
    onward.headers["Referrer-Policy"] = "no-referrer"
    try:
        session = await run_in_threadpool(sign_in.exchange, gallery.workspace, token)
    except NotSignedIn:
        if await _is_signed_in(request, gallery):
            return onward
        raise
    set_cookie(request, onward, session)
    return onward


@private.post("/sign-out", name="sign_out")
def sign_out(request: Request, gallery: GalleryHere, reader: ReaderHere) -> Response:
    """End the browser's session."""
    if reader.session is not None:
        sign_in.end_session(gallery.workspace, reader.session)
    response = RedirectResponse(gallery.path("signed-out"), 303)
    drop_cookie(request, response)
    return response


@public.get("/signed-out", name="signed_out")
def signed_out(request: Request, gallery: GalleryHere) -> Response:
    """Say that one is signed out, and how to come back."""
    return gallery.html(request, "signed_out.html")


async def _is_signed_in(request: Request, gallery: Gallery) -> bool:
    session = request.cookies.get(cookie_name(request))
    if not session:
        return False
    return await run_in_threadpool(sign_in.person_of, gallery.workspace, session) is not None


def _is_prefetch(request: Request) -> bool:
    # Sec-Purpose is the standard's (Fetch, "prefetch" and "prefetch;prerender"); the other two
    # are its forerunners in Safari and Firefox.
    said = (request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz"))
    return any("prefetch" in text or "preview" in text for text in said)
