"""Schedules over HTTP: what the API and the page's forms give, take and refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from nb2prod.jobs.schedules import make_due_runs
from nb2prod.server.app import create_app
from nb2prod.settings import Settings
from nb2prod.store.schema import schedules
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.client import Client, browser_of
from tests.helpers.shared import PIPELINE, PROJECT, SharedProject, person, share

API = f"/api/v1/projects/{PROJECT}/schedules"
PAGE = f"/projects/{PROJECT}/schedules"
DAILY = {"pipeline": PIPELINE, "cron": "30 2 * * *", "time_zone": "Europe/Berlin"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedProject]:
    """A project with a version, an owner, an editor and a viewer."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"NB2PROD_HOME": str(home), "NB2PROD_USER": "ada"})
    with open_workspace(settings) as workspace:
        yield share(workspace)


@pytest.fixture
def world(shared: SharedProject) -> SharedProject:
    """The project without schedules."""
    with shared.workspace.database.write() as connection:
        connection.execute(delete(schedules))
    return shared


@pytest.fixture
def editor(world: SharedProject) -> Client:
    """Edda's browser."""
    return browser_of(world.app, person("edda"))


def made(client: Client, **values: Any) -> dict[str, Any]:
    """Make a schedule."""
    answer = client.post(API, json={**DAILY, **values})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_schedule_is_made_and_read_as_it_was_asked_for(editor: Client) -> None:
    body = made(editor, parameters={"alpha": "0.7"}, version=1, missed="all")

    assert body["parameters"] == {"alpha": 0.7}
    assert (body["version"], body["missed"], body["created_by"]) == (1, "all", "edda")
    assert (body["words"], body["last_error"], body["last_runs"]) == ("At 02:30 every day", "", [])
    times = [datetime.fromisoformat(text) for text in body["next_times"]]
    assert len(times) == 5
    assert times == sorted(times)
    assert {f"{time:%H:%M}" for time in times} == {"02:30"}
    assert all(time > datetime.now(UTC) for time in times)
    assert editor.get(f"{API}/{body['id']}").json() == body
    listed = editor.get(API).json()
    assert (listed["total"], [item["id"] for item in listed["items"]]) == (1, [body["id"]])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"cron": "@hourly"}, {"cron": "@hourly"}),
        ({"version": 1}, {"version": 1}),
        ({"parameters": {}}, {"parameters": {}}),
        ({"inputs": ["data"]}, {"inputs": ["data"]}),
        ({"inputs": ["data"], "cron": None}, {"inputs": ["data"], "cron": None}),
        ({"missed": "skip"}, {"missed": "skip"}),
        ({}, {}),
    ],
)
def test_change_leaves_what_it_does_not_name(
    editor: Client, change: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = made(editor, parameters={"alpha": 0.7})

    answer = editor.request("PATCH", f"{API}/{before['id']}", json=change)

    assert answer.status_code == 200
    named = ("cron", "version", "parameters", "inputs", "missed", "time_zone", "pipeline")
    assert {name: answer.json()[name] for name in named} == {
        name: {**before, **expected}[name] for name in named
    }


def test_inputs_are_taken_away(editor: Client) -> None:
    before = made(editor, inputs=["data"])
    assert before["inputs"] == ["data"]

    answer = editor.request("PATCH", f"{API}/{before['id']}", json={"on_changed_data": False})

    assert answer.json()["inputs"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**DAILY, "cron": "0 0 30 2 *"}, 422, "schedule_invalid"),
        ({**DAILY, "cron": "* * * * * *"}, 422, "schedule_invalid"),
        ({**DAILY, "cron": "x" * 5000}, 422, "invalid_input"),
        ({**DAILY, "time_zone": "Berlin"}, 422, "schedule_invalid"),
        ({**DAILY, "time_zone": "\0"}, 422, "schedule_invalid"),
        ({"pipeline": PIPELINE}, 422, "schedule_invalid"),
        ({**DAILY, "inputs": ["/etc/passwd"]}, 422, "schedule_invalid"),
        ({**DAILY, "inputs": [f"data/{number}" for number in range(30)]}, 422, "schedule_invalid"),
        ({**DAILY, "missed": "twice"}, 422, "invalid_input"),
        ({**DAILY, "colour": "red"}, 422, "invalid_input"),
        ({**DAILY, "parameters": {"beta": 1}}, 422, "parameter_unknown"),
        ({**DAILY, "parameters": {"alpha": "much"}}, 422, "parameter_invalid"),
        ({**DAILY, "version": 9}, 404, "version_not_found"),
        ({**DAILY, "pipeline": "absent"}, 404, "pipeline_not_found"),
        ({**DAILY, "pipeline": "../x"}, 422, "name_invalid"),
    ],
)
def test_what_can_not_be_used_is_refused(
    editor: Client, body: dict[str, Any], status: int, code: str
) -> None:
    answer = editor.post(API, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert editor.get(API).json()["total"] == 0


def test_preview_says_words_and_times_or_why_not(editor: Client) -> None:
    body = {"cron": " 30  2 * * 1-5 ", "time_zone": "America/New_York"}

    found = editor.post(f"{API}/preview", json=body).json()
    refused = editor.post(f"{API}/preview", json={"cron": "0 0 31 4 *"})

    assert found["cron"] == "30 2 * * 1-5"
    assert found["words"] == "At 02:30 on Monday through Friday"
    assert len(found["next_times"]) == 5
    assert (refused.status_code, refused.json()["code"]) == (422, "schedule_invalid")


def test_pause_resume_and_run_now(editor: Client) -> None:
    schedule_id = made(editor, parameters={"alpha": 0.7})["id"]

    paused = editor.post(f"{API}/{schedule_id}/pause").json()
    assert (paused["is_paused"], paused["next_times"]) == (True, [])
    resumed = editor.post(f"{API}/{schedule_id}/resume").json()
    assert (resumed["is_paused"], len(resumed["next_times"])) == (False, 5)
    run = editor.post(f"{API}/{schedule_id}/run-now").json()
    assert (run["parameters"]["alpha"], run["requested_by"]) == (0.7, "edda")

    body = editor.get(f"{API}/{schedule_id}").json()
    assert [item["id"] for item in body["last_runs"]] == [run["id"]]
    assert editor.request("DELETE", f"{API}/{schedule_id}").status_code == 204
    assert editor.get(f"{API}/{schedule_id}").json()["code"] == "schedule_not_found"


def test_error_and_runs_of_its_times_are_shown(world: SharedProject, editor: Client) -> None:
    schedule_id = made(editor, missed="once")["id"]
    tomorrow = datetime.now(UTC) + timedelta(days=1, hours=1)

    (run_id,) = make_due_runs(world.workspace, "process", now=tomorrow)
    made(editor, inputs=["absent.csv"])
    make_due_runs(world.workspace, "process", now=tomorrow)

    fine, troubled = editor.get(API).json()["items"]
    assert (fine["id"], fine["last_runs"][0]["id"]) == (schedule_id, run_id)
    assert "absent.csv is not there" in troubled["last_error"]
    page = editor.get(PAGE).text
    assert "absent.csv is not there" in page
    assert f"/pages/{run_id}" in page


def test_schedule_whose_zone_is_gone_can_still_be_listed(
    world: SharedProject, editor: Client
) -> None:
    schedule_id = made(editor)["id"]
    with world.workspace.database.write() as connection:
        connection.execute(update(schedules).values(time_zone="Europe/Atlantis"))

    (item,) = editor.get(API).json()["items"]

    assert (item["next_times"], item["words"]) == ([], "")
    assert editor.get(PAGE).status_code == 200
    assert editor.get(f"{PAGE}?change={schedule_id}").status_code == 200


def test_gallery_without_a_dispatcher_makes_no_schedules(world: SharedProject) -> None:
    app = create_app(world.workspace, is_behind_login=True)
    client = browser_of(app, person("edda"))

    answer = client.post(API, json=DAILY)
    form = client.post(PAGE, data=DAILY)

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert form.status_code == 409
    assert "nb2prod up" in client.get(PAGE).text


class TestForms:
    """The page without its scripts."""

    @pytest.mark.parametrize(
        ("fields", "status", "said"),
        [
            ({"cron": "0 0 30 2 *"}, 422, "never comes"),
            ({"version": "three"}, 422, "is no version&#39;s number"),
            ({"version": "9" * 40}, 422, "is no version&#39;s number"),
            ({"version": "7"}, 404, "v7"),
            ({"parameters": "alpha"}, 422, "is no parameter"),
            ({"parameters": "alpha = 1\nalpha = 2"}, 422, "given twice"),
            ({"parameters": "beta = 1"}, 422, "no parameter"),
            ({"missed": "never"}, 422, "nothing that can be done"),
            ({"pipeline": "absent"}, 404, "no pipeline"),
            ({"cron": ""}, 422, "declares no inputs"),
            ({"on_changed_data": "yes", "inputs": ".."}, 422, "can&#39;t be watched"),
        ],
    )
    def test_error_stands_beside_what_was_typed(
        self, editor: Client, fields: dict[str, str], status: int, said: str
    ) -> None:
        typed = {**DAILY, "time_zone": "Asia/Tokyo", **fields}

        answer = editor.post(PAGE, data=typed)

        assert answer.status_code == status
        assert said in answer.text
        assert 'value="Asia/Tokyo"' in answer.text
        assert editor.get(API).json()["total"] == 0

    def test_form_of_a_schedule_changes_nothing_when_sent_as_it_is(self, editor: Client) -> None:
        before = made(
            editor, parameters={"alpha": 0.7}, inputs=["data", "flights.csv"], missed="all"
        )
        shown = editor.get(f"{PAGE}?change={before['id']}").text
        assert "data\nflights.csv</textarea>" in shown
        assert "alpha = 0.7</textarea>" in shown

        answer = editor.post(
            f"{PAGE}/{before['id']}",
            data={
                "cron": "30 2 * * *",
                "time_zone": "Europe/Berlin",
                "on_changed_data": "yes",
                "inputs": "data\r\nflights.csv",
                "parameters": "alpha = 0.7",
                "missed": "all",
            },
        )

        assert answer.status_code == 303
        assert editor.get(f"{API}/{before['id']}").json() == before

    def test_data_that_is_not_wanted_any_more_is_not_watched(self, editor: Client) -> None:
        before = made(editor, inputs=["data"])

        editor.post(f"{PAGE}/{before['id']}", data={"cron": "@daily", "inputs": "data"})

        assert editor.get(f"{API}/{before['id']}").json()["inputs"] == []

    def test_preview_makes_nothing(self, editor: Client) -> None:
        answer = editor.post(PAGE, data={**DAILY, "act": "preview"})

        assert answer.status_code == 200
        assert "At 02:30 every day" in answer.text
        assert editor.get(API).json()["total"] == 0

    def test_form_of_a_schedule_that_is_gone_is_not_found(self, editor: Client) -> None:
        for answer in (
            editor.get(f"{PAGE}?change=absentabsent"),
            editor.post(f"{PAGE}/absentabsent", data=DAILY),
            editor.post(f"{PAGE}/absentabsent/pause"),
        ):
            assert answer.status_code == 404
