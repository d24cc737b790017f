"""Sweeps over HTTP: what the API and the pages' forms give, take and refuse."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from sqlalchemy import func, select, update

from nb2prod.execution.models import Profile, RunStatus
from nb2prod.jobs.sweeps import Sweep, get_sweep
from nb2prod.registry.models import RunSettings
from nb2prod.server.app import create_app
from nb2prod.store.git import Repository
from nb2prod.store.schema import runs, sweeps
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import PREFIX, Client, browser_of, program_of
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import parameters
from tests.helpers.shared import environment_of, person
from tests.helpers.sweeps import SweepBench

API = "/api/v1/projects/seats/sweeps"
PAGES = "/projects/seats/sweeps"
ASKED: dict[str, Any] = {
    "pipeline": "train",
    "axes": {"market": "JFK-DL, LGA-AA", "alpha": "0.1, 0.2"},
}


@pytest.fixture
def bench(workspace: Workspace) -> SweepBench:
    found = SweepBench.found(workspace)
    fares = parameters('fare: Literal["first", "economy"] = "first"')
    make_version(Repository(found.project.repository), fares, name="fares")
    return found


def client_of(bench: SweepBench, name: str, *, executor: str | None = "process") -> Client:
    """A browser of somebody, in a gallery with or without a dispatcher."""
    app = create_app(
        bench.workspace, is_behind_login=True, executor=executor, environment_of=environment_of
    )
    return browser_of(app, person(name))


@pytest.fixture
def editor(bench: SweepBench) -> Client:
    """Edda's browser."""
    return client_of(bench, "edda")


@pytest.fixture
def half_done(bench: SweepBench) -> Sweep:
    """A sweep of four: two have succeeded, one has failed, one waits."""
    sweep = bench.sweep(market="JFK-DL, LGA-AA", alpha="0.1, 0.2", days="7")
    bench.end(sweep, 1, metrics={"mape": 4.4, "fit_s": 2.0}, seconds=3)
    bench.end(sweep, 2, metrics={"mape": 4.1}, seconds=2)
    bench.end(sweep, 3, RunStatus.FAILED, seconds=1)
    return sweep


def positions(body: dict[str, Any]) -> list[int]:
    return [row["position"] for row in body["rows"]]


def made(bench: SweepBench) -> tuple[int, int]:
    """How many sweeps and runs there are."""
    with bench.workspace.database.read() as connection:
        count_of = (select(func.count()).select_from(table) for table in (sweeps, runs))
        found, asked = (connection.scalar(count) or 0 for count in count_of)
    return found, asked


def test_sweep_is_made_and_read_as_it_was_asked_for(bench: SweepBench, editor: Client) -> None:
    answer = editor.post(API, json=ASKED)

    body = answer.json()
    assert answer.status_code == 201
    assert (body["version"], body["profile"], body["count"]) == (1, "full", 4)
    assert (body["counts"], body["is_open"]) == ({"queued": 4}, True)
    assert (body["varied"], body["asked"]) == (["market", "alpha"], ASKED["axes"])
    assert (body["requested_by"], body["requested_via"]) == ("edda", "browser")
    assert (body["cancelled_at"], body["csv_columns"], body["main_metric"]) == (None, [], None)
    assert [row["parameters"] for row in body["rows"]] == [
        {"market": market, "alpha": alpha}
        for market in ("JFK-DL", "LGA-AA")
        for alpha in (0.1, 0.2)
    ]
    assert editor.get(f"{API}/{body['id']}").json() == body
    assert body["url"] == f"{PREFIX}{PAGES}/{body['id']}"
    assert editor.get(f"{PAGES}/{body['id']}").status_code == 200
    first = editor.get(f"/api/v1/projects/seats/runs/{body['rows'][0]['run_id']}").json()
    assert first["parameters"] == {"market": "JFK-DL", "alpha": 0.1, "days": 7}


def test_lists_csv_and_single_values_are_multiplied(bench: SweepBench, editor: Client) -> None:
    body = editor.post(
        API,
        json={
            "pipeline": "train",
            "version": 1,
            "axes": {"days": [7, 14]},
            "csv": "market,alpha\nJFK-DL,0.1\nLGA-AA,0.2\n",
        },
    ).json()

    assert (body["count"], body["csv_columns"]) == (4, ["market", "alpha"])
    assert [row["parameters"] for row in body["rows"]] == [
        {"market": market, "alpha": alpha, "days": days}
        for market, alpha in (("JFK-DL", 0.1), ("LGA-AA", 0.2))
        for days in (7, 14)
    ]
    assert body["asked"] == {"days": [7, 14]}


