"""Hostile notebooks, served by the real gallery and opened in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as BrowserError

from nb2prod.execution.models import RunRecord
from nb2prod.knowledge import pages
from nb2prod.server.app import create_app
from nb2prod.server.contents import RASTER_TYPES
from nb2prod.workspace.projects import create_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import Watch, served, visiting
from tests.helpers.hostile import HostileNotebook, hostile_notebooks, store_hostile

CORPUS = hostile_notebooks()

LOAD_PICTURES = """() => Promise.all([...document.images].map((one) => {
  one.loading = "eager";
  return one.decode().catch(() => "not a picture");
}))"""

# All that stands on elements, as (element, name, value); KaTeX makes its own from text.
ATTRIBUTES = """() => [...document.querySelectorAll("main *:not(.katex *)")].flatMap((one) =>
  [...one.attributes].map((attribute) => [one.tagName, attribute.name, attribute.value]))"""


@dataclass(frozen=True)
class Served:
    """The gallery with all attacks published."""

    address: str
    workspace: Workspace
    records: dict[str, RunRecord]


@pytest.fixture(scope="module")
def gallery(library: Workspace) -> Iterator[Served]:
    """Publish the whole corpus once, and serve it."""
    project = create_project(library, "seat-demand", root=library.settings.home, owner="ada")
    records = {item.id: store_hostile(library, project, item) for item in CORPUS}
    pages.catch_up(library)
    with served(create_app(library)) as address:
        yield Served(address, library, records)


@pytest.fixture(scope="module")
def reader(browser: Browser, gallery: Served) -> Iterator[Watch]:
    """One browser that reads page after page."""
    with visiting(browser, gallery.address, gallery.workspace) as found:
        yield found


@pytest.fixture
def watch(reader: Watch) -> Watch:
    """The same browser, with nothing noted yet."""
    reader.forget()
    return reader


def assert_harmless(watch: Watch) -> None:
    """Check that no script of theirs ran in any frame, and nobody else was asked."""
    # Pictures load late; whatever else asks for something does so before.
    watch.page.evaluate(LOAD_PICTURES)
    for frame in watch.page.frames:
        assert frame.evaluate("window.__pwned") is None
    assert watch.dialogs == []
    assert watch.foreign == []
    assert len(watch.page.frames) == 1
    assert len(watch.page.context.pages) == 1


def assert_has_no_way_to_act(page: Page) -> None:
    """Check that the markup has nothing that a missing policy would let loose."""
    found = page.evaluate(ATTRIBUTES)
    assert [item for item in found if item[1].startswith(("on", "data-hx", "style"))] == []
    hx = [item for item in found if item[1].startswith("hx-") and item[1] != "hx-disable"]
    assert hx == []
    assert [item for item in found if item[2].strip().lower().startswith("javascript:")] == []
    theirs = page.locator(":is(.output, .prose, .raw, .source, .lead, h1, .rail, .crumb)")
    # KaTeX's own markup has MathML; it is made here, from text.
    active = "script, style, iframe, frame, object, embed, form, base, link, meta, input"
    assert theirs.locator(f"{active}, math:not(.katex *)").count() == 0


def test_corpus_is_large_and_each_attack_has_a_page(gallery: Served) -> None:
    assert len(CORPUS) >= 40
    assert len(gallery.records) == len(CORPUS)


@pytest.mark.parametrize("attack", CORPUS, ids=lambda attack: attack.id)
def test_hostile_page_runs_no_script_and_asks_nobody(
    gallery: Served, watch: Watch, attack: HostileNotebook
) -> None:
    page, record = watch.page, gallery.records[attack.id]
    answer = page.goto(f"{gallery.address}/pages/{record.id}")
    assert answer is not None
    assert answer.status == 200
    assert_harmless(watch)

    # Whatever can be unfolded, hovered or loaded late is, and still nothing happens.
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    for event in ("mouseover", "focus", "pointerenter", "toggle", "animationstart"):
        page.locator("main *").evaluate_all(
            "(all, name) => all.forEach(one => one.dispatchEvent(new Event(name)))", event
        )
    assert_harmless(watch)
    # The policy is the second line: what the renderer lets through must not even need it.
    assert watch.violations == []
    assert_has_no_way_to_act(page)


def test_hostile_index_runs_no_script_and_asks_nobody(gallery: Served, watch: Watch) -> None:
    for path in ("/", "/?view=table", "/?page=2", "/?q=script", "/?q=pwned", "/?order=title"):
        watch.page.goto(gallery.address + path)
        assert_harmless(watch)


HOSTILE_TEXTS = [
    "<script>window.__pwned='q'</script>",
    '"><img src=x onerror=window.__pwned=1>',
    "{{7*7}}",
    "' OR 1=1 --",
    "title:* NEAR(a b",
    '"unclosed',
    "\u202e\u0000x",
]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_search_is_only_a_text(gallery: Served, watch: Watch, text: str) -> None:
    page = watch.page
    page.goto(gallery.address + "/")
    page.locator("#q").fill(text)
    page.locator("#q").press("Enter")
    page.wait_for_url("**q=*")

    assert_harmless(watch)
    assert page.locator("h1").inner_text().startswith("Results for")
    assert page.evaluate("document.title").endswith("nb2prod")


@pytest.mark.parametrize("attack", CORPUS, ids=lambda attack: attack.id)
def test_hostile_content_opened_by_itself_does_nothing(
    gallery: Served, watch: Watch, attack: HostileNotebook
) -> None:
    view = pages.get_page(gallery.workspace, gallery.records[attack.id].id, person="ada")
    for blob in view.document.blobs:
        address = f"{gallery.address}/pages/{view.record.id}/blobs/{blob.sha256}"
        answer = open_content(watch.page, address)
        if answer == "saved":
            assert blob.media_type not in RASTER_TYPES
            continue
        assert blob.media_type.startswith("image/")
        assert watch.page.evaluate("window.__pwned") is None
        assert watch.dialogs == []
        # An SVG may try; its policy lets nothing out.
        assert set(watch.foreign) <= set(watch.blocked)


def open_content(page: Page, address: str) -> Literal["shown", "saved"]:
    """Open a content by its own address; tells what the browser made of it."""
    try:
        page.goto(address)
    except BrowserError as error:
        if "Download is starting" in error.message:
            return "saved"
        raise
    return "shown"
