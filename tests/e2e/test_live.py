"""What a person does with runs that wait, go on and have ended, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from nb2prod.execution.collect import collect, judge, try_again
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    Event,
    Noted,
    OutputAdded,
    ResultsKept,
    RunEnded,
    RunStarted,
    encode,
)
from nb2prod.execution.evidence import Verdict
from nb2prod.execution.models import CellStatus, CiContext, Profile, RunRequest, RunStatus
from nb2prod.execution.recorder import now, run_folder
from nb2prod.execution.runs import get_run, list_runs, request_run, start_run
from nb2prod.knowledge.pages import publish
from nb2prod.registry.models import RunSettings, Version
from nb2prod.server import event_stream
from nb2prod.server.app import create_app
from nb2prod.store.git import Repository
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Project, Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import (
    assert_fits,
    screenshot,
    visiting_as,
)
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code, parameters, stream
from tests.helpers.shared import environment_of

ADA, VERA = Identity(person="ada"), Identity(person="vera")
SOURCE = """\
market: Literal["JFK-DL", "LGA-AA"] = "JFK-DL"  # origin and airline
alpha: float = 0.2  # how strict; [0, 1]
epochs: int = 40
is_final: bool = False
note: str | None = None  # stands in the report
limits: dict = {"low": 1}
days: list[Literal["mon", "tue"]] = ["mon"]  # of departure
first_day = date(2024, 1, 31)  # where the data begins [2020-01-01, ]
last_day: date | None = None
cutoff = datetime(2024, 1, 31, 12)  # nothing that is newer
seen_at = datetime.fromisoformat("2024-01-31T12:00+01:00")
source = Path("data") / "flights.parquet"  # all flights
"""
IMPORTS = """\
from datetime import date, datetime
from pathlib import Path
from typing import Literal
"""


@dataclass
class Team:
    """A project of ada's with a pipeline, and vera as a viewer."""

    workspace: Workspace
    app: FastAPI
    project: Project
    version: Version

    def request(self, by: str = "ada", **changes: Any) -> str:
        """Ask for a run, as the gallery does; gives its id."""
        values = changes.pop("values", {})
        request = RunRequest(by=by, via="browser", executor="process", **changes)
        record = request_run(self.workspace, self.project, self.version, values, request=request)
        run_folder(self.workspace, record.id).work.path.mkdir(parents=True)
        return record.id

    def begin(self, run_id: str) -> None:
        """Let a run begin, with some output."""
        start_run(self.workspace, run_id)
        run_folder(self.workspace, run_id).work.path.mkdir(parents=True, exist_ok=True)
        self.tell(
            run_id,
            RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=4),
            CellStarted(at=now(), number=2, position=1, heading="Read the flights"),
        )

    def tell(self, run_id: str, *events: Event) -> None:
        """Append to a run's log."""
        with run_folder(self.workspace, run_id).work.events.open("ab") as log:
            log.write(b"".join(map(encode, events)))

    def fail_first_attempt(self, run_id: str) -> None:
        """Let a run fail once and be queued anew."""
        self.tell(run_id, RunEnded(at=now(), status=RunStatus.KERNEL_DIED, reason="It died."))
        judged = judge(self.workspace, run_id)
        try_again(self.workspace, judged, not_before=now() + timedelta(seconds=90))
        folder = run_folder(self.workspace, run_id)
        folder.set_aside(1)
        folder.work.path.mkdir()

    def end(self, run_id: str, status: RunStatus = RunStatus.SUCCEEDED, reason: str = "") -> None:
        """Let a run come to its end, and its page be made."""
        self.tell(
            run_id,
            RunEnded(at=now(), status=status, reason=reason),
            ResultsKept(at=now(), metrics={"mape": 4.1}, artifacts=()),
        )
        # As the dispatcher does, which knows who asked.
        cancelled_by = "ada" if status is RunStatus.CANCELLED else ""
        collect(self.workspace, run_id, verdict=Verdict(cancelled_by=cancelled_by))
        publish(self.workspace, run_id)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(event_stream, "LAST_PAUSE_S", 0.2)


@pytest.fixture
def team(workspace: Workspace) -> Team:
    project = found_project(workspace, "seat-demand", title="Seat demand", owner="ada")
    add_member(workspace, "seat-demand", "vera", Role.VIEWER, person="ada")
    settings = RunSettings(smoke={"epochs": 1, "alpha": 0.9})
    version = make_version(
        Repository(project.repository),
        parameters(IMPORTS + SOURCE),
        code("1"),
        name="train",
        settings=settings,
    )
    app = create_app(
        workspace, is_behind_login=True, executor="process", environment_of=environment_of
    )
    return Team(workspace, app, project, version)


