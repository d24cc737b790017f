"""What the routes' signatures have in common."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.security import HTTPBearer

from nb2prod.errors import Conflict, RoleInsufficient
from nb2prod.knowledge.models import MAX_PAGE_SIZE
from nb2prod.server.errors import ErrorBody
from nb2prod.server.gallery import Gallery, Reader, gallery_of, reader_of
from nb2prod.workspace.projects import get_project

GalleryHere = Annotated[Gallery, Depends(gallery_of)]
ReaderHere = Annotated[Reader, Depends(reader_of)]
# Beyond it SQLite has no numbers, and nobody has so many pages.
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="How many to leave out.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="How many to return.")]
Name = Annotated[str | None, Query(max_length=100)]
# What git and SQLite can both count.
Number = Annotated[int, Path(ge=1, le=1_000_000, description="The version's number.")]

MEANINGS = {
    401: "Not signed in.",
    403: "The role does not include it, or no page of ours asked for it.",
    404: "Absent, or not for this person.",
    409: "Not possible in this state.",
    413: "Too large.",
    422: "What was asked can't be used.",
    429: "Too much at once.",
}


RUN_INSTEAD = (
    ". Run the version in a terminal, as in `nb2prod run train@v1`, or start the whole workspace"
    " with `nb2prod up`."
)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors that a route may answer with, for its description."""
    return {
        status: {"model": ErrorBody, "description": MEANINGS[status]}
        for status in (401, 404, 422, *statuses)
    }


def api_router() -> APIRouter:
    """Return a router for a part of the API."""
    return APIRouter(
        prefix="/api/v1",
        responses=answers(),
        # Only for the description; `admission.admit` decides.
        dependencies=[Depends(HTTPBearer(auto_error=False))],
    )


def executor_of(gallery: Gallery, *, instead: str = RUN_INSTEAD) -> str:
    """Return the executor that runs are given to; raises `Conflict` where there is none.

    Parameters
    ----------
    instead
        What follows from it, and what one can do.
    """
    if gallery.means.executor is None:
        raise Conflict(f"This gallery only shows runs, it starts none{instead}")
    return gallery.means.executor


def require_person(gallery: Gallery, reader: Reader, project: str, what: str) -> None:
    """Let nobody but a person decide: a program in a project runs what other members wrote.

    Parameters
    ----------
    what
        What is decided, for the sentence: "Tokens of seats are made and revoked".

    Raises
    ------
    ProjectNotFound
        There is none such that the person behind the program is a member of.
    RoleInsufficient
        It is the token of a server, or of CI, that asks.
    """
    if reader.identity.project is not None:
        get_project(gallery.workspace, project, person=reader.person)
        raise RoleInsufficient(
            f"{what} in the browser, or with a token of a person's own, not by a server, a run or"
            " CI."
        )