def test_smoke_sweep_says_so(bench: SweepBench, editor: Client) -> None:
    body = editor.post(API, json={**ASKED, "profile": "smoke"}).json()

    assert body["profile"] == "smoke"
    sweep = get_sweep(bench.workspace, "seats", body["id"], person="edda")
    assert {record.profile for record in bench.records(sweep)} == {Profile.SMOKE}


def test_preview_counts_and_makes_nothing(bench: SweepBench) -> None:
    viewer = client_of(bench, "vera")

    body = viewer.post(
        f"{API}/preview", json={"pipeline": "train", "axes": {"days": "1..30", "market": "LGA-AA"}}
    ).json()

    assert (body["count"], body["varied"], len(body["rows"])) == (30, ["days"], 20)
    assert body["rows"][1] == {"days": 2, "market": "LGA-AA"}
    assert made(bench) == (0, 0)


@pytest.mark.parametrize("where", ["", "/preview"])
@pytest.mark.parametrize(
    ("change", "status", "code", "said"),
    [
        ({"axes": {"alhpa": "0.1"}}, 422, "parameter_unknown", "Did you mean alpha?"),
        ({"axes": {"alpha": "0.1, much"}}, 422, "parameter_invalid", "much"),
        ({"axes": {"days": [7, 7.5]}}, 422, "parameter_invalid", "days"),
        (
            {"pipeline": "fares", "axes": {"fare": "first, third"}},
            422,
            "parameter_invalid",
            "economy",
        ),
        ({"axes": {"alpha": "0.1, 0.1"}}, 422, "sweep_invalid", "twice"),
        ({"axes": {"alpha": "0.5..0.1 step 0.1"}}, 422, "sweep_invalid", "alpha"),
        ({"axes": {"days": "1..1000000"}}, 422, "sweep_invalid", "1,000,000 runs"),
        ({"axes": {"days": "1..200", "alpha": "1..100 step 1"}}, 422, "sweep_invalid", "200 × 100"),
        ({"axes": {}}, 422, "sweep_invalid", ""),
        ({"axes": {"alpha": "0.1,,0.2"}}, 422, "sweep_invalid", "beside a comma"),
        ({"axes": {}, "csv": "alpha\n0.1\n0.1\n"}, 422, "sweep_invalid", "Line 3"),
        ({"axes": {}, "csv": "alpha,days\n0.1\n"}, 422, "sweep_invalid", "Line 2"),
        ({"axes": {}, "csv": "beta\n0.1\n"}, 422, "parameter_unknown", "Line 1"),
        ({"csv": "alpha\n0.1\n"}, 422, "sweep_invalid", "alpha"),
        ({"version": 9}, 404, "version_not_found", "v9"),
        ({"version": 0}, 422, "invalid_input", "version"),
        ({"pipeline": "absent"}, 404, "pipeline_not_found", "absent"),
        ({"pipeline": "../x"}, 422, "name_invalid", ""),
        ({"profile": "tiny"}, 422, "invalid_input", "profile"),
        ({"colour": "red"}, 422, "invalid_input", "colour"),
    ],
    ids=[
        "unknown parameter",
        "wrong type",
        "wrong type in a list",
        "value not allowed",
        "value twice",
        "range backwards",
        "a million",
        "a large product",
        "nothing",
        "no value",
        "line twice",
        "short line",
        "unknown parameter in CSV",
        "parameter in CSV and axis",
        "unknown version",
        "version zero",
        "unknown pipeline",
        "no name",
        "unknown profile",
        "unknown field",
    ],
)
def test_what_can_not_be_is_refused_with_its_sentence(
    bench: SweepBench,
    editor: Client,
    where: str,
    change: dict[str, Any],
    status: int,
    code: str,
    said: str,
) -> None:
    answer = editor.post(f"{API}{where}", json={**ASKED, **change})

    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert said in body["message"]
    assert len(body["message"]) < 500
    assert made(bench) == (0, 0)