def printed(text: str, name: str = "stdout") -> OutputAdded:
    return OutputAdded(at=now(), number=2, output=stream(text, name))


def test_page_follows_a_run_from_the_queue_to_its_page(browser: Browser, team: Team) -> None:
    run_id = team.request(values={"market": "LGA-AA"})
    with visiting_as(browser, team.app, ADA, f"/pages/{run_id}") as watch:
        page = watch.page
        status = page.locator("#live-status")
        expect(status).to_have_text("Queued")
        expect(page.locator("#live-waits")).to_contain_text("It is next")
        expect(page.get_by_text("LGA-AA")).to_be_visible()

        team.begin(run_id)
        expect(status).to_have_text("Running")
        expect(page.locator("#live-waits")).to_be_hidden()
        expect(page.locator("#live-cell")).to_have_text("Cell 1 of 4")
        expect(page.locator("#live-heading")).to_have_text("Read the flights")

        team.tell(
            run_id,
            printed("<b>plain</b>\n10 %\r50 %\r"),
            printed("careful\n", "stderr"),
            Noted(at=now(), text="<i>a remark</i>"),
        )
        log = page.locator("#live-log")
        expect(log).to_contain_text("<b>plain</b>\n50 %\ncareful\n")
        expect(log.locator(".stderr")).to_have_text("careful\n")
        expect(log.locator("b")).to_have_count(0)
        expect(page.locator("#live-notes")).to_contain_text("<i>a remark</i>")

        team.tell(run_id, CellEnded(at=now(), number=2, status=CellStatus.SUCCEEDED))
        team.tell(run_id, CellStarted(at=now(), number=3, position=2, heading="Fit"))
        expect(page.locator("#live-cell")).to_have_text("Cell 2 of 4")
        assert page.locator("#live-bar").evaluate("bar => bar.value") == 1

        team.end(run_id)
        expect(page.get_by_role("heading", name="Provenance")).to_be_visible()
        expect(page.locator(".page-line")).to_contain_text("Succeeded")


def test_page_goes_on_where_it_was_after_the_service_was_away(
    browser: Browser, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "STREAM_S", 0.5)
    monkeypatch.setattr(event_stream, "RETRY_MS", 50)
    run_id = team.request()
    team.begin(run_id)
    with visiting_as(browser, team.app, ADA, f"/pages/{run_id}") as watch:
        log = watch.page.locator("#live-log")
        for number in range(5):
            team.tell(run_id, printed(f"line {number}\n"))
            expect(log).to_contain_text(f"line {number}\n")
            # Each stream is over soon, and a new one goes on.
            count = len([url for url in watch.requests if url.endswith("/stream")])
            watch.page.wait_for_event("request", lambda sent: sent.url.endswith("/stream"))
            assert count >= 1
        assert log.inner_text() == "".join(f"line {number}\n" for number in range(5))


def test_attempts_are_shown_as_they_fail(browser: Browser, team: Team) -> None:
    run_id = team.request()
    team.begin(run_id)
    team.tell(run_id, printed("first\n"), Noted(at=now(), text="of the first attempt"))
    with visiting_as(browser, team.app, ADA, f"/pages/{run_id}") as watch:
        page = watch.page
        expect(page.locator("#live-log")).to_contain_text("first")
        team.fail_first_attempt(run_id)
        expect(page.locator("#live-status")).to_have_text("Queued")
        expect(page.locator("#live-waits")).to_contain_text("The next attempt is due in")
        expect(page.locator("#live-notes")).to_contain_text("Attempt 1 failed: It died.")
        expect(page.locator("#live-log")).to_be_hidden()

        page.reload()
        expect(page.locator("#live-attempts")).to_contain_text("It died.")
        with page.expect_download() as download:
            page.get_by_role("link", name="Log of attempt 1").click()
        assert "of the first attempt" in download.value.path().read_text()


@pytest.mark.parametrize("has_script", [True, False], ids=["with script", "without script"])
def test_run_is_cancelled_on_its_page(browser: Browser, team: Team, *, has_script: bool) -> None:
    run_id = team.request()
    team.begin(run_id)
    path = f"/pages/{run_id}"
    with visiting_as(browser, team.app, ADA, path, java_script_enabled=has_script) as watch:
        page = watch.page
        expect(page.locator("#live-status")).to_have_text("Running")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#live-waits")).to_contain_text("ada asked for its end")
        assert get_run(team.workspace, run_id, person="ada").status is RunStatus.RUNNING
        team.end(run_id, RunStatus.CANCELLED, "Cancelled by ada.")
        # Without script the page looks again by itself.
        expect(page.locator(".page-line")).to_contain_text("Cancelled", timeout=20_000)
        expect(page.get_by_role("heading", name="Provenance")).to_be_visible()


