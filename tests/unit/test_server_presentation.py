"""How facts are said: changes, numbers, file names, addresses of filters."""

from __future__ import annotations

import math

import pytest

from nb2prod.execution.models import CellStatus, RunStatus
from nb2prod.knowledge.models import (
    FacetValue,
    Heading,
    Listing,
    MetricChange,
    PageOrder,
    RenderedCell,
)
from nb2prod.server import page_view, presentation
from nb2prod.server.contents import disposition, safe_file_name
from nb2prod.server.index_view import PAGE_SIZE, IndexRequest, compose
from nb2prod.workspace.workspace import Workspace
from tests.helpers.gallery import make_card, make_document, make_record, make_view
from tests.helpers.runs import manifest_text


@pytest.mark.parametrize("status", [*RunStatus, *CellStatus], ids=str)
def test_look_of_any_status_has_word_and_icon(status: RunStatus | CellStatus) -> None:
    look = presentation.look_of(status)

    assert look.word
    assert look.icon


def test_look_of_unsuccessful_status_is_never_good() -> None:
    good = {status for status in RunStatus if presentation.look_of(status).tone == "good"}

    assert good == {RunStatus.SUCCEEDED}


@pytest.mark.parametrize(
    ("value", "before", "lower_is_better", "text", "tone"),
    [
        (4.1, 4.4, True, "▼ 0.3 (−6.8 %)", "good"),
        (5.0, 4.0, True, "▲ 1 (+25.0 %)", "bad"),
        (5.0, 4.0, False, "▲ 1 (+25.0 %)", "good"),
        (5.0, 4.0, None, "▲ 1 (+25.0 %)", "quiet"),
        (5.0, -4.0, None, "▲ 9 (+225 %)", "quiet"),
        (5.0, 0.0, True, "▲ 5", "bad"),
        (4.0, 4.0, True, "= no change", "quiet"),
        (math.nan, 4.0, True, "was 4", "quiet"),
        (math.inf, math.inf, True, "was ∞", "quiet"),
    ],
    ids=["better", "worse", "higher", "unknown", "negative", "zero", "same", "nan", "inf"],
)
def test_change_of_metric_says_direction_share_and_tone(
    *, value: float, before: float, lower_is_better: bool | None, text: str, tone: str
) -> None:
    metric = MetricChange(name="mape", value=value, before=before, lower_is_better=lower_is_better)

    change = presentation.change(metric)

    assert change is not None
    assert (change.text, change.tone) == (text, tone)


def test_change_without_another_run_is_none() -> None:
    assert presentation.change(MetricChange(name="mape", value=1.0)) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (-0.5, "−0.5"),
        (999.96, "1000"),
        (-1234567.0, "−1,234,567"),
        (1e20, "1.000e+20"),
        (math.nan, "not a number"),
        (-math.inf, "−∞"),
    ],
)
def test_number_of_any_size_is_said_shortly(value: float, said: str) -> None:
    assert presentation.number(value) == said


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\evil.exe", "evil.exe"),
        ('a"b\r\nSet-Cookie: x.csv', "a_bSet-Cookie_ x.csv"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        (".htaccess", "htaccess"),
        ("...", "download"),
        ("", "download"),
        ("x" * 300 + ".csv", "x" * 116 + ".csv"),
        ("größe.csv", "größe.csv"),
    ],
)
def test_safe_file_name_of_hostile_name_is_one_plain_file(name: str, safe: str) -> None:
    assert safe_file_name(name) == safe


def test_disposition_of_hostile_name_stays_one_header() -> None:
    header = disposition('a"\r\nX-Evil: 1;filename=b.html')

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def test_index_link_changes_one_filter_and_starts_anew() -> None:
    asked = IndexRequest(q="lasso & co", project="p", status=RunStatus.FAILED, page=4)

    assert asked.link(status=None) == "?q=lasso+%26+co&project=p"
    assert asked.link(page=5).endswith("&page=5")


