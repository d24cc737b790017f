"""The page on which two versions are compared."""

from __future__ import annotations

import pytest

from nb2prod.registry.versions import confirm, propose_content
from nb2prod.server.app import create_app
from nb2prod.store.git import Author
from nb2prod.workspace.projects import Project, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import Client, browser_of
from tests.helpers.gallery import make_record, publish
from tests.helpers.notebooks import code, markdown, notebook, notebook_json, parameters, stream
from tests.helpers.shared import environment_of, person

ADA = Author(name="Ada", email="ada@example.org")
PAGE = "/projects/seats/versions/train"


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return found_project(workspace, "seats", owner="ada")


@pytest.fixture
def browser(workspace: Workspace, project: Project) -> Client:
    promote(project, "days: int = 2", "print('<b>old</b>', days)")
    promote(project, "days: int = 3", "print('<b>new</b>', days)")
    return browser_of(create_app(workspace, is_behind_login=True), person("ada"))


def promote(project: Project, values: str, source: str) -> None:
    proposal = propose_content(
        repository=project.repository,
        notebook=notebook(markdown("# Seats"), parameters(values), code(source), name="train"),
        path="train.ipynb",
        directory=".",
        environment=lambda kernel: environment_of(project, kernel),
    )
    confirm(proposal, ADA)


def test_page_compares_the_newest_two_cell_by_cell(browser: Client) -> None:
    answer = browser.get(PAGE)

    assert answer.status_code == 200
    text = answer.text
    assert "<h1>train: v1 and v2</h1>" in text
    assert "changed code cell 3: print(&#39;&lt;b&gt;new&lt;/b&gt;&#39;, days)" in text
    assert '<span class="removed">-days: int = 2' in text
    assert "int = 3" in text
    assert "There are no runs of both" in text
    assert "<b>new" not in text
    assert "Compare<span" in browser.get("/projects/seats").text


def test_page_shows_what_the_last_runs_came_to(workspace: Workspace, browser: Client) -> None:
    for number, (run_id, said) in enumerate((("aaaaaaaaaaaa", "200"), ("bbbbbbbbbbbb", "300")), 1):
        record = make_record(
            run_id, project="seats", pipeline="train", version=number, metrics={"mape": number / 2}
        )
        executed = notebook_json(
            markdown("# Seats"),
            code("days = 2", tags=["parameters"]),
            code("days = 2", tags=["injected-parameters"]),
            code("print()", outputs=[stream(said)], execution_count=1),
        )
        publish(workspace, record, executed, owner="ada")

    text = browser.get(f"{PAGE}?before=1&after=2").text

    assert "cell 3" in text
    assert '<span class="removed">-200' in text
    assert '<span class="added">+300' in text
    assert "runs=aaaaaaaaaaaa,bbbbbbbbbbbb" in text
    assert "mape" in text


@pytest.mark.parametrize(
    ("query", "status"), [("?before=9", 404), ("?after=0", 422), ("?before=1&after=1", 200)]
)
def test_versions_that_are_not_there_are_said(browser: Client, query: str, status: int) -> None:
    answer = browser.get(PAGE + query)

    assert answer.status_code == status
    assert status != 200 or "do not differ" in answer.text
