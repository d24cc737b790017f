"""Who may do what: one table of people and routes, over HTTP, and nothing said to others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import delete, insert, select, update

from nb2prod.execution.models import Attempt, RunRequest, RunStatus
from nb2prod.execution.record_json import record_to_json
from nb2prod.jobs.schedules import NewSchedule, create_schedule
from nb2prod.jobs.sweeps import SweepAsked, cancel_sweep, create_sweep
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import list_versions, load_version
from nb2prod.server.app import create_app
from nb2prod.server.servers import ServerState
from nb2prod.settings import Settings
from nb2prod.store.schema import (
    access_tokens,
    members,
    project_secrets,
    projects,
    runs,
    schedules,
    sweeps,
)
from nb2prod.workspace.projects import Role, add_member, remove_member, require_role
from nb2prod.workspace.secrets import set_secret
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.client import HOST, PREFIX, Client, browser_of, program_of, session_of
from tests.helpers.shared import (
    CODE,
    CONTENT,
    OTHER_PROJECT,
    OUTPUT,
    OUTSIDERS_RUN,
    PAGE_TITLE,
    PIPELINE,
    PROJECT,
    RUN,
    SECOND_RUN,
    TITLE,
    SharedProject,
    notebook_with,
    person,
    share,
)

# One column of the table each. A token is that of edda's server, for the project or the other.
CALLERS = (
    "anonymous",
    "outsider",
    "viewer",
    "editor",
    "owner",
    "administrator",
    "token",
    "token of another project",
)
NAMES = {"outsider": "otto", "viewer": "vera", "editor": "edda", "owner": "olga"}
STRANGERS = ("anonymous", "outsider", "administrator", "token of another project")

ABSENT = {PROJECT: "absent-seats", RUN: "absentrunaaa", SECOND_RUN: "absentrunbbb"}
GUEST = "zoe"
TOKEN = "verastokenaa"
SCHEDULE = "hiddenschaaa"
SWEEP = "hiddensweaaa"
SECRET = "DB_PASSWORD"
SECRET_VALUE = "correct horse battery"

Options = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A route, how it is asked, and the status that each caller gets, in the order of `CALLERS`.

    Parameters
    ----------
    path
        With ``{…}`` for what stands in `_values`.
    options
        Makes httpx's options of the caller.
    before
        Brings the project into the state in which the route does something.
    """

    method: str
    route: str
    statuses: tuple[int, ...]
    query: str = ""
    options: Callable[[SharedProject, str], Options] = field(default=lambda _world, _caller: {})
    before: Callable[[SharedProject], None] = field(default=lambda _world: None)


def _guest_in(world: SharedProject) -> None:
    add_member(world.workspace, PROJECT, GUEST, Role.VIEWER, person="olga")


def _guest_out(world: SharedProject) -> None:
    remove_member(world.workspace, PROJECT, GUEST, person="olga")


def _servers_on(world: SharedProject) -> None:
    world.servers.states |= {
        (name, PROJECT): ServerState.RUNNING for name in ("olga", "edda", "vera")
    }


def _new_project(_world: SharedProject, caller: str) -> Options:
    return {"json": {"name": f"{'x' * (CALLERS.index(caller) + 1)}-json", "title": "New"}}


def _new_project_form(_world: SharedProject, caller: str) -> Options:
    return {"data": {"name": f"{'x' * (CALLERS.index(caller) + 1)}-form", "title": "New"}}


def _guest_form(_world: SharedProject, _caller: str) -> Options:
    return {"data": {"person": GUEST, "role": "viewer"}}


def _notebook(_world: SharedProject, caller: str) -> Options:
    path = f"project/{PIPELINE}.ipynb"
    return {"json": {"path": path, "notebook": notebook_with(f"by = {caller!r}")}}


def _checked_notebook(world: SharedProject, caller: str) -> Options:
    body = _notebook(world, caller)["json"]
    owner = browser_of(world.app, person("olga"))
    checked = owner.post(f"/api/v1/projects/{PROJECT}/proposals", json=body).json()
    return {"json": {**body, "digest": checked["digest"]}}


