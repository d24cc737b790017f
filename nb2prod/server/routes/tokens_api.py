"""The API for programs: tokens with which CI acts for a person in one project."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from nb2prod.server import token_models
from nb2prod.server.bodies import described, json_body
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.routes.common import (
    GalleryHere,
    ReaderHere,
    answers,
    api_router,
    require_person,
)
from nb2prod.server.token_models import NewToken
from nb2prod.workspace import tokens

router = api_router()


@router.get("/projects/{project}/tokens", responses=answers(403))
def list_tokens(gallery: GalleryHere, reader: ReaderHere, project: str) -> token_models.TokenList:
    """List the reader's tokens of a project; an owner's list has everybody's."""
    _require_person(gallery, reader, project)
    found = tokens.list_project_tokens(gallery.workspace, project, person=reader.person)
    return token_models.token_list(found)


@router.post(
    "/projects/{project}/tokens",
    status_code=201,
    responses=answers(403, 409),
    openapi_extra=described(NewToken),
)
def create_token(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    asked: Annotated[NewToken, Depends(json_body(NewToken))],
) -> token_models.MadeToken:
    """Make a token that acts for the reader in this project; its secret is told once."""
    _require_person(gallery, reader, project)
    token, secret = tokens.create_project_token(
        gallery.workspace, project, person=reader.person, title=asked.title, days=asked.days
    )
    return token_models.made_token(token, secret)


@router.delete("/projects/{project}/tokens/{token}", status_code=204, responses=answers(403))
def revoke_token(gallery: GalleryHere, reader: ReaderHere, project: str, token: str) -> Response:
    """Take back a token of the reader's own, or, as an owner, anybody's."""
    _require_person(gallery, reader, project)
    tokens.revoke_project_token(gallery.workspace, project, token, person=reader.person)
    return Response(status_code=204)


def _require_person(gallery: Gallery, reader: Reader, project: str) -> None:
    require_person(gallery, reader, project, f"Tokens of {project} are made and revoked")
