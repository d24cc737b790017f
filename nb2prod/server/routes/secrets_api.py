"""The API for programs: secrets of a project, set and removed by its owners."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from nb2prod.server import secret_models
from nb2prod.server.bodies import described, json_body
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.routes.common import (
    GalleryHere,
    ReaderHere,
    answers,
    api_router,
    require_person,
)
from nb2prod.server.secret_models import SecretValue
from nb2prod.workspace import secrets

router = api_router()


@router.get("/projects/{project}/secrets", responses=answers(403))
def list_secrets(
    gallery: GalleryHere, reader: ReaderHere, project: str
) -> secret_models.SecretList:
    """List a project's secrets, without their values."""
    _require_person(gallery, reader, project)
    found = secrets.list_secrets(gallery.workspace, project, person=reader.person)
    return secret_models.secret_list(found)


@router.put(
    "/projects/{project}/secrets/{secret}",
    responses=answers(403, 413),
    openapi_extra=described(SecretValue),
)
def set_secret(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    secret: str,
    asked: Annotated[SecretValue, Depends(json_body(SecretValue))],
) -> secret_models.SecretBody:
    """Set a secret, in place of the one of that name; for owners."""
    _require_person(gallery, reader, project)
    entry = secrets.set_secret(
        gallery.workspace, project, secret, asked.value, person=reader.person
    )
    return secret_models.SecretBody.model_validate(entry)


@router.delete("/projects/{project}/secrets/{secret}", status_code=204, responses=answers(403))
def remove_secret(gallery: GalleryHere, reader: ReaderHere, project: str, secret: str) -> Response:
    """Remove a secret; for owners. Runs that name it can't be started any more."""
    _require_person(gallery, reader, project)
    secrets.remove_secret(gallery.workspace, project, secret, person=reader.person)
    return Response(status_code=204)


def _require_person(gallery: Gallery, reader: Reader, project: str) -> None:
    require_person(gallery, reader, project, f"Secrets of {project} are seen and set")