def test_refusal_names_the_field(editor: Client) -> None:
    unknown = editor.post(API, json={**ASKED, "axes": {"alhpa": "0.1"}}).json()
    invalid = editor.post(API, json={**ASKED, "axes": {"alpha": "0.1, x"}}).json()
    many = editor.post(API, json={**ASKED, "axes": {"days": "1..1000000"}}).json()

    assert (unknown["detail"]["parameter"], invalid["detail"]["parameter"]) == ("alhpa", "alpha")
    assert many["detail"] == {"count": 1_000_000, "limit": 10_000}


def test_sweep_for_resources_that_are_gone_is_not_made(bench: SweepBench, editor: Client) -> None:
    make_version(
        Repository(bench.project.repository),
        parameters("alpha: float = 0.1"),
        name="large",
        settings=RunSettings(resources="gone"),
    )

    answer = editor.post(API, json={"pipeline": "large", "axes": {"alpha": "0.1, 0.2"}})

    assert answer.status_code == 422
    assert "gone" in answer.json()["message"]
    assert made(bench) == (0, 0)


def test_table_is_sorted_filtered_and_cut(editor: Client, half_done: Sweep) -> None:
    one = f"{API}/{half_done.id}"

    body = editor.get(f"{one}?sort=metric:mape").json()
    assert (positions(body), body["total"]) == ([2, 1, 3, 4], 4)
    assert (body["sort"], body["order"], body["limit"]) == ("metric:mape", "asc", 50)
    assert (body["metrics"], body["main_metric"]) == (["mape", "fit_s"], "mape")
    assert body["lower_is_better"] is True
    assert [row["is_best"] for row in body["rows"]] == [True, False, False, False]
    best, _, failed, waiting = body["rows"]
    assert (best["metrics"], best["duration_s"], best["tries"]) == ({"mape": 4.1}, 2.0, 1)
    assert best["page"] == f"{PREFIX}/pages/{best['run_id']}"
    assert (failed["status"], failed["reason"]) == ("failed", "Cell 3 failed.")
    assert (waiting["status"], waiting["page"], waiting["duration_s"]) == ("queued", None, None)

    assert positions(editor.get(f"{one}?sort=metric:mape&order=desc").json()) == [1, 2, 3, 4]
    assert positions(editor.get(f"{one}?sort=duration").json()) == [3, 2, 1, 4]
    assert positions(editor.get(f"{one}?sort=parameter:alpha").json()) == [1, 3, 2, 4]
    done = editor.get(f"{one}?status=succeeded&limit=1&offset=1").json()
    assert (positions(done), done["total"], done["status"]) == ([2], 2, "succeeded")
    assert editor.get(f"{one}?offset=90").json()["rows"] == []
    assert editor.get(f"{one}?status=not_run").json()["total"] == 0


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("sort=colour", "sweep_invalid"),
        ("sort=parameter:absent", "sweep_invalid"),
        (f"sort={'x' * 301}", "invalid_input"),
        ("order=up", "invalid_input"),
        ("status=done", "invalid_input"),
        ("limit=0", "invalid_input"),
        ("limit=101", "invalid_input"),
        ("offset=-1", "invalid_input"),
        (f"offset={2**64}", "invalid_input"),
    ],
)
def test_table_can_not_be_asked_so(editor: Client, half_done: Sweep, query: str, code: str) -> None:
    answer = editor.get(f"{API}/{half_done.id}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    page = editor.get(f"{PAGES}/{half_done.id}?{query}")
    assert page.status_code in (200, 422)


def test_sweeps_are_listed_newest_first(bench: SweepBench, editor: Client) -> None:
    older, newer = bench.sweep(alpha="0.1, 0.2"), bench.sweep(days="1..3")

    body = editor.get(API).json()

    assert [item["id"] for item in body["items"]] == [newer.id, older.id]
    assert (body["total"], body["limit"]) == (2, 24)
    assert [item["counts"] for item in body["items"]] == [{"queued": 3}, {"queued": 2}]
    assert editor.get(f"{API}?limit=1&offset=1").json()["items"][0]["id"] == older.id
    assert editor.get(f"{API}?pipeline=absent").json()["items"] == []
    assert editor.get(f"{API}?limit=101").status_code == 422
    page = editor.get(PAGES).text
    assert page.index(newer.id) < page.index(older.id)


def test_csv_is_a_download_without_formulas(bench: SweepBench, editor: Client) -> None:
    body = editor.post(
        API, json={"pipeline": "train", "axes": {"market": ["=1+1", "@x", "a, b"], "alpha": "-1"}}
    ).json()

    answer = editor.get(body["csv_url"].removeprefix(PREFIX))

    assert answer.headers["content-type"].startswith("text/csv")
    name = f'filename="train-v1-sweep-{body["id"]}.csv"'
    assert answer.headers["content-disposition"] == f"attachment; {name}"
    head, *lines = csv.reader(io.StringIO(answer.text, newline=""), strict=True)
    assert head[:4] == ["position", "market", "alpha", "status"]
    assert [line[1] for line in lines] == ["'=1+1", "'@x", "a, b"]
    assert {line[2] for line in lines} == {"-1.0"}


@pytest.mark.parametrize("is_form", [True, False], ids=["form", "API"])
def test_sweep_is_cancelled_and_resumed(
    bench: SweepBench, editor: Client, half_done: Sweep, *, is_form: bool
) -> None:
    def ask(verb: str) -> int:
        place = PAGES if is_form else API
        return editor.post(f"{place}/{half_done.id}/{verb}").status_code

    done, refused = 303 if is_form else 200, 409

    assert ask("cancel") == done
    assert editor.get(f"{API}/{half_done.id}").json()["counts"] == {
        "succeeded": 2,
        "failed": 1,
        "cancelled": 1,
    }
    assert ask("cancel") == refused
    assert ask("resume") == done
    body = editor.get(f"{API}/{half_done.id}").json()
    assert (body["counts"], body["cancelled_at"]) == ({"succeeded": 2, "queued": 2}, None)
    assert [row["tries"] for row in body["rows"]] == [1, 1, 2, 2]
    assert ask("resume") == refused
    assert made(bench) == (1, 6)


def test_refused_form_says_why_on_the_page(editor: Client, half_done: Sweep) -> None:
    page = editor.get(f"{PAGES}/{half_done.id}").text
    assert "Cancel all" in page
    assert "Run what is missing (1)" in page
    for verb, said in (
        ("cancel", None),
        ("cancel", "there is nothing to cancel"),
        ("resume", None),
        ("resume", "Nothing is missing"),
    ):
        answer = editor.post(f"{PAGES}/{half_done.id}/{verb}")
        if said is not None:
            assert said in answer.text
            assert 'role="alert"' in answer.text


def test_version_that_is_gone_can_not_be_resumed(
    bench: SweepBench, editor: Client, half_done: Sweep
) -> None:
    with bench.workspace.database.write() as connection:
        connection.execute(update(sweeps).values(version=7))

    answer = editor.post(f"{API}/{half_done.id}/resume")

    assert (answer.status_code, answer.json()["code"]) == (404, "version_not_found")
    assert editor.post(f"{PAGES}/{half_done.id}/resume").status_code == 404


def test_gallery_without_a_dispatcher_makes_and_resumes_no_sweeps(
    bench: SweepBench, half_done: Sweep
) -> None:
    client = client_of(bench, "edda", executor=None)

    for path, body in ((API, ASKED), (f"{API}/{half_done.id}/resume", None)):
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "nb2prod up" in answer.json()["message"]
    page = client.get(f"{PAGES}/{half_done.id}").text
    assert f"nb2prod sweep --resume {half_done.id}" in page
    assert "Cancel all" not in page
    assert made(bench) == (1, 4)


def test_viewer_has_no_forms_and_program_asks_by_its_token(
    bench: SweepBench, half_done: Sweep
) -> None:
    viewer = client_of(bench, "vera")
    page = viewer.get(f"{PAGES}/{half_done.id}").text
    assert "Cancel all" not in page
    assert "Run what is missing" not in page

    app = create_app(bench.workspace, is_behind_login=True, executor="process")
    program = program_of(app, person("edda", "seats"))
    body = program.post(API, json=ASKED).json()
    assert (body["requested_by"], body["counts"]) == ("edda", {"queued": 4})


def test_page_shows_what_somebody_wrote_as_text(bench: SweepBench, editor: Client) -> None:
    markup = "<script>alert(1)</script>"
    sweep = bench.sweep(market=[markup, "b"], alpha="0.1, 0.2")

    page = editor.get(f"{PAGES}/{sweep.id}").text

    assert markup not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
