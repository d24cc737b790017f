"""Removing what a stranger wrote."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from nb2prod.execution.removal import remove_tree

# More than Python's calls, and more than a process's open files.
DEEP = 3000


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "kept").write_text("kept")
    return folder


def test_tree_that_is_very_deep_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)

    remove_tree(top)

    assert not top.exists()


def test_tree_with_all_that_is_no_file_is_removed_and_links_are_not_followed(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "top"
    (top / "closed" / "inner").mkdir(parents=True)
    (top / "link").symlink_to(outside)
    (top / "closed" / "file").symlink_to(outside / "kept")
    (top / "closed" / "inner" / "dangling").symlink_to("nowhere")
    os.link(outside / "kept", top / "hard")
    os.mkfifo(top / "pipe")
    # A socket's path is short.
    monkeypatch.chdir(top)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    if os.geteuid() == 0:
        # As an overlay marks a file that was removed.
        os.mknod(top / "whiteout", 0o020000, os.makedev(0, 0))
    (top / "closed" / "inner").chmod(0)
    (top / "closed").chmod(0o500)

    remove_tree(top)

    assert not os.path.lexists(top)
    assert (outside / "kept").read_text() == "kept"


def test_link_in_place_of_a_tree_is_removed_by_itself(tmp_path: Path, outside: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(outside)

    remove_tree(link)

    assert not os.path.lexists(link)
    assert (outside / "kept").exists()


def test_tree_that_is_not_there_is_well(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nowhere")