def _role(_world: SharedProject, _caller: str) -> Options:
    return {"json": {"role": "editor"}}


def _new_token(_world: SharedProject, _caller: str) -> Options:
    return {"json": {"title": "CI", "days": 7}}


def _new_token_form(_world: SharedProject, _caller: str) -> Options:
    return {"data": {"title": "CI", "days": "7"}}


def _token_form(_world: SharedProject, _caller: str) -> Options:
    return {"data": {"token": TOKEN}}


def _secret_form(_world: SharedProject, _caller: str) -> Options:
    return {"data": {"name": SECRET, "value": SECRET_VALUE}}


def _secret_value(_world: SharedProject, _caller: str) -> Options:
    return {"json": {"value": SECRET_VALUE}}


def _secret(world: SharedProject) -> None:
    set_secret(world.workspace, PROJECT, SECRET, SECRET_VALUE, person="olga")


def _veras_token(world: SharedProject) -> None:
    values = {
        "sha256": "0" * 64,
        "person": "vera",
        "purpose": f"ci:{TOKEN}",
        "title": "CI",
        "created_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC) + timedelta(days=1),
    }
    project = require_role(world.workspace, PROJECT, "vera", Role.VIEWER)
    with world.workspace.database.write() as connection:
        connection.execute(delete(access_tokens).where(access_tokens.c.sha256 == values["sha256"]))
        connection.execute(insert(access_tokens).values(project_id=project.id, **values))


def _schedule(world: SharedProject) -> None:
    asked = NewSchedule(pipeline=PIPELINE, cron="@daily")
    with world.workspace.database.write() as connection:
        connection.execute(delete(schedules))
    made = create_schedule(world.workspace, PROJECT, asked, person="edda")
    with world.workspace.database.write() as connection:
        connection.execute(update(schedules).values(id=SCHEDULE).where(schedules.c.id == made.id))


def _sweep(world: SharedProject) -> None:
    project = require_role(world.workspace, PROJECT, "edda", Role.EDITOR)
    with world.workspace.database.write() as connection:
        connection.execute(delete(runs).where(runs.c.sweep_id == SWEEP))
        connection.execute(delete(sweeps).where(sweeps.c.id == SWEEP))
    made = create_sweep(
        world.workspace,
        project,
        load_version(project.repository, Reference(PIPELINE)),
        SweepAsked(axes={"alpha": "0.1, 0.2"}),
        request=RunRequest(by="edda", via="browser", executor="process"),
    )
    with world.workspace.database.write() as connection:
        connection.execute(update(sweeps).values(id=SWEEP).where(sweeps.c.id == made.id))
        connection.execute(update(runs).values(sweep_id=SWEEP).where(runs.c.sweep_id == made.id))


def _cancelled_sweep(world: SharedProject) -> None:
    _sweep(world)
    cancel_sweep(world.workspace, PROJECT, SWEEP, person="edda")


def _new_sweep(_world: SharedProject, _caller: str) -> Options:
    return {"json": {"pipeline": PIPELINE, "axes": {"alpha": "0.1, 0.2"}}}


def _new_schedule(_world: SharedProject, _caller: str) -> Options:
    return {"json": {"pipeline": PIPELINE, "cron": "@daily"}}


def _time(_world: SharedProject, _caller: str) -> Options:
    return {"json": {"cron": "@hourly"}}


def _schedule_form(_world: SharedProject, _caller: str) -> Options:
    return {"data": {"pipeline": PIPELINE, "cron": "@hourly"}}


def _run_form(_world: SharedProject, _caller: str) -> Options:
    return {"data": {"pipeline": PIPELINE, "version": "1", "value-alpha": "0.3"}}


def _run(_world: SharedProject, _caller: str) -> Options:
    return {"json": {"pipeline": PIPELINE, "parameters": {"alpha": "0.3"}}}


ALL = (401, 200, 200, 200, 200, 200, 404, 404)
READ = (401, 404, 200, 200, 200, 404, 404, 404)
OF_PROJECT = (401, 404, 200, 200, 200, 404, 200, 404)
KNOWN = (401, 404, 200, 200, 200, 200, 200, 404)

