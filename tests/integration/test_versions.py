"""Promotion and versions in real repositories, with the environment of a real kernel."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nb2prod.errors import (
    KernelUnavailable,
    NameInvalid,
    NotAVersion,
    NotebookUnreadable,
    PipelineNotFound,
    PreflightBlocked,
    PromotionRaced,
    ReferenceInvalid,
    RepositoryNotFound,
    VersionNotFound,
)
from nb2prod.notebook.models import Cell
from nb2prod.registry.diff import compare_versions
from nb2prod.registry.models import Reference, Version
from nb2prod.registry.versions import (
    Proposal,
    confirm,
    list_versions,
    load_version,
    propose,
    version_notebook,
)
from nb2prod.store.git import Repository
from tests.helpers.notebooks import code, markdown, parameters, write_notebook
from tests.integration.test_proposals import PROMOTER

TRAIN = (
    markdown("# Seats\n\nHow many seats?"),
    parameters('market: str = "JFK-DL"  # origin and carrier\nalpha: float = 0.2'),
    code("print(market, alpha)"),
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repository")


def promote(repository: Repository, *cells: Cell, name: str = "train") -> Version:
    path = write_notebook(repository.root / f"{name}.ipynb", *(cells or TRAIN))
    return confirm(propose(path))


def changed(text: str) -> tuple[Cell, ...]:
    return (*TRAIN[:2], code(f"print({text!r}, market, alpha)"))


def test_promote_makes_a_commit_and_a_tag_with_everything(repository: Repository) -> None:
    version = promote(repository)

    assert str(version.reference) == "train@v1"
    assert version.commit == repository.head()
    assert set(repository.list_files("train/v1", "pipelines/train")) == {
        "pipelines/train/train.py",
        "pipelines/train/pipeline.toml",
        "pipelines/train/requirements.lock",
    }
    assert version.manifest.title == "Seats"
    assert version.manifest.notebook == "train.ipynb"
    assert version.manifest.directory == "."
    assert [item.name for item in version.manifest.parameters] == ["market", "alpha"]
    assert version.manifest.parameters[0].help == "origin and carrier"
    assert version.lock.is_observed
    assert version.lock.python == ".".join(map(str, sys.version_info[:3]))
    assert "papermill==" in version.lock.text


def test_promoted_script_in_the_work_tree_runs_as_a_program(repository: Repository) -> None:
    promote(repository)
    script = repository.root / "pipelines/train/train.py"

    ran = subprocess.run(
        [sys.executable, str(script), "--market", "EWR-UA"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == "EWR-UA 0.2\n"


def test_version_as_a_notebook_has_the_authors_cells(repository: Repository) -> None:
    version = promote(repository)

    cells = version_notebook(version).cells

    assert [(cell.kind, cell.source, cell.tags) for cell in cells] == [
        (cell.kind, cell.source, cell.tags) for cell in TRAIN
    ]


def test_promote_again_without_a_change_is_the_same_version(repository: Repository) -> None:
    first = promote(repository)
    head = repository.head()

    proposal = propose(repository.root / "train.ipynb")

    assert proposal.is_unchanged
    assert confirm(proposal) == first
    assert repository.head() == head


def test_promote_of_a_change_is_the_next_number_and_the_first_stays(
    repository: Repository,
) -> None:
    first = promote(repository)
    second = promote(repository, *changed("again"))

    assert (second.number, second.script == first.script) == (2, False)
    assert load_version(repository.root, Reference("train", 1)) == first
    assert load_version(repository.root, Reference("train")) == second


def test_proposal_changes_nothing(repository: Repository) -> None:
    proposal = propose(write_notebook(repository.root / "train.ipynb", *TRAIN))

    assert str(proposal.reference) == "train@v1"
    assert "print(market, alpha)" in proposal.script
    assert repository.head() is None
    assert sorted(path.name for path in repository.root.iterdir()) == [".git", "train.ipynb"]


def test_promote_with_a_blocking_finding_makes_nothing(repository: Repository) -> None:
    path = write_notebook(
        repository.root / "train.ipynb", parameters("n = 1"), code("print(undefined + n)")
    )

    proposal = propose(path)

    assert proposal.is_blocked
    with pytest.raises(PreflightBlocked, match="mend them"):
        confirm(proposal)
    assert repository.head() is None


def test_promotions_at_once_lose_none_and_use_no_number_twice(repository: Repository) -> None:
    promote(repository)
    proposals: list[Proposal] = []
    for number in range(5):
        path = write_notebook(repository.root / "train.ipynb", *changed(str(number)))
        proposals.append(propose(path))

    with ThreadPoolExecutor(5) as pool:
        versions = list(pool.map(confirm, proposals))

    assert sorted(version.number for version in versions) == [2, 3, 4, 5, 6]
    assert {version.script for version in versions} == {item.script for item in proposals}
    for version in versions:
        assert load_version(repository.root, version.reference) == version


def test_promotion_cut_off_before_the_tag_leaves_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = propose(write_notebook(repository.root / "train.ipynb", *TRAIN))

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Repository, "_publish", die)
        confirm(proposal)

    assert repository.head() is None
    assert list_versions(repository.root) == ()
    assert confirm(proposal).number == 1


def test_promotion_that_always_loses_the_race_says_so(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = propose(write_notebook(repository.root / "train.ipynb", *TRAIN))

    def lose(*_: object, **__: object) -> str:
        raise PromotionRaced("Somebody else was faster.")

    monkeypatch.setattr(Repository, "commit_and_tag", lose)

    with pytest.raises(PromotionRaced):
        confirm(proposal)


def test_notebook_in_a_folder_runs_in_that_folder(repository: Repository) -> None:
    folder = repository.root / "models" / "seats"
    folder.mkdir(parents=True)
    path = write_notebook(folder / "My Notebook (2).ipynb", *TRAIN)

    version = confirm(propose(path))

    assert version.pipeline == "My-Notebook-2"
    assert version.manifest.directory == "models/seats"
    assert version.directory_in(repository.root) == folder


def test_second_notebook_of_one_name_is_warned_of(repository: Repository) -> None:
    promote(repository)
    (repository.root / "other").mkdir()
    path = write_notebook(repository.root / "other" / "train.ipynb", *changed("other"))

    codes = [finding.code for finding in propose(path).findings]

    assert "pipeline-of-another-notebook" in codes
    assert str(propose(path, name="other").reference) == "other@v1"


def test_attachments_become_assets_of_the_version(repository: Repository) -> None:
    picture = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
        "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    pasted = markdown(
        "# Seats\n\n![map](attachment:map.png)", attachments={"map.png": {"image/png": picture}}
    )

    version = promote(repository, pasted, *TRAIN[1:])

    (path,) = version.assets
    assert path.startswith("assets/")
    assert version.assets[path].startswith(b"\x89PNG")
    cell = version_notebook(version).cells[0]
    assert cell.source == pasted.source
    assert cell.attachments == pasted.attachments


def test_main_metric_is_what_the_notebook_names(repository: Repository) -> None:
    said = {"main_metric": "mape", "lower_is_better": True}
    path = write_notebook(repository.root / "train.ipynb", *TRAIN, metadata={"nb2prod": said})

    manifest = confirm(propose(path)).manifest

    assert (manifest.main_metric, manifest.lower_is_better) == ("mape", True)


def test_versions_are_listed_by_pipeline_newest_first(repository: Repository) -> None:
    promote(repository)
    promote(repository, *changed("2"))
    promote(repository, name="score")

    listed = [str(entry.reference) for entry in list_versions(repository.root)]

    assert listed == ["score@v1", "train@v2", "train@v1"]
    assert [entry.number for entry in list_versions(repository.root, "train")] == [2, 1]


def test_tags_of_others_are_no_versions(repository: Repository) -> None:
    promote(repository)
    repository.git("tag", "release/v1")
    repository.git("tag", "train/v07")
    repository.git("tag", "train/v2-rc")

    assert [str(entry.reference) for entry in list_versions(repository.root)] == ["train@v1"]


@pytest.mark.parametrize(
    ("reference", "error", "words"),
    [
        ("absent", PipelineNotFound, "it has train"),
        ("train@v9", VersionNotFound, "train@v1 is the newest"),
        ("train@9", ReferenceInvalid, "train@v3"),
        ("train@v0", ReferenceInvalid, "train@v3"),
        ("../x@v1", ReferenceInvalid, "no version"),
        ("tr.ain@v1", NameInvalid, "no name"),
        ("", ReferenceInvalid, "no version"),
    ],
)
def test_load_of_what_is_not_there_says_what_is(
    repository: Repository, reference: str, error: type[Exception], words: str
) -> None:
    promote(repository)

    with pytest.raises(error, match=words):
        load_version(repository.root, Reference.parse(reference))


def test_manifest_spoiled_by_hand_is_refused_by_name(repository: Repository) -> None:
    promote(repository)
    manifest = repository.root / "pipelines/train/pipeline.toml"
    manifest.write_text(manifest.read_text() + "\n[surprise]\nx = 1\n")
    repository.git("commit", "--quiet", "--all", "--message", "spoil it")
    repository.git("tag", "train/v2")

    with pytest.raises(NotAVersion, match="surprise"):
        load_version(repository.root, Reference("train", 2))


def test_propose_of_what_is_no_notebook_says_so(repository: Repository) -> None:
    file = repository.root / "train.ipynb"
    file.write_text("not json")

    with pytest.raises(NotebookUnreadable):
        propose(file)


def test_propose_outside_of_a_repository_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFound, match="git init"):
        propose(write_notebook(tmp_path / "train.ipynb", *TRAIN))


def test_propose_with_a_kernel_that_is_not_installed_names_those_that_are(
    repository: Repository,
) -> None:
    kernel = {"name": "absent-kernel", "display_name": "Absent", "language": "python"}
    path = write_notebook(repository.root / "train.ipynb", *TRAIN, metadata={"kernelspec": kernel})

    with pytest.raises(KernelUnavailable, match="python3"):
        propose(path)


def test_compare_versions_shows_script_and_parameters(repository: Repository) -> None:
    first = promote(repository)
    second = promote(
        repository,
        TRAIN[0],
        parameters("alpha: float = 0.5\nepochs: int = 3"),
        code("print(alpha, epochs)"),
    )

    difference = compare_versions(first, second)

    assert "-print(market, alpha)" in difference.script
    assert "+print(alpha, epochs)" in difference.script
    assert {change.name for change in difference.parameters} == {"market", "alpha", "epochs"}
    assert difference.packages == ()
    assert compare_versions(first, first).is_empty


@pytest.mark.parametrize("tag", ["train", "train/v1"])
def test_promote_against_a_tag_of_somebodys_own_says_what_to_do(
    repository: Repository, tag: str
) -> None:
    repository.git("commit", "-q", "--allow-empty", "-m", "x")
    repository.git("tag", tag)

    with pytest.raises(NameInvalid, match=f"tag '{tag}' that is no version.*--name"):
        promote(repository)

    assert str(promote(repository, name="seats").reference) == "seats@v1"


def test_promotion_on_no_branch_is_warned_of(repository: Repository) -> None:
    promote(repository)
    repository.git("checkout", "--quiet", "--detach")
    path = write_notebook(repository.root / "train.ipynb", *changed("detached"))

    assert "head-detached" in [finding.code for finding in propose(path).findings]


def test_local_package_is_noted_only_where_the_notebook_imports_it(
    repository: Repository,
) -> None:
    plain = write_notebook(repository.root / "plain.ipynb", *TRAIN)
    using = write_notebook(repository.root / "using.ipynb", *TRAIN[:2], code("import nb2prod"))

    codes = [{finding.code for finding in propose(path).findings} for path in (plain, using)]

    assert ["environment-local-package" in found for found in codes] == [False, True]


def test_promotions_at_once_by_processes_lose_none_in_a_work_tree(repository: Repository) -> None:
    (repository.root / "staged.txt").write_text("staged by somebody")
    repository.git("add", "staged.txt")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER, str(repository.root), name],
            cwd=Path(__file__).parents[2],
        )
        for name in ("a", "b", "c")
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]

    entries = list_versions(repository.root, "train")
    newest = load_version(repository.root, Reference("train"))
    assert [entry.number for entry in entries] == list(range(9, 0, -1))
    scripts = {load_version(repository.root, entry.reference).script for entry in entries}
    assert len(scripts) == 9
    assert (repository.root / "pipelines/train/train.py").read_text() == newest.script
    assert repository.git("status", "--porcelain").splitlines() == ["A  staged.txt"]
