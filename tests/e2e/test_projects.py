"""What a person does with projects and comparisons behind the hub's login, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Locator, Page, expect

from nb2prod.execution.models import RunStatus
from nb2prod.notebook.reading import parse_notebook
from nb2prod.registry.versions import confirm, propose_content
from nb2prod.server.app import create_app
from nb2prod.server.servers import PersonServers, ServerState
from nb2prod.workspace.people import Identity, author_of
from nb2prod.workspace.projects import Project, Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import (
    PREFIX,
    arriving,
    require,
    screenshot,
    served,
    visiting_as,
)
from tests.helpers.client import Introduced
from tests.helpers.compared import NEWER, OLDER, store_two_runs
from tests.helpers.gallery import make_record, publish
from tests.helpers.notebooks import code, markdown, notebook_json
from tests.helpers.servers import RememberedServers, UnreachableServers
from tests.helpers.shared import environment_of

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
ADA = Identity(person="ada", is_administrator=True)
GRACE = Identity(person="grace")


@pytest.fixture(scope="module")
def team(library: Workspace) -> Workspace:
    """Ada's two projects, one of them full of things, and one of somebody else's."""
    demand = found_project(
        library, "seat-demand", title="Seat demand on flights from New York", owner="ada"
    )
    for name, role in (("grace", Role.EDITOR), ("edsger", Role.EDITOR), ("barbara", Role.VIEWER)):
        add_member(library, "seat-demand", name, role, person="ada")
    found_project(library, "fares", title="Fares", owner="ada")
    found_project(library, "night-shift", title="Night shift", owner="grace")
    for alpha in (0.2, 0.1):
        promote(demand, alpha)
    store_two_runs(library, demand)
    publish(
        library,
        make_record(
            "failedrunaaa",
            pipeline="score",
            version=1,
            metrics={},
            status=RunStatus.FAILED,
            reason="Cell 2 failed.",
        ),
    )
    return library


def promote(project: Project, alpha: float) -> None:
    """Make a version of the pipeline `train`."""
    notebook = notebook_json(
        markdown("# Seats departed per day"), code(f"alpha = {alpha}", tags=["parameters"])
    )
    proposal = propose_content(
        repository=project.repository,
        notebook=parse_notebook(json.dumps(notebook).encode(), name="train"),
        path="train.ipynb",
        directory=".",
        environment=lambda kernel: environment_of(project, kernel),
    )
    confirm(proposal, author=author_of("ada"))


def gallery(workspace: Workspace, servers: PersonServers | None = None) -> FastAPI:
    """The gallery as it is behind the hub's login."""
    return create_app(
        workspace,
        is_behind_login=True,
        executor="process",
        environment_of=environment_of,
        servers=servers,
    )


def row_of(page: Page, person: str) -> Locator:
    """The line of a member."""
    return page.locator("table.members tbody tr").filter(has_text=person)


@pytest.mark.parametrize("has_script", [True, False], ids=["with script", "without script"])
def test_project_is_made_and_its_members_are_changed(
    browser: Browser, workspace: Workspace, *, has_script: bool
) -> None:
    app = gallery(workspace)
    with visiting_as(browser, app, GRACE, "/projects", java_script_enabled=has_script) as watch:
        page = watch.page
        expect(page.get_by_role("heading", name="No project yet")).to_be_visible()

        page.get_by_label("Name", exact=True).fill("Seat Demand")
        page.get_by_label("Title").fill("Seats <b>per</b> day")
        page.get_by_role("button", name="Make project").click()
        expect(page.get_by_role("alert")).to_contain_text("1 to 30")
        assert page.get_by_label("Name", exact=True).input_value() == "Seat Demand"
        assert page.get_by_label("Title").input_value() == "Seats <b>per</b> day"
        screenshot(page, f"projects-refused-1280-{'script' if has_script else 'plain'}")

        page.get_by_label("Name", exact=True).fill("seat-demand")
        page.get_by_role("button", name="Make project").click()
        page.wait_for_url("**/projects/seat-demand")
        expect(page.get_by_role("heading", level=1)).to_have_text("Seats <b>per</b> day")

        page.get_by_label("Add a person").fill("ada")
        page.get_by_label("as", exact=True).select_option("viewer")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(row_of(page, "ada").get_by_label("Role of ada")).to_have_value("viewer")
        row_of(page, "ada").get_by_label("Role of ada").select_option("editor")
        row_of(page, "ada").get_by_role("button", name="Change").click()
        expect(row_of(page, "ada").get_by_label("Role of ada")).to_have_value("editor")

        row_of(page, "grace").get_by_role("button", name="Leave").click()
        expect(page.get_by_role("alert")).to_contain_text("last owner")
        row_of(page, "ada").get_by_role("button", name="Take out").click()
        expect(row_of(page, "ada")).to_have_count(0)


def test_project_is_opened_and_its_server_stopped(browser: Browser, team: Workspace) -> None:
    servers = RememberedServers({("ada", "seat-demand"): ServerState.RUNNING})
    with visiting_as(browser, gallery(team, servers), ADA, "/projects") as watch:
        page = watch.page
        card = page.locator(".project-card").filter(has_text="seat-demand")
        expect(card).to_contain_text("Server running")
        links = [
            link.get_attribute("href")
            for link in page.get_by_role("link", name="Open", exact=False).all()
        ]
        assert links == ["/hub/spawn/ada/fares", "/hub/spawn/ada/seat-demand"]

        card.get_by_role("button", name="Stop").click()
        expect(card).not_to_contain_text("Server")
        assert page.url.endswith("/projects")
        assert servers.states == {}


