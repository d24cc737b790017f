"""What a worker is given."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nb2prod.errors import NotAVersion
from nb2prod.execution.collect import read_request
from nb2prod.execution.recorder import RunFolder
from nb2prod.execution.request import prepare_folder, read_version, write_version
from nb2prod.notebook.parameters import Parameter, ParameterType
from nb2prod.registry.models import EnvironmentLock, Manifest, Version
from nb2prod.settings import WorkerSettings
from tests.helpers.gallery import make_record

VERSION = Version(
    pipeline="train",
    number=3,
    commit="c0ffee",
    author="Ada Lövelace",
    created_at=datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
    repository=Path("/repositories/seats.git"),
    script="# %%\nprint('Plätze → 180')\n",
    manifest=Manifest(
        title="Seats",
        kernel_name="python3",
        kernel_display_name="Python 3",
        language="python",
        notebook="private/ada/train.ipynb",
        directory=".",
        parameters=(Parameter("alpha", ParameterType.FLOAT, 1.0, help="how much"),),
        python="3.11.7",
        lock_is_observed=True,
        main_metric="mape",
        lower_is_better=True,
    ),
    lock=EnvironmentLock(text="numpy==2.0.0\n", python="3.11.7", is_observed=True),
    assets={"assets/plot.png": bytes(range(256)), "empty": b""},
    modules={"models/lags.py": b"LAG = 7\n"},
)


def test_version_comes_back_but_for_its_repository(tmp_path: Path) -> None:
    write_version(tmp_path / "version.json", VERSION)

    again = read_version(tmp_path / "version.json", repository=VERSION.repository)

    assert again == VERSION
    assert str(VERSION.repository) not in (tmp_path / "version.json").read_text()


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b"\xff"], ids=repr)
def test_file_that_holds_no_version_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "version.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(NotAVersion, match="holds no version"):
        read_version(path, repository=tmp_path)


def test_worker_gets_copies_for_itself(tmp_path: Path) -> None:
    folder, asked = RunFolder(tmp_path / "run"), make_record()

    work = prepare_folder(folder, asked, VERSION)
    work.request.write_text("changed by the run")
    again = prepare_folder(folder, asked, VERSION)

    assert again == work == folder.work
    assert read_request(work) == read_request(folder) == asked
    assert read_version(work.version, repository=VERSION.repository) == VERSION
    assert work.path.stat().st_mode & 0o777 == 0o700


def test_what_an_attempt_left_is_set_aside_and_what_was_asked_for_stays(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    work = prepare_folder(folder, make_record(), VERSION)
    work.events.write_text("{}")

    folder.set_aside(1)
    folder.set_aside(1)

    assert sorted(entry.name for entry in folder.path.iterdir()) == [
        "attempts",
        "request.json",
        "version.json",
    ]
    assert (folder.path / "attempts" / "1" / "work" / "events.jsonl").read_text() == "{}"


def test_worker_is_told_of_mlflow_by_its_environment() -> None:
    environment = {"MLFLOW_TRACKING_URI": "http://mlflow", "MLFLOW_WORKSPACE": "seats"}

    assert WorkerSettings.from_environment(environment) == WorkerSettings(
        mlflow_uri="http://mlflow", mlflow_workspace="seats"
    )
    empty = dict.fromkeys(environment, "")
    assert WorkerSettings.from_environment(empty) == WorkerSettings()
