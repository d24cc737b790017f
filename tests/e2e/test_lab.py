"""The panel in a real JupyterLab: check, mend, promote, run; a real service and dispatcher."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from nb2prod.execution.processes import end_processes_of
from nb2prod.execution.runs import list_runs
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.jobs.process_executor import ProcessExecutor
from nb2prod.server.app import create_app
from nb2prod.settings import Settings
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.browser import SCREENSHOTS, served
from tests.helpers.jobs import surroundings_of
from tests.helpers.lab import TOKEN, Lab, TokenLogin, spawned, started_lab
from tests.helpers.notebooks import code, markdown, notebook_json, parameters
from tests.helpers.shared import environment_of
from tests.helpers.tracking_server import served_mlflow

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
PROJECT = "seat-demand"
BROWSERS_TOKEN = "a-token-of-a-person-in-a-browser"
WAIT_MS = 30_000
RUN_MS = 60_000

PARAMETERS = """from typing import Literal

market: Literal["JFK-DL", "LGA-AA", "EWR-UA"] = "JFK-DL"  # airport and carrier
alpha: float = 0.2  # how much of the penalty is absolute
epochs: int = 3  # rounds of training
is_final: bool = False  # train on all days, without a test
note: str | None = None  # stands on the page
days: list[int] = [7, 28]  # horizons
"""
TRAINING = """import time

for epoch in range(epochs):
    time.sleep(0.5)
    print(f"epoch {epoch + 1} of {epochs}, market {market}")
"""

FORECAST = """import os
import time

import mlflow

while not os.path.exists(gate):
    time.sleep(0.05)
assert alpha < 0.5 or os.path.exists("mended"), "too much weight"
mlflow.log_metric("val_mape", 8 - alpha)
print("forecast", alpha)
"""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """JupyterLab of edda, an editor of a project, and its workspace."""

    lab: Lab
    workspace: Workspace
    service: str
    login: dict[str, Identity]
    root: Path

    def save(self, path: str, *cells: Any, metadata: dict[str, Any] | None = None) -> None:
        """Put a notebook into the server's root."""
        (self.root / path).write_text(json.dumps(notebook_json(*cells, metadata=metadata)))


def seats_notebook(extra: str = "") -> tuple[Any, ...]:
    """Return a notebook as a data scientist would have it."""
    return (
        markdown("# Seats departed per day"),
        parameters(PARAMETERS),
        markdown("## Training"),
        code(TRAINING + extra),
        markdown("## Conclusion\n\nMore epochs help."),
        code("print('done', alpha)"),
    )


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Let pages take their time: JupyterLab, its server and a kernel start on a few cores."""
    expect.set_options(timeout=WAIT_MS)
    yield
    expect.set_options(timeout=5000)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Start service, dispatcher, MLflow and JupyterLab."""
    base = tmp_path_factory.mktemp("desk")
    settings = Settings.from_environment(
        {"NB2PROD_HOME": str(base / "home"), "NB2PROD_USER": "olga"}
    )
    login = {
        TOKEN: Identity(person="edda", project=PROJECT),
        BROWSERS_TOKEN: Identity(person="edda"),
    }
    with open_workspace(settings) as workspace:
        project = found_project(workspace, PROJECT, title="Seat demand", owner="olga")
        add_member(workspace, PROJECT, "edda", Role.EDITOR, person="olga")
        add_member(workspace, PROJECT, "vera", Role.VIEWER, person="olga")
        root = base / "root"
        (root / "private").mkdir(parents=True)
        (root / "project").symlink_to(project.root)
        app = create_app(
            workspace,
            is_behind_login=True,
            executor="process",
            environment_of=environment_of,
            upkeep_interval_s=0.5,
        )
        mlflow = base / "mlflow"
        mlflow.mkdir()
        with (
            served(TokenLogin(app, login)) as service,
            served_mlflow(mlflow, PROJECT) as mlflow_url,
            dispatching(workspace, mlflow_url),
        ):
            environment = {
                **spawned(service, PROJECT, root),
                "NB2PROD_PUBLIC_URL": origin_of(service),
            }
            with started_lab(root, environment) as lab:
                yield Desk(lab=lab, workspace=workspace, service=service, login=login, root=root)


