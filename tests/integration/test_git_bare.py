"""Bare repositories that only the workspace writes: by many at once, for people of any name."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nb2prod.errors import IdentityMissing, PromotionRaced, StorageUnusable
from nb2prod.store.git import Author, Repository

ADA = Author(name="Ada Lovelace", email="ada@example.org")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create_bare(tmp_path / "seats.git")


def promote(
    repository: Repository,
    number: int,
    content: str = "x",
    *,
    author: Author | None = ADA,
    parent: str | None = "HEAD",
) -> str:
    return repository.commit_and_tag(
        {"pipelines/train/train.py": content.encode()},
        replaces="pipelines/train",
        message=f"Promote train@v{number}\n\nFrom train.ipynb.",
        tag=f"train/v{number}",
        parent=repository.head() if parent == "HEAD" else parent,
        author=author,
    )


def test_create_bare_has_no_work_tree_no_hooks_and_a_main(repository: Repository) -> None:
    assert repository.is_bare()
    assert repository.head() is None
    assert not (repository.root / "hooks").exists()
    assert repository.git("rev-parse", "--is-bare-repository").strip() == "true"
    assert repository.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"


def test_work_tree_is_not_bare_whatever_lies_in_it(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path)
    (tmp_path / "HEAD").touch()

    assert not repository.is_bare()
    assert not Repository(tmp_path / "absent").is_bare()


def test_commit_and_tag_is_by_the_author_without_any_identity_configured(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    repository.git("config", "user.useConfigOnly", "true")

    commit = promote(repository, 1)

    assert repository.head() == commit
    people = "%an <%ae> %cn <%ce>"
    assert repository.git("log", f"--format={people}").strip() == " ".join(
        ["Ada Lovelace <ada@example.org>"] * 2
    )
    assert "tagger Ada Lovelace <ada@example.org>" in repository.git("cat-file", "-p", "train/v1")
    assert repository.tags()[0].author == "Ada Lovelace"
    with pytest.raises(IdentityMissing):
        promote(repository, 2, author=None)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("A <root@example.org>", "A root@example.org"),
        ("two\nlines\ntagger X <x@y> 0 +0000", "two lines tagger X x@y 0 +0000"),
        ("$(touch /tmp/x)`y`", "$(touch /tmp/x)`y`"),
        ("", "unknown"),
        ("日本", "日本"),
        ("--all", "--all"),
        ("\u2028\x85B", "\u2028\x85B"),
    ],
    ids=ascii,
)
def test_commit_and_tag_by_an_odd_name_stays_one_author(
    repository: Repository, name: str, written: str
) -> None:
    promote(repository, 1, author=Author(name=name, email="a@b"))

    (tag,) = repository.tags()
    assert tag.author == written
    body = repository.git("cat-file", "-p", "train/v1").split("\n\n")[0].splitlines()
    assert [line.split(" ")[0] for line in body if not line.startswith("B")][:4] == [
        "object",
        "type",
        "tag",
        "tagger",
    ]


def test_commit_and_tag_replaces_the_whole_folder_and_no_other(repository: Repository) -> None:
    repository.commit_and_tag(
        {"pipelines/train/train.py": b"x", "pipelines/train/assets/ä b.png": b"\xff"},
        replaces="pipelines/train",
        message="Promote train@v1",
        tag="train/v1",
        parent=None,
        author=ADA,
    )
    repository.commit_and_tag(
        {"pipelines/score/score.py": b"y"},
        replaces="pipelines/score",
        message="Promote score@v1",
        tag="score/v1",
        parent=repository.head(),
        author=ADA,
    )

    promote(repository, 2, "z")

    assert repository.read_file("train/v1", "pipelines/train/assets/ä b.png") == b"\xff"
    assert set(repository.list_files("HEAD", "pipelines")) == {
        "pipelines/score/score.py",
        "pipelines/train/train.py",
    }
    assert repository.read_file("HEAD", "pipelines/train/train.py") == b"z"
    repository.git("fsck", "--strict")


def test_commit_and_tag_that_lost_a_race_changes_nothing(repository: Repository) -> None:
    first = promote(repository, 1)
    second = promote(repository, 2, "y")

    for number, parent in ((3, first), (2, second), (3, None)):
        with pytest.raises(PromotionRaced):
            promote(repository, number, "late", parent=parent)

    assert repository.head() == second
    assert len(repository.tags()) == 2


def test_commit_and_tag_by_many_at_once_gives_one_winner(repository: Repository) -> None:
    first = promote(repository, 1)

    def attempt(number: int) -> bool:
        try:
            promote(repository, 2, f"content {number}", parent=first)
        except PromotionRaced:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(attempt, range(6)))

    assert sum(won) == 1
    content = repository.read_file("train/v2", "pipelines/train/train.py")
    assert content == f"content {won.index(True)}".encode()


def test_commit_and_tag_runs_no_program_that_the_configuration_names(
    repository: Repository, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    (tmp_path / "hooks").mkdir()
    for hook in ("reference-transaction", "post-commit", "pre-commit"):
        (tmp_path / "hooks" / hook).symlink_to(trap)
    with (repository.root / "config").open("a") as config:
        config.write(f"[core]\n\thooksPath = {tmp_path}/hooks\n\tfsmonitor = {trap}\n")

    promote(repository, 1)

    assert not (tmp_path / "sprung").exists()
    subprocess.run(
        ["git", f"--git-dir={repository.root}", "update-ref", "refs/heads/x", "HEAD"], check=True
    )
    assert (tmp_path / "sprung").exists(), "the trap itself must work"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_repository_of_another_account_is_used_all_the_same(repository: Repository) -> None:
    for path in (repository.root, *repository.root.rglob("*")):
        os.chown(path, 1000, 1000)

    commit = promote(repository, 1)

    assert repository.head() == commit
    assert [tag.name for tag in repository.tags()] == ["train/v1"]


@pytest.mark.parametrize("lock", ["HEAD.lock", "refs/heads/main.lock", "refs/tags/train/v2.lock"])
def test_lock_of_a_killed_git_is_removed_since_nobody_can_hold_it(
    repository: Repository, lock: str
) -> None:
    promote(repository, 1)
    path = repository.root / lock
    path.parent.mkdir(exist_ok=True)
    path.touch()

    assert promote(repository, 2, "y") == repository.head()
    assert not path.exists()


def test_failure_of_git_names_the_repository(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageUnusable, match=r"x\.git"):
        Repository.create(tmp_path / "w").clone_bare(tmp_path / "file" / "x.git")


PROMOTER = """
import sys
from pathlib import Path
from nb2prod.errors import PromotionRaced
from nb2prod.store.git import Author, Repository
repository = Repository(Path(sys.argv[1]))
made = 0
while made < 4:
    parent, number = repository.head(), len(repository.tags()) + 1
    try:
        repository.commit_and_tag(
            {"pipelines/train/train.py": f"{sys.argv[2]} {made}".encode()},
            replaces="pipelines/train", message="x", tag=f"train/v{number}", parent=parent,
            author=Author(name=sys.argv[2], email="a@b"),
        )
    except PromotionRaced:
        continue
    made += 1
"""


def test_commit_and_tag_by_several_processes_loses_none(repository: Repository) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", PROMOTER, str(repository.root), name])
        for name in ("a", "b", "c")
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]

    tags = sorted(repository.tags(), key=lambda tag: int(tag.name.removeprefix("train/v")))
    assert [tag.name for tag in tags] == [f"train/v{number}" for number in range(1, 13)]
    contents = [repository.read_file(tag.commit, "pipelines/train/train.py") for tag in tags]
    assert len(set(contents)) == 12
    assert all(
        content is not None and content.decode().startswith(tag.author)
        for content, tag in zip(contents, tags, strict=True)
    )
    # One line of history, each commit on top of the one before.
    history = repository.git("rev-list", "--first-parent", "HEAD").split()
    assert history == [tag.commit for tag in reversed(tags)]