# Of the project, but for nobody's program.
PERSONS = (401, 404, 200, 200, 200, 404, 403, 404)

P, API = "/projects/{project}", "/api/v1"
A = f"{API}/projects/{{project}}"
VERSION = f"{A}/versions/{{pipeline}}/{{number}}"

TABLE = (
    #                                                  anonymous, outsider, viewer, editor, owner,
    #                                                  administrator, token, token of another
    Row("GET", "/", ALL),
    Row("GET", "/pages/{run_id}", READ),
    Row("GET", "/pages/{run_id}/blobs/{sha256}", READ),
    Row("GET", "/pages/{run_id}/download/{name}", READ),
    # It has ended at its first attempt; below is one that has not.
    Row("GET", "/pages/{run_id}/attempts/{number}/log", (401, *(404,) * 7)),
    Row("GET", "/compare", READ, query=f"?runs={RUN},{SECOND_RUN}"),
    Row("GET", "/projects", ALL),
    Row("POST", "/projects", (401, 303, 303, 303, 303, 303, 404, 404), options=_new_project_form),
    Row("GET", P, (401, 404, 200, 200, 200, 200, 404, 404)),
    Row(
        "POST",
        f"{P}/members",
        (401, 404, 403, 403, 303, 303, 404, 404),
        options=_guest_form,
        before=_guest_out,
    ),
    Row(
        "POST",
        f"{P}/members/remove",
        (401, 404, 403, 403, 303, 303, 404, 404),
        options=_guest_form,
        before=_guest_in,
    ),
    Row("POST", f"{P}/stop", (401, 404, 303, 303, 303, 404, 404, 404), before=_servers_on),
    Row("GET", f"{P}/versions/{{pipeline}}", READ),
    Row("GET", f"{P}/runs", READ),
    Row(
        "GET",
        f"{P}/runs/new",
        (401, 404, 403, 200, 200, 404, 404, 404),
        query=f"?pipeline={PIPELINE}",
    ),
    Row("POST", f"{P}/runs", (401, 404, 403, 303, 303, 404, 404, 404), options=_run_form),
    # It has ended, and its page says so; below is one that has not.
    Row("POST", f"{P}/runs/{{run_id}}/cancel", (401, 404, 403, 303, 303, 404, 404, 404)),
    Row("GET", f"{API}/health", (401, 200, 200, 200, 200, 200, 200, 200)),
    Row("GET", f"{API}/me", (401, 200, 200, 200, 200, 200, 200, 200)),
    Row("GET", f"{API}/openapi.json", ALL),
    Row("GET", f"{API}/pages", ALL),
    Row("GET", f"{API}/pages/{{run_id}}", READ),
    Row("GET", f"{API}/runs", ALL),
    Row("GET", f"{API}/runs/{{run_id}}", READ),
    Row("GET", f"{API}/projects", ALL),
    Row("POST", f"{API}/projects", (401, 201, 201, 201, 201, 201, 404, 404), options=_new_project),
    Row("GET", A, KNOWN),
    Row("GET", f"{A}/members", KNOWN),
    Row(
        "PUT",
        f"{A}/members/{{person}}",
        (401, 404, 403, 403, 200, 200, 403, 404),
        options=_role,
        before=_guest_out,
    ),
    Row(
        "DELETE",
        f"{A}/members/{{person}}",
        (401, 404, 403, 403, 204, 204, 403, 404),
        before=_guest_in,
    ),
    Row("POST", f"{A}/proposals", (401, 404, 403, 200, 200, 404, 200, 404), options=_notebook),
    Row(
        "POST", f"{A}/versions", (401, 404, 403, 201, 201, 404, 201, 404), options=_checked_notebook
    ),
    Row("GET", f"{A}/versions", OF_PROJECT),
    Row("GET", VERSION, OF_PROJECT),
    Row("GET", f"{VERSION}/notebook", OF_PROJECT),
    Row("POST", f"{A}/runs", (401, 404, 403, 201, 201, 404, 201, 404), options=_run),
    Row("GET", f"{A}/runs", OF_PROJECT),
    Row("GET", f"{A}/runs/{{run_id}}", OF_PROJECT),
    Row("GET", f"{A}/runs/{{run_id}}/events", OF_PROJECT),
    # It has ended and has its page: the stream ends at once.
    Row("GET", f"{A}/runs/{{run_id}}/stream", OF_PROJECT),
    # It has ended; below is one that has not.
    Row("POST", f"{A}/runs/{{run_id}}/cancel", (401, 404, 403, 409, 409, 404, 409, 404)),
    Row("GET", f"{A}/runs/{{run_id}}/page", OF_PROJECT),
    Row("GET", f"{A}/runs/{{run_id}}/contents/{{name}}", OF_PROJECT),
    Row("GET", f"{A}/tokens", PERSONS),
    Row("POST", f"{A}/tokens", (401, 404, 201, 201, 201, 404, 403, 404), options=_new_token),
    Row(
        "DELETE",
        f"{A}/tokens/{{token}}",
        (401, 404, 204, 404, 204, 404, 403, 404),
        before=_veras_token,
    ),
    Row("GET", f"{P}/settings", READ),
    Row("POST", f"{P}/settings/tokens", READ, options=_new_token_form),
    # Vera's: as the owner takes it back; for edda there is none such.
    Row(
        "POST",
        f"{P}/settings/tokens/revoke",
        (401, 404, 303, 404, 303, 404, 404, 404),
        options=_token_form,
        before=_veras_token,
    ),
    Row(
        "POST",
        f"{P}/settings/secrets",
        (401, 404, 403, 403, 303, 404, 404, 404),
        options=_secret_form,
    ),
    Row(
        "POST",
        f"{P}/settings/secrets/remove",
        (401, 404, 403, 403, 303, 404, 404, 404),
        options=_secret_form,
        before=_secret,
    ),
    Row("GET", f"{A}/secrets", PERSONS),
    Row(
        "PUT",
        f"{A}/secrets/{{secret}}",
        (401, 404, 403, 403, 200, 404, 403, 404),
        options=_secret_value,
    ),
    Row(
        "DELETE",
        f"{A}/secrets/{{secret}}",
        (401, 404, 403, 403, 204, 404, 403, 404),
        before=_secret,
    ),
    Row("GET", f"{P}/schedules", READ, before=_schedule),
    Row(
        "POST",
        f"{P}/schedules",
        (401, 404, 403, 303, 303, 404, 404, 404),
        options=_schedule_form,
    ),
    *(
        Row(
            "POST",
            f"{P}/schedules/{{schedule_id}}{verb}",
            (401, 404, 403, 303, 303, 404, 404, 404),
            options=_schedule_form,
            before=_schedule,
        )
        for verb in ("", "/pause", "/resume", "/delete", "/run")
    ),
    Row("GET", f"{A}/schedules", OF_PROJECT, before=_schedule),
    Row("POST", f"{A}/schedules", (401, 404, 403, 201, 201, 404, 201, 404), options=_new_schedule),
    Row("POST", f"{A}/schedules/preview", OF_PROJECT, options=_time),
    Row("GET", f"{A}/schedules/{{schedule_id}}", OF_PROJECT, before=_schedule),
    Row(
        "PATCH",
        f"{A}/schedules/{{schedule_id}}",
        (401, 404, 403, 200, 200, 404, 200, 404),
        options=_time,
        before=_schedule,
    ),
    Row(
        "DELETE",
        f"{A}/schedules/{{schedule_id}}",
        (401, 404, 403, 204, 204, 404, 204, 404),
        before=_schedule,
    ),
    *(
        Row(
            "POST",
            f"{A}/schedules/{{schedule_id}}/{verb}",
            (401, 404, 403, 200, 200, 404, 200, 404),
            before=_schedule,
        )
        for verb in ("pause", "resume")
    ),
    Row(
        "POST",
        f"{A}/schedules/{{schedule_id}}/run-now",
        (401, 404, 403, 201, 201, 404, 201, 404),
        before=_schedule,
    ),
    Row("GET", f"{P}/sweeps", READ, before=_sweep),
    Row("GET", f"{P}/sweeps/{{sweep_id}}", READ, before=_sweep),
    *(
        Row(
            "POST",
            f"{P}/sweeps/{{sweep_id}}/{verb}",
            (401, 404, 403, 303, 303, 404, 404, 404),
            before=before,
        )
        for verb, before in (("cancel", _sweep), ("resume", _cancelled_sweep))
    ),
    Row("GET", f"{A}/sweeps", OF_PROJECT, before=_sweep),
    Row("POST", f"{A}/sweeps", (401, 404, 403, 201, 201, 404, 201, 404), options=_new_sweep),
    Row("POST", f"{A}/sweeps/preview", OF_PROJECT, options=_new_sweep),
    Row("GET", f"{A}/sweeps/{{sweep_id}}", OF_PROJECT, before=_sweep),
    Row("GET", f"{A}/sweeps/{{sweep_id}}/csv", OF_PROJECT, before=_sweep),
    *(
        Row(
            "POST",
            f"{A}/sweeps/{{sweep_id}}/{verb}",
            (401, 404, 403, 200, 200, 404, 200, 404),
            before=before,
        )
        for verb, before in (("cancel", _sweep), ("resume", _cancelled_sweep))
    ),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedProject]:
    """The project; the requests of this module leave their traces in it."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"NB2PROD_HOME": str(home), "NB2PROD_USER": "ada"})
    with open_workspace(settings) as workspace:
        yield share(workspace)


def client_of(world: SharedProject, caller: str) -> Client:
    """Return what a caller asks with."""
    if caller == "anonymous":
        return Client(world.app)
    if caller == "token":
        return program_of(world.app, person("edda", PROJECT))
    if caller == "token of another project":
        return program_of(world.app, person("edda", OTHER_PROJECT))
    return browser_of(world.app, person(NAMES.get(caller, "adam")))


def address(world: SharedProject, row: Row) -> str:
    """Return a row's path, with the project's own values in place of parameters."""
    values = {
        "project": PROJECT,
        "pipeline": PIPELINE,
        "number": "1",
        "run_id": RUN,
        "sha256": world.poster,
        "name": "script",
        "person": GUEST,
        "token": TOKEN,
        "secret": SECRET,
        "schedule_id": SCHEDULE,
        "sweep_id": SWEEP,
    }
    path = re.sub(r"\{(\w+)\}", lambda match: values[match[1]], row.route)
    return path + row.query


def plain(answer: httpx.Response) -> str:
    """Return an answer without what is new each time."""
    return re.sub(r'content="[0-9a-f]{128}"|value="[0-9a-f]{128}"|nonce="[^"]*"', "", answer.text)


def as_if_absent(text: str) -> str:
    """Return a text with the names of things that are not there in place of the project's."""
    for name, absent in ABSENT.items():
        text = text.replace(name, absent)
    return text