@contextmanager
def dispatching(workspace: Workspace, mlflow_url: str) -> Iterator[None]:
    """Let a dispatcher work beside the test."""
    executor = ProcessExecutor(workspace, surroundings_of(workspace, mlflow_url=mlflow_url))
    dispatcher = Dispatcher(workspace, [executor], mlflow_url=mlflow_url)
    stop = threading.Event()
    thread = threading.Thread(
        target=dispatcher.run_forever, args=(stop,), kwargs={"poll_interval_s": 0.2}
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        # What a test that fails leaves waiting for its file.
        for record in list_runs(workspace, person="olga"):
            end_processes_of(record.id)


@contextmanager
def visit(browser: Browser, lab: Lab, path: str, **options: Any) -> Iterator[Page]:
    """Open JupyterLab in a fresh profile, at a path."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        # Without the tabs of visits before.
        page.goto(f"{lab.url}{path}?reset&token={lab.token}")
        yield page
        assert errors == []
    finally:
        context.close()


def origin_of(url: str) -> str:
    """Return scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def panel_of(page: Page) -> Locator:
    """Return the panel."""
    return page.locator("#nb2prod-pipeline")


def promote_button(page: Page) -> Locator:
    """Return the button in the toolbar of the notebook that is seen."""
    return page.locator(".jp-NotebookPanel:visible [data-jp-item-name=nb2prod-promote]")


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"lab-{name}.png")


