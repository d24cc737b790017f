"""Looks at data in a folder that others write to: what counts as changed, and what is not read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nb2prod.errors import ScheduleInvalid
from nb2prod.jobs import changed_inputs
from nb2prod.jobs.changed_inputs import Looker, Unfinished, check_inputs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder with a file and a folder of files."""
    folder = tmp_path / "seats"
    (folder / "data" / "2026").mkdir(parents=True)
    (folder / "flights.csv").write_text("JFK,1\n")
    (folder / "data" / "a.csv").write_text("a\n")
    (folder / "data" / "2026" / "b.csv").write_text("b\n")
    return folder


def hashes(root: Path, *paths: str) -> list[str | None]:
    """What a fresh look finds."""
    found = Looker().look(root, paths)
    return [found.hashes[path] for path in paths]


def settle(path: Path) -> None:
    """Wait until the system's times of a file are old enough to be trusted."""
    deadline = path.stat().st_ctime_ns + changed_inputs._SETTLED_AFTER_NS
    while time.time_ns() <= deadline:
        time.sleep(0.05)


def test_content_decides_and_nothing_else(root: Path) -> None:
    before = hashes(root, "flights.csv", "data")

    (root / "flights.csv").write_text("JFK,1\n")
    os.utime(root / "data" / "a.csv", (1, 1))
    (root / "data" / "empty").mkdir()
    assert hashes(root, "flights.csv", "data") == before

    (root / "flights.csv").write_text("JFK,2\n")
    assert hashes(root, "flights.csv")[0] != before[0]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: (data / "2026" / "b.csv").write_text("c\n"), id="content"),
        pytest.param(lambda data: (data / "a.csv").rename(data / "z.csv"), id="name"),
        pytest.param(lambda data: (data / "a.csv").rename(data / "2026" / "a.csv"), id="place"),
        pytest.param(lambda data: (data / "new.csv").write_text(""), id="new-and-empty"),
        pytest.param(lambda data: (data / "a.csv").unlink(), id="gone"),
    ],
)
def test_folder_changes_with_any_of_its_files(root: Path, change: Callable[[Path], object]) -> None:
    before = hashes(root, "data")

    change(root / "data")

    assert hashes(root, "data") != before


def test_names_and_contents_can_not_be_taken_for_each_other(root: Path) -> None:
    (root / "one").mkdir()
    (root / "two").mkdir()
    (root / "one" / "ab").write_text("c")
    (root / "two" / "a").write_text("bc")

    assert len(set(hashes(root, "one", "two"))) == 2


def test_file_is_read_once_while_it_stays_as_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(root / "flights.csv")
    looker = Looker()
    first = looker.look(root, ["flights.csv", "data"])

    # Nothing is left for reading: only what is remembered can be said.
    monkeypatch.setattr(looker, "_budget_bytes", 0)
    assert looker.look(root, ["flights.csv", "data"]) == first

    (root / "flights.csv").write_text("JFK,2\n")
    with pytest.raises(Unfinished):
        looker.look(root, ["flights.csv"])


def test_change_with_the_old_size_and_time_is_seen(root: Path) -> None:
    path = root / "flights.csv"
    settle(path)
    before = path.stat()
    looker = Looker()
    first = looker.look(root, ["flights.csv"])

    path.write_text("JFK,9\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert path.stat().st_size == before.st_size
    assert looker.look(root, ["flights.csv"]) != first


def test_change_right_after_a_look_is_seen(root: Path) -> None:
    looker = Looker()
    seen = set()
    for number in range(50):
        (root / "flights.csv").write_text(f"JFK,{number % 10}\n")
        seen.add(looker.look(root, ["flights.csv"]).hashes["flights.csv"])

    assert len(seen) == 10


def test_large_file_is_read_over_several_looks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_inputs, "_CHUNK_BYTES", 10)
    path = root / "flights.csv"
    path.write_bytes(os.urandom(95))
    looker = Looker(budget_bytes=40)
    with pytest.raises(Unfinished) as caught:
        looker.look(root, ["flights.csv"])
    assert caught.value.is_written
    settle(path)

    for _ in range(2):
        with pytest.raises(Unfinished) as caught:
            looker.look(root, ["flights.csv"])
        assert not caught.value.is_written

    assert looker.look(root, ["flights.csv"]) == Looker().look(root, ["flights.csv"])


