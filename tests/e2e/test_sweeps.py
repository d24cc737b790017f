"""What a person does with a sweep on the gallery's pages, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Locator, Page, expect

from nb2prod.execution.models import RunRequest, RunStatus
from nb2prod.jobs.sweeps import Sweep, cancel_sweep, resume_sweep
from nb2prod.server.app import create_app
from nb2prod.workspace.people import Identity
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import (
    assert_fits,
    screenshot,
    visiting_as,
)
from tests.helpers.shared import environment_of
from tests.helpers.sweeps import SweepBench

EDDA, VERA = Identity(person="edda"), Identity(person="vera")
PATH = "/projects/seats/sweeps"
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def bench(workspace: Workspace) -> SweepBench:
    return SweepBench.found(workspace, title="Seats departed per day")


def app_of(bench: SweepBench) -> FastAPI:
    return create_app(
        bench.workspace, is_behind_login=True, executor="process", environment_of=environment_of
    )


def half_done(bench: SweepBench) -> Sweep:
    """A sweep of six with a value that is markup: four have ended, one goes on, one waits."""
    sweep = bench.sweep(market=["JFK-DL", "LGA-AA", MARKUP], alpha="0.1, 0.2", days="7")
    bench.end(sweep, 1, metrics={"mape": 4.4, "fit_s": 2.0}, seconds=63)
    bench.end(sweep, 2, metrics={"mape": 4.1, "fit_s": 3.5}, seconds=2)
    bench.end(sweep, 3, RunStatus.FAILED, seconds=1)
    bench.end(sweep, 4, metrics={"mape": 12.25, "fit_s": 0.25}, seconds=12)
    bench.begin(sweep, 5)
    return sweep


def runs_of(page: Page) -> list[str]:
    """The numbers of the rows, from above."""
    heads = page.locator("table.sweep-table tbody th").all_inner_texts()
    return ["".join(re.findall(r"\d+", text)[:1]) for text in heads]


def column(page: Page, name: str) -> Locator:
    return page.get_by_role("columnheader", name=name)


@pytest.mark.parametrize("has_script", [True, False], ids=["with script", "without script"])
def test_table_is_sorted_and_filtered(
    browser: Browser, bench: SweepBench, *, has_script: bool
) -> None:
    sweep = half_done(bench)
    path = f"{PATH}/{sweep.id}"
    with visiting_as(browser, app_of(bench), EDDA, path, java_script_enabled=has_script) as watch:
        page = watch.page
        rows = page.locator("table.sweep-table tbody tr")
        expect(rows).to_have_count(6)
        expect(rows.nth(4)).to_contain_text(MARKUP)
        expect(page.locator("tr.best")).to_contain_text("4.1")

        column(page, "mape").get_by_role("link").click()
        expect(column(page, "mape")).to_have_attribute("aria-sort", "ascending")
        assert runs_of(page) == ["2", "1", "4", "3", "5", "6"]
        column(page, "mape").get_by_role("link").click()
        expect(column(page, "mape")).to_have_attribute("aria-sort", "descending")
        assert runs_of(page) == ["4", "1", "2", "3", "5", "6"]
        column(page, "Duration").get_by_role("link").click()
        expect(column(page, "Duration")).to_have_attribute("aria-sort", "ascending")
        assert runs_of(page)[:4] == ["3", "2", "4", "1"]

        page.get_by_role("link", name="3 succeeded").click()
        expect(rows).to_have_count(3)
        expect(column(page, "Duration")).to_have_attribute("aria-sort", "ascending")
        page.get_by_role("link", name="Show all").click()
        expect(rows).to_have_count(6)


@pytest.mark.parametrize("has_script", [True, False], ids=["with script", "without script"])
def test_sweep_is_cancelled_and_what_is_missing_is_run(
    browser: Browser, bench: SweepBench, *, has_script: bool
) -> None:
    sweep = half_done(bench)
    path = f"{PATH}/{sweep.id}"
    with visiting_as(browser, app_of(bench), EDDA, path, java_script_enabled=has_script) as watch:
        page = watch.page
        page.get_by_role("button", name="Cancel all").click()
        expect(page.locator("#status-cancelled")).to_have_text("1 cancelled")
        expect(page.locator("#status-running")).to_have_text("1 running")
        bench.end(sweep, 5, RunStatus.CANCELLED)
        page.reload()
        expect(page.locator("#status-cancelled")).to_have_text("2 cancelled")
        expect(page.get_by_role("button", name="Cancel all")).to_have_count(0)

        page.get_by_role("button", name="Run what is missing (3)").click()
        expect(page.locator("#status-queued")).to_have_text("3 queued")
        expect(page.locator("table.sweep-table tbody tr").nth(2)).to_contain_text("2 tries")

        # Somebody else was quicker.
        cancel_sweep(bench.workspace, "seats", sweep.id, person="olga")
        page.get_by_role("button", name="Cancel all").click()
        expect(page.get_by_role("alert")).to_contain_text("there is nothing to cancel")


def test_page_follows_its_runs_where_it_stands(browser: Browser, bench: SweepBench) -> None:
    sweep = half_done(bench)
    with visiting_as(browser, app_of(bench), EDDA, f"{PATH}/{sweep.id}?sort=metric:mape") as watch:
        page = watch.page
        assert runs_of(page) == ["2", "1", "4", "3", "5", "6"]
        page.evaluate("document.querySelector('h1').dataset.kept = 'yes'")
        page.locator("#sort-metric\\:fit_s").focus()

        bench.end(sweep, 5, metrics={"mape": 1.5, "fit_s": 9.0})
        bench.end(sweep, 6, metrics={"mape": 9.5, "fit_s": 9.0})

        # Sorted as before, in the same document, and the focus is where it was.
        expect(page.locator("#status-succeeded")).to_have_text("5 succeeded")
        assert runs_of(page) == ["5", "2", "1", "6", "4", "3"]
        expect(page.locator("h1")).to_have_attribute("data-kept", "yes")
        expect(page.locator("#sort-metric\\:fit_s")).to_be_focused()
        expect(page.locator("tr.best")).to_contain_text("1.5")
        # What has ended is not asked for again.
        expect(page.locator("#sweep")).not_to_have_attribute("hx-get", "")
        assert page.locator("#sweep").get_attribute("hx-trigger") is None


def test_long_table_has_pages(browser: Browser, bench: SweepBench) -> None:
    sweep = bench.sweep(days="1..230")
    cancel_sweep(bench.workspace, "seats", sweep.id, person="edda")
    with visiting_as(browser, app_of(bench), EDDA, f"{PATH}/{sweep.id}") as watch:
        page = watch.page
        expect(page.locator("table.sweep-table tbody tr")).to_have_count(100)
        pager = page.get_by_role("navigation", name="Pages of the list")
        expect(pager).to_contain_text("1–100 of 230")
        pager.get_by_role("link", name="Next").click()
        pager.get_by_role("link", name="Next").click()
        expect(pager).to_contain_text("201–230 of 230")
        expect(page.locator("table.sweep-table tbody tr")).to_have_count(30)


def test_csv_is_downloaded(browser: Browser, bench: SweepBench) -> None:
    sweep = half_done(bench)
    with visiting_as(browser, app_of(bench), VERA, f"{PATH}/{sweep.id}") as watch:
        with watch.page.expect_download() as download:
            watch.page.get_by_role("link", name="CSV").click()
        assert download.value.suggested_filename == f"train-v1-sweep-{sweep.id}.csv"
        text = Path(download.value.path()).read_text()
        assert text.startswith("position,market,alpha,days,status,duration_s,mape,fit_s,")
        assert len(text.splitlines()) == 7


def test_viewer_reads_and_has_no_forms(browser: Browser, bench: SweepBench) -> None:
    sweep = half_done(bench)
    with visiting_as(browser, app_of(bench), VERA, PATH) as watch:
        main = watch.page.get_by_role("main")
        main.get_by_role("link", name="train@v1").click()
        expect(main.locator("table.sweep-table tbody tr")).to_have_count(6)
        expect(main.locator("form")).to_have_count(0)
        main.locator("table.sweep-table tbody th a").first.click()
        watch.page.wait_for_url(f"**/pages/{bench.records(sweep, 1)[0].id}")


def test_project_without_sweeps_says_how_one_is_made(browser: Browser, bench: SweepBench) -> None:
    with visiting_as(browser, app_of(bench), EDDA, PATH) as watch:
        expect(watch.page.get_by_role("main")).to_contain_text("No sweep yet.")


def fill(bench: SweepBench) -> Sweep:
    """Sweeps of all kinds; the last one has been resumed, and is under way."""
    done = bench.sweep(alpha="0.1, 0.2")
    for position in (1, 2):
        bench.end(done, position)
    bench.sweep(csv_text="market,days\n" + "".join(f"M{n},{n}\n" for n in range(1, 40)))
    sweep = half_done(bench)
    request = RunRequest(by="edda", via="browser", executor="process")
    resume_sweep(bench.workspace, bench.project, bench.version, sweep.id, request=request)
    return sweep


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_pages_fit_and_are_accessible(
    browser: Browser, bench: SweepBench, width: int, scheme: str
) -> None:
    sweep = fill(bench)
    options: Any = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with visiting_as(browser, app_of(bench), EDDA, PATH, **options) as watch:
        page = watch.page
        expect(page.locator("table.sweeps tbody tr")).to_have_count(3)
        assert_fits(page, width)
        screenshot(page, f"sweeps-{width}-{scheme}")
        page.get_by_role("link", name=f"sweep {sweep.id}").click()
        expect(page.locator("table.sweep-table tbody tr")).to_have_count(6)
        assert_fits(page, width)
        screenshot(page, f"sweep-{width}-{scheme}")