def test_page_without_script_shows_how_far_the_run_is(browser: Browser, team: Team) -> None:
    run_id = team.request()
    team.begin(run_id)
    team.tell(run_id, printed("one\n10 %\r50 %\n"), printed("careful\n", "stderr"))
    with visiting_as(
        browser, team.app, ADA, f"/pages/{run_id}", java_script_enabled=False
    ) as watch:
        page = watch.page
        expect(page.locator("#live-cell")).to_have_text("Cell 1 of 4")
        expect(page.locator("#live-log")).to_have_text("one\n50 %\ncareful\n")
        assert page.locator('meta[http-equiv="refresh"]').count() == 1


def test_page_of_who_is_taken_out_says_so(browser: Browser, team: Team) -> None:
    from nb2prod.workspace.projects import remove_member

    run_id = team.request()
    team.begin(run_id)
    with visiting_as(browser, team.app, VERA, f"/pages/{run_id}") as watch:
        page = watch.page
        expect(page.locator("#live-cell")).to_have_text("Cell 1 of 4")
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
        remove_member(team.workspace, "seat-demand", "vera", person="ada")
        team.tell(run_id, printed("not for vera\n"))
        expect(page.locator("#live-link")).to_contain_text("can't be followed")
        assert "not for vera" not in page.content()


@pytest.mark.parametrize("has_script", [True, False], ids=["with script", "without script"])
def test_version_is_run_again_with_other_values(
    browser: Browser, team: Team, *, has_script: bool
) -> None:
    values = {"market": "LGA-AA", "alpha": 0.5, "note": "two\nlines", "is_final": True}
    run_id = team.request(values=values)
    team.begin(run_id)
    team.end(run_id)
    path = f"/pages/{run_id}"
    with visiting_as(browser, team.app, ADA, path, java_script_enabled=has_script) as watch:
        page = watch.page
        page.get_by_role("link", name="Run again").click()
        expect(page.get_by_role("heading", name="Run train@v1")).to_be_visible()
        assert page.get_by_label("market").locator("option:checked").inner_text() == "LGA-AA"
        assert page.get_by_label("alpha").input_value() == "0.5"
        assert page.get_by_label("note", exact=False).first.input_value() == "two\nlines"
        expect(page.get_by_label("is_final")).to_be_checked()
        expect(page.get_by_text("how strict")).to_contain_text("[0, 1]")

        page.get_by_label("alpha").fill("7")
        page.get_by_label("epochs").fill("many")
        page.get_by_label("source").fill("")
        page.get_by_label("seen_at").fill("noon")
        page.get_by_label("limits").fill('{"low": 2}')
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing runs yet")
        expect(page.locator("#value-alpha-error")).to_contain_text("must be in [0, 1]")
        expect(page.locator("#value-epochs-error")).to_contain_text("write a whole number")
        expect(page.locator("#value-source-error")).to_contain_text("write a path")
        expect(page.locator("#value-seen_at-error")).to_contain_text("write a moment")
        assert page.get_by_label("epochs").input_value() == "many"
        assert page.get_by_label("limits").input_value() == '{"low": 2}'
        assert page.get_by_label("market").locator("option:checked").inner_text() == "LGA-AA"
        assert len(list_runs(team.workspace, person="ada")) == 1

        page.get_by_label("alpha").fill("0.75")
        page.get_by_label("epochs").fill("3")
        assert page.get_by_label("first_day").input_value() == "2024-01-31"
        page.get_by_label("first_day").fill("2024-02-29")
        assert page.get_by_label("last_day").input_value() == ""
        assert page.get_by_label("cutoff").input_value() == "2024-01-31T12:00"
        page.get_by_label("cutoff").fill("2024-02-29T08:30")
        page.get_by_label("source").fill("data//sample.parquet")
        page.get_by_label("seen_at").fill("2024-02-29T08:30Z")
        page.get_by_label("none for note").check()
        page.get_by_label("mon").uncheck()
        page.get_by_label("tue").check()
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator("#live-status")).to_have_text("Queued")
    made = list_runs(team.workspace, person="ada")[0]
    assert made.id != run_id
    assert (made.requested_by, made.requested_via, made.profile) == ("ada", "browser", "full")
    assert made.parameters == {
        "market": "LGA-AA",
        "alpha": 0.75,
        "epochs": 3,
        "is_final": True,
        "note": None,
        "limits": {"low": 2},
        "days": ["tue"],
        "first_day": "2024-02-29",
        "last_day": None,
        "cutoff": "2024-02-29T08:30:00",
        "seen_at": "2024-02-29T08:30:00+00:00",
        "source": "data/sample.parquet",
    }