def test_large_file_that_changes_meanwhile_is_read_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed_inputs, "_CHUNK_BYTES", 10)
    path = root / "flights.csv"
    path.write_bytes(b"a" * 95)
    settle(path)
    looker = Looker(budget_bytes=60)
    with pytest.raises(Unfinished):
        looker.look(root, ["flights.csv"])

    path.write_bytes(b"b" * 95)
    settle(path)
    with pytest.raises(Unfinished):
        looker.look(root, ["flights.csv"])

    assert looker.look(root, ["flights.csv"]) == Looker().look(root, ["flights.csv"])


def _link_to_file(root: Path, outside: Path) -> None:
    (root / "input").symlink_to(outside / "secret")


def _link_to_folder(root: Path, outside: Path) -> None:
    (root / "input").symlink_to(outside)


def _link_on_the_way(root: Path, outside: Path) -> None:
    (root / "way").symlink_to(outside)


def _pipe(root: Path, _outside: Path) -> None:
    os.mkfifo(root / "input")


def _nothing(_root: Path, _outside: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (_link_to_file, "input"),
        (_link_to_folder, "input"),
        (_link_on_the_way, "way/secret"),
        (_pipe, "input"),
        (_nothing, "input"),
        (_nothing, "flights.csv/input"),
    ],
)
def test_what_is_no_plain_file_beneath_the_folder_is_not_there(
    root: Path, tmp_path: Path, make: Callable[[Path, Path], None], path: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    make(root, outside)

    found = Looker().look(root, [path, "flights.csv"])

    assert found.hashes[path] is None
    assert found.hashes["flights.csv"] is not None
    assert f"The input {path} is not there" in found.trouble


def test_links_and_pipes_in_a_folder_are_left_out(root: Path, tmp_path: Path) -> None:
    before = hashes(root, "data")
    (tmp_path / "secret").write_text("secret")

    (root / "data" / "link").symlink_to(tmp_path / "secret")
    (root / "data" / "up").symlink_to(tmp_path)
    os.mkfifo(root / "data" / "pipe")

    assert hashes(root, "data") == before


def test_folder_with_too_many_files_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_inputs, "MAX_FILES", 5)
    assert Looker().look(root, ["data"]).trouble == ""
    for number in range(5):
        (root / "data" / f"link{number}").symlink_to(root)

    found = Looker().look(root, ["data"])

    assert found.hashes == {"data": None}
    assert "more than 5 files" in found.trouble


def test_folder_that_is_nested_too_deeply_is_said(root: Path) -> None:
    (root / "data" / "/".join("d" * 40)).mkdir(parents=True)

    found = Looker().look(root, ["data", "flights.csv"])

    assert found.hashes["data"] is None
    assert "nested" in found.trouble


def test_file_that_is_too_large_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_inputs, "MAX_BYTES", 5 * 10**9)
    with (root / "flights.csv").open("wb") as stream:
        stream.truncate(6 * 10**9)

    found = Looker().look(root, ["flights.csv"])

    assert found.hashes == {"flights.csv": None}
    assert "more than 5 GB" in found.trouble


def test_project_whose_folder_is_gone_is_said(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)

    for folder in (tmp_path / "absent", tmp_path / "link"):
        found = Looker().look(folder, ["data"])
        assert found.hashes == {"data": None}
        assert "folder is not there" in found.trouble


@pytest.mark.parametrize(
    "path", ["", ".", "/etc/passwd", "..", "data/../../x", "a\nb", "a\0b", "a\\b", "x" * 501]
)
def test_path_that_leads_elsewhere_can_not_be_watched(path: str) -> None:
    with pytest.raises(ScheduleInvalid, match="can't be watched"):
        check_inputs([path])


def test_too_many_inputs_are_refused() -> None:
    with pytest.raises(ScheduleInvalid, match="may watch 20"):
        check_inputs([f"data/{number}" for number in range(21)])
