"""A project's settings for browsers: forms to set secrets, and to make tokens for CI."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from nb2prod.errors import Conflict, InvalidInput, SecretNotFound, TokenNotFound
from nb2prod.server import settings_view
from nb2prod.server.bodies import read_form
from nb2prod.server.errors import status_of
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.project_view import Filled
from nb2prod.server.routes.common import GalleryHere, ReaderHere
from nb2prod.workspace import secrets, tokens
from nb2prod.workspace.tokens import DEFAULT_DAYS

router = APIRouter(include_in_schema=False)


@router.get("/projects/{project}/settings", name="settings")
async def show_settings(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Show a project's secrets, without their values, and the reader's tokens."""
    return await _page(request, gallery, reader, project)


@router.post("/projects/{project}/settings/secrets", name="set_secret")
async def set_secret(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Set a secret; of what can't be used only the name is shown again."""
    fields = await read_form(request)
    name = fields.get("name", "").strip()
    # Browsers send line ends as two characters; a key in a file has one.
    value = fields.get("value", "").replace("\r\n", "\n")
    try:
        await run_in_threadpool(
            secrets.set_secret, gallery.workspace, project, name, value, person=reader.person
        )
    except InvalidInput as error:
        form = Filled(fields={"name": name}, error=error)
        return await _page(request, gallery, reader, project, secret_form=form)
    return _to(gallery, project, "secrets")


@router.post("/projects/{project}/settings/secrets/remove", name="remove_secret")
async def remove_secret(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Remove a secret."""
    name = (await read_form(request)).get("name", "")
    try:
        await run_in_threadpool(
            secrets.remove_secret, gallery.workspace, project, name, person=reader.person
        )
    except SecretNotFound as error:
        return await _page(request, gallery, reader, project, secret_form=Filled(error=error))
    return _to(gallery, project, "secrets")


@router.post("/projects/{project}/settings/tokens", name="create_token")
async def create_token(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Make a token, and show it this once."""
    fields = await read_form(request)
    try:
        _, made = await run_in_threadpool(
            tokens.create_project_token,
            gallery.workspace,
            project,
            person=reader.person,
            title=fields.get("title", ""),
            days=_days(fields.get("days", "")),
        )
    except (InvalidInput, Conflict) as error:
        form = Filled(fields=fields, error=error)
        return await _page(request, gallery, reader, project, token_form=form)
    return await _page(request, gallery, reader, project, made_token=made)


@router.post("/projects/{project}/settings/tokens/revoke", name="revoke_token")
async def revoke_token(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> Response:
    """Take a token back."""
    token = (await read_form(request)).get("token", "")
    try:
        await run_in_threadpool(
            tokens.revoke_project_token, gallery.workspace, project, token, person=reader.person
        )
    except TokenNotFound as error:
        return await _page(request, gallery, reader, project, token_form=Filled(error=error))
    return _to(gallery, project, "tokens")


async def _page(
    request: Request,
    gallery: Gallery,
    reader: Reader,
    project: str,
    *,
    secret_form: Filled | None = None,
    token_form: Filled | None = None,
    made_token: str = "",
) -> Response:
    view = await run_in_threadpool(
        settings_view.compose_settings,
        gallery.workspace,
        reader,
        project,
        secret_form=secret_form,
        token_form=token_form,
        made_token=made_token,
    )
    form = secret_form or token_form
    status = status_of(form.error) if form and form.error else 200
    response = gallery.html(request, "settings.html", status=status, view=view)
    if made_token:
        # A token that is shown once must not be found again by the back button.
        response.headers["Cache-Control"] = "no-store"
    return response


def _to(gallery: Gallery, project: str, part: str) -> Response:
    # After a form a plain visit: to load the page again sends nothing again.
    return RedirectResponse(
        f"{gallery.path('projects', quote(project, safe=''), 'settings')}#{part}", 303
    )


def _days(text: str) -> int:
    if not text.strip():
        return DEFAULT_DAYS
    try:
        return int(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:20]!r} is no number of days.") from error