def assert_accessible(page: Page) -> None:
    """Check the panel by axe's rules."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run('#nb2prod-pipeline').then(result => result.violations)")
    assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []


def replace_cell(page: Page, number: int, source: str) -> None:
    """Give a code cell another source, as a person would, by the keyboard."""
    editor = (
        page.locator(".jp-NotebookPanel:visible .jp-Cell").nth(number - 1).locator(".cm-content")
    )
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(source)


def test_notebook_is_mended_promoted_changed_and_run(browser: Browser, desk: Desk) -> None:
    desk.save("project/train.ipynb", *seats_notebook("!pip install lightning\n"))
    with visit(browser, desk.lab, "lab/tree/project/train.ipynb") as page:
        mend(page)
        assert "pip install" not in (desk.root / "project/train.ipynb").read_text()
        promote_first(page)
        promote_changed(page)
        run_by_form(page)
        follow_run(page)
        open_page(page, desk)
        open_panel_again(page)


def mend(page: Page) -> None:
    """Check a notebook with a blocking finding, go to its cell, and delete the line."""
    panel = panel_of(page)
    promote_button(page).click()
    finding = panel.locator("li[data-code=package-install]")
    expect(finding).to_contain_text("Cell 4, line 6")
    confirm = panel.get_by_role("button", name="Promote as train@v1")
    expect(confirm).to_be_disabled()
    expect(panel).to_contain_text("Mend the blocking finding first.")
    assert_accessible(page)
    keep_picture(page, "1-finding")

    finding.get_by_role("button").click()
    cell = page.locator(".jp-Notebook .jp-Cell").nth(3)
    expect(cell).to_have_class(re.compile("jp-mod-active"))
    assert page.evaluate("getSelection().toString()").strip() == "!pip install lightning"

    page.keyboard.press("Delete")
    expect(panel).to_contain_text("The notebook has changed since it was checked.")
    expect(confirm).to_be_disabled()
    keep_picture(page, "2-stale")
    panel.get_by_role("button", name="Check again").first.click()
    expect(panel.get_by_text("blocking finding")).to_have_count(0)
    expect(panel).to_contain_text("airport and carrier")
    assert_accessible(page)
    keep_picture(page, "3-checked")


def promote_first(page: Page) -> None:
    """Confirm; then there is nothing more to promote."""
    panel = panel_of(page)
    panel.get_by_role("button", name="Promote as train@v1").click()
    expect(panel).to_contain_text("train@v1 is made.")
    expect(panel.get_by_role("button", name="Run train@v1")).to_be_enabled()
    assert_accessible(page)
    keep_picture(page, "4-form")

    promote_button(page).click()
    expect(panel).to_contain_text("Nothing has changed since train@v1.")
    expect(panel.get_by_role("button", name="Promote as")).to_be_disabled()


def promote_changed(page: Page) -> None:
    """Change a cell, see the difference, and promote again."""
    panel = panel_of(page)
    replace_cell(page, 4, f"{TRAINING}print('trained')\n")
    panel.get_by_role("button", name="Check again").first.click()
    expect(panel.locator(".nb2prod-line.nb2prod-mod-added")).to_contain_text("print('trained')")
    expect(panel).to_contain_text("Against train@v1: 1 line added, 0 removed.")
    keep_picture(page, "5-difference")
    panel.get_by_label("Whole script").check()
    expect(panel.get_by_label("The script")).to_contain_text("import time")
    panel.get_by_role("button", name="Promote as train@v2").click()
    expect(panel).to_contain_text("train@v2 is made.")


def run_by_form(page: Page) -> None:
    """Fill in the form, wrongly first."""
    form = panel_of(page).locator("form")
    run = form.get_by_role("button", name="Run train@v2")
    expect(form.locator("#nb2prod-version option")).to_have_count(2)
    form.get_by_label("market").select_option(label="LGA-AA")
    form.get_by_label("epochs").fill("")
    expect(form).to_contain_text("Write a whole number.")
    expect(run).to_be_disabled()
    form.get_by_label("epochs").fill("4")
    form.get_by_label("days").fill("[1, ")
    expect(form).to_contain_text("Write it as JSON, as in [1, 2].")
    # What only the workspace knows stands at its field as well.
    form.get_by_label("days").fill('["x"]')
    run.click()
    expect(form.locator("[data-parameter=days] .nb2prod-problem")).to_contain_text("list[int]")
    form.get_by_label("days").fill("[14]")
    run.click()


def follow_run(page: Page) -> None:
    """See the run go on, and end."""
    panel = panel_of(page)
    watched = panel.locator(".nb2prod-watched")
    expect(watched.locator("[data-status=running]")).to_be_visible(timeout=RUN_MS)
    expect(watched).to_contain_text(re.compile(r"Cell \d of \d: Training"), timeout=RUN_MS)
    expect(watched.get_by_label("Log")).to_contain_text("epoch 1 of 4, market LGA-AA")
    keep_picture(page, "6-running")
    expect(watched.locator("[data-status=succeeded]")).to_be_visible(timeout=RUN_MS)
    expect(watched.get_by_label("Log")).to_contain_text("done 0.2")
    expect(panel.locator(".nb2prod-runs")).to_contain_text(
        'v2 by edda, market = "LGA-AA", epochs = 4, days = [14]'
    )


def open_page(page: Page, desk: Desk) -> None:
    """Go from the panel to the run's page."""
    link = panel_of(page).get_by_role("link", name="Open the page")
    expect(link).to_be_visible(timeout=RUN_MS)
    assert_accessible(page)
    keep_picture(page, "7-ended")
    page.context.route(f"{origin_of(desk.service)}/**", as_person)
    with page.context.expect_page() as opened:
        link.click()
    expect(opened.value.locator("h1")).to_contain_text("Seats departed per day")
    opened.value.close()


