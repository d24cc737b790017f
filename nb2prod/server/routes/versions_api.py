"""The API for programs: notebooks are proposed and promoted, versions are read."""

from __future__ import annotations

import hashlib
import json
from functools import partial

from fastapi import Request
from starlette.responses import Response

from nb2prod.errors import ProposalStale
from nb2prod.notebook.reading import parse_notebook, to_node
from nb2prod.registry import versions
from nb2prod.registry.models import Reference, Version, check_pipeline_name
from nb2prod.registry.project_files import FolderFiles, GivenFiles, ProjectFiles
from nb2prod.registry.versions import Proposal
from nb2prod.server import version_models
from nb2prod.server.bodies import NOTEBOOK_LIMIT_BYTES, described, parse_body, read_body
from nb2prod.server.gallery import Gallery, Reader
from nb2prod.server.places import notebook_place
from nb2prod.server.routes.common import (
    GalleryHere,
    Limit,
    Name,
    Number,
    Offset,
    ReaderHere,
    answers,
    api_router,
)
from nb2prod.server.version_models import NewProposal, NewVersion
from nb2prod.workspace import projects
from nb2prod.workspace.people import author_of
from nb2prod.workspace.projects import Project, Role

router = api_router()


@router.post(
    "/projects/{project}/proposals",
    responses=answers(403, 413),
    openapi_extra=described(NewProposal),
)
async def propose(
    request: Request, gallery: GalleryHere, reader: ReaderHere, project: str
) -> version_models.ProposalBody:
    """Check a notebook and say what its next version would be; changes nothing."""
    content = await read_body(request, NOTEBOOK_LIMIT_BYTES)

    def work() -> version_models.ProposalBody:
        asked = parse_body(NewProposal, content)
        return version_models.proposal_body(_proposal(gallery, reader, project, asked))

    return await gallery.promoting(work)


@router.post(
    "/projects/{project}/versions",
    status_code=201,
    responses={**answers(403, 409, 413), 200: {"model": version_models.VersionBody}},
    openapi_extra=described(NewVersion),
)
async def promote(
    request: Request, response: Response, gallery: GalleryHere, reader: ReaderHere, project: str
) -> version_models.VersionBody:
    """Make the version that was proposed; 200 where the newest has this content already."""
    content = await read_body(request, NOTEBOOK_LIMIT_BYTES)
    version, is_new = await gallery.promoting(partial(_promoted, gallery, reader, project, content))
    response.status_code = 201 if is_new else 200
    return version_models.version_body(version)


@router.get("/projects/{project}/versions")
def list_versions(
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    pipeline: Name = None,
    offset: Offset = 0,
    limit: Limit = 24,
) -> version_models.VersionList:
    """List the versions that a project's repository has."""
    repository = _project(gallery, reader, project).repository
    name = None if pipeline is None else check_pipeline_name(pipeline)
    found = versions.list_versions(repository, name)
    return version_models.VersionList(
        items=[version_models.version_item(version) for version in found[offset : offset + limit]],
        offset=offset,
        limit=limit,
        total=len(found),
    )


@router.get("/projects/{project}/versions/{pipeline}/{number}")
def get_version(
    gallery: GalleryHere, reader: ReaderHere, project: str, pipeline: str, number: Number
) -> version_models.VersionBody:
    """Return a version with its parameters and its script."""
    return version_models.version_body(_version(gallery, reader, project, pipeline, number))


@router.get("/projects/{project}/versions/{pipeline}/{number}/notebook")
def get_notebook(
    request: Request,
    gallery: GalleryHere,
    reader: ReaderHere,
    project: str,
    pipeline: str,
    number: Number,
) -> Response:
    """Return a version as a notebook without outputs; its ETag is the content's sha256."""
    version = _version(gallery, reader, project, pipeline, number)
    node = to_node(versions.version_notebook(version))
    content = json.dumps(node, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(content, media_type="application/json", headers={"ETag": tag})


def _promoted(
    gallery: Gallery, reader: Reader, project: str, content: bytes
) -> tuple[Version, bool]:
    asked = parse_body(NewVersion, content)
    proposal = _proposal(gallery, reader, project, asked)
    if not proposal.is_blocked and proposal.digest != asked.digest:
        raise ProposalStale(
            f"{proposal.reference} is not what was checked any more: the notebook, its"
            " environment or the newest version has changed. Check it again.",
            digest=proposal.digest,
        )
    former = proposal.former.number if proposal.former else 0
    version = versions.confirm(proposal, author=author_of(reader.person))
    return version, not (proposal.is_unchanged or version.number <= former)


def _proposal(gallery: Gallery, reader: Reader, project: str, asked: NewProposal) -> Proposal:
    found = projects.require_role(gallery.workspace, project, reader.person, Role.EDITOR)
    place = notebook_place(asked.path, person=reader.person)
    return versions.propose_content(
        repository=found.repository,
        notebook=parse_notebook(json.dumps(asked.notebook).encode(), name=place.name),
        path=place.path,
        directory=place.directory,
        environment=partial(gallery.means.environment_of, found),
        name=asked.name,
        project=_files(found, asked),
    )


def _files(project: Project, asked: NewProposal) -> ProjectFiles | None:
    if asked.files is not None:
        return GivenFiles(contents=asked.files)
    # It may lie on a machine that this one shares no folder with.
    return FolderFiles(root=project.root) if project.root.is_dir() else None


def _project(gallery: Gallery, reader: Reader, name: str) -> Project:
    return projects.get_project(gallery.workspace, name, person=reader.person)


def _version(gallery: Gallery, reader: Reader, project: str, pipeline: str, number: int) -> Version:
    repository = _project(gallery, reader, project).repository
    return versions.load_version(repository, Reference(check_pipeline_name(pipeline), number))
