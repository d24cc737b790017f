"""What a promotion is about to do, written down before it does it.

The tag is made, then the branch is moved to its commit, and only then do work tree and index get
the files. Whoever promotes next after a promotion that was cut off (`kill -9`, a power cut) reads
here what was left to be done. See docs/adr/0002.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from nb2prod.store.git_program import GIT_TIMEOUT_S

JOURNAL_NAME = "nb2prod.journal"
# A status in the person's editor takes some tenths of a second; `git commit` with an editor longer.
PATIENCE_S = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Journal:
    """A promotion that has begun.

    Parameters
    ----------
    root
        The work tree, or the bare repository.
    commit, parent
        The new commit, and what HEAD was before; `None` for no commit.
    tag
        Name of the new tag.
    folder
        The folder whose content is replaced, relative to the root.
    """

    root: str
    commit: str
    parent: str | None
    tag: str
    folder: str


def write_journal(folder: Path, journal: Journal) -> None:
    """Write it into git's own folder, where it stays until `remove_journal`."""
    partial = folder / f"{JOURNAL_NAME}.partial"
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(asdict(journal), stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(folder / JOURNAL_NAME)


def read_journal(folder: Path) -> Journal | None:
    """Return what a promotion that was cut off has left; `None` where there was none."""
    try:
        return Journal(**json.loads((folder / JOURNAL_NAME).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remove_journal(folder: Path) -> None:
    """Say that all is done."""
    (folder / JOURNAL_NAME).unlink(missing_ok=True)


def dead_locks(folder: Path, root: Path, locks: Iterator[Path]) -> Iterator[Path]:
    """Give those lock files that the promotion of the journal has left behind.

    They are as old as the journal, and no git is at work in that work tree: what a person's own
    git holds is never given.
    """
    try:
        begun_at = (folder / JOURNAL_NAME).stat().st_mtime
    except OSError:
        return
    for lock in locks:
        with suppress(OSError):
            # A file system's clock may be a little behind.
            age = lock.lstat().st_mtime - begun_at
            if -1 <= age <= GIT_TIMEOUT_S and _git_rests(root):
                yield lock


def _git_rests(root: Path) -> bool:
    """Wait a little for the end of each git in a work tree; whether none is left."""
    deadline = time.monotonic() + PATIENCE_S
    while _git_is_at_work(root):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _git_is_at_work(root: Path) -> bool:
    """Whether a git runs in a work tree; where the system does not tell, it may."""
    processes = Path("/proc")
    if not (processes / "self").exists():
        return True
    resolved = root.resolve()
    for process in processes.glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text().startswith("git"):
                place = (process / "cwd").resolve()
                if place.is_relative_to(resolved):
                    return True
    return False