def test_smoke_run_is_made_and_marked(browser: Browser, team: Team) -> None:
    with visiting_as(browser, team.app, ADA, "/projects/seat-demand") as watch:
        page = watch.page
        page.get_by_role("link", name="Run train").click()
        page.get_by_role("link", name="Make it a smoke run").click()
        assert page.get_by_label("epochs").input_value() == "1"
        page.get_by_role("button", name="Smoke run").click()
        expect(page.locator(".page-line")).to_contain_text("Smoke run")
        (made,) = list_runs(team.workspace, person="ada")
        assert (made.profile, made.parameters["alpha"]) == (Profile.SMOKE, 0.9)
        team.begin(made.id)
        team.end(made.id)
        expect(page.get_by_role("region", name="Smoke run")).to_be_visible()


def test_runs_are_listed_filtered_and_cancelled(browser: Browser, team: Team) -> None:
    ended = team.request()
    team.begin(ended)
    team.end(ended)
    waiting = team.request()
    with visiting_as(browser, team.app, ADA, "/projects/seat-demand/runs") as watch:
        page = watch.page
        lines = page.locator("table.runs tbody tr")
        expect(lines).to_have_count(2)
        page.get_by_role("link", name="1 queued").click()
        expect(lines).to_have_count(1)
        page.get_by_role("button", name=f"Cancel run {waiting}").click()
        expect(lines).to_have_count(2)
        expect(lines.first).to_contain_text("Cancelled by ada before it began.")
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def pages_of(team: Team) -> dict[str, str]:
    """Every page of runs that there is, in its fullest state."""
    ci = CiContext(commit="8f2c1d9ab04e", branch="main", url="https://ci.example.org/jobs/7")
    done = team.request(ci=ci, profile=Profile.SMOKE)
    team.begin(done)
    team.fail_first_attempt(done)
    start_run(team.workspace, done)
    team.end(done)
    going = team.request(values={"market": "LGA-AA"}, timeout_s=3600.0)
    team.begin(going)
    team.fail_first_attempt(going)
    start_run(team.workspace, going)
    team.tell(
        going,
        RunStarted(at=now(), run_id=going, reference="train@v1", code_cells=4),
        CellStarted(at=now(), number=3, position=2, heading="Fit the ensemble for each market"),
        printed("epoch 1 of 40  loss 0.4211\nepoch 2 of 40  loss 0.3904\n"),
        printed("UserWarning: the data ends in October\n", "stderr"),
        Noted(at=now(), text="The kernel's packages are not those of the lock."),
    )
    waiting = team.request(by="grace")
    return {
        "live": f"/pages/{going}",
        "queued": f"/pages/{waiting}",
        "run-page": f"/pages/{done}",
        "runs": "/projects/seat-demand/runs",
        "run-form": f"/projects/seat-demand/runs/new?like={going}",
        "project-nav": "/projects/seat-demand",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_pages_of_runs_fit_and_are_accessible(
    browser: Browser, team: Team, width: int, scheme: str
) -> None:
    options: Any = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    found = pages_of(team)
    with visiting_as(browser, team.app, ADA, "/projects", **options) as watch:
        page, origin = watch.page, watch.page.url.removesuffix("/projects")
        for name, path in found.items():
            page.goto(origin + path)
            _settle(page, name)
            assert_fits(page, width, name)
            screenshot(page, f"{name}-{width}-{scheme}")
        page.goto(origin + found["run-form"])
        page.get_by_label("alpha").fill("7")
        page.get_by_label("limits").fill("{")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator(".form-error")).to_have_count(2)
        assert_fits(page, width, "refused form")
        screenshot(page, f"run-form-refused-{width}-{scheme}")


def _settle(page: Page, name: str) -> None:
    settled: dict[str, Callable[[], None]] = {
        "live": lambda: expect(page.locator("#live-log")).to_contain_text("October"),
        "queued": lambda: expect(page.locator("#live-status")).to_have_text("Queued"),
    }
    settled.get(name, lambda: None)()