def state(world: SharedProject) -> tuple[Any, ...]:
    """Return what a request might have changed."""
    tables = (
        select(projects.c.name),
        select(members.c.person, members.c.role),
        select(runs.c.id, runs.c.status, runs.c.cancel_requested_by),
        select(access_tokens.c.purpose),
        select(project_secrets.c.name, project_secrets.c.ciphertext),
        select(schedules.c.id, schedules.c.cron, schedules.c.is_paused),
        select(sweeps.c.id, sweeps.c.cancelled_at),
    )
    with world.workspace.database.read() as connection:
        rows = tuple(tuple(connection.execute(query)) for query in tables)
    project = require_role(world.workspace, PROJECT, "olga", Role.VIEWER)
    return *rows, list_versions(project.repository), dict(world.servers.states)


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Return method and path of every route."""
    return {
        (method, context.path or "")
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
    }


def test_matrix_has_every_route(world: SharedProject) -> None:
    listed = {(row.method, f"{PREFIX}{row.route}") for row in TABLE}

    assert routes(world.app) - listed == {("GET", "/")}
    assert listed - routes(world.app) == set()
    assert len(listed) == len(TABLE)
    assert all(len(row.statuses) == len(CALLERS) for row in TABLE)


def test_gallery_of_one_machine_has_only_its_own_sign_in_besides(world: SharedProject) -> None:
    own = {("GET", "sign-in"), ("GET", "signed-out"), ("POST", "sign-out")}

    assert routes(create_app(world.workspace)) - routes(world.app) == {
        (method, f"{PREFIX}/{path}") for method, path in own
    }


@pytest.mark.parametrize("row", TABLE, ids=[f"{row.method} {row.route}" for row in TABLE])
def test_route_answers_each_person_by_the_matrix(world: SharedProject, row: Row) -> None:
    path = address(world, row)
    found = {}
    for caller in CALLERS:
        row.before(world)
        options = row.options(world, caller)
        before = state(world)
        answer = client_of(world, caller).request(row.method, path, **options)
        found[caller] = answer.status_code
        if answer.status_code >= 400:
            assert state(world) == before, caller
        if caller in STRANGERS:
            _assert_nothing_said(world, row, caller, answer, options)

    assert found == dict(zip(CALLERS, row.statuses, strict=True))


def _assert_nothing_said(
    world: SharedProject, row: Row, caller: str, answer: httpx.Response, options: Options
) -> None:
    path = address(world, row)
    said = plain(answer)
    for secret in CONTENT:
        assert secret not in said or secret in path, (caller, secret)
    may_know_name = caller == "administrator" and "/projects" in row.route
    if not may_know_name:
        assert TITLE not in said, caller
        assert PROJECT not in said or PROJECT in path, caller
    if answer.status_code in (401, 404):
        twin = client_of(world, caller).request(row.method, as_if_absent(path), **options)
        assert twin.status_code == answer.status_code, caller
        assert plain(twin) == as_if_absent(said), caller


def test_what_strangers_must_not_see_is_there_for_members(world: SharedProject) -> None:
    viewer = client_of(world, "viewer")
    shown = viewer.get(f"/pages/{RUN}").text + viewer.get(f"/projects/{PROJECT}").text

    assert [secret for secret in (*CONTENT, PROJECT, TITLE) if secret not in shown] == []
    for secret in (PAGE_TITLE, CODE, OUTPUT):
        assert viewer.get(f"/api/v1/pages?q={secret.split()[0]}").json()["total"] == 2


@pytest.mark.parametrize("caller", ["outsider", "administrator"])
@pytest.mark.parametrize("secret", [*CONTENT, PROJECT, TITLE])
def test_search_of_stranger_finds_nothing(world: SharedProject, caller: str, secret: str) -> None:
    client = client_of(world, caller)

    for query in (f"q={secret}", f"project={secret}", f"pipeline={secret}"):
        body = client.get(f"/api/v1/pages?{query}").json()
        assert body["items"] == []
        assert not any(body["facets"].values())
        assert "<mark>" not in client.get(f"/?{query}").text
    for query in (f"project={secret}", f"pipeline={secret}"):
        assert client.get(f"/api/v1/runs?{query}").json()["items"] == []


def test_facets_of_outsider_count_own_pages_only(world: SharedProject) -> None:
    body = client_of(world, "outsider").get("/api/v1/pages").json()

    assert {item["run_id"] for item in body["items"]} == {OUTSIDERS_RUN}
    assert body["facets"]["project"] == [{"value": OTHER_PROJECT, "count": 1}]
    assert body["facets"]["pipeline"] == [{"value": "open", "count": 1}]


@pytest.mark.parametrize("caller", ["outsider", "administrator"])
def test_blob_of_others_is_not_reached_by_its_hash(world: SharedProject, caller: str) -> None:
    client = client_of(world, caller)
    owner = browser_of(world.app, person("olga"))
    sources = set(owner.get(f"/api/v1/runs/{RUN}").json()["sources"].values())
    # Equal contents have one hash; what a page of one's own has, one may read.
    if caller == "outsider":
        sources -= set(client.get(f"/api/v1/runs/{OUTSIDERS_RUN}").json()["sources"].values())
    assert len(sources) >= 2
    assert owner.get(f"/pages/{RUN}/blobs/{world.poster}").status_code == 200

    for sha256 in (world.poster, *sources):
        for run_id in (RUN, OUTSIDERS_RUN):
            assert client.get(f"/pages/{run_id}/blobs/{sha256}").status_code == 404


@pytest.mark.parametrize("caller", ["outsider", "administrator"])
@pytest.mark.parametrize("length", [1, 6, 11, 12])
def test_run_of_others_is_not_found_by_the_beginning_of_its_id(
    world: SharedProject, caller: str, length: int
) -> None:
    client = client_of(world, caller)

    assert browser_of(world.app, person("olga")).get(f"/api/v1/runs/{RUN}").status_code == 200
    for path in ("/api/v1/runs/{}", "/pages/{}", f"/api/v1/projects/{OTHER_PROJECT}/runs/{{}}"):
        assert client.get(path.format(RUN[:length])).status_code == 404, path


def test_open_run_is_cancelled_by_who_may_run_in_its_project(world: SharedProject) -> None:
    found = {}
    for caller in CALLERS:
        asked = client_of(world, "editor").post(
            f"/api/v1/projects/{PROJECT}/runs", json={"pipeline": PIPELINE}
        )
        run_id = asked.json()["id"]
        answer = client_of(world, caller).post(f"/api/v1/projects/{PROJECT}/runs/{run_id}/cancel")
        after = client_of(world, "editor").get(f"/api/v1/runs/{run_id}").json()["status"]
        found[caller] = answer.status_code, after

    refused = [(status, "queued") for status in (401, 404, 403)]
    done = (202, "cancelled")
    assert found == dict(
        zip(
            CALLERS,
            (*refused, done, done, (404, "queued"), done, (404, "queued")),
            strict=True,
        )
    )


def test_log_of_an_attempt_is_for_members(world: SharedProject) -> None:
    path = f"/pages/{world.queued.id}/attempts/1/log"
    log = world.workspace.blobs.put_bytes(b"so far")
    failed = Attempt(
        number=1,
        status=RunStatus.LOST,
        reason="It was lost.",
        started_at=None,
        ended_at=datetime.now(UTC),
        log_sha256=log.sha256,
    )
    asked = record_to_json(replace(world.queued, attempts=(failed,)))
    with world.workspace.database.write() as connection:
        connection.execute(update(runs).values(request=asked).where(runs.c.id == world.queued.id))
    found = {caller: client_of(world, caller).get(path) for caller in CALLERS}

    assert {caller: answer.status_code for caller, answer in found.items()} == dict(
        zip(CALLERS, READ, strict=True)
    )
    assert found["viewer"].content == b"so far"


def test_run_of_another_project_is_not_cancelled_through_ones_own(world: SharedProject) -> None:
    own = f"/api/v1/projects/{OTHER_PROJECT}/runs"

    answer = client_of(world, "outsider").post(f"{own}/{world.queued.id}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")
    assert client_of(world, "editor").get(f"/api/v1/runs/{world.queued.id}").json()["status"] == (
        "queued"
    )


def test_run_is_found_in_its_own_project_only(world: SharedProject) -> None:
    editor = browser_of(world.app, person("edda"))

    for suffix in ("", "/events"):
        here, there = (
            editor.get(f"/api/v1/projects/{name}/runs/{RUN}{suffix}")
            for name in (PROJECT, OTHER_PROJECT)
        )
        assert (here.status_code, there.status_code) == (200, 404)
        assert there.json()["code"] == "run_not_found"


def test_comparison_with_a_run_of_others_is_refused(world: SharedProject) -> None:
    answer = client_of(world, "outsider").get(f"/compare?runs={OUTSIDERS_RUN},{RUN}")

    assert answer.status_code == 404
    assert not any(secret in answer.text for secret in CONTENT if secret != RUN)


def test_list_of_all_projects_is_for_administrators(world: SharedProject) -> None:
    answers = {
        caller: client_of(world, caller).get("/api/v1/projects?all=true&limit=100")
        for caller in CALLERS
    }

    assert {caller: answer.status_code for caller, answer in answers.items()} == dict(
        zip(CALLERS, (401, 403, 403, 403, 403, 200, 404, 404), strict=True)
    )
    listed = {item["name"]: item for item in answers["administrator"].json()["items"]}
    assert {PROJECT, OTHER_PROJECT} <= set(listed)
    assert listed[PROJECT]["title"] == TITLE
    assert listed[PROJECT]["role"] is None


def test_administrator_sees_names_and_members_and_nothing_else(world: SharedProject) -> None:
    administrator = client_of(world, "administrator")

    body = administrator.get(f"/api/v1/projects/{PROJECT}").json()
    page = administrator.get(f"/projects/{PROJECT}").text

    assert (body["title"], body["role"], body["pipelines"]) == (TITLE, None, None)
    assert "olga" in page
    assert "You are no member of this project" in page
    assert not any(secret in page for secret in CONTENT)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_token_of_an_owners_server_changes_no_members(world: SharedProject, method: str) -> None:
    owners_server = program_of(world.app, person("olga", PROJECT))
    _guest_in(world)

    answer = owners_server.request(
        method, f"/api/v1/projects/{PROJECT}/members/{GUEST}", json={"role": "owner"}
    )

    assert answer.status_code == 403
    assert answer.json()["code"] == "role_insufficient"


def test_token_of_an_administrators_server_is_no_administrators(world: SharedProject) -> None:
    for name, status in ((PROJECT, 404), (OTHER_PROJECT, 404)):
        server = program_of(world.app, person("adam", name))
        assert server.get(f"/api/v1/projects/{name}").status_code == status


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/projects/{OTHER_PROJECT}/../{PROJECT}",
        f"/api/v1/projects/{OTHER_PROJECT}%2f..%2f{PROJECT}",
        f"/api/v1/projects/{OTHER_PROJECT}x",
        f"/api/v1//projects/{PROJECT}",
        f"/projects/{OTHER_PROJECT}",
        "/api/v1/projects",
    ],
)
def test_token_of_a_project_does_not_climb_out_of_it(world: SharedProject, path: str) -> None:
    token = program_of(world.app, person("edda", OTHER_PROJECT))

    answer = token.get(path)

    assert answer.status_code in (404, 401)
    assert TITLE not in answer.text


def test_member_who_leaves_sees_nothing_any_more(world: SharedProject) -> None:
    _guest_in(world)
    guest = browser_of(world.app, person(GUEST))
    assert guest.get(f"/projects/{PROJECT}").status_code == 200

    left = guest.request("DELETE", f"/api/v1/projects/{PROJECT}/members/{GUEST}")

    assert left.status_code == 204
    assert guest.get(f"/projects/{PROJECT}").status_code == 404
    assert TITLE not in guest.get("/projects").text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/projects"),
        ("POST", f"/projects/{PROJECT}/members"),
        ("POST", "/api/v1/projects"),
        ("PUT", f"/api/v1/projects/{PROJECT}/members/{GUEST}"),
        ("DELETE", f"/api/v1/projects/{PROJECT}/members/vera"),
        ("POST", f"/api/v1/projects/{PROJECT}/runs"),
    ],
)
def test_session_without_the_token_of_a_page_changes_nothing(
    world: SharedProject, method: str, path: str
) -> None:
    owner = browser_of(world.app, person("olga"))
    del owner.headers["x-xsrf-token"]
    before = state(world)

    answer = owner.request(method, path, json={"role": "owner"})

    assert answer.status_code == 403
    assert state(world) == before


def test_page_behind_login_fetched_by_script_needs_the_token(world: SharedProject) -> None:
    owner = browser_of(world.app, person("olga"))
    fetched = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
    assert owner.get("/projects", headers=fetched).status_code == 200

    del owner.headers["x-xsrf-token"]
    for path in ("/projects", f"/api/v1/projects/{PROJECT}/members"):
        assert owner.get(path, headers=fetched).status_code == 403


def test_identity_alone_counts_behind_login(world: SharedProject) -> None:
    secret = session_of(world.workspace, "olga")

    for client in (Client(world.app, session=secret), Client(world.app, bearer=secret)):
        assert client.get(f"{HOST}{PREFIX}/api/v1/me").status_code == 401


def test_identity_in_the_scope_counts_for_nothing_without_login(world: SharedProject) -> None:
    local = create_app(world.workspace)

    assert program_of(local, person("olga")).get("/api/v1/me").status_code == 401
