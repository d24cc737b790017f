"""Projects as their pages show them: mine as cards, one with its members and pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

from nb2prod.errors import Nb2prodError
from nb2prod.execution import runs
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.knowledge import pages
from nb2prod.knowledge.models import PageCard, PageQuery
from nb2prod.registry import versions
from nb2prod.registry.versions import VersionEntry
from nb2prod.server import links
from nb2prod.server.gallery import Reader
from nb2prod.server.servers import ServerState
from nb2prod.workspace import projects
from nb2prod.workspace.projects import Member, Project, Role
from nb2prod.workspace.workspace import Workspace

PAGES_ON_CARD = 3
PAGES_OF_PROJECT = 8
RUNS_SHOWN = 3

States = Mapping[str, ServerState]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What somebody typed into a form that was refused, and why; empty for a fresh form."""

    fields: Mapping[str, str] = field(default_factory=dict)
    error: Nb2prodError | None = None

    def get(self, name: str) -> str:
        """Return what was typed into a field."""
        return self.fields.get(name, "")


@dataclass(frozen=True, kw_only=True)
class ProjectCard:
    """A project of the reader's."""

    project: Project
    role: Role
    members: tuple[Member, ...]
    active: tuple[RunRecord, ...]
    pages: tuple[PageCard, ...]
    page_count: int
    state: ServerState | None
    open_link: str


@dataclass(frozen=True, kw_only=True)
class ProjectsView:
    """What the list of projects shows.

    Parameters
    ----------
    others
        Projects of others with the number of their members; for an administrator only.
    has_states
        False where nobody could tell which servers run.
    """

    mine: tuple[ProjectCard, ...]
    others: tuple[tuple[Project, int], ...]
    has_states: bool
    form: Filled


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A pipeline with its versions, newest first."""

    name: str
    versions: tuple[VersionEntry, ...]

    @property
    def newest(self) -> VersionEntry:
        """Its newest version."""
        return self.versions[0]


@dataclass(frozen=True, kw_only=True)
class ProjectView:
    """What a project's page shows; ``card`` is `None` for an administrator who is no member.

    ``may_run`` tells whether the reader may have its pipelines run here.
    """

    project: Project
    members: tuple[Member, ...]
    may_manage: bool
    card: ProjectCard | None
    pipelines: tuple[Pipeline, ...]
    has_states: bool
    may_run: bool
    form: Filled


def known_projects(workspace: Workspace, reader: Reader, *, is_all: bool) -> tuple[Project, ...]:
    """Return the reader's projects by name; all projects where an administrator asks for them."""
    if is_all and reader.is_administrator:
        return projects.list_all_projects(workspace)
    return projects.list_projects(workspace, person=reader.person)


def known_project(workspace: Workspace, reader: Reader, name: str) -> Project:
    """Return a project that the reader may know of; raises `ProjectNotFound`."""
    for project in known_projects(workspace, reader, is_all=reader.is_administrator):
        if project.name == name:
            return project
    return projects.get_project(workspace, name, person=reader.person)


def compose_projects(
    workspace: Workspace, reader: Reader, states: States | None, form: Filled | None = None
) -> ProjectsView:
    """Make the view of all projects that the reader may know of."""
    mine = known_projects(workspace, reader, is_all=False)
    names = {project.name for project in mine}
    others = known_projects(workspace, reader, is_all=reader.is_administrator)
    return ProjectsView(
        mine=tuple(_card(workspace, reader, project, states) for project in mine),
        others=tuple(
            (project, len(_members(workspace, reader, project)))
            for project in others
            if project.name not in names
        ),
        has_states=states is not None,
        form=form or Filled(),
    )


def compose_project(
    workspace: Workspace,
    reader: Reader,
    name: str,
    states: States | None,
    form: Filled | None = None,
    *,
    has_executor: bool = False,
) -> ProjectView:
    """Make the view of one project; raises `ProjectNotFound`.

    Parameters
    ----------
    has_executor
        Whether anything brings runs to their end here.
    """
    project = known_project(workspace, reader, name)
    members = _members(workspace, reader, project)
    role = _role(members, reader.person)
    card = _card(workspace, reader, project, states, PAGES_OF_PROJECT) if role else None
    return ProjectView(
        project=project,
        members=members,
        may_manage=role is Role.OWNER or reader.is_administrator,
        card=card,
        pipelines=_pipelines(project) if card else (),
        has_states=states is not None,
        may_run=has_executor and role is not None and role.includes(Role.EDITOR),
        form=form or Filled(),
    )


def _card(
    workspace: Workspace,
    reader: Reader,
    project: Project,
    states: States | None,
    page_limit: int = PAGES_ON_CARD,
) -> ProjectCard:
    members = _members(workspace, reader, project)
    newest = pages.list_pages(
        workspace, PageQuery(project=project.name, limit=page_limit), person=reader.person
    )
    return ProjectCard(
        project=project,
        role=_role(members, reader.person) or Role.VIEWER,
        members=members,
        active=_active(workspace, reader, project),
        pages=newest.items,
        page_count=newest.total,
        state=(states or {}).get(project.name),
        open_link=links.open_project(reader.person, project.name),
    )


def _active(workspace: Workspace, reader: Reader, project: Project) -> tuple[RunRecord, ...]:
    found = [
        record
        for status in (RunStatus.RUNNING, RunStatus.QUEUED)
        for record in runs.list_runs(
            workspace, person=reader.person, project=project.name, status=status, limit=RUNS_SHOWN
        )
    ]
    return tuple(found[:RUNS_SHOWN])


def _pipelines(project: Project) -> tuple[Pipeline, ...]:
    entries = versions.list_versions(project.repository)
    return tuple(
        Pipeline(name=name, versions=tuple(found))
        for name, found in groupby(entries, key=lambda entry: entry.pipeline)
    )


def _members(workspace: Workspace, reader: Reader, project: Project) -> tuple[Member, ...]:
    return projects.list_members(
        workspace, project.name, person=reader.person, as_administrator=reader.is_administrator
    )


def _role(members: tuple[Member, ...], person: str) -> Role | None:
    return next((member.role for member in members if member.person == person), None)
