"""MLflow's page and the login in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.helpers.browser import launched
from tests.helpers.mlflow_api import ARTIFACTS, Caller, Everything, make_everything
from tests.helpers.services import Services

TIMEOUT_MS = 30_000

HOSTILE = "<script>top.document.title = 'taken over'</script><h1>report</h1>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    context.set_default_timeout(TIMEOUT_MS)
    try:
        yield context.new_page()
    finally:
        context.close()


@pytest.fixture(scope="module")
def shown(running: Services) -> Everything:
    caller = Caller(base=running.mlflow, token=running.token("olga"), workspace="seats")
    made = make_everything(caller, "browser")
    place = f"{ARTIFACTS}/{made.experiment}/{made.run}/artifacts/report.html"
    assert caller.send("PUT", place, content=HOSTILE.encode()).status_code == 200
    return made


def sign_in(page: Page, person: str) -> None:
    page.fill("#username_input", person)
    page.fill("#password_input", "x")
    page.click("#login_submit")


def frame_addresses(page: Page) -> list[str]:
    """Where each frame within the page has gone; one that is on its way has no address yet."""
    for _ in range(TIMEOUT_MS // 100):
        addresses = [frame.url for frame in page.frames if frame is not page.main_frame]
        if "" not in addresses:
            break
        page.wait_for_timeout(100)
    return addresses


def test_mlflow_link_to_a_project_leads_through_the_login_to_its_experiments(
    running: Services, shown: Everything, page: Page
) -> None:
    page.goto(f"{running.mlflow}/?workspace=seats")
    sign_in(page, "olga")

    expect(page.get_by_text("experiment-browser", exact=True)).to_be_visible()
    assert page.url == f"{running.mlflow}/#/experiments?workspace=seats"
    expect(page.get_by_text("experiment-theirs")).to_have_count(0)


def test_mlflow_page_shows_a_run_and_no_script_of_an_artifact(
    running: Services, shown: Everything, page: Page
) -> None:
    refused: list[str] = []

    def note(answer: Response) -> None:
        path = urlsplit(answer.url).path
        if answer.status == 403 or ("/assistant/" not in path and answer.status >= 500):
            refused.append(f"{answer.status} {answer.url}")

    page.on("response", note)
    page.goto(f"{running.mlflow}/")
    sign_in(page, "olga")
    run = f"{running.mlflow}/#/experiments/{shown.experiment}/runs/{shown.run}"
    page.goto(f"{run}?workspace=seats")
    expect(page.get_by_text("run-browser").first).to_be_visible()
    expect(page.get_by_text("parameter-browser").first).to_be_visible()
    page.goto(f"{run}/artifacts/report.html?workspace=seats")
    expect(page.get_by_text("report.html").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    inside = frame_addresses(page)

    assert refused == []
    assert "taken over" not in page.title()
    # The frame with the report, if MLflow made one, was stopped by the page's policy.
    assert all(url.startswith(("about:", "chrome-error:")) for url in inside), inside


def test_mlflow_landing_shows_the_own_projects_only(running: Services, page: Page) -> None:
    page.goto(f"{running.mlflow}/")
    sign_in(page, "otto")

    expect(page.get_by_role("link", name="other", exact=True)).to_be_visible()
    expect(page.get_by_text("seats", exact=True)).to_have_count(0)
    # What is not let through has no button either.
    expect(page.get_by_role("button", name="Create new workspace")).to_be_hidden()


def test_mlflow_can_not_be_used_by_a_script_of_another_page_of_the_same_host(
    running: Services, shown: Everything, page: Page
) -> None:
    page.goto(f"{running.mlflow}/")
    sign_in(page, "olga")
    page.wait_for_url(f"{running.mlflow}/**")
    # As a page of somebody's server would: the hub's own page, on the same origin.
    page.goto(f"{running.url}/hub/home")

    attempts = page.evaluate(
        """async (run) => {
            const status = async (path, options) => (await fetch(path, options)).status;
            const headers = {"x-mlflow-workspace": "seats", "content-type": "application/json"};
            const body = JSON.stringify({run_id: run, key: "evil", value: "1"});
            const frame = document.createElement("iframe");
            frame.src = "/services/mlflow/";
            document.body.append(frame);
            await new Promise((done) => { frame.onload = done; setTimeout(done, 3000); });
            let framed = null;
            try { framed = frame.contentDocument.documentElement.innerHTML; } catch { }
            return {
                page: await status("/services/mlflow/"),
                read: await status(`/services/mlflow/api/2.0/mlflow/runs/get?run_id=${run}`,
                    {headers}),
                write: await status("/services/mlflow/api/2.0/mlflow/runs/set-tag",
                    {method: "POST", headers, body}),
                framed: framed !== null && framed.includes("data-xsrf"),
            };
        }""",
        shown.run,
    )

    assert attempts == {"page": 403, "read": 403, "write": 403, "framed": False}


def test_mlflow_after_the_hubs_logout_leads_to_the_form_again(
    running: Services, page: Page
) -> None:
    page.goto(f"{running.mlflow}/")
    sign_in(page, "olga")
    page.wait_for_url(f"{running.mlflow}/**")

    page.goto(f"{running.mlflow}/logout")
    page.goto(f"{running.mlflow}/")

    expect(page.locator("#username_input")).to_be_visible()