def test_index_request_empty_fields_mean_no_filter() -> None:
    asked = IndexRequest.model_validate({"q": "", "status": "", "project": "", "order": ""})

    assert not asked.is_filtered
    assert asked.query().order is PageOrder.NEWEST


def test_index_order_by_relevance_without_text_is_newest() -> None:
    asked = IndexRequest(order=PageOrder.RELEVANCE)

    assert asked.effective_order is PageOrder.NEWEST
    assert IndexRequest(q="x").effective_order is PageOrder.RELEVANCE


def test_index_view_of_middle_page_links_both_ways() -> None:
    cards = tuple(make_card(f"run{n:09}") for n in range(PAGE_SIZE))
    listing = Listing(items=cards, total=3 * PAGE_SIZE, offset=PAGE_SIZE)

    view = compose(listing, IndexRequest(page=2), [])

    assert (view.first, view.last, view.page_count) == (25, 48, 3)
    assert (view.previous_link, view.next_link) == ("?", "?page=3")


def test_index_facet_chosen_value_can_be_let_go() -> None:
    values = (FacetValue(value="succeeded", count=9), FacetValue(value="failed", count=2))
    listing = Listing(items=(make_card(),), total=2, offset=0, facets={"status": values})

    view = compose(listing, IndexRequest(status=RunStatus.FAILED), [])

    chosen, other = view.statuses
    assert (chosen.label, chosen.is_chosen, chosen.link) == ("Failed", True, "?")
    assert (other.label, other.link) == ("Succeeded", "?status=succeeded")


def test_page_does_not_say_its_title_twice(workspace: Workspace) -> None:
    html = '<h1 id="h-demand">Demand &amp; <em>seats</em></h1>\n<p>More.</p>'
    document = make_document(
        title="Demand & seats",
        cells=(RenderedCell(number=1, kind="markdown", html=html),),
        outline=(Heading(level=1, text="Demand & seats", anchor="h-demand"),),
    )

    shown = page_view.compose(make_view(document=document), workspace)

    assert shown.cells[0].html.strip() == "<p>More.</p>"
    assert shown.outline == ()


def test_page_keeps_a_first_heading_of_its_own(workspace: Workspace) -> None:
    html = '<h1 id="h-data">Data</h1>'
    document = make_document(cells=(RenderedCell(number=1, kind="markdown", html=html),))

    shown = page_view.compose(make_view(document=document), workspace)

    assert shown.cells[0].html == html
    assert shown.outline == document.outline


def test_page_parameter_other_than_its_default_is_marked(workspace: Workspace) -> None:
    manifest = manifest_text() + '[parameters.alpha]\ntype = "float"\ndefault = 0.1\n'
    manifest += '[parameters.market]\ntype = "str"\ndefault = "JFK-DL"\n'
    stored = workspace.blobs.put_bytes(manifest.encode()).sha256
    record = make_record(sources={"manifest": stored})

    shown = page_view.compose(make_view(record), workspace)

    is_default = {item.name: item.is_default for item in shown.parameters}
    assert is_default == {"market": True, "alpha": False, "horizon": None, "epochs": None}


def test_page_with_unreadable_manifest_is_shown(workspace: Workspace) -> None:
    stored = workspace.blobs.put_bytes(b"\xff not toml").sha256

    shown = page_view.compose(make_view(make_record(sources={"manifest": stored})), workspace)

    assert {item.is_default for item in shown.parameters} == {None}


def test_page_tiles_begin_with_the_main_metric(workspace: Workspace) -> None:
    metrics = tuple(MetricChange(name=name, value=1.0) for name in "abcdefg")
    document = make_document(main_metric="f")

    shown = page_view.compose(make_view(document=document, metrics=metrics), workspace)

    assert [tile.name for tile in shown.tiles] == ["f", "a", "b", "c", "d"]
