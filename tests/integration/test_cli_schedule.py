"""``nb2prod schedule``, as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nb2prod.jobs.schedules import make_due_runs
from nb2prod.settings import Settings
from nb2prod.store.git import Repository
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import parameters


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The repository of a project of ada's with a version, which the commands work in."""
    repository = Repository.create(tmp_path / "seats")
    make_version(repository, parameters("alpha: float = 0.2"))
    monkeypatch.chdir(repository.root)
    return repository


def nb2prod(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nb2prod.cli", "schedule", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answer_of(*arguments: str) -> Any:
    """What a command prints as JSON."""
    done = nb2prod(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_schedule_is_added_listed_paused_resumed_and_removed() -> None:
    arguments = ("--cron", "30 6 * * 1-5", "--time-zone", "Europe/Berlin", "-p", "alpha=0.7")
    made = answer_of("add", "train@v1", *arguments, "--missed", "all")
    schedule_id = made["schedule"]["id"]

    assert made["schedule"]["parameters"] == {"alpha": 0.7}
    assert (made["schedule"]["version"], made["schedule"]["missed"]) == (1, "all")
    assert len(made["next_times"]) == 5
    assert [item["schedule"]["id"] for item in answer_of("list")] == [schedule_id]
    shown = nb2prod("next", schedule_id).stdout
    assert shown.startswith("At 06:30 on Monday through Friday (Europe/Berlin)")
    assert len(shown.splitlines()) == 6

    assert answer_of("pause", schedule_id)["next_times"] == []
    assert "paused" in nb2prod("list").stdout
    assert len(answer_of("resume", schedule_id)["next_times"]) == 5
    assert nb2prod("remove", schedule_id).returncode == 0
    assert "has no schedule" in nb2prod("list").stdout


def test_schedule_on_data_makes_runs_of_its_persons(repository: Repository) -> None:
    (repository.root / "flights.csv").write_text("JFK,1\n")
    made = answer_of("add", "train", "--watch", "flights.csv")
    assert made["schedule"]["inputs"] == ["flights.csv"]

    with open_workspace(Settings.from_environment()) as workspace:
        start = datetime.now(UTC)
        make_due_runs(workspace, "process", now=start)
        (repository.root / "flights.csv").write_text("JFK,2\n")
        made_runs = [
            make_due_runs(workspace, "process", now=start + timedelta(seconds=31 * number))
            for number in (1, 2, 3)
        ]

    assert [len(ids) for ids in made_runs] == [0, 1, 0]
    assert "When there is a change in flights.csv" in " ".join(nb2prod("list").stdout.split())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("add", "train", "--cron", "0 0 30 2 *"), 2, "never comes"),
        (("add", "train", "--cron", "@daily", "--time-zone", "Berlin"), 2, "Europe/Berlin"),
        (("add", "train"), 2, "declares no inputs"),
        (("add", "train@v7", "--cron", "@daily"), 3, "train@v7"),
        (("add", "train", "--cron", "@daily", "-p", "alhpa=1"), 2, "Did you mean alpha?"),
        (("add", "train", "--cron", "@daily", "--project", "absent"), 3, "absent"),
        (("pause", "absentabsent"), 3, "no schedule"),
        (("next",), 2, "--cron"),
        (("next", "absentabsent", "--cron", "@daily"), 2, "--cron"),
    ],
)
def test_what_can_not_be_done_is_said(arguments: tuple[str, ...], status: int, said: str) -> None:
    done = nb2prod(*arguments)

    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_time_is_tried_without_a_schedule() -> None:
    done = nb2prod("next", "--cron", "@hourly", "--time-zone", "America/New_York")

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 6
    assert done.stdout.splitlines()[1].rpartition(" ")[2] in {"EST", "EDT"}
