"""Artifacts, headings, cancellation, lineage's rules: what needs no kernel."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nb2prod_kernels import probe

from nb2prod.execution.artifacts import distinct, kind_of, media_type_of
from nb2prod.execution.cancellation import Cancellation
from nb2prod.execution.lineage import Lineage
from nb2prod.execution.models import Artifact, ArtifactKind, RunRecord, RunStatus
from nb2prod.execution.papermill_io import Origin
from nb2prod.execution.processes import make_socket_folder, remove_socket_folders
from nb2prod.execution.record_json import record_from_json, record_to_json
from nb2prod.execution.recorder import now
from nb2prod.execution.runner import last_heading
from nb2prod.execution.tracking import read_back
from nb2prod.registry.models import Reference


@pytest.mark.parametrize(
    ("name", "kind", "media_type"),
    [
        ("data/a.parquet", ArtifactKind.TABLE, "application/vnd.apache.parquet"),
        ("A.CSV", ArtifactKind.TABLE, "text/csv"),
        ("plot.png", ArtifactKind.FIGURE, "image/png"),
        ("plot.svg", ArtifactKind.FIGURE, "image/svg+xml"),
        ("net.pt", ArtifactKind.MODEL, "application/octet-stream"),
        ("a.csv.gz", ArtifactKind.FILE, "application/octet-stream"),
        ("noext", ArtifactKind.FILE, "application/octet-stream"),
        ("x.html", ArtifactKind.FILE, "text/html"),
    ],
)
def test_artifact_has_a_kind_and_a_media_type(
    name: str, kind: ArtifactKind, media_type: str
) -> None:
    assert kind_of(name) is kind
    assert media_type_of(name) == media_type


def test_artifacts_of_one_content_are_one() -> None:
    def artifact(name: str, sha256: str) -> Artifact:
        return Artifact(
            name=name, kind=ArtifactKind.FILE, media_type="", sha256=sha256, size_bytes=1
        )

    kept = distinct([artifact("a", "1"), artifact("files/a", "1"), artifact("b", "2")])

    assert [item.name for item in kept] == ["a", "b"]


@pytest.mark.parametrize(
    ("markdown", "heading"),
    [
        ("text", ""),
        ("# One\n\n## Two ##\ntext", "Two"),
        ("```\n# comment\n```", ""),
        ("#hashtag", ""),
        ("   ### Deep", "Deep"),
    ],
)
def test_last_heading_of_a_markdown_cell(markdown: str, heading: str) -> None:
    assert last_heading(markdown) == heading


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, None),
        ({"nb2prod": "x"}, None),
        ({"nb2prod": {"main_metric": "mape"}}, None),
        ({"nb2prod": {"root": "/r", "pipeline": "train", "version": "no"}}, None),
        (
            {"nb2prod": {"root": "/r", "pipeline": "train", "version": 3, "commit": "c"}},
            Origin(project=None, root=Path("/r"), reference=Reference("train", 3), commit="c"),
        ),
    ],
)
def test_origin_is_read_only_where_a_version_says_so(
    metadata: dict[str, Any], expected: Origin | None
) -> None:
    assert Origin.of(metadata) == expected


def test_record_survives_json_with_any_text() -> None:
    record = RunRecord(
        id="abc",
        project="p",
        pipeline="train",
        version=1,
        commit="c",
        parameters={"a": [1, None, {"b": 2.5}], "inf": float("inf")},
        status=RunStatus.FAILED,
        reason="half \ud800",
        requested_by="ada",
        requested_via="cli",
        created_at=now(),
        started_at=None,
        ended_at=None,
        kernel_name="python3",
        lock_sha256="",
        lock_is_observed=True,
    )

    again = record_from_json(json.loads(json.dumps(record_to_json(record))))

    assert again.reason == "half ?"
    assert again.parameters == record.parameters
    assert (again.status, again.created_at) == (record.status, record.created_at)


def test_cancellation_wins_over_a_task_and_a_second_request_is_told_apart() -> None:
    async def race() -> list[bool]:
        cancellation = Cancellation()
        cancellation.request("before the loop")
        cancellation.bind(asyncio.get_running_loop())
        waiting = asyncio.ensure_future(asyncio.Event().wait())
        done = asyncio.ensure_future(asyncio.Event().wait())
        done.cancel()
        await asyncio.wait({done})
        found = [
            await cancellation.race(waiting, None),
            await cancellation.race(waiting, 0, is_second=True),
            await cancellation.race(done, None, is_second=True),
        ]
        cancellation.request("again")
        found.append(await cancellation.race(waiting, None, is_second=True))
        waiting.cancel()
        assert cancellation.cause == "before the loop"
        return found

    assert asyncio.run(race()) == [True, False, False, True]


class Journal:
    """Plays the probe: writes facts as the kernel's side does."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        self.path = folder / "opened.jsonl"
        started = time.time_ns() - 10**9
        self.lineage = Lineage(self.root, self.path, (self.root / "home",), started)

    def tell(self, path: str, mode: str, state: os.stat_result | None = None) -> None:
        fact: dict[str, object] = {"path": path, "mode": mode}
        if state is not None:
            fact["state"] = [state.st_mtime_ns, state.st_size, state.st_ino]
        with self.path.open("a") as stream:
            stream.write(json.dumps(fact) + "\n")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        ".git/config",
        "a/.ipynb_checkpoints/b.ipynb",
        "lib/site-packages/x.py",
        "m.pyc",
        "home/nb2prod.db",
        "../outside.txt",
        "/etc/hostname",
        "folder",
        "pipe",
        "env/pyvenv.cfg",
    ],
)
def test_file_that_is_none_of_the_projects_is_left_out(journal: Journal, name: str) -> None:
    path = journal.root / name
    if name == "folder":
        path.mkdir()
    elif name == "pipe":
        os.mkfifo(path)
    elif not name.startswith("/"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    journal.tell(str(path), "r")

    assert journal.lineage.look() == ()
    assert journal.lineage.settle() == ()


def test_read_file_that_vanished_counts_as_changed(journal: Journal) -> None:
    path = journal.root / "a.txt"
    path.write_text("x")
    journal.tell(str(path), "r")
    (seen,) = journal.lineage.look()
    path.unlink()

    (use,) = journal.lineage.settle()

    assert (use.sha256, use.is_changed) == (seen.sha256, True)


def test_file_that_was_written_after_it_was_read_and_before_it_was_hashed_is_changed(
    journal: Journal,
) -> None:
    kept, written = journal.root / "kept.txt", journal.root / "written.txt"
    for path in (kept, written):
        path.write_text("x")
        journal.tell(str(path), "r", path.stat())
    written.write_text("another")

    journal.lineage.look()

    assert {use.path: use.is_changed for use in journal.lineage.settle()} == {
        "kept.txt": False,
        "written.txt": True,
    }


def test_read_file_that_was_rewritten_with_the_same_content_is_unchanged(
    journal: Journal,
) -> None:
    path = journal.root / "a.txt"
    path.write_text("x")
    journal.tell(str(path), "r")
    journal.lineage.look()
    (journal.root / "b.txt").write_text("x")
    (journal.root / "b.txt").replace(path)

    (use,) = journal.lineage.settle()

    assert not use.is_changed


def test_half_a_line_of_the_journal_waits_for_its_end(journal: Journal) -> None:
    path = journal.root / "a.txt"
    path.write_text("x")
    journal.tell(str(path), "r")
    whole = journal.path.read_text()
    journal.path.write_text(whole[:10])
    assert journal.lineage.look() == ()

    journal.path.write_text(whole)

    assert [use.path for use in journal.lineage.look()] == ["a.txt"]


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"], ids=["too long", "with a NUL"])
def test_name_that_no_file_can_have_is_left_out(journal: Journal, name: str) -> None:
    (journal.root / "a.txt").write_text("x")
    journal.tell(str(journal.root / name), "r")
    journal.tell(str(journal.root / name), "w")
    journal.tell(str(journal.root / "a.txt"), "r")

    assert [use.path for use in journal.lineage.look()] == ["a.txt"]
    assert [use.path for use in journal.lineage.settle()] == ["a.txt"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("file:data/a%20b.db?mode=ro", "data/a b.db"),
        ("file:///srv/a.db#x", "/srv/a.db"),
        ("file://localhost/srv/a.db", "/srv/a.db"),
        ("a.db", "a.db"),
        (b"file:a.db", b"file:a.db"),
    ],
)
def test_database_by_an_uri_is_the_file_that_it_names(name: object, path: object) -> None:
    assert probe._database(name) == path


