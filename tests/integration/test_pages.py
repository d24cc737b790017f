"""Pages from ended runs: published once, found, read and kept from who may not read them."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select, update

from nb2prod.errors import BlobNotFound, PageNotFound, StorageFull
from nb2prod.execution.models import Artifact, ArtifactKind, Profile, RunRecord, RunStatus
from nb2prod.knowledge.models import FacetValue, PageCard, PageOrder, PageQuery
from nb2prod.knowledge.pages import catch_up, get_page, list_pages, open_blob
from nb2prod.knowledge.render import render
from nb2prod.knowledge.search import page_search
from nb2prod.settings import Settings
from nb2prod.store.blobs import BlobStore
from nb2prod.store.schema import page_blobs, pages, runs
from nb2prod.workspace.projects import Project, Role, add_member, create_project
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.hostile import PNG
from tests.helpers.notebooks import code, display_data, markdown, notebook_json, stream
from tests.helpers.postgresql import on_both_databases
from tests.helpers.runs import FIRST_RUN_AT, finished_run, manifest_text

pytestmark = on_both_databases

MAPE = manifest_text("mape", lower_is_better=True)


@pytest.fixture
def project(workspace: Workspace, tmp_path: Path) -> Project:
    """Ada's project."""
    return create_project(workspace, "seat-demand", root=tmp_path / "seat", owner="ada")


@pytest.fixture
def secret(workspace: Workspace, tmp_path: Path) -> Project:
    """Bob's project, of which Ada is no member."""
    return create_project(workspace, "secret", root=tmp_path / "secret", owner="bob")


def report(title: str = "Report", text: str = "", source: str = "fit()", printed: str = "") -> Any:
    """An executed notebook of a heading, a text, and a cell that printed and drew."""
    outputs = [stream(printed)] if printed else []
    return notebook_json(
        markdown(f"# {title}\n\n{text}"),
        code(source, outputs=[*outputs, display_data({"image/png": PNG})]),
    )


def titles(workspace: Workspace, query: PageQuery, person: str = "ada") -> list[str]:
    """The titles that a query lists."""
    return [card.title for card in list_pages(workspace, query, person=person).items]


def one_card(workspace: Workspace, record: RunRecord) -> PageCard:
    """The card of a run."""
    cards = list_pages(workspace, PageQuery(), person="ada").items
    return next(card for card in cards if card.run_id == record.id)


def test_catch_up_publishes_each_ended_run_once(workspace: Workspace, project: Project) -> None:
    first = finished_run(workspace, project, report("One"))
    second = finished_run(workspace, project, report("Two"))

    assert catch_up(workspace) == (first.id, second.id)
    assert catch_up(workspace) == ()
    assert titles(workspace, PageQuery()) == ["Two", "One"]


@pytest.mark.parametrize("status", list(RunStatus), ids=str)
def test_catch_up_publishes_runs_of_every_final_status(
    workspace: Workspace, project: Project, status: RunStatus
) -> None:
    record = finished_run(workspace, project, report(printed="so far"), status=status)

    published = catch_up(workspace)

    assert published == ((record.id,) if status.is_final else ())
    if status.is_final:
        page = get_page(workspace, record.id, person="ada")
        assert page.record.status is status
        assert "so far" in page.document.cells[1].outputs[0].html


