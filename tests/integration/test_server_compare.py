"""Two runs side by side."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI

from nb2prod.server.app import create_app
from nb2prod.workspace.projects import found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import Client, browser_of
from tests.helpers.compared import NEWER, OLDER, store_two_runs
from tests.helpers.gallery import make_record, publish
from tests.helpers.shared import person


@pytest.fixture
def app(workspace: Workspace) -> FastAPI:
    """The gallery with two runs that differ."""
    store_two_runs(workspace, found_project(workspace, "seat-demand", owner="ada"))
    return create_app(workspace, is_behind_login=True)


@pytest.fixture
def browser(app: FastAPI) -> Client:
    """Ada's browser."""
    return browser_of(app, person("ada"))


def part(text: str, title: str) -> str:
    """Return the words of one part of the page."""
    found = re.search(rf'<h2 id="[a-z]+-title">{title}</h2>(.*?)</section>', text, re.DOTALL)
    assert found is not None, title
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


@pytest.mark.parametrize(
    "query",
    [
        f"runs={OLDER},{NEWER}",
        f"runs={NEWER},{OLDER}",
        f"runs={NEWER}&runs={OLDER}",
        f"runs={NEWER}, {OLDER},",
    ],
)
def test_comparison_says_what_differs_older_first(browser: Client, query: str) -> None:
    text = browser.get(f"/compare?{query}").text

    assert "mape 4.4 4.1 ▼ 0.3 (−6.8 %) (better)" in part(text, "Metrics")
    assert "added – 2 –" in part(text, "Metrics")
    assert "dropped 1 – –" in part(text, "Metrics")
    assert "alpha (differs) 0.2 0.1" in part(text, "Parameters")
    assert "epochs 40 40" in part(text, "Parameters")
    assert "l1_ratio (differs) – absent 0.9" in part(text, "Parameters")
    assert "-model = Lasso(" in part(text, "Script")
    assert "+model = ElasticNet(" in part(text, "Script")
    assert "data/flights.parquet" in part(text, "Data read")
    assert "same.csv" not in part(text, "Data read")
    environment = part(text, "Environment")
    assert "numpy (differs) 1.26.4 2.0.0" in environment
    assert "rich (differs) – absent 13.9" in environment
    assert "pandas" not in environment
    assert "Python (differs) 3.11.1 3.11.2" in environment
    assert "No such plot in the older run" in part(text, "Plots")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (f"runs={OLDER}", "1 was"),
        (f"runs={OLDER},{OLDER}", "1 was"),
        ("runs=", "0 were"),
        ("runs=a,b,c", "3 were"),
    ],
)
def test_comparison_of_other_than_two_runs_is_refused(
    browser: Client, query: str, said: str
) -> None:
    answer = browser.get(f"/compare?{query}")

    assert answer.status_code == 422
    assert f"but {said} chosen" in answer.text


def test_comparison_of_a_run_that_is_not_there_is_not_found(browser: Client) -> None:
    assert browser.get(f"/compare?runs={OLDER},absentrunaaa").status_code == 404


def test_comparison_of_one_version_says_so(browser: Client, workspace: Workspace) -> None:
    for run_id in ("samerunaaaaa", "samerunbbbbb"):
        publish(workspace, make_record(run_id))

    text = browser.get("/compare?runs=samerunaaaaa,samerunbbbbb").text

    assert "Both ran the same version." in part(text, "Script")
    assert "No difference in the files" in part(text, "Data read")
    assert "locked to the same packages" in part(text, "Environment")


def test_comparison_of_two_pipelines_warns(browser: Client, workspace: Workspace) -> None:
    publish(workspace, make_record("scorerunaaaa", pipeline="score"))

    text = browser.get(f"/compare?runs=scorerunaaaa,{NEWER}").text

    assert "two different pipelines" in text


def test_page_offers_its_siblings_for_comparison(browser: Client) -> None:
    text = browser.get(f"/pages/{NEWER}").text

    assert f'<option value="{OLDER}" selected>' in text
    assert f'<input type="hidden" name="runs" value="{NEWER}">' in text


def test_markup_of_a_script_is_shown_and_not_obeyed(browser: Client, workspace: Workspace) -> None:
    publish(workspace, make_record("markuprunaaa", parameters={"note": "<img src=x onerror=1>"}))

    text = browser.get(f"/compare?runs=markuprunaaa,{NEWER}").text

    assert "&lt;img src=x onerror=1&gt;" in text
    assert "<img src=x" not in text