def open_panel_again(page: Page) -> None:
    """Load JupyterLab anew: the panel finds its pipeline's runs by itself."""
    page.reload()
    page.locator(".jp-Notebook").wait_for()
    panel = panel_of(page)
    if not panel.is_visible():
        page.locator(".jp-SideBar [data-id=nb2prod-pipeline]").click()
    panel.get_by_role("tab", name="Run").click()
    expect(panel.locator(".nb2prod-runs li")).to_have_count(1)
    expect(panel.locator(".nb2prod-watched [data-status=succeeded]")).to_be_visible()
    expect(panel.get_by_label("Log")).to_contain_text("done 0.2")


def as_person(route: Route) -> None:
    """Let a page of the service be visited as edda, whom the hub would sign in."""
    headers = {**route.request.headers, "authorization": f"Bearer {BROWSERS_TOKEN}"}
    route.continue_(headers=headers)


def test_run_is_cancelled_run_again_and_swept(browser: Browser, desk: Desk) -> None:
    desk.save(
        "project/forecast.ipynb",
        parameters('gate: str = "."  # waits for this file\nalpha: float = 0.1  # weight'),
        markdown("## Forecast"),
        code(FORECAST),
        metadata={"nb2prod": {"main_metric": "val_mape", "lower_is_better": True}},
    )
    with visit(browser, desk.lab, "lab/tree/project/forecast.ipynb") as page:
        panel = panel_of(page)
        promote_button(page).click()
        panel.get_by_role("button", name="Promote as forecast@v1").click()
        expect(panel).to_contain_text("forecast@v1 is made.")
        cancel_run(page)
        run_again_with_another_value(page)
        sweep_some_values(page)
        sort_and_follow_one(page)
        run_what_is_missing(page, desk)
        cancel_sweep(page)


def cancel_run(page: Page) -> None:
    """Run what never ends by itself, and cancel it."""
    panel = panel_of(page)
    panel.get_by_label("gate").fill("never")
    panel.get_by_label("alpha").fill("0.3")
    panel.get_by_role("button", name="Run forecast@v1").click()
    watched = panel.locator(".nb2prod-watched")
    expect(watched).to_contain_text("Cell 3 of 3: Forecast", timeout=RUN_MS)
    watched.get_by_role("button", name="Cancel run").click()
    expect(watched.locator("[data-status=cancelled]")).to_be_visible(timeout=RUN_MS)
    expect(watched).to_contain_text("edda")
    expect(watched.get_by_role("button", name="Cancel run")).to_have_count(0)
    expect(watched.get_by_role("link", name="Open the page")).to_be_visible(timeout=RUN_MS)
    assert_accessible(page)
    keep_picture(page, "8-cancelled")


def run_again_with_another_value(page: Page) -> None:
    """The form has the values of the run that was cancelled; one of them is changed."""
    panel = panel_of(page)
    form = panel.locator("form")
    form.get_by_role("button", name="Defaults").click()
    panel.get_by_role("button", name="Run again").click()
    expect(form.get_by_label("gate")).to_have_value("never")
    expect(form.get_by_label("alpha")).to_have_value("0.3")
    form.get_by_label("gate").fill(".")
    form.get_by_role("button", name="Run forecast@v1").click()
    watched = panel.locator(".nb2prod-watched")
    expect(watched.locator("[data-status=succeeded]")).to_be_visible(timeout=RUN_MS)
    expect(watched.get_by_label("Log")).to_contain_text("forecast 0.3")
    entries = panel.locator(".nb2prod-runs li")
    expect(entries).to_have_count(2)
    expect(entries.nth(0)).to_contain_text("v1 by edda, alpha = 0.3")
    expect(entries.nth(1)).to_contain_text('v1 by edda, gate = "never", alpha = 0.3')
    expect(entries.nth(1).locator("[data-status=cancelled]")).to_be_visible()