def test_catch_up_after_a_rendering_fails_publishes_the_others_and_says_so(
    workspace: Workspace,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = finished_run(workspace, project, report("Bad"))
    good = finished_run(workspace, project, report("Good"))

    def sometimes(notebook: Any, record: RunRecord, blobs: Any) -> Any:
        if record.id == bad.id:
            raise ZeroDivisionError
        return render(notebook, record, blobs)

    monkeypatch.setattr("nb2prod.knowledge.publishing.render", sometimes)

    assert catch_up(workspace) == (bad.id, good.id)
    page = get_page(workspace, bad.id, person="ada")
    assert "could not be rendered" in page.document.cells[0].html
    executed = bad.sources["executed"]
    assert json.loads(open_blob(workspace, bad.id, executed, person="ada")[1]) == report("Bad")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("content", [None, b"no json", b"[]", b"\xff"], ids=str)
def test_catch_up_of_a_run_without_a_readable_notebook_publishes_what_there_is(
    workspace: Workspace, project: Project, content: bytes | None
) -> None:
    sources = {"log": workspace.blobs.put_bytes(b"log").sha256}
    if content is not None:
        sources["executed"] = workspace.blobs.put_bytes(content).sha256
    record = finished_run(workspace, project, None, sources=sources, status=RunStatus.LOST)

    assert catch_up(workspace) == (record.id,)
    page = get_page(workspace, record.id, person="ada")
    assert page.document.title == "train"
    assert open_blob(workspace, record.id, sources["log"], person="ada")[1] == b"log"


def test_catch_up_without_space_publishes_nothing_and_can_be_repeated(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = finished_run(workspace, project, report())

    def refuse(_store: BlobStore, _content: bytes) -> None:
        raise StorageFull("No space is left.")

    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "put_bytes", refuse)
        with pytest.raises(StorageFull):
            catch_up(workspace)
    assert list_pages(workspace, PageQuery(), person="ada").total == 0
    assert catch_up(workspace) == (record.id,)


def test_catch_up_leaves_out_a_run_without_a_readable_record(
    workspace: Workspace, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    broken = finished_run(workspace, project, report())
    fine = finished_run(workspace, project, report())
    with workspace.database.write() as connection:
        connection.execute(update(runs).where(runs.c.id == broken.id).values(record={"id": 1}))

    assert catch_up(workspace) == (fine.id,)
    assert "no readable record" in caplog.text


def _catch_up_elsewhere(settings: Settings, results: Any, barrier: Any) -> None:
    with open_workspace(settings) as workspace:
        barrier.wait()
        results.put(catch_up(workspace))


def test_catch_up_in_several_processes_publishes_each_page_once(
    workspace: Workspace, project: Project
) -> None:
    expected = {finished_run(workspace, project, report(f"R{n}")).id for n in range(12)}
    context = multiprocessing.get_context("spawn")
    results, barrier = context.Queue(), context.Barrier(3)
    workers = [
        context.Process(target=_catch_up_elsewhere, args=(workspace.settings, results, barrier))
        for _ in range(3)
    ]

    for worker in workers:
        worker.start()
    published = [run_id for _ in workers for run_id in results.get(timeout=60)]
    for worker in workers:
        worker.join()

    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert sorted(published) == sorted(expected)
    with workspace.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(pages)) == 12
        assert connection.scalar(select(func.count()).select_from(page_search)) == 12


def test_list_pages_gives_cards_with_what_they_show(workspace: Workspace, project: Project) -> None:
    record = finished_run(
        workspace,
        project,
        report("Seats", "## Conclusion\n\nIt *won*."),
        manifest=MAPE,
        metrics={"mape": 4.1, "aaa": 1.0},
        requested_by="grace",
    )
    catch_up(workspace)

    (card,) = list_pages(workspace, PageQuery(), person="ada").items

    assert (card.run_id, card.project, card.pipeline) == (record.id, "seat-demand", "train")
    assert (card.version, card.title, card.conclusion) == (1, "Seats", "It won.")
    assert (card.author, card.status) == ("grace", RunStatus.SUCCEEDED)
    assert (card.created_at, card.ended_at) == (record.created_at, record.ended_at)
    assert card.duration_s == 42
    assert card.main_metric is not None
    assert (card.main_metric.name, card.main_metric.value) == ("mape", 4.1)
    assert card.main_metric.before is None
    assert (
        open_blob(workspace, record.id, card.poster or "", person="ada")[0].media_type
        == "image/png"
    )
    assert card.snippet_html is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param(PageQuery(text="lasso"), ["Lasso", "Text", "Code", "Out"], id="weights"),
        pytest.param(PageQuery(text="LASSÓ"), ["Lasso", "Text", "Code", "Out"], id="accents"),
        pytest.param(PageQuery(text="las"), ["Lasso", "Text", "Code", "Out"], id="prefix"),
        pytest.param(PageQuery(text="las x"), [], id="prefix-of-last-only"),
        pytest.param(PageQuery(text="lasso jfk"), ["Text"], id="all-words"),
        pytest.param(PageQuery(text='"jfk lasso"'), ["Text"], id="phrase"),
        pytest.param(PageQuery(text='"lasso jfk"'), [], id="phrase-in-order"),
        pytest.param(PageQuery(text="val_mape"), ["Out"], id="identifier"),
        pytest.param(PageQuery(text="lasso OR nothing"), [], id="operators-are-words"),
        pytest.param(PageQuery(text='title:lasso* ("^'), [], id="syntax"),
        pytest.param(PageQuery(text="???"), [], id="no-words"),
        pytest.param(
            PageQuery(text="lasso", order=PageOrder.OLDEST),
            ["Out", "Code", "Text", "Lasso"],
            id="order",
        ),
        pytest.param(PageQuery(text="lasso", offset=1, limit=2), ["Text", "Code"], id="part"),
        pytest.param(PageQuery(text="  "), ["Other", "Lasso", "Text", "Code", "Out"], id="blank"),
    ],
)
def test_list_pages_finds_words(
    workspace: Workspace, project: Project, query: PageQuery, found: list[str]
) -> None:
    finished_run(workspace, project, report("Out", printed="lasso val_mape 4"))
    finished_run(workspace, project, report("Code", source="lasso = 1"))
    finished_run(workspace, project, report("Text", "The jfk lasso"))
    finished_run(workspace, project, report("Lasso"))
    finished_run(workspace, project, report("Other"))
    catch_up(workspace)

    assert titles(workspace, query) == found


