"""Where kernels start."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb2prod_lab.kernels import ProjectKernelManager


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A server's root with a notebook folder in each of its two parts."""
    for folder in ("project/models", "private/drafts", "privateer"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("project/models", "project/models"),
        ("project", "project"),
        ("private", "project"),
        ("/private/drafts/", "project"),
        ("private/drafts/a.ipynb", "private/drafts"),
        ("privateer", "privateer"),
        ("", "."),
    ],
)
def test_kernel_of_a_path_starts_in_its_folder(home: Path, path: str, folder: str) -> None:
    manager = ProjectKernelManager(root_dir=str(home), project_folder=str(home / "project"))
    assert Path(manager.cwd_for_path(path)) == home / folder


def test_kernel_without_a_project_folder_starts_beside_its_notebook(home: Path) -> None:
    manager = ProjectKernelManager(root_dir=str(home), project_folder="")
    assert Path(manager.cwd_for_path("private/drafts")) == home / "private/drafts"