def test_projects_say_that_the_hub_does_not_answer(browser: Browser, team: Workspace) -> None:
    with visiting_as(browser, gallery(team, UnreachableServers()), ADA, "/projects") as watch:
        expect(watch.page.get_by_text("The hub does not answer now")).to_be_visible()
        expect(watch.page.locator(".project-card")).to_have_count(2)


def test_page_is_opened_in_the_workspace_and_compared(browser: Browser, team: Workspace) -> None:
    with visiting_as(browser, gallery(team), ADA, f"/pages/{NEWER}") as watch:
        page = watch.page
        target = page.get_by_role("link", name="Open in my workspace").get_attribute("href") or ""
        parts = urlsplit(target)
        assert parts.path == "/hub/spawn/ada/seat-demand"
        assert parse_qs(parts.query) == {
            "next": ["/user/ada/seat-demand/nb2prod/open?pipeline=train&version=2"]
        }

        page.get_by_role("button", name="Compare").click()
        page.wait_for_url(f"**/compare?runs={NEWER}&runs={OLDER}")
        expect(page.get_by_role("heading", level=1)).to_have_text("train@v1 and train@v2")
        expect(page.get_by_label("Metrics of both runs")).to_contain_text("▼ 0.3 (−6.8 %)")
        expect(page.locator(".diff .added").first).to_contain_text("ElasticNet")
        loaded = "image => image.complete && image.naturalWidth > 0"
        page.locator(".plot-pair img").first.scroll_into_view_if_needed()
        expect(page.locator(".plot-pair img")).to_have_count(3)
        assert page.locator(".plot-pair img").first.evaluate(loaded)


def test_table_compares_two_chosen_runs(browser: Browser, team: Workspace) -> None:
    with visiting_as(browser, gallery(team), ADA, "/?view=table&pipeline=train") as watch:
        page = watch.page
        page.get_by_label(f"Compare run {NEWER}").check()
        page.get_by_role("button", name="Compare the two chosen").click()
        expect(page.get_by_text("but 1 was chosen")).to_be_visible()

        page.go_back()
        page.get_by_label(f"Compare run {NEWER}").check()
        page.get_by_label(f"Compare run {OLDER}").check()
        page.get_by_role("button", name="Compare the two chosen").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("train@v1 and train@v2")


def test_header_leads_to_the_hub_and_mlflow(browser: Browser, team: Workspace) -> None:
    with visiting_as(browser, gallery(team), ADA, "/") as watch:
        page = watch.page
        page.locator(".menu summary").click()
        links = {
            name: page.get_by_role("link", name=name, exact=True).get_attribute("href")
            for name in (
                "Projects",
                "Gallery",
                "MLflow",
                "Tokens for programs",
                "People and servers",
                "Sign out",
            )
        }

        assert links == {
            "Projects": f"{PREFIX}/projects",
            "Gallery": f"{PREFIX}/",
            "MLflow": "/services/mlflow/",
            "Tokens for programs": "/hub/token",
            "People and servers": "/hub/admin",
            "Sign out": "/hub/logout",
        }
        screenshot(page, "menu-1280")


VIEWS = {
    "projects": "/projects",
    "project": "/projects/seat-demand",
    "project-empty": "/projects/fares",
    "project-of-others": "/projects/night-shift",
    "compare": f"/compare?runs={OLDER},{NEWER}",
    "compare-one": f"/compare?runs={OLDER}",
    "table": "/?view=table",
    "page": f"/pages/{NEWER}",
}


@pytest.fixture(scope="module")
def address(team: Workspace) -> Iterator[str]:
    """The gallery as Ada, who administers it, is let into."""
    servers = RememberedServers({("ada", "seat-demand"): ServerState.RUNNING})
    with served(Introduced(gallery(team, servers), ADA, "the secret of ada")) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 820, 1280])
def test_every_project_view_fits_its_width(
    browser: Browser, address: str, width: int, scheme: Any
) -> None:
    size = {"width": width, "height": 800}
    with arriving(browser, f"{address}/", viewport=size, color_scheme=scheme) as watch:
        for name, path in VIEWS.items():
            watch.page.goto(address + path)

            too_wide = watch.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert too_wide <= 0, name
            if width in (400, 1280):
                screenshot(watch.page, f"hub-{name}-{width}-{scheme}")
        watch.assert_quiet()
        assert watch.violations == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_every_project_view_is_accessible(
    browser: Browser, address: str, width: int, scheme: Any
) -> None:
    require(AXE.exists(), "axe-core is not installed; run `npm ci`")
    size = {"width": width, "height": 800}
    # axe puts styles into the page; only for this test the policy looks away.
    with arriving(
        browser, f"{address}/", viewport=size, color_scheme=scheme, bypass_csp=True
    ) as watch:
        for name, path in VIEWS.items():
            watch.page.goto(address + path)
            watch.page.add_script_tag(path=AXE)
            found = watch.page.evaluate("axe.run()")

            faults = [
                (fault["id"], [node["html"][:200] for node in fault["nodes"]][:3])
                for fault in found["violations"]
            ]
            assert not faults, f"{name}: {faults}"


def test_empty_projects_behind_login_say_what_to_do(browser: Browser, workspace: Workspace) -> None:
    with visiting_as(browser, gallery(workspace), GRACE, "/projects") as watch:
        expect(watch.page.get_by_text("ask an owner of one to add you")).to_be_visible()
        screenshot(watch.page, "hub-projects-none-1280-light")
        watch.page.get_by_role("link", name="Gallery", exact=True).click()
        expect(watch.page.get_by_role("link", name="Go to my projects")).to_be_visible()
        screenshot(watch.page, "hub-gallery-none-1280-light")