def test_list_pages_marks_what_was_found_safely(workspace: Workspace, project: Project) -> None:
    finished_run(workspace, project, report("T", "`<b>lasso</b>` \ue000x\ue001 <mark>y</mark> & z"))
    catch_up(workspace)

    (card,) = list_pages(workspace, PageQuery(text="lasso"), person="ada").items

    assert card.snippet_html is not None
    assert "&lt;b&gt;<mark>lasso</mark>&lt;/b&gt;" in card.snippet_html
    assert card.snippet_html.count("<mark>") == card.snippet_html.count("</mark>") == 1


def test_list_pages_counts_over_the_same_filter(
    workspace: Workspace, project: Project, secret: Project
) -> None:
    for _ in range(3):
        finished_run(workspace, project, report("T", "apple"))
    finished_run(
        workspace, project, report("T", "apple"), pipeline="score", status=RunStatus.FAILED
    )
    finished_run(workspace, project, report("T", "pear"))
    finished_run(workspace, secret, report("T", "apple"), pipeline="hidden")
    catch_up(workspace)

    listing = list_pages(workspace, PageQuery(text="apple", limit=2), person="ada")

    assert (len(listing.items), listing.total, listing.offset) == (2, 4, 0)
    assert listing.facets == {
        "project": (FacetValue(value="seat-demand", count=4),),
        "pipeline": (FacetValue(value="train", count=3), FacetValue(value="score", count=1)),
        "status": (FacetValue(value="succeeded", count=3), FacetValue(value="failed", count=1)),
    }