def test_socket_folders_of_a_run_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (make_socket_folder("abc") / "kernel.json").write_text("key")
    other = make_socket_folder("def")

    remove_socket_folders("abc")
    remove_socket_folders("abc")

    assert list(tmp_path.glob("nb2prod-*")) == [other]
    assert other.stat().st_mode & 0o777 == 0o700


class ServerClient:
    """Plays MLflow's client of a server, which copies what it is asked for."""

    def get_run(self, run_id: str) -> Any:
        info = SimpleNamespace(
            run_id=run_id, experiment_id="1", artifact_uri=f"mlflow-artifacts:/1/{run_id}"
        )
        return SimpleNamespace(info=info, data=SimpleNamespace(metrics={}), outputs=None)

    def search_runs(self, _experiments: list[str], *, filter_string: str) -> list[Any]:
        return []

    def list_artifacts(self, _run_id: str, _path: str | None) -> list[Any]:
        return [SimpleNamespace(path="a.txt", is_dir=False)]

    def download_artifacts(self, _run_id: str, path: str, dst_path: str | None = None) -> str:
        file = Path(dst_path or tempfile.mkdtemp()) / path
        file.write_text("x")
        return str(file)


def test_copies_of_what_a_server_has_lie_in_the_runs_folder(tmp_path: Path) -> None:
    (file,) = read_back(ServerClient(), "m", tmp_path / "downloads").files

    assert file.path == tmp_path / "downloads" / "m" / "a.txt"
