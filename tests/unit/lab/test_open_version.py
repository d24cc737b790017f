"""A version that is opened becomes a new file, and nothing else is touched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nb2prod_lab import open_version
from nb2prod_lab.open_version import write_new

from nb2prod.errors import StorageUnusable


def test_write_new_takes_the_next_free_name(tmp_path: Path) -> None:
    names = [write_new(tmp_path, "train@v1", content) for content in (b"1", b"2", b"3")]
    assert names == ["train@v1.ipynb", "train@v1 (2).ipynb", "train@v1 (3).ipynb"]
    assert [(tmp_path / name).read_bytes() for name in names] == [b"1", b"2", b"3"]


def test_write_new_where_a_link_has_the_name_leaves_its_target(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("kept")
    (tmp_path / "train@v1.ipynb").symlink_to(target)
    (tmp_path / "train@v1 (2).ipynb").symlink_to(tmp_path / "nowhere")
    assert write_new(tmp_path, "train@v1", b"new") == "train@v1 (3).ipynb"
    assert target.read_text() == "kept"
    assert not (tmp_path / "nowhere").exists()


def test_write_new_from_many_at_once_gives_each_its_own(tmp_path: Path) -> None:
    contents = [str(number).encode() for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda content: write_new(tmp_path, "a@v1", content), contents))
    assert len(set(names)) == len(contents)
    assert [(tmp_path / name).read_bytes() for name in names] == contents


def test_write_new_into_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageUnusable, match="can't be written"):
        write_new(tmp_path / "gone", "train@v1", b"")


def test_write_new_with_too_many_copies_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_version, "MAX_COPIES", 2)
    write_new(tmp_path, "train@v1", b"")
    write_new(tmp_path, "train@v1", b"")
    with pytest.raises(StorageUnusable, match="2 copies"):
        write_new(tmp_path, "train@v1", b"")