@pytest.mark.parametrize(
    ("query", "total"),
    [
        (PageQuery(project="seat-demand"), 2),
        (PageQuery(project="secret"), 0),
        (PageQuery(pipeline="score"), 1),
        (PageQuery(status=RunStatus.FAILED), 1),
        (PageQuery(pipeline="train", status=RunStatus.FAILED), 0),
        (PageQuery(offset=50), 2),
        (PageQuery(limit=0), 2),
        (PageQuery(limit=10_000, offset=-1), 2),
    ],
    ids=["project", "not-mine", "pipeline", "status", "both", "beyond", "none", "odd"],
)
def test_list_pages_narrows_by_facets(
    workspace: Workspace, project: Project, secret: Project, query: PageQuery, total: int
) -> None:
    finished_run(workspace, project, report())
    finished_run(workspace, project, report(), pipeline="score", status=RunStatus.FAILED)
    finished_run(workspace, secret, report())
    catch_up(workspace)

    listing = list_pages(workspace, query, person="ada")

    assert listing.total == total
    assert {card.project for card in listing.items} <= {"seat-demand"}


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (None, ["d", "C", "b", "A"]),
        (PageOrder.NEWEST, ["d", "C", "b", "A"]),
        (PageOrder.RELEVANCE, ["d", "C", "b", "A"]),
        (PageOrder.OLDEST, ["A", "b", "C", "d"]),
        (PageOrder.TITLE, ["A", "b", "C", "d"]),
        # r2: higher is better; mape: lower is; without a value: last. Metrics by name.
        (PageOrder.METRIC, ["C", "A", "b", "d"]),
    ],
    ids=str,
)
def test_list_pages_orders(
    workspace: Workspace, project: Project, order: PageOrder | None, found: list[str]
) -> None:
    finished_run(workspace, project, report("A"), manifest=MAPE, metrics={"mape": 2.0})
    r2 = manifest_text("r2", lower_is_better=False)
    finished_run(workspace, project, report("b"), manifest=r2, metrics={"r2": 0.5})
    finished_run(workspace, project, report("C"), manifest=MAPE, metrics={"mape": 1.0})
    finished_run(workspace, project, report("d"), manifest=MAPE)
    catch_up(workspace)

    assert titles(workspace, PageQuery(order=order)) == found


def test_list_pages_asks_the_database_a_fixed_number_of_times(
    workspace: Workspace, project: Project
) -> None:
    statements: list[str] = []

    @event.listens_for(workspace.database.engine, "before_cursor_execute")
    def count(*arguments: Any) -> None:
        statements.append(arguments[2])

    def asked() -> int:
        statements.clear()
        list_pages(workspace, PageQuery(text="words"), person="ada")
        return len(statements)

    def publish(versions: Sequence[int]) -> None:
        for version in versions:
            finished_run(
                workspace, project, report("T", "words"), version=version, metrics={"m": 1.0}
            )
        catch_up(workspace)

    publish(range(1, 3))
    few = asked()
    publish(range(3, 20))

    assert asked() == few


def test_pages_show_nothing_to_who_is_no_member(
    workspace: Workspace, project: Project, secret: Project
) -> None:
    hidden = finished_run(workspace, secret, report("Secret", "apple"), metrics={"m": 1.0})
    mine = finished_run(workspace, project, report("Mine", "apple"), version=2, metrics={"m": 2.0})
    catch_up(workspace)
    blob = hidden.sources["executed"]

    for text in ("", "apple", "secret"):
        listing = list_pages(workspace, PageQuery(text=text), person="ada")
        assert hidden.id not in {card.run_id for card in listing.items}
        assert "secret" not in {value.value for value in listing.facets["project"]}
    page = get_page(workspace, mine.id, person="ada")
    assert page.baseline is None
    assert page.siblings == ()
    with pytest.raises(PageNotFound) as forbidden:
        get_page(workspace, hidden.id, person="ada")
    with pytest.raises(PageNotFound) as absent:
        get_page(workspace, "aaaaaaaaaaa7", person="ada")
    assert forbidden.value.message.replace(hidden.id, "X") == absent.value.message.replace(
        "aaaaaaaaaaa7", "X"
    )
    assert forbidden.value.detail == absent.value.detail
    for run_id, sha256 in (
        (hidden.id, blob),
        (mine.id, blob),
        (mine.id, "0" * 64),
        (mine.id, "../x"),
        ("", ""),
    ):
        with pytest.raises(BlobNotFound):
            open_blob(workspace, run_id, sha256, person="ada")
    assert open_blob(workspace, hidden.id, blob, person="bob")[1]


