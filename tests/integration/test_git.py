"""Commits and tags beside the work tree, on real repositories."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nb2prod.errors import IdentityMissing, PromotionRaced, RepositoryNotFound, WorkInTheWay
from nb2prod.store.git import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repository")


def promote(repository: Repository, number: int, parent: str | None, content: str = "x") -> str:
    return repository.commit_and_tag(
        {"pipelines/train/train.py": content.encode()},
        replaces="pipelines/train",
        message=f"Promote train@v{number}\n\nFrom train.ipynb.",
        tag=f"train/v{number}",
        parent=parent,
    )


def test_discover_finds_the_root_from_a_file_below(repository: Repository) -> None:
    file = repository.root / "deep" / "file.ipynb"
    file.parent.mkdir()
    file.touch()

    assert Repository.discover(file).root == repository.root


def test_discover_outside_of_a_repository_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFound, match="git init"):
        Repository.discover(tmp_path)


def test_commit_and_tag_in_an_empty_repository_is_its_first_commit(repository: Repository) -> None:
    commit = promote(repository, 1, None)

    assert repository.head() == commit
    assert [tag.name for tag in repository.tags()] == ["train/v1"]
    assert repository.tags()[0].commit == commit
    assert repository.tags()[0].author == "Ada"
    assert repository.git("status", "--porcelain") == ""


def test_commit_and_tag_leaves_the_persons_work_alone(repository: Repository) -> None:
    first = promote(repository, 1, None)
    (repository.root / "staged.txt").write_text("staged")
    repository.git("add", "staged.txt")
    (repository.root / "loose.txt").write_text("loose")

    promote(repository, 2, first, "changed")

    assert repository.git("status", "--porcelain").splitlines() == [
        "A  staged.txt",
        "?? loose.txt",
    ]
    assert repository.git("show", "--name-only", "--format=", "HEAD").split() == [
        "pipelines/train/train.py"
    ]


def test_commit_and_tag_replaces_the_whole_folder(repository: Repository) -> None:
    first = repository.commit_and_tag(
        {"pipelines/train/train.py": b"x", "pipelines/train/assets/a.png": b"png"},
        replaces="pipelines/train",
        message="Promote train@v1",
        tag="train/v1",
        parent=None,
    )

    promote(repository, 2, first)

    assert repository.list_files("train/v2", "pipelines/train") == ("pipelines/train/train.py",)
    assert not (repository.root / "pipelines/train/assets/a.png").exists()
    assert repository.read_file("train/v1", "pipelines/train/assets/a.png") == b"png"


def test_commit_and_tag_writes_ignored_paths_too(repository: Repository) -> None:
    (repository.root / ".gitignore").write_text("pipelines/\n")

    promote(repository, 1, None)

    assert repository.read_file("train/v1", "pipelines/train/train.py") == b"x"
    assert "pipelines" not in repository.git("status", "--porcelain")


@pytest.mark.parametrize("race", ["head-moved", "tag-exists"])
def test_commit_and_tag_that_lost_a_race_changes_nothing(repository: Repository, race: str) -> None:
    first = promote(repository, 1, None)
    seen = first
    if race == "head-moved":
        repository.git("commit", "--allow-empty", "-m", "somebody else")
    else:
        repository.git("tag", "train/v2")
    head = repository.head()

    with pytest.raises(PromotionRaced):
        promote(repository, 2, seen, "changed")

    assert repository.head() == head
    assert (repository.root / "pipelines/train/train.py").read_text() == "x"


def test_commit_and_tag_by_many_at_once_gives_one_winner(repository: Repository) -> None:
    first = promote(repository, 1, None)

    def attempt(number: int) -> bool:
        try:
            promote(repository, 2, first, f"content {number}")
        except PromotionRaced:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(attempt, range(6)))

    assert sum(won) == 1
    assert repository.read_file("train/v2", "pipelines/train/train.py") == (
        f"content {won.index(True)}".encode()
    )


def test_commit_and_tag_without_an_identity_says_what_to_do(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    repository.git("config", "user.useConfigOnly", "true")

    with pytest.raises(IdentityMissing, match=r"git config --global user\.name"):
        promote(repository, 1, None)


def test_read_file_gives_bytes_as_they_are_and_none_where_absent(repository: Repository) -> None:
    content = bytes(range(256))
    repository.commit_and_tag(
        {"pipelines/ümläut/ä b.bin": content},
        replaces="pipelines/ümläut",
        message="Promote ümläut@v1",
        tag="t/v1",
        parent=None,
    )

    assert repository.read_file("t/v1", "pipelines/ümläut/ä b.bin") == content
    assert repository.read_file("t/v1", "absent") is None
    assert repository.list_files("t/v1", "pipelines/ümläut") == ("pipelines/ümläut/ä b.bin",)


def test_repository_in_a_worktree_is_one_of_its_own(repository: Repository, tmp_path: Path) -> None:
    first = promote(repository, 1, None)
    other = tmp_path / "other"
    subprocess.run(
        ["git", "-C", str(repository.root), "worktree", "add", "-q", "-b", "side", str(other)],
        check=True,
    )

    promote(Repository.discover(other), 2, first, "from the side")

    assert repository.head() == first
    assert {tag.name for tag in repository.tags()} == {"train/v1", "train/v2"}


def test_commit_and_tag_in_a_repository_of_longer_ids_works(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(tmp_path)], check=True)
    repository = Repository(tmp_path)

    first = promote(repository, 1, None)

    second = promote(repository, 2, first, "y")

    assert len(first) == 64
    assert repository.head() == second


def test_tags_passes_over_a_tag_of_a_file_and_reads_any_author(repository: Repository) -> None:
    promote(repository, 1, None)
    key = repository.git("hash-object", "-w", "--stdin", stdin="a key").strip()
    repository.git("tag", "keys/v1", key)
    author = ("-c", "user.name=A\u2028\x85B")
    repository.git(*author, "commit", "-q", "--allow-empty", "-m", "x")
    repository.git("tag", "odd/v1")

    assert {tag.name: tag.author for tag in repository.tags()} == {
        "odd/v1": "A\u2028\x85B",
        "train/v1": "Ada",
    }


@pytest.mark.parametrize("kind", ["edited", "staged", "unknown", "deleted"])
def test_commit_and_tag_over_uncommitted_edits_is_refused_and_keeps_them(
    repository: Repository, kind: str
) -> None:
    first = promote(repository, 1, None) if kind != "unknown" else None
    file = repository.root / "pipelines/train/train.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    if kind == "deleted":
        file.unlink()
    else:
        file.write_text("precious")
    if kind == "staged":
        repository.git("add", "pipelines")

    with pytest.raises(WorkInTheWay, match=r"train\.py has edits"):
        promote(repository, 2, first, "changed")

    assert repository.head() == first
    assert (file.read_text() if file.exists() else None) == (
        None if kind == "deleted" else "precious"
    )


def test_commit_and_tag_beside_unknown_files_keeps_them(repository: Repository) -> None:
    first = promote(repository, 1, None)
    file = repository.root / "pipelines/train/notes.txt"
    file.write_text("mine")

    promote(repository, 2, first, "changed")

    assert file.read_text() == "mine"
    assert repository.list_files("train/v2", "pipelines/train") == ("pipelines/train/train.py",)
