"""A project that people share, with all that one can have: for who may see what of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from nb2prod.execution.models import RunRecord, RunRequest
from nb2prod.execution.runs import request_run
from nb2prod.notebook.reading import parse_notebook
from nb2prod.registry.lock import ObservedEnvironment
from nb2prod.registry.models import EnvironmentLock, Reference
from nb2prod.registry.versions import confirm, load_version, propose_content
from nb2prod.server.app import create_app
from nb2prod.server.servers import ServerState
from nb2prod.workspace.people import Identity, author_of
from nb2prod.workspace.projects import Project, Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.gallery import make_png, make_record, picture, publish
from tests.helpers.notebooks import code, markdown, notebook_json, stream
from tests.helpers.servers import RememberedServers

PROJECT, TITLE = "hidden-seats", "A title that tells"
OTHER_PROJECT = "other-seats"
PIPELINE = "nectarine"
RUN, SECOND_RUN, OUTSIDERS_RUN = "hiddenrunaaa", "hiddenrunbbb", "openrunaaaaa"

# Each stands in one place of what the project has; none of them may reach a stranger.
PAGE_TITLE = "Zephyr unveiled"
CODE, OUTPUT, MARKET, METRIC = "quincecoefficient", "persimmonloss", "mulberrymarket", "lycheemape"
CONTENT = (PAGE_TITLE, CODE, OUTPUT, MARKET, METRIC, PIPELINE, RUN, SECOND_RUN)

PLOT = make_png(color=(9, 9, 9))
LOCK = EnvironmentLock(text="numpy==2.0.0\n", python="3.11.7", is_observed=True)


def environment_of(_project: Project, _kernel: str) -> ObservedEnvironment:
    """Return an environment without asking a kernel."""
    return ObservedEnvironment(lock=LOCK, distributions={}, local=())


@dataclass(frozen=True, kw_only=True)
class SharedProject:
    """The project, and the gallery that it is in.

    Its owner is olga, edda is an editor, vera a viewer. Otto is a member of another project
    only, adam an administrator and a member of none. Edda is in the other project too.
    """

    workspace: Workspace
    app: FastAPI
    servers: RememberedServers
    poster: str
    queued: RunRecord


def person(name: str, project: str | None = None) -> Identity:
    """Return who asks; with a project, a server of that person's for it."""
    return Identity(person=name, is_administrator=name == "adam", project=project)


def notebook_with(source: str) -> dict[str, Any]:
    """Return a notebook with a parameter and a line of code."""
    return notebook_json(
        markdown(f"# {PAGE_TITLE}"),
        code("alpha: float = 0.2  # how strict\n", tags=["parameters"]),
        code(source),
    )


def share(workspace: Workspace, *, executor: str | None = "process") -> SharedProject:
    """Make the project, with a version, two pages, a queued run and a running server."""
    project = found_project(workspace, PROJECT, title=TITLE, owner="olga")
    add_member(workspace, PROJECT, "edda", Role.EDITOR, person="olga")
    add_member(workspace, PROJECT, "vera", Role.VIEWER, person="olga")
    found_project(workspace, OTHER_PROJECT, title="Other seats", owner="otto")
    add_member(workspace, OTHER_PROJECT, "edda", Role.EDITOR, person="otto")
    _promote(project)
    for run_id in (RUN, SECOND_RUN):
        publish(workspace, _record(run_id), _executed(PAGE_TITLE), owner="olga")
    outsiders = make_record(OUTSIDERS_RUN, project=OTHER_PROJECT, pipeline="open")
    publish(workspace, outsiders, owner="otto")
    version = load_version(project.repository, Reference(PIPELINE))
    queued = request_run(
        workspace,
        project,
        version,
        {},
        request=RunRequest(by="edda", via="browser", executor="process"),
    )
    servers = RememberedServers(
        {(name, PROJECT): ServerState.RUNNING for name in ("olga", "edda", "vera")}
    )
    app = create_app(
        workspace,
        is_behind_login=True,
        executor=executor,
        environment_of=environment_of,
        servers=servers,
    )
    return SharedProject(
        workspace=workspace,
        app=app,
        servers=servers,
        poster=hashlib.sha256(PLOT).hexdigest(),
        queued=queued,
    )


def _promote(project: Project) -> None:
    proposal = propose_content(
        repository=project.repository,
        notebook=parse_notebook(
            json.dumps(notebook_with(f"{CODE} = alpha")).encode(), name=PIPELINE
        ),
        path=f"{PIPELINE}.ipynb",
        directory=".",
        environment=lambda kernel: environment_of(project, kernel),
    )
    confirm(proposal, author=author_of("olga"))


def _record(run_id: str) -> RunRecord:
    return make_record(
        run_id,
        project=PROJECT,
        pipeline=PIPELINE,
        version=1,
        parameters={"market": MARKET},
        metrics={METRIC: 4.1},
        requested_by="edda",
    )


def _executed(title: str) -> dict[str, Any]:
    return notebook_json(
        markdown(f"# {title}"),
        code(f"{CODE} = 1", outputs=[stream(OUTPUT), picture(PLOT)], execution_count=1),
    )