def test_open_blob_of_a_content_that_the_person_has_elsewhere_stays_with_its_page(
    workspace: Workspace, project: Project, secret: Project
) -> None:
    """Knowing a hash opens nothing: the same content has to belong to a page of one's own."""
    shared = finished_run(workspace, secret, report("Same"))
    catch_up(workspace)
    with pytest.raises(BlobNotFound):
        open_blob(workspace, shared.id, shared.sources["executed"], person="ada")

    add_member(workspace, "secret", "ada", Role.VIEWER, person="bob")

    blob, content = open_blob(workspace, shared.id, shared.sources["executed"], person="ada")
    assert json.loads(content) == report("Same")
    assert blob.name == f"train-v1-{shared.id}.ipynb"


def test_open_blob_gives_artifacts(workspace: Workspace, project: Project) -> None:
    stored = workspace.blobs.put_bytes(b"a,b\n1,2\n")
    artifact = Artifact(
        name="out/table.csv",
        kind=ArtifactKind.TABLE,
        media_type="text/csv",
        sha256=stored.sha256,
        size_bytes=8,
    )
    record = finished_run(workspace, project, report(), artifacts=(artifact,))
    catch_up(workspace)

    blob, content = open_blob(workspace, record.id, stored.sha256, person="ada")

    assert (blob.name, blob.media_type, content) == ("out/table.csv", "text/csv", b"a,b\n1,2\n")


JFK, ATL = {"market": "JFK", "alpha": 0.1}, {"market": "ATL", "alpha": 0.1}
# The versions' parameters changed: v3 has one more.
JFK_3 = {"market": "JFK", "alpha": 0.1, "epochs": 5}


@pytest.mark.parametrize(
    ("earlier", "mine", "expected"),
    [
        pytest.param([], (2, JFK), None, id="none"),
        pytest.param([(2, JFK, "succeeded")], (2, JFK), None, id="same-version"),
        pytest.param([(3, JFK, "succeeded")], (2, JFK), None, id="later-version"),
        pytest.param([(1, JFK, "failed"), (1, JFK, "lost")], (2, JFK), None, id="unsuccessful"),
        pytest.param([(1, JFK, "succeeded")], (2, JFK), (0, True), id="same"),
        pytest.param(
            [(1, JFK, "succeeded"), (1, JFK, "succeeded")], (2, JFK), (0, True), id="first"
        ),
        pytest.param(
            [(2, JFK, "succeeded"), (1, JFK, "succeeded")], (3, JFK), (0, True), id="highest"
        ),
        pytest.param(
            [(1, dict(reversed(JFK.items())), "succeeded"), (1, ATL, "succeeded")],
            (2, JFK),
            (0, True),
            id="order-of-names",
        ),
        pytest.param(
            [(1, JFK, "succeeded"), (2, ATL, "succeeded")], (3, JFK), (0, True), id="same-first"
        ),
        pytest.param(
            [(1, JFK, "succeeded"), (2, ATL, "succeeded")], (3, JFK_3), (0, False), id="shared"
        ),
        pytest.param([(1, ATL, "succeeded")], (2, JFK), (0, False), id="other"),
    ],
)
def test_get_page_compares_with_the_fitting_earlier_run(
    workspace: Workspace,
    project: Project,
    earlier: list[tuple[int, dict[str, Any], str]],
    mine: tuple[int, dict[str, Any]],
    expected: tuple[int, bool] | None,
) -> None:
    records = [
        finished_run(
            workspace,
            project,
            report(),
            version=version,
            parameters=values,
            status=RunStatus(status),
        )
        for version, values, status in earlier
    ]
    version, values = mine
    record = finished_run(workspace, project, report(), version=version, parameters=values)
    catch_up(workspace)

    baseline = get_page(workspace, record.id, person="ada").baseline

    found = baseline and (baseline.run_id, baseline.version, baseline.has_same_parameters)
    assert found == (expected and (records[expected[0]].id, earlier[expected[0]][0], expected[1]))


