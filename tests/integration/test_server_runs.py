"""Runs in the browser: the list of a project's, the form of one, and cancelling."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from nb2prod.execution.models import CiContext, Profile, RunStatus
from nb2prod.execution.runs import list_runs
from nb2prod.registry.models import RunSettings
from nb2prod.server import run_view
from nb2prod.server.app import create_app
from nb2prod.store.git import Repository
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Project, Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import PREFIX, Client, browser_of
from tests.helpers.gallery import make_record, publish
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code, parameters
from tests.helpers.shared import environment_of

RUNS = "/projects/seat-demand/runs"
SOURCE = "alpha: float = 0.2  # how <strict>; [0, 1]\nepochs: int = 40"


@pytest.fixture
def project(workspace: Workspace) -> Project:
    """Ada's project with a pipeline, and vera as a viewer."""
    found = found_project(workspace, "seat-demand", title="Seat demand", owner="ada")
    add_member(workspace, "seat-demand", "vera", Role.VIEWER, person="ada")
    promote(found, SOURCE)
    return found


def promote(project: Project, source: str) -> None:
    settings = RunSettings(smoke={"epochs": 1})
    make_version(Repository(project.repository), parameters(source), code("1"), settings=settings)


@pytest.fixture
def app(workspace: Workspace, project: Project) -> FastAPI:
    return create_app(
        workspace, is_behind_login=True, executor="process", environment_of=environment_of
    )


@pytest.fixture
def ada(app: FastAPI) -> Client:
    return browser_of(app, Identity(person="ada"))


@pytest.fixture
def vera(app: FastAPI) -> Client:
    return browser_of(app, Identity(person="vera"))


def form(**fields: Any) -> dict[str, Any]:
    typed = {"value-alpha": "0.5", "value-epochs": "3"}
    return {"data": {"pipeline": "train", "version": "1", **typed, **fields}}


def run(ada: Client, **fields: Any) -> str:
    """Ask for a run by the form; gives its id."""
    answer = ada.post(RUNS, **form(**fields))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rpartition("/")[2]


def test_form_makes_a_run_and_leads_to_its_page(ada: Client, workspace: Workspace) -> None:
    run_id = run(ada)

    (record,) = list_runs(workspace, person="ada")
    assert (record.id, record.status) == (run_id, RunStatus.QUEUED)
    assert record.parameters == {"alpha": 0.5, "epochs": 3}
    assert "0.5" in ada.get(f"/pages/{run_id}").text


def test_form_has_the_values_of_the_run_that_it_is_like(ada: Client) -> None:
    run_id = run(ada)

    text = ada.get(f"{RUNS}/new?like={run_id}").text

    assert 'name="value-alpha" value="0.5"' in text
    assert 'name="value-epochs" value="3"' in text
    assert "how &lt;strict&gt;; in [0, 1]" in text


def test_form_of_another_version_keeps_what_fits_it(
    ada: Client, project: Project, workspace: Workspace
) -> None:
    run_id = run(ada)
    promote(project, 'alpha: float = 0.3  # [0, 1]\nepochs: str = "many"\nnew: int = 9')

    old = ada.get(f"{RUNS}/new?like={run_id}").text
    new = ada.get(f"{RUNS}/new?like={run_id}&pipeline=train&version=2").text

    assert f"?like={run_id}&amp;pipeline=train&amp;version=2" in old
    assert "Run train@v1" in old
    assert "newer version" not in new
    assert 'name="value-alpha" value="0.5"' in new
    assert 'name="value-epochs" value="many"' in new
    assert 'name="value-new" value="9"' in new


def test_smoke_form_has_the_small_values_and_marks_its_run(
    ada: Client, workspace: Workspace
) -> None:
    run_id = run(ada)
    small = ada.get(f"{RUNS}/new?like={run_id}&profile=smoke").text
    assert 'name="value-alpha" value="0.5"' in small
    assert 'name="value-epochs" value="1"' in small

    smoke_id = run(ada, profile="smoke")
    (record,) = (item for item in list_runs(workspace, person="ada") if item.id == smoke_id)
    assert record.profile is Profile.SMOKE
    again = ada.get(f"{RUNS}/new?like={smoke_id}").text
    full = ada.get(f"{RUNS}/new?like={smoke_id}&profile=full").text

    # As it was typed; and a full run has nothing of it.
    assert 'name="value-epochs" value="3"' in again
    assert 'name="profile" value="smoke"' in again
    assert 'name="value-epochs" value="40"' in full
    assert "Smoke run" in ada.get(RUNS).text