def sweep_some_values(page: Page) -> None:
    """A sweep is counted before it is started; what can't be is said at its field."""
    panel = panel_of(page)
    form = panel.locator("form")
    form.get_by_role("button", name="Defaults").click()
    form.get_by_role("switch", name="Sweep").check()
    expect(form).to_contain_text("Give at least one parameter several values.")
    form.get_by_label("alpha").fill("1..1000000 step 1")
    expect(form).to_contain_text("This sweep would be 1,000,000 runs; one may have 10,000.")
    expect(form.get_by_role("button", name="Start the sweep")).to_be_disabled()
    form.get_by_label("alpha").fill("0.1, much")
    expect(form.locator("[data-parameter=alpha] .nb2prod-problem")).to_contain_text("much")
    form.get_by_label("alpha").fill("0.1..0.5 step 0.2")
    expect(form).to_contain_text("3 runs, over alpha")
    assert_accessible(page)
    keep_picture(page, "9-sweep-form")
    form.get_by_role("button", name="Start 3 runs").click()


def sort_and_follow_one(page: Page) -> None:
    """The table fills; it is sorted by a click, and a run of it is shown."""
    panel = panel_of(page)
    sweep = panel.locator(".nb2prod-sweep")
    expect(sweep).to_contain_text("Sweep of 3: 2 succeeded, 1 failed", timeout=RUN_MS)
    assert table_of(page) == [
        ["1", "Succeeded", "0.1", "7.9"],
        ["2 ★", "Succeeded", "0.3", "7.7"],
        ["3", "Failed", "0.5", "–"],
    ]
    # What has no value stands last, in either direction.
    title = sweep.get_by_role("columnheader", name="val_mape")
    title.get_by_role("button").click()
    expect(title).to_have_attribute("aria-sort", "ascending")
    expect(sweep.locator("tbody th")).to_have_text(["2 ★", "1", "3"])
    title.get_by_role("button").click()
    expect(title).to_have_attribute("aria-sort", "descending")
    expect(sweep.locator("tbody th")).to_have_text(["1", "2 ★", "3"])
    assert_accessible(page)
    keep_picture(page, "10-sweep")

    sweep.get_by_role("button", name="Show run 3").click()
    watched = panel.locator(".nb2prod-watched:not(.nb2prod-sweep)")
    expect(watched.locator("[data-status=failed]")).to_be_visible()
    expect(watched).to_contain_text("AssertionError: too much weight")
    assert_accessible(page)
    keep_picture(page, "11-run-of-sweep")


def table_of(page: Page) -> list[list[str]]:
    """What stands in the rows of the sweep's table, without links to pages."""
    rows = panel_of(page).locator(".nb2prod-sweep tbody tr").all()
    cells = [row.locator("th, td").all_inner_texts() for row in rows]
    return [[text.replace("↗", "").strip(" ✓✕\n") for text in row] for row in cells]