@pytest.mark.parametrize("profile", list(Profile), ids=str)
def test_smoke_run_is_compared_with_smoke_runs_only(
    workspace: Workspace, project: Project, profile: Profile
) -> None:
    other = Profile.FULL if profile is Profile.SMOKE else Profile.SMOKE
    like = finished_run(workspace, project, report(), parameters=ATL, profile=profile)
    finished_run(workspace, project, report(), parameters=JFK, profile=other)
    finished_run(workspace, project, report(), version=2, parameters=JFK, profile=other)
    mine = finished_run(
        workspace, project, report(), version=3, parameters=JFK, profile=profile, manifest=MAPE
    )
    catch_up(workspace)

    page = get_page(workspace, mine.id, person="ada")

    assert page.baseline is not None
    assert page.baseline.run_id == like.id
    assert one_card(workspace, mine).profile is profile


def test_get_page_is_not_compared_with_a_run_that_came_later(
    workspace: Workspace, project: Project
) -> None:
    mine = finished_run(workspace, project, report(), version=2, parameters=JFK)
    finished_run(workspace, project, report(), version=1, parameters=JFK)
    catch_up(workspace)

    assert get_page(workspace, mine.id, person="ada").baseline is None


def test_get_page_gives_the_change_of_each_metric(workspace: Workspace, project: Project) -> None:
    finished_run(
        workspace, project, report(), manifest=MAPE, metrics={"mape": 5.0, "gone": 1.0, "r2": 0.5}
    )
    record = finished_run(
        workspace,
        project,
        report(),
        version=2,
        manifest=MAPE,
        metrics={"mape": 4.0, "new": 2.0, "r2": 0.75},
    )
    catch_up(workspace)

    changes = get_page(workspace, record.id, person="ada").metrics

    assert [(item.name, item.value, item.before, item.is_better) for item in changes] == [
        ("mape", 4.0, 5.0, True),
        ("new", 2.0, None, None),
        ("r2", 0.75, 0.5, None),
    ]
    assert one_card(workspace, record).main_metric == changes[0]


def test_list_pages_gives_no_change_against_other_parameters(
    workspace: Workspace, project: Project
) -> None:
    finished_run(workspace, project, report(), manifest=MAPE, metrics={"mape": 5.0}, parameters=ATL)
    record = finished_run(
        workspace,
        project,
        report(),
        version=2,
        manifest=MAPE,
        metrics={"mape": 4.0},
        parameters=JFK,
    )
    catch_up(workspace)

    main_metric = one_card(workspace, record).main_metric

    assert main_metric is not None
    assert main_metric.before is None
    page = get_page(workspace, record.id, person="ada")
    assert page.metrics[0].before == 5.0
    assert page.baseline is not None
    assert not page.baseline.has_same_parameters


def test_get_page_gives_siblings_newest_first(
    workspace: Workspace, project: Project, secret: Project
) -> None:
    records = [
        finished_run(workspace, project, report(), created_at=FIRST_RUN_AT + timedelta(hours=hour))
        for hour in range(4)
    ]
    finished_run(workspace, project, report(), pipeline="score")
    finished_run(workspace, secret, report())
    catch_up(workspace)

    page = get_page(workspace, records[1].id, person="ada")

    assert [card.run_id for card in page.siblings] == [records[n].id for n in (3, 2, 0)]
    assert page.record == records[1]


def test_deleting_a_run_takes_its_page_with_it(workspace: Workspace, project: Project) -> None:
    record = finished_run(workspace, project, report())
    catch_up(workspace)

    with workspace.database.write() as connection:
        connection.execute(delete(runs).where(runs.c.id == record.id))

    with workspace.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(page_blobs)) == 0
    with pytest.raises(PageNotFound):
        get_page(workspace, record.id, person="ada")


def test_catch_up_of_ten_thousand_cells_keeps_them_all(
    workspace: Workspace, project: Project
) -> None:
    notebook = notebook_json(
        *(markdown(f"## Same\n\n{number}") for number in range(5_000)),
        *(code("x = 1", outputs=[stream("y")]) for _ in range(5_000)),
    )
    record = finished_run(workspace, project, notebook)

    catch_up(workspace)

    document = get_page(workspace, record.id, person="ada").document
    assert len(document.cells) == 10_000
    assert len({heading.anchor for heading in document.outline}) == 5_000