def test_run_of_another_project_gives_no_values(ada: Client, workspace: Workspace) -> None:
    publish(workspace, make_record("otherrunaaaa", project="fares", parameters={"alpha": 0.9}))

    answer = ada.get(f"{RUNS}/new?like=otherrunaaaa&pipeline=train")

    assert answer.status_code == 200
    assert "0.9" not in answer.text


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"value-alpha": "7"}, 422, "must be in [0, 1]"),
        ({"value-epochs": ""}, 422, "write a whole number"),
        ({"value-alpha": "<script>"}, 422, "&lt;script&gt;"),
        ({"pipeline": ""}, 422, "does not say which pipeline"),
        ({"pipeline": "../x"}, 422, "name_invalid"),
        ({"pipeline": "absent"}, 404, "pipeline_not_found"),
        ({"version": "9"}, 404, "version_not_found"),
        ({"version": "0"}, 422, "no version"),
        ({"version": "²"}, 422, "no version"),
        ({"version": "99999999999999999999"}, 422, "no version"),
        ({"profile": "large"}, 422, "no profile"),
        ({"like": "nothing", "value-alpha": "7"}, 404, "run_not_found"),
    ],
    ids=lambda item: str(item)[:40],
)
def test_form_that_can_not_be_used_makes_no_run(
    ada: Client, workspace: Workspace, changes: dict[str, str], status: int, said: str
) -> None:
    answer = ada.post(RUNS, **form(**changes))

    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert "<script>" not in answer.text
    assert list_runs(workspace, person="ada") == ()


def test_form_where_nothing_brings_runs_to_an_end_says_so(
    workspace: Workspace, project: Project
) -> None:
    ada = browser_of(create_app(workspace, is_behind_login=True), Identity(person="ada"))

    shown, sent = ada.get(f"{RUNS}/new?pipeline=train"), ada.post(RUNS, **form())

    assert (shown.status_code, sent.status_code) == (409, 409)
    assert "only shows runs" in sent.text
    assert 'value="0.5"' in sent.text
    assert "Run again" not in ada.get(RUNS).text
    assert list_runs(workspace, person="ada") == ()


def test_viewer_reads_runs_and_has_no_forms(ada: Client, vera: Client) -> None:
    run_id = run(ada)

    for path in (RUNS, f"/pages/{run_id}", "/projects/seat-demand"):
        text = re.sub(r"(?s)<header class=\"bar\">.*?</header>", "", vera.get(path).text)
        assert run_id in text or path.startswith("/projects/")
        assert "/cancel" not in text
        assert "/runs/new" not in text
    assert "/cancel" in ada.get(f"/pages/{run_id}").text
    assert vera.get(f"{RUNS}/new?pipeline=train").status_code == 403


def test_list_is_narrowed_and_given_in_pages(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_view, "RUNS_SHOWN", 2)
    ids = [run(ada) for _ in range(5)]
    assert ada.post(f"{RUNS}/{ids[0]}/cancel").status_code == 303

    def shown(query: str) -> list[str]:
        return re.findall(
            r'<th scope="row"><a class="mono" href="[^"]*/(\w+)"', ada.get(RUNS + query).text
        )

    newest = list(reversed(ids))
    assert shown("") == newest[:2]
    assert shown("?page=3") == newest[4:]
    assert shown("?status=cancelled") == [ids[0]]
    assert shown("?status=queued&page=2") == newest[2:4]
    assert shown("?status=failed") == []
    assert shown("?status=&pipeline=&page=1") == newest[:2]
    assert "1–2 of 5" in ada.get(RUNS).text
    assert "list ends before" in ada.get(f"{RUNS}?page=9").text
    for query in ("?page=0", "?page=x", "?status=fine", f"?pipeline={'x' * 101}"):
        assert ada.get(RUNS + query).status_code == 422


def test_cancelling_leads_back_to_where_one_was(ada: Client) -> None:
    first, second = run(ada), run(ada)

    to_list = ada.post(f"{RUNS}/{first}/cancel", data={"back": "runs"})
    to_page = ada.post(f"{RUNS}/{second}/cancel")
    again = ada.post(f"{RUNS}/{second}/cancel", data={"back": "runs"})

    assert to_list.headers["location"] == PREFIX + RUNS
    assert to_page.headers["location"] == f"{PREFIX}/pages/{second}"
    # It has ended already; its page says how.
    assert again.headers["location"] == f"{PREFIX}/pages/{second}"
    assert ada.post(f"{RUNS}/absentaaaaaa/cancel").status_code == 404


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "", "ftp://x/y"]
)
def test_page_links_to_nothing_of_ci_but_web_pages(
    ada: Client, workspace: Workspace, address: str
) -> None:
    record = make_record("cirunaaaaaaa", ci=CiContext(commit="8f2c1d", branch="<b>", url=address))
    publish(workspace, record)
    fine = replace(record, id="cirunbbbbbbb", ci=CiContext(url="https://ci.example.org/7?a=1&b=2"))
    publish(workspace, fine)

    text = ada.get("/pages/cirunaaaaaaa").text

    assert "8f2c1d" in text
    assert "&lt;b&gt;" in text
    assert "CI job" not in text
    assert (
        '<a href="https://ci.example.org/7?a=1&amp;b=2" rel="noopener noreferrer external">'
        in ada.get("/pages/cirunbbbbbbb").text
    )


def test_page_says_how_much_memory_a_run_used(ada: Client, workspace: Workspace) -> None:
    publish(workspace, make_record("memrunaaaaaa", peak_memory_mb=900, memory_limit_mb=1024))

    assert "900 of 1024 MB" in ada.get("/pages/memrunaaaaaa").text
