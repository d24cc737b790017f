"""What the API takes and gives of projects and their members."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from nb2prod.registry.versions import VersionEntry
from nb2prod.server.api_models import FromDomain
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Member, Project, Role


class Asked(BaseModel):
    """A body from outside: what it has too much is refused, by name."""

    model_config = ConfigDict(extra="forbid")


class Me(FromDomain):
    """Who asks."""

    person: str
    is_administrator: bool
    project: str | None = Field(description="The one project that this token is for.")


class NewProject(Asked):
    """A project to be made."""

    name: str = Field(description="1 to 30 of a–z, 0–9 and single hyphens.")
    title: str = Field("", description="One line; by default the name.")


class NewRole(Asked):
    """The role that a person is to have."""

    role: Role


class ProjectItem(BaseModel):
    """A project in a list."""

    name: str
    title: str
    role: Role | None = Field(description="The reader's; null for who is no member.")
    members: int
    created_at: datetime


class ProjectList(BaseModel):
    """A part of some projects, by name."""

    items: list[ProjectItem]
    offset: int
    limit: int
    total: int


class PipelineBody(BaseModel):
    """A pipeline, and its newest version."""

    name: str
    version: int
    reference: str
    author: str
    created_at: datetime


class ProjectBody(ProjectItem):
    """A project."""

    pipelines: list[PipelineBody] | None = Field(description="Null for who is no member.")


class MemberBody(FromDomain):
    """A person in a project."""

    person: str
    role: Role
    added_at: datetime


class MemberList(BaseModel):
    """All members of a project, by name of the person."""

    items: list[MemberBody]
    total: int


def me(identity: Identity) -> Me:
    """Return who asks."""
    return Me.model_validate(identity)


def project_item(project: Project, members: tuple[Member, ...], person: str) -> ProjectItem:
    """Return a project as lists have it."""
    return ProjectItem(
        name=project.name,
        title=project.title,
        role=next((member.role for member in members if member.person == person), None),
        members=len(members),
        created_at=project.created_at,
    )


def pipeline_body(newest: VersionEntry) -> PipelineBody:
    """Return a pipeline by its newest version."""
    return PipelineBody(
        name=newest.pipeline,
        version=newest.number,
        reference=str(newest.reference),
        author=newest.author,
        created_at=newest.created_at,
    )
