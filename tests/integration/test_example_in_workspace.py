"""The example as a hub founds it: its files in the shared folder, its versions beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from nb2prod.cli.example import (
    NOTEBOOKS,
    install_example_files,
    keep_models,
    promote_example,
    versions_to_run,
)
from nb2prod.errors import InvalidInput, StorageUnusable
from nb2prod.execution.models import Artifact, ArtifactKind, Profile, RunStatus
from nb2prod.execution.run import RunOptions, run_version
from nb2prod.knowledge.pages import catch_up
from nb2prod.registry.lock import observe_environment
from nb2prod.registry.versions import list_versions
from nb2prod.server.app import create_app
from nb2prod.store.git import Repository
from nb2prod.workspace.policy import PERSON_UID, project_gid
from nb2prod.workspace.projects import Project, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import Client, session_of
from tests.helpers.runs import finished_run

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "seat-demand"


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return found_project(workspace, "seat-demand", owner="ada")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The example, but for its data: what is made takes no time here."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "seat-demand"))
    (folder / "make_data.py").write_text(
        "import pathlib, sys\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--output') + 1])\n"
        "folder.mkdir()\n"
        "(folder / 'seats.csv').write_text(str(pathlib.Path.cwd()))\n"
    )
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_install_example_files_gives_the_real_example_to_the_members(
    workspace: Workspace, project: Project
) -> None:
    install_example_files(workspace, EXAMPLE, project)

    assert {"train.ipynb", "README.md", ".gitignore", "data"} <= names(project.root)
    assert (project.root / "data/seats.parquet").is_file()
    assert not (project.root / ".git").exists()
    if os.geteuid() == 0:
        for path in (project.root, *project.root.rglob("*")):
            found = path.stat()
            assert (found.st_uid, found.st_gid) == (PERSON_UID, project_gid(project)), path
            assert found.st_mode & 0o060 == 0o060, path
    assert not list(workspace.settings.home.glob(".example-*"))


def test_install_example_files_again_keeps_what_members_made_of_them(
    workspace: Workspace, project: Project, source: Path
) -> None:
    install_example_files(workspace, source, project)
    (project.root / "train.ipynb").write_text("edited")
    (project.root / "score.ipynb").unlink()

    install_example_files(workspace, source, project)

    assert (project.root / "train.ipynb").read_text() == "edited"
    assert (project.root / "score.ipynb").is_file()


def test_install_example_files_writes_through_no_link_and_runs_nothing_of_the_members(
    workspace: Workspace, project: Project, source: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious")
    (project.root / "train.ipynb").symlink_to(outside / "file")
    (project.root / "data").symlink_to(outside)
    (project.root / "make_data.py").write_text(f"open({str(outside / 'ran')!r}, 'w')")

    install_example_files(workspace, source, project)

    assert names(outside) == {"file"}
    assert (outside / "file").read_text() == "precious"
    assert (project.root / "score.ipynb").is_file()


def test_install_example_files_that_fails_leaves_nothing_half_made(
    workspace: Workspace, project: Project, source: Path
) -> None:
    (source / "make_data.py").write_text("raise SystemExit('no space for data')")

    with pytest.raises(StorageUnusable, match="no space for data"):
        install_example_files(workspace, source, project)

    assert names(project.root) == set()
    assert not list(workspace.settings.home.glob(".example-*"))


@pytest.mark.usefixtures("project")
def test_example_of_a_folder_without_notebooks_is_refused(
    workspace: Workspace, project: Project, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="holds no example"):
        install_example_files(workspace, tmp_path, project)
    with pytest.raises(InvalidInput, match="holds no example"):
        promote_example(tmp_path, project, person="ada", environment=observe_environment)


def test_promote_example_makes_its_versions_once_in_the_persons_name(
    workspace: Workspace, project: Project, source: Path
) -> None:
    made = promote_example(source, project, person="ada", environment=observe_environment)
    (project.root / "train.ipynb").write_text("not even a notebook")
    again = promote_example(source, project, person="eve", environment=observe_environment)

    assert [version.pipeline for version in made] == list(NOTEBOOKS)
    assert again == made
    assert {version.author for version in made} == {"ada"}
    assert [(v.manifest.notebook, v.manifest.directory) for v in made] == [
        (f"{name}.ipynb", ".") for name in NOTEBOOKS
    ]
    assert len(list_versions(project.repository)) == 3
    assert Repository(project.repository).is_bare()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own use of its libraries
def test_smoke_runs_of_the_example_are_small_say_so_and_leave_its_results_alone(
    workspace: Workspace, project: Project
) -> None:
    install_example_files(workspace, EXAMPLE, project)
    versions = promote_example(EXAMPLE, project, person="ada", environment=observe_environment)
    by_name = {version.pipeline: version for version in versions}

    train, score = (
        run_version(
            workspace, project, by_name[name], {}, options=RunOptions(profile=Profile.SMOKE)
        )
        for name in ("train", "score")
    )

    assert (train.status, score.status) == (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED)
    assert (train.profile, train.parameters["epochs"]) == (Profile.SMOKE, 2)
    assert (score.profile, score.parameters["days"]) == (Profile.SMOKE, 3)
    assert (project.root / "smoke/models/JFK-DL.pt").is_file()
    assert not {"models", "results"} & names(project.root)
    catch_up(workspace)
    browser = Client(create_app(workspace), session=session_of(workspace))
    page = browser.get(f"/pages/{train.id}").text
    assert "A smoke run, with the pipeline's small values" in page


def test_keep_models_gives_the_folder_what_the_newest_training_left(
    workspace: Workspace, project: Project
) -> None:
    def trained(content: bytes, *names: str, **fields: Any) -> None:
        sha256 = workspace.blobs.put_bytes(content).sha256
        artifacts = tuple(
            Artifact(
                name=name,
                kind=ArtifactKind.MODEL,
                media_type="application/octet-stream",
                sha256=sha256,
                size_bytes=len(content),
            )
            for name in names
        )
        finished_run(workspace, project, None, pipeline="train", artifacts=artifacts, **fields)

    keep_models(workspace, project, person="ada")
    assert names(project.root) == set()
    trained(b"old", "models/JFK-DL.pt")
    trained(b"good", "models/JFK-DL.pt", "results/a.csv", "models/../../out", "models/b/c.pt")
    trained(b"bad", "models/JFK-DL.pt", status=RunStatus.FAILED)
    trained(b"small", "models/JFK-DL.pt", profile=Profile.SMOKE)
    keep_models(workspace, project, person="ada")
    trained(b"newer", "models/LGA-AA.pt")
    keep_models(workspace, project, person="ada")

    assert names(project.root) == {"models"}
    assert names(project.root / "models") == {"JFK-DL.pt"}
    assert (project.root / "models/JFK-DL.pt").read_bytes() == b"good"
    if os.geteuid() == 0:
        assert (project.root / "models/JFK-DL.pt").stat().st_gid == project_gid(project)


@pytest.mark.parametrize(
    ("status", "is_left"),
    [
        (RunStatus.SUCCEEDED, False),
        (RunStatus.RUNNING, False),
        (RunStatus.QUEUED, False),
        (RunStatus.FAILED, True),
        (RunStatus.LOST, True),
    ],
)
def test_versions_to_run_are_those_without_a_run_that_is_good_or_goes_on(
    workspace: Workspace, project: Project, source: Path, status: RunStatus, *, is_left: bool
) -> None:
    versions = promote_example(source, project, person="ada", environment=observe_environment)
    finished_run(workspace, project, None, pipeline="train", status=status)

    left = versions_to_run(workspace, project, versions, person="ada")

    expected = ["explore", "train", "score"] if is_left else ["explore", "score"]
    assert [version.pipeline for version in left] == expected
