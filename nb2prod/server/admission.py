"""Who may ask: a browser with a cookie, or a program with a bearer token.

On a machine of one person both hold a secret of ours (`sign_in`). Behind a hub its login has
seen to that already, and says in the request's scope who asks (`IDENTITY`) and with what secret
the browser came (`SESSION`; `None` for a program).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from nb2prod.errors import NotFound, NotSignedIn
from nb2prod.server.bodies import FORM_TYPE, MAX_FORM_BYTES, read_form
from nb2prod.server.gallery import Gallery, Reader, gallery_of
from nb2prod.server.security import (
    XSRF_FIELD,
    XSRF_HEADER,
    check_origin,
    needs_xsrf_token,
    xsrf_refusal,
)
from nb2prod.server.sign_in import SESSION_TTL, is_xsrf_token, person_of
from nb2prod.workspace.people import Identity
from nb2prod.workspace.tokens import TOKEN_PREFIX, ci_identity_of

IDENTITY = "nb2prod.identity"
SESSION = "nb2prod.session"

# What a token of one project may use beside that project's routes.
OPEN_TO_TOKENS = ("api/v1/me", "api/v1/health")


async def admit(request: Request) -> Reader:
    """Let a request in and note who asks; every route but sign-in depends on it.

    Raises
    ------
    NotSignedIn
        It carries no valid session.
    NotFound
        It carries a token of one project and asks for anything else.
    CrossSiteRefused
        A browser sent it, but no page of ours did.
    """
    gallery = gallery_of(request)
    behind_login = gallery.means.is_behind_login
    reader = _introduced(request) if behind_login else await _signed_in(request)
    _require_reach(request, gallery, reader.identity)
    if reader.session is not None:
        await _check_is_ours(request, reader.session)
    request.state.reader = reader
    return reader


def cookie_name(request: Request) -> str:
    """Return the name of our cookie.

    Browsers don't tell ports of one host apart when they keep cookies, so the name does: two
    galleries on one machine would sign each other out.
    """
    server = request.scope.get("server")
    port = server[1] if server else request.url.port
    return f"nb2prod-session-{port or 80}"


def set_cookie(request: Request, response: Response, session: str) -> None:
    """Give the browser a session.

    ``Lax``, as a link from a chat or a terminal has to find its reader signed in. ``Secure``
    only over TLS: on the loopback address there is none.
    """
    response.set_cookie(
        cookie_name(request),
        session,
        max_age=int(SESSION_TTL.total_seconds()),
        path=gallery_of(request).prefix,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Take the session from the browser."""
    response.delete_cookie(
        cookie_name(request),
        path=gallery_of(request).prefix,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def safe_next(gallery: Gallery, target: str | None) -> str:
    r"""Return where to go after signing in: a path within the gallery, else its index.

    Browsers read ``//host``, ``/\host`` and control characters as more than a path.
    """
    index = gallery.path("")
    if not target or not target.startswith(index) or not target.isascii():
        return index
    parts = urlsplit(target)
    is_plain = target.isprintable() and "\\" not in target and " " not in target
    climbs = any(step in (".", "..") for step in parts.path.lower().replace("%2e", ".").split("/"))
    return target if is_plain and not climbs and not parts.scheme and not parts.netloc else index


def _introduced(request: Request) -> Reader:
    identity = request.scope.get(IDENTITY)
    if not isinstance(identity, Identity):
        raise NotSignedIn("You are not signed in. Open the gallery in a browser to sign in.")
    return Reader(identity=identity, session=request.scope.get(SESSION))


async def _signed_in(request: Request) -> Reader:
    bearer = _bearer_token(request)
    workspace = gallery_of(request).workspace
    if bearer is not None and bearer.startswith(TOKEN_PREFIX):
        identity = await run_in_threadpool(ci_identity_of, workspace, bearer)
        if identity is None:
            raise NotSignedIn("This token is unknown, was revoked, or its person is no member.")
        return Reader(identity=identity, session=None)
    session = bearer or request.cookies.get(cookie_name(request))
    person = session and await run_in_threadpool(person_of, workspace, session)
    if not session or not person:
        raise NotSignedIn(
            "You are not signed in. Run `nb2prod open` in a terminal: it opens the gallery"
            " with an address that signs you in."
        )
    return Reader(identity=Identity(person=person), session=None if bearer else session)


def _require_reach(request: Request, gallery: Gallery, identity: Identity) -> None:
    if identity.project is None:
        return
    path = request.scope["path"]
    if path in {gallery.path(open_path) for open_path in OPEN_TO_TOKENS}:
        return
    is_of_project = path.startswith(gallery.path("api/v1/projects/"))
    if not is_of_project or request.path_params.get("project") != identity.project:
        raise NotFound("There is nothing at this address, or it is not for you.")


async def _check_is_ours(request: Request, session: str) -> None:
    check_origin(request)
    if needs_xsrf_token(request):
        token = request.headers.get(XSRF_HEADER) or await _form_token(request)
        if token is None or not is_xsrf_token(session, token):
            raise xsrf_refusal()


async def _form_token(request: Request) -> str | None:
    content_type = request.headers.get("content-type", "").partition(";")[0]
    if content_type != FORM_TYPE:
        return None
    # Our forms are small, and browsers say how long they are.
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MAX_FORM_BYTES:
        return None
    return (await read_form(request)).get(XSRF_FIELD)


def _bearer_token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
