"""Promotions that are killed, at every step: a whole version is left or none, and no repair."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nb2prod.registry.lock import parse_observation
from nb2prod.registry.versions import (
    Proposal,
    confirm,
    list_versions,
    load_version,
    propose_content,
)
from nb2prod.store.git import Author, Repository
from tests.helpers.notebooks import code, notebook, parameters

ADA = Author(name="Ada", email="ada@example.org")
OBSERVED = parse_observation(
    json.dumps({"python": "3.11.7", "pins": {"six": "1.0"}, "local": [], "imports": {}})
)
RANDOM_KILLS = 40


@pytest.fixture(params=["work-tree", "bare"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    if request.param == "bare":
        return Repository.create_bare(tmp_path / "seats.git")
    made = Repository.create(tmp_path / "seats")
    (made.root / "staged.txt").write_text("staged by somebody")
    made.git("add", "staged.txt")
    return made


def propose(repository: Repository, text: str) -> Proposal:
    return propose_content(
        repository=repository.root,
        notebook=notebook(parameters("n: int = 1"), code(f"print({text!r}, n)"), name="train"),
        path="train.ipynb",
        directory=".",
        environment=lambda _: OBSERVED,
    )


def killed(work: Callable[[], object], *, after_s: float | None = None) -> bool:
    """Do work in a process of its own, kill it with all its children; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        try:
            work()
        finally:
            os._exit(0)
    if after_s is not None:
        time.sleep(after_s)
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # not yet a group of its own
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def dying_at(monkeypatch: pytest.MonkeyPatch, step: int, moment: str) -> None:
    """Let this process and its children be killed at its n-th git: before, in it, or after."""
    run, calls = subprocess.run, iter(range(10**6))

    def die() -> None:
        os.killpg(0, signal.SIGKILL)

    def counted(command: list[str], **options: Any) -> Any:
        if next(calls) != step:
            return run(command, **options)
        if moment == "before":
            die()
        if moment == "in":
            kept = {name: options[name] for name in ("env", "pass_fds")}
            started = subprocess.Popen(command, stdin=subprocess.PIPE, **kept)
            text = options["input"] or b""
            assert started.stdin is not None
            started.stdin.write(text.encode() if isinstance(text, str) else text)
            started.stdin.close()
            # Two or three milliseconds are what an `update-ref` takes.
            time.sleep(random.Random(step).uniform(0.0005, 0.003))
            die()
        run(command, **options)
        die()
        raise AssertionError

    monkeypatch.setattr(subprocess, "run", counted)


def check_whole(repository: Repository, before: int) -> int:
    """Require that there is one more version, or none; return how many there are.

    Where git was killed after it made the tag, the next promotion moves the branch.
    """
    entries = list_versions(repository.root)
    count = len(entries)
    assert count in (before, before + 1)
    tags = {tag.name: tag.commit for tag in repository.tags()}
    assert set(tags) == {f"train/v{number}" for number in range(1, count + 1)}
    head = repository.head()
    newest = (None, *(tags[f"train/v{number}"] for number in range(1, count + 1)))
    assert head == newest[count] or (count > before and head == newest[before])
    for entry in entries[:1]:
        assert load_version(repository.root, entry.reference).number == count
    assert repository.git("fsck", "--no-dangling", "--no-progress") == ""
    return count


def check_next_works(repository: Repository, text: str) -> None:
    version = confirm(propose(repository, text), ADA)

    assert text in version.script
    tags = {tag.name: tag.commit for tag in repository.tags()}
    made = [tags[f"train/v{number}"] for number in range(version.number, 0, -1)]
    assert repository.git("log", "--format=%H").split() == made
    if repository.is_bare():
        return
    status = repository.git("status", "--porcelain", "--untracked-files=all").splitlines()
    assert status == ["A  staged.txt"]
    assert (repository.root / "pipelines/train/train.py").read_text() == version.script


def steps() -> Iterator[tuple[int, str]]:
    """Each git of a promotion; there are less than this in every one."""
    for step in range(26):
        for moment in ("before", "in", "after"):
            yield step, moment


def test_promotion_killed_at_any_git_leaves_a_whole_version_or_none(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, deaths = 0, 0
    for step, moment in steps():
        proposal = propose(repository, f"{step} {moment}")

        def promote(step: int = step, moment: str = moment, of: Proposal = proposal) -> None:
            dying_at(monkeypatch, step, moment)
            confirm(of, ADA)

        deaths += killed(promote)
        count = check_whole(repository, count)
        if deaths % 7 == 0 or moment == "in":
            check_next_works(repository, f"after {step} {moment}")
            count = check_whole(repository, count)

    assert deaths > 40


def test_promotion_killed_at_any_time_leaves_a_whole_version_or_none(
    repository: Repository,
) -> None:
    started = time.monotonic()
    confirm(propose(repository, "first"), ADA)
    took_s = time.monotonic() - started
    count, deaths = 1, 0
    chance = random.Random(5)
    for number in range(RANDOM_KILLS):
        proposal = propose(repository, f"{number}")
        # Some come to their end.
        after_s = chance.uniform(0, took_s * 1.1)
        deaths += killed(partial(confirm, proposal, ADA), after_s=after_s)
        count = check_whole(repository, count)
        check_next_works(repository, f"after {number}")
        count = check_whole(repository, count)

    assert deaths > RANDOM_KILLS // 3


def test_promotion_killed_between_tag_and_branch_is_completed_by_the_same_again(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm(propose(repository, "first"), ADA)
    head = repository.head()
    proposal = propose(repository, "second")

    def publish_half(
        self: Repository, commit: str, parent: str | None, tag: tuple[str, str], reason: str
    ) -> None:
        self.git("update-ref", f"refs/tags/{tag[0]}", tag[1])
        os.killpg(0, signal.SIGKILL)

    def promote() -> None:
        monkeypatch.setattr(Repository, "_publish", publish_half)
        confirm(proposal, ADA)

    assert killed(promote)
    assert repository.head() == head
    assert check_whole(repository, 1) == 2

    again = confirm(proposal, ADA)

    assert (again.number, again.commit) == (2, repository.head())
    if not repository.is_bare():
        assert (repository.root / "pipelines/train/train.py").read_text() == again.script
    check_next_works(repository, "third")


def test_file_that_was_edited_after_the_kill_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository.create(tmp_path / "seats")
    first = confirm(propose(repository, "first"), ADA)
    proposal = propose(repository, "second")

    def die(*_: object, **__: object) -> None:
        os.killpg(0, signal.SIGKILL)

    def promote() -> None:
        monkeypatch.setattr(Repository, "_lay_out", die)
        confirm(proposal, ADA)

    assert killed(promote)
    script = repository.root / "pipelines/train/train.py"
    assert script.read_text() == first.script
    script.write_text("# mine")

    with pytest.raises(Exception, match=r"train\.py has edits"):
        confirm(propose(repository, "third"), ADA)

    assert script.read_text() == "# mine"
    assert [entry.number for entry in list_versions(repository.root)] == [2, 1]