def run_what_is_missing(page: Page, desk: Desk) -> None:
    """What has failed runs again, and the table tells how it went; the same is on its page."""
    sweep = panel_of(page).locator(".nb2prod-sweep")
    (desk.root / "project/mended").touch()
    sweep.get_by_role("button", name="Run what is missing (1)").click()
    expect(sweep).to_contain_text("Sweep of 3: 3 succeeded", timeout=RUN_MS)
    expect(sweep.get_by_role("button", name="Run what is missing")).to_have_count(0)
    page.context.route(f"{origin_of(desk.service)}/**", as_person)
    with page.context.expect_page() as opened:
        sweep.get_by_role("link", name="Open its page").click()
    expect(opened.value.locator("table.sweep-table tbody tr")).to_have_count(3)
    opened.value.close()
    with page.expect_download() as download:
        sweep.get_by_role("link", name="Download as CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 4


def cancel_sweep(page: Page) -> None:
    """A sweep ends as a whole, after a question."""
    panel = panel_of(page)
    form = panel.locator("form")
    form.get_by_role("button", name="Defaults").click()
    form.get_by_label("gate").fill("never")
    form.get_by_label("alpha").fill("1..5 step 1")
    expect(form).to_contain_text("5 runs, over alpha")
    form.get_by_role("button", name="Start 5 runs").click()
    sweep = panel.locator(".nb2prod-sweep")
    expect(sweep).to_contain_text(re.compile(r"Sweep of 5: .*\d running"), timeout=RUN_MS)
    sweep.get_by_role("button", name="Cancel all").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel the sweep of 5?")
    keep_picture(page, "12-question")
    dialog.get_by_role("button", name="Cancel all").click()
    expect(sweep).to_contain_text("Sweep of 5: 5 cancelled", timeout=RUN_MS)
    expect(panel.locator(".nb2prod-runs li").first).to_contain_text("Sweep of 5: 5 cancelled")
    assert_accessible(page)
    keep_picture(page, "13-cancelled-sweep")


def test_panel_follows_the_notebook_that_is_active(browser: Browser, desk: Desk) -> None:
    desk.save("project/first.ipynb", *seats_notebook())
    desk.save("private/train@v7 (2).ipynb", *seats_notebook())
    with visit(browser, desk.lab, "lab/tree/project/first.ipynb") as page:
        panel = panel_of(page)
        promote_button(page).click()
        expect(panel.get_by_role("button", name="Promote as first@v1")).to_be_enabled()
        page.locator(".jp-DirListing-item", has_text="first.ipynb").wait_for()
        page.locator(".jp-BreadCrumbs-home").click()
        page.locator(".jp-DirListing-item", has_text="private").dblclick()
        page.locator(".jp-DirListing-item", has_text="train@v7 (2)").dblclick()
        expect(panel).to_contain_text("train@v7 (2).ipynb")
        # A copy of a version is meant for that version's pipeline.
        expect(panel.get_by_role("button", name="Check this notebook")).to_be_visible()
        panel.get_by_role("button", name="Check this notebook").click()
        expect(panel.locator("#nb2prod-name")).to_have_value("train")

        page.locator(".lm-TabBar-tab", has_text="first.ipynb").click()
        expect(panel.get_by_role("button", name="Promote as first@v1")).to_be_enabled()

        # Another name is checked before it can be confirmed.
        name = panel.locator("#nb2prod-name")
        name.fill("not a name")
        expect(panel).to_contain_text("beginning with a letter or digit")
        expect(panel.get_by_role("button", name="Promote as first@v1")).to_be_disabled()
        name.fill("renamed")
        name.press("Enter")
        expect(panel.get_by_role("button", name="Promote as renamed@v1")).to_be_enabled()


def test_panel_by_keyboard_alone_opens_checks_and_changes_tabs(
    browser: Browser, desk: Desk
) -> None:
    desk.save("project/keys.ipynb", *seats_notebook())
    with visit(browser, desk.lab, "lab/tree/project/keys.ipynb") as page:
        panel = panel_of(page)
        promote_button(page).locator("jp-button, button").first.focus()
        page.keyboard.press("Enter")
        expect(panel.get_by_role("button", name="Promote as keys@v1")).to_be_enabled()
        expect(panel).to_be_focused()
        page.keyboard.press("Tab")
        expect(panel.get_by_role("tab", name="Promote")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(panel.get_by_role("tab", name="Run")).to_be_focused()
        expect(panel).to_contain_text("Nothing has been promoted as “keys” yet.")


def test_viewer_sees_runs_and_why_there_is_no_promotion(browser: Browser, desk: Desk) -> None:
    desk.save("project/train.ipynb", *seats_notebook())
    known = desk.login[TOKEN]
    desk.login[TOKEN] = replace(known, person="vera")
    try:
        with visit(browser, desk.lab, "lab/tree/project/train.ipynb") as page:
            promote_button(page).click()
            panel = panel_of(page)
            expect(panel).to_contain_text("You are a viewer of Seat demand")
            expect(panel.get_by_role("button", name="Promote as")).to_have_count(0)
            panel.get_by_role("tab", name="Run").click()
            expect(panel).to_contain_text("editors and owners run pipelines")
            expect(panel.get_by_role("button", name="Run train@")).to_have_count(0)
    finally:
        desk.login[TOKEN] = known


def test_notebook_outside_of_the_project_says_where_it_belongs(
    browser: Browser, desk: Desk
) -> None:
    desk.save("elsewhere.ipynb", *seats_notebook())
    with visit(browser, desk.lab, "lab/tree/elsewhere.ipynb") as page:
        promote_button(page).click()
        expect(panel_of(page).get_by_role("alert")).to_contain_text("lies outside the project")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("width", [1280, 500])
def test_panel_is_accessible_in_each_theme_and_width(
    browser: Browser, desk: Desk, theme: str, width: int
) -> None:
    desk.save(
        "project/train.ipynb",
        *seats_notebook("print(undefined_name)\npath = '/home/ada/data/flights.parquet'\n"),
    )
    name = f"{theme.rsplit(maxsplit=1)[-1].lower()}-{width}"
    environment = {
        **spawned(desk.service, PROJECT, desk.root),
        "NB2PROD_PUBLIC_URL": origin_of(desk.service),
    }
    viewport = {"width": width, "height": 900}
    with (
        started_lab(desk.root, environment, theme=theme) as lab,
        visit(browser, lab, "lab/tree/project/train.ipynb", viewport=viewport) as page,
    ):
        panel = panel_of(page)
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        # In a narrow window the file browser makes room, as a person would let it.
        if width < 600:
            page.keyboard.press("Control+b")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Promote to Pipeline").click()
        expect(panel.locator("li[data-code=name-undefined]")).to_be_visible()
        assert_accessible(page)
        keep_picture(page, f"{name}-promote")
        panel.get_by_role("tab", name="Run").click()
        expect(panel.locator("form")).to_be_visible()
        expect(panel.locator(".nb2prod-watched [data-status=succeeded]")).to_be_visible()
        panel.get_by_label("epochs").fill("")
        expect(panel).to_contain_text("Write a whole number.")
        assert_accessible(page)
        keep_picture(page, f"{name}-run")
        panel.evaluate("node => node.scrollTo(0, node.scrollHeight)")
        keep_picture(page, f"{name}-runs")

        page.goto(f"{lab.url}lab/tree/project/forecast.ipynb?reset&token={lab.token}")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        if not panel.is_visible():
            page.locator(".jp-SideBar [data-id=nb2prod-pipeline]").click()
        panel.get_by_role("tab", name="Run").click()
        panel.locator(".nb2prod-runs li button", has_text="Sweep of 3").click()
        expect(panel.locator(".nb2prod-sweep tbody tr")).to_have_count(3)
        assert_accessible(page)
        keep_picture(page, f"{name}-sweep")
        panel.locator("form").get_by_role("switch", name="Sweep").check()
        panel.get_by_text("How to write several values").click()
        assert_accessible(page)
        keep_picture(page, f"{name}-sweep-form")


def test_panel_without_a_service_says_so_and_finds_it_again(browser: Browser, desk: Desk) -> None:
    desk.save("project/train.ipynb", *seats_notebook())
    with visit(browser, desk.lab, "lab/tree/project/train.ipynb") as page:
        # The network is what a test may break: here between the browser and its server.
        page.route("**/nb2prod/api/**", lambda route: route.abort())
        promote_button(page).click()
        panel = panel_of(page)
        expect(panel.get_by_role("alert")).to_contain_text("does not answer")
        page.unroute("**/nb2prod/api/**")
        panel.get_by_role("button", name="Try again").click()
        expect(panel.get_by_role("button", name="Check this notebook")).to_be_visible()


def test_panel_in_a_plain_jupyterlab_names_the_command_line(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "train.ipynb").write_text(json.dumps(notebook_json(*seats_notebook())))
    with (
        started_lab(tmp_path, {}) as lab,
        visit(browser, lab, "lab/tree/train.ipynb") as page,
    ):
        promote_button(page).click()
        panel = panel_of(page)
        expect(panel).to_contain_text("belongs to no workspace")
        expect(panel.locator("code")).to_have_text("nb2prod promote")
