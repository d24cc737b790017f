"""What a person does with a project's schedules, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import update

from nb2prod.execution.models import RunStatus
from nb2prod.jobs.schedules import (
    Missed,
    NewSchedule,
    create_schedule,
    list_schedules,
    make_due_runs,
    pause_schedule,
)
from nb2prod.server.app import create_app
from nb2prod.store.git import Repository
from nb2prod.store.schema import runs
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import (
    assert_fits,
    screenshot,
    visiting_as,
)
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import parameters
from tests.helpers.shared import environment_of

ADA, VERA = Identity(person="ada"), Identity(person="vera")
PATH = "/projects/seat-demand/schedules"
PARAMETERS = 'market: str = "JFK-DL"  # origin and airline\nalpha: float = 0.2  # how strict'


def team(workspace: Workspace) -> FastAPI:
    """A project of ada's with two pipelines, and vera as a viewer."""
    project = found_project(
        workspace, "seat-demand", title="Seat demand on flights from New York", owner="ada"
    )
    add_member(workspace, "seat-demand", "vera", Role.VIEWER, person="ada")
    for name in ("train", "score"):
        make_version(Repository(project.repository), parameters(PARAMETERS), name=name)
    (project.root / "flights.csv").write_text("JFK,1\n")
    return create_app(
        workspace, is_behind_login=True, executor="process", environment_of=environment_of
    )


def row(page: Page) -> Locator:
    """The line of the only schedule."""
    return page.locator("table.schedules tbody tr")


@pytest.mark.parametrize("has_script", [True, False], ids=["with script", "without script"])
def test_schedule_is_made_changed_paused_and_removed(
    browser: Browser, workspace: Workspace, *, has_script: bool
) -> None:
    app = team(workspace)
    with visiting_as(browser, app, ADA, PATH, java_script_enabled=has_script) as watch:
        page = watch.page
        expect(page.get_by_role("heading", name="No schedule yet")).to_be_visible()

        page.get_by_label("Pipeline", exact=True).select_option("train")
        page.get_by_label("Time", exact=True).fill("0 0 30 2 *")
        page.get_by_label("Parameters").fill("market = <b>LGA</b>\nalpha = 0.7")
        page.get_by_role("button", name="Make schedule").click()
        expect(page.get_by_role("alert")).to_contain_text("never comes")
        assert page.get_by_label("Time", exact=True).input_value() == "0 0 30 2 *"
        assert page.get_by_label("Parameters").input_value() == "market = <b>LGA</b>\nalpha = 0.7"
        assert page.get_by_label("Pipeline", exact=True).input_value() == "train"

        page.get_by_label("Time", exact=True).fill("30 6 * * 1-5")
        page.get_by_label("Time zone").fill("Berlin")
        page.get_by_role("button", name="Make schedule").click()
        expect(page.get_by_role("alert")).to_contain_text("Did you mean Europe/Berlin?")

        page.get_by_label("Time zone").fill("Europe/Berlin")
        page.get_by_role("button", name="Show its next times").click()
        expect(page.get_by_role("status", name="Next times")).to_contain_text(
            "At 06:30 on Monday through Friday"
        )
        expect(page.get_by_role("status", name="Next times").get_by_role("listitem")).to_have_count(
            5
        )
        page.get_by_role("button", name="Make schedule").click()

        expect(row(page)).to_contain_text("30 6 * * 1-5")
        expect(row(page)).to_contain_text("market = <b>LGA</b>")
        expect(row(page).locator(".schedule-times li")).to_have_count(5)

        row(page).get_by_role("link", name="Change").click()
        expect(page.get_by_role("heading", name="Change the schedule of train")).to_be_visible()
        assert page.get_by_label("Time", exact=True).input_value() == "30 6 * * 1-5"
        page.get_by_label("Time", exact=True).fill("@daily")
        page.get_by_label("Only if data has changed").check()
        page.get_by_label("Data to watch").fill("../secrets")
        page.get_by_role("button", name="Change", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("can't be watched")
        expect(page.get_by_role("heading", name="Change the schedule of train")).to_be_visible()
        page.get_by_label("Data to watch").fill("flights.csv")
        page.get_by_role("button", name="Change", exact=True).click()
        expect(row(page)).to_contain_text("At 00:00 every day")
        expect(row(page)).to_contain_text("flights.csv")

        row(page).get_by_role("button", name="Pause").click()
        expect(row(page)).to_contain_text("Paused")
        row(page).get_by_role("button", name="Resume").click()
        expect(row(page)).not_to_contain_text("Paused")
        row(page).get_by_role("button", name="Run now").click()
        expect(row(page)).to_contain_text("Queued")

        row(page).get_by_role("button", name="Remove").click()
        expect(page.get_by_role("heading", name="No schedule yet")).to_be_visible()
    assert list_schedules(workspace, "seat-demand", person="ada") == ()


def fill(workspace: Workspace) -> None:
    """Schedules of all kinds: with a run, paused, on data, and one with trouble."""
    night = NewSchedule(
        pipeline="train",
        parameters={"market": "JFK-DL", "alpha": 0.1},
        cron="30 2 * * *",
        time_zone="America/New_York",
    )
    start = datetime.now(UTC) - timedelta(days=2)
    named: Any = {"person": "ada", "at": start}
    create_schedule(workspace, "seat-demand", night, **named)
    make_due_runs(workspace, "process", now=start + timedelta(days=1, minutes=1))
    with workspace.database.write() as connection:
        connection.execute(update(runs).values(status=RunStatus.SUCCEEDED.value))
    skipping = replace(night, cron="*/15 8-18 * * MON-FRI", version=1, missed=Missed.SKIP)
    paused = create_schedule(workspace, "seat-demand", skipping, **named)
    pause_schedule(workspace, "seat-demand", paused.id, person="ada")
    on_data = NewSchedule(pipeline="score", on_changed_data=True, inputs=("flights.csv", "data"))
    create_schedule(workspace, "seat-demand", on_data, **named)
    make_due_runs(workspace, "process", now=datetime.now(UTC))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_page_of_schedules_fits_and_is_accessible(
    browser: Browser, workspace: Workspace, width: int, scheme: str
) -> None:
    app = team(workspace)
    fill(workspace)
    options: Any = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with visiting_as(browser, app, ADA, PATH, **options) as watch:
        page = watch.page
        expect(page.locator("table.schedules tbody tr")).to_have_count(3)
        expect(page.locator(".schedule-error")).to_contain_text("data is not there")
        assert_fits(page, width)
        screenshot(page, f"schedules-{width}-{scheme}")


def test_viewer_reads_and_has_no_forms(browser: Browser, workspace: Workspace) -> None:
    app = team(workspace)
    fill(workspace)
    with visiting_as(browser, app, VERA, PATH) as watch:
        main = watch.page.get_by_role("main")
        expect(main.locator("table.schedules tbody tr")).to_have_count(3)
        expect(main.get_by_role("button")).to_have_count(0)
        expect(main.locator("form")).to_have_count(0)
