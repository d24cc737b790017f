"""What a person does in the gallery, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from nb2prod.execution.models import CellRecord, CellStatus, FileAccess, FileUse, RunStatus
from nb2prod.server.app import create_app
from nb2prod.server.sign_in import issue_token
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import PREFIX, Watch, require, screenshot, served, visiting
from tests.helpers.gallery import SHA, make_plot, make_record, picture, publish
from tests.helpers.notebooks import code, display_data, markdown, notebook_json, stream

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

TRAIN, BEFORE, FAILED, EXPLORE = "trainrunaaaa", "beforerunaaa", "failedrunaaa", "explorerunaa"

FRAME = (
    '<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th></th>'
    + "".join(f"<th>column_{n}</th>" for n in range(14))
    + "</tr></thead><tbody>"
    + "".join(
        f"<tr><th>{row}</th>"
        + "".join(f"<td>{row * n * 1.37:.3f}</td>" for n in range(14))
        + "</tr>"
        for row in range(5)
    )
    + "</tbody></table>"
)


def train_notebook() -> dict[str, Any]:
    """A notebook with all that a page can show."""
    return notebook_json(
        markdown(
            "# Seats departed per day\n\nCan we know them *four weeks ahead*? We minimise"
            " $\\sum_i |y_i - x_i\\beta|$ with\n\n$$\\mathrm{MAPE} = \\frac{100}{n}"
            " \\sum_t \\left|\\frac{y_t - \\hat y_t}{y_t}\\right|$$\n\n"
            "- historical average\n- LASSO over `lags`\n\n"
            "| model | MAPE |\n|---|---|\n| lasso | 4.6 |"
        ),
        code("market = 'JFK-DL'\nalpha = 0.2", tags=["injected-parameters"], execution_count=1),
        markdown("## The model"),
        code(
            "import pandas as pd\n\n# one market only\n"
            "model = Lasso(alpha=alpha).fit(X, y)  # " + "a long comment " * 8,
            outputs=[
                stream("\x1b[32mepoch 1\x1b[0m loss 0.53\nepoch 2 loss 0.31\n"),
                picture(make_plot(1)),
            ],
            execution_count=2,
        ),
        code(
            "table",
            outputs=[display_data({"text/html": FRAME, "text/plain": "…"})],
            execution_count=3,
        ),
        code(
            "fig.show()",
            outputs=[display_data({"application/vnd.plotly.v1+json": {"data": []}})],
            execution_count=4,
        ),
        markdown(
            "## Conclusion\n\nThe ensemble reaches a MAPE of **4.1 %**,"
            " a third less than the average."
        ),
    )


@pytest.fixture(scope="module")
def address(library: Workspace) -> Iterator[str]:
    """The gallery, with four pages of two pipelines."""
    now = datetime.now(UTC)

    def times(age: timedelta) -> dict[str, datetime]:
        ended = now - age
        return {
            "created_at": ended - timedelta(seconds=45),
            "started_at": ended - timedelta(seconds=42),
            "ended_at": ended,
        }

    publish(
        library,
        make_record(
            BEFORE,
            version=2,
            metrics={"mape": 4.4, "mape_baseline": 6.2},
            **times(timedelta(days=3)),
        ),
        train_notebook(),
    )
    files = (
        FileUse(
            path="data/flights.parquet", access=FileAccess.READ, sha256=SHA, size_bytes=4_812_332
        ),
        FileUse(path="models/JFK-DL.pt", access=FileAccess.WRITTEN, sha256=SHA, size_bytes=120_000),
    )
    publish(
        library, make_record(TRAIN, files=files, **times(timedelta(minutes=5))), train_notebook()
    )
    explore = notebook_json(
        markdown("# Exploring 336,776 departures\n\nLate in the evening, mostly."),
        code("plot()", outputs=[picture(make_plot(3))], execution_count=1),
    )
    publish(
        library,
        make_record(
            EXPLORE, pipeline="explore", version=1, metrics={}, **times(timedelta(hours=3))
        ),
        explore,
    )
    error = {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'seats_total'",
        "traceback": ["\x1b[31mKeyError\x1b[0m: 'seats_total'"],
    }
    failed = notebook_json(
        markdown("# Score tomorrow's seats"),
        code("frame['seats_total']", outputs=[error], execution_count=1),
        code("never"),
    )
    cells = (
        CellRecord(number=2, status=CellStatus.FAILED, error="KeyError: 'seats_total'"),
        CellRecord(number=3, status=CellStatus.NOT_RUN),
    )
    publish(
        library,
        make_record(
            FAILED,
            pipeline="score",
            version=1,
            metrics={},
            cells=cells,
            status=RunStatus.FAILED,
            reason="Cell 2 failed.",
            **times(timedelta(days=1)),
        ),
        failed,
    )
    with served(create_app(library)) as found:
        yield found


@pytest.fixture
def visit(browser: Browser, address: str, library: Workspace) -> Iterator[Watch]:
    """Ada at her desk; at the end nothing may have been asked of others or gone wrong."""
    with visiting(browser, address, library) as watch:
        yield watch
        watch.assert_quiet()
        assert watch.violations == []


def test_sign_in_address_works_once(browser: Browser, address: str, library: Workspace) -> None:
    token = issue_token(library, "ada")
    link = f"{address}/sign-in?token={token}&next={PREFIX}/pages/{TRAIN}"
    first, second = browser.new_context(), browser.new_context()
    try:
        page = first.new_page()
        page.goto(link)
        assert page.url == f"{address}/pages/{TRAIN}"

        other = second.new_page()
        answer = other.goto(link)
        assert answer is not None
        assert answer.status == 401
        expect(other.get_by_text("nb2prod open").first).to_be_visible()
        assert "token" not in page.url
    finally:
        first.close()
        second.close()


def test_index_shows_cards_newest_first(visit: Watch) -> None:
    titles = visit.page.locator(".card h2").all_inner_texts()

    assert titles[0] == "Seats departed per day"
    assert len(titles) == 4
    card = visit.page.locator(".card").first
    expect(card).to_contain_text("Succeeded")
    expect(card).to_contain_text("▼ 0.3 (−6.8 %)")
    loaded = "image => image.complete && image.naturalWidth > 0"
    assert card.locator("img").evaluate(loaded)


def test_search_as_one_types_changes_the_list_and_the_address(visit: Watch) -> None:
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("exploring", delay=20)

    expect(visit.page.locator(".card")).to_have_count(1)
    expect(visit.page.locator(".card h2")).to_have_text("Exploring 336,776 departures")
    visit.page.wait_for_url("**q=exploring*")
    assert visit.page.locator("#q").evaluate("box => box === document.activeElement")
    visit.page.reload()
    expect(visit.page.locator(".card")).to_have_count(1)


def test_search_finds_code_and_outputs(visit: Watch) -> None:
    for text, count in (("Lasso", 2), ("epoch", 2), ("seats_total", 1), ("zzzz", 0)):
        visit.page.locator("#q").fill(text)
        visit.page.wait_for_url(f"**q={text}*")
        expect(visit.page.locator(".card")).to_have_count(count)
    expect(visit.page.get_by_role("heading", name="Nothing found")).to_be_visible()


def test_search_keeps_the_filters_that_are_set(visit: Watch) -> None:
    visit.page.get_by_role("link", name="train", exact=False).first.click()
    visit.page.wait_for_url("**pipeline=train*")
    visit.page.locator("#q").fill("seats")

    visit.page.wait_for_url("**q=seats*")
    assert "pipeline=train" in visit.page.url
    expect(visit.page.locator(".card")).to_have_count(2)


def test_search_works_without_script(browser: Browser, address: str, library: Workspace) -> None:
    with visiting(browser, address, library, java_script_enabled=False) as watch:
        page = watch.page
        page.goto(f"{address}/?pipeline=train")
        page.locator("#q").fill("seats")
        page.locator("#q").press("Enter")

        assert "q=seats" in page.url
        assert "pipeline=train" in page.url
        expect(page.locator(".card")).to_have_count(2)
        page.goto(f"{address}/pages/{TRAIN}")
        page.locator("details.code summary").nth(1).click()
        expect(page.locator(".source").nth(1)).to_be_visible()


def test_filter_narrows_and_is_let_go(visit: Watch) -> None:
    facet = visit.page.get_by_label("Filters")
    facet.get_by_role("link", name="Failed").click()
    expect(visit.page.locator(".card")).to_have_count(1)
    expect(visit.page.locator(".card h2")).to_have_text("Score tomorrow's seats")

    facet.get_by_role("link", name="Failed").click()
    expect(visit.page.locator(".card")).to_have_count(4)


def test_order_and_layout_are_kept_in_the_address(visit: Watch) -> None:
    visit.page.get_by_label("Sort").select_option("title")
    visit.page.wait_for_url("**order=title*")
    visit.page.get_by_role("link", name="Table").click()

    visit.page.wait_for_url("**view=table*")
    assert "order=title" in visit.page.url
    rows = visit.page.locator("table.list tbody th a").all_inner_texts()
    assert rows == sorted(rows, key=str.casefold)
    assert len(rows) == 4


def test_page_is_opened_by_keyboard_alone(visit: Watch, address: str) -> None:
    visit.page.locator(".card h2 a").first.focus()
    visit.page.keyboard.press("Enter")

    visit.page.wait_for_url(f"{address}/pages/{TRAIN}")
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_text("Skip to content")).to_be_focused()


def test_page_code_is_folded_and_unfolds(visit: Watch, address: str) -> None:
    page = visit.page
    page.goto(f"{address}/pages/{TRAIN}")
    sources = page.locator(".source")
    assert sources.count() == 4
    assert not any(sources.nth(number).is_visible() for number in range(4))

    page.locator("details.code summary").nth(1).click()
    assert [sources.nth(number).is_visible() for number in range(4)] == [False, True, False, False]
    page.get_by_role("button", name="Show all code").click()
    assert all(sources.nth(number).is_visible() for number in range(4))
    page.get_by_role("button", name="Hide all code").click()
    assert not any(sources.nth(number).is_visible() for number in range(4))


def test_page_code_is_copied(browser: Browser, address: str, library: Workspace) -> None:
    with visiting(
        browser, address, library, permissions=["clipboard-read", "clipboard-write"]
    ) as watch:
        page = watch.page
        page.goto(f"{address}/pages/{TRAIN}")
        page.locator("details.code summary").first.click()
        page.get_by_role("button", name="Copy", exact=True).first.click()

        expect(page.locator("p[role=status]").last).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == "market = 'JFK-DL'\nalpha = 0.2"


def test_page_draws_formulas(visit: Watch, address: str) -> None:
    visit.page.goto(f"{address}/pages/{TRAIN}")

    expect(visit.page.locator(".katex").first).to_be_visible()
    assert visit.page.locator(".katex-display").count() == 1
    assert visit.page.locator(".katex-error").count() == 0


def test_page_tells_metrics_against_the_last_version(visit: Watch, address: str) -> None:
    visit.page.goto(f"{address}/pages/{TRAIN}")

    tile = visit.page.locator(".tile.main")
    expect(tile).to_contain_text("4.1")
    expect(tile).to_contain_text("▼ 0.3 (−6.8 %)")
    expect(visit.page.locator(".baseline")).to_contain_text("same parameters")
    expect(visit.page.locator(".lead")).to_contain_text("a third less than the average")


def test_page_downloads_the_version(visit: Watch, address: str) -> None:
    visit.page.goto(f"{address}/pages/{TRAIN}")
    for label, name, content in (
        ("Script", "train-v3.py", b"# %%\nprint('demand')\n"),
        ("Log", f"train-v3-{TRAIN}.log", b"started\nended\n"),
    ):
        with visit.page.expect_download() as waiting:
            visit.page.get_by_role("link", name=label, exact=True).click()

        assert waiting.value.suggested_filename == name
        assert waiting.value.path().read_bytes() == content


def test_page_of_failed_run_leads_to_the_cell(visit: Watch, address: str) -> None:
    visit.page.goto(f"{address}/pages/{FAILED}")

    notice = visit.page.get_by_label("What went wrong")
    expect(notice).to_contain_text("KeyError: 'seats_total'")
    notice.get_by_role("link", name="Go to the cell").click()
    expect(visit.page.locator("#cell-2 .source")).to_be_in_viewport()


def test_theme_is_chosen_and_kept(visit: Watch) -> None:
    def ground() -> str:
        return str(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    visit.page.emulate_media(color_scheme="light")
    light = ground()
    visit.page.emulate_media(color_scheme="dark")
    dark = ground()
    assert light != dark
    button = visit.page.locator("#theme")
    button.click()
    assert ground() == light
    visit.page.reload()
    assert ground() == light
    button.click()
    visit.page.emulate_media(color_scheme="light")
    assert ground() == dark
    button.click()
    assert ground() == light


def test_sign_out_ends_the_visit(visit: Watch, address: str) -> None:
    visit.page.locator(".menu summary").click()
    visit.page.get_by_role("button", name="Sign out").click()

    expect(visit.page.get_by_role("heading", name="Signed out")).to_be_visible()
    answer = visit.page.goto(f"{address}/")
    assert answer is not None
    assert answer.status == 401


VIEWS = {
    "index": "/",
    "search": "/?q=seats",
    "table": "/?view=table",
    "nothing": "/?q=zzzz",
    "page": f"/pages/{TRAIN}",
    "failed": f"/pages/{FAILED}",
    "missing": "/pages/nothing",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 820, 1280, 1920])
def test_every_view_fits_its_width(
    browser: Browser, address: str, library: Workspace, width: int, scheme: Any
) -> None:
    size = {"width": width, "height": 800}
    with visiting(browser, address, library, viewport=size, color_scheme=scheme) as watch:
        for name, path in VIEWS.items():
            watch.page.goto(address + path)
            if name == "page":
                watch.page.get_by_role("button", name="Show all code").click()

            too_wide = watch.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert too_wide <= 0, name
            if width in (400, 1280):
                screenshot(watch.page, f"{name}-{width}-{scheme}")
        watch.assert_quiet()
        assert watch.violations == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_every_view_is_accessible(
    browser: Browser, address: str, library: Workspace, width: int, scheme: Any
) -> None:
    require(AXE.exists(), "axe-core is not installed; run `npm ci`")
    size = {"width": width, "height": 800}
    # axe puts styles into the page; only for this test the policy looks away.
    with visiting(
        browser, address, library, viewport=size, color_scheme=scheme, bypass_csp=True
    ) as watch:
        for name, path in VIEWS.items():
            watch.page.goto(address + path)
            if name == "page":
                watch.page.get_by_role("button", name="Show all code").click()
            watch.page.add_script_tag(path=AXE)
            # What a notebook's own table leaves empty is its author's matter.
            found = watch.page.evaluate(
                "axe.run({rules: {'empty-table-header': {enabled: false}}})"
            )

            faults = [
                (fault["id"], [node["html"][:200] for node in fault["nodes"]][:3])
                for fault in found["violations"]
            ]
            assert not faults, f"{name}: {faults}"


def test_print_hides_what_paper_can_not_do(visit: Watch, address: str) -> None:
    visit.page.goto(f"{address}/pages/{TRAIN}")
    visit.page.emulate_media(media="print")

    expect(visit.page.locator(".bar")).to_be_hidden()
    expect(visit.page.locator(".downloads")).to_be_hidden()
    expect(visit.page.locator("h1")).to_be_visible()
    expect(visit.page.get_by_text("Code", exact=True).first).to_be_hidden()
    expect(visit.page.locator(".hero img")).to_be_visible()
    screenshot(visit.page, "print-1280")


def test_empty_gallery_tells_what_to_do(browser: Browser, workspace: Workspace) -> None:
    with (
        served(create_app(workspace)) as address,
        visiting(browser, address, workspace) as watch,
    ):
        expect(watch.page.get_by_text("nb2prod promote train.ipynb")).to_be_visible()
        screenshot(watch.page, "empty-1280-light")
        watch.assert_quiet()
