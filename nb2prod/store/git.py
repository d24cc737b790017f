"""Versions live in git; this is the part of git that they need, over the ``git`` program.

A commit is built beside the work tree (an index of its own) and becomes visible together with
its tag by one reference transaction, so that an interruption leaves either both or neither,
and what the person has staged stays staged.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nb2prod.errors import (
    IdentityMissing,
    PromotionRaced,
    RepositoryNotFound,
    StorageFull,
    StorageUnusable,
    ToolMissing,
    WorkInTheWay,
)

log = logging.getLogger(__name__)

GIT_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and the commit that it points to.

    ``name`` is without ``refs/tags/``; ``author`` is "Name" of the commit's author.
    """

    name: str
    commit: str
    author: str
    created_at: datetime


class Repository:
    """A git work tree.

    Parameters
    ----------
    root
        The folder that holds ``.git``; see `discover` to find it from below.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def discover(cls, start: Path) -> Repository:
        """Find the repository that a folder or file lies in.

        Raises
        ------
        RepositoryNotFound
            There is none, or it has no work tree.
        ToolMissing
            Git is not installed.
        """
        folder = start if start.is_dir() else start.parent
        answer = _run(["git", "-C", str(folder), "rev-parse", "--show-toplevel"])
        if answer.returncode != 0:
            if "dubious ownership" in answer.stderr:
                raise RepositoryNotFound(
                    f"Git doesn't trust {folder}, because another account owns it; see"
                    " `git help config`, safe.directory."
                )
            raise RepositoryNotFound(
                f"{folder} lies in no git repository. Versions are kept in git: run `git init`"
                " in the project's folder first."
            )
        return cls(Path(answer.stdout.removesuffix("\n")))

    @classmethod
    def create(cls, root: Path) -> Repository:
        """Make a new, empty repository with the branch ``main``."""
        root.mkdir(parents=True, exist_ok=True)
        repository = cls(root)
        repository.git("init", "--quiet", "--initial-branch=main")
        return repository

    def head(self) -> str | None:
        """Return the commit of HEAD; `None` in a repository without a commit."""
        answer = self._try("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return answer.stdout.strip() or None

    def is_detached(self) -> bool:
        """Tell whether HEAD is on no branch."""
        return self._try("symbolic-ref", "--quiet", "HEAD").returncode != 0

    def read_file(self, revision: str, path: str) -> bytes | None:
        """Return a file's content at a revision; `None` where it isn't there.

        ``path`` is relative to the root, with ``/``.
        """
        answer = _run(
            ["git", "-C", str(self.root), "cat-file", "blob", f"{revision}:{path}"], text=False
        )
        return answer.stdout if answer.returncode == 0 else None

    def list_files(self, revision: str, folder: str) -> tuple[str, ...]:
        """Return the paths of all files beneath a folder at a revision."""
        answer = self._try("ls-tree", "-r", "-z", "--name-only", revision, "--", f"{folder}/")
        return tuple(name for name in answer.stdout.split("\0") if name)

    def tags(self, pattern: str = "") -> tuple[Tag, ...]:
        """Return the tags whose name matches a pattern of ``git for-each-ref``; all by default."""
        fields = "%(refname:strip=2)%00%(objectname)%00%(*objectname)%00%(creatordate:iso-strict)"
        authors = "%(authorname)%00%(*authorname)"
        answer = self.git("for-each-ref", f"--format={fields}%00{authors}", f"refs/tags/{pattern}")
        found = []
        # Not `splitlines`: a name may have one of the other characters that end a line for Python.
        for line in answer.split("\n")[:-1]:
            name, object_id, commit, created, author, tagged_author = line.split("\0")
            # A tag of a file or folder, as of somebody's key, has no time and is no version.
            if created:
                author = tagged_author or author
                found.append(Tag(name, commit or object_id, author, _time(created)))
        return tuple(found)

    def existing(self, objects: Sequence[str]) -> frozenset[str]:
        """Return those of some object names (``commit:path``) that exist."""
        if not objects:
            return frozenset()
        lines = "".join(f"{name}\n" for name in objects)
        answer = self.git("cat-file", "--batch-check=%(objecttype)", stdin=lines).split("\n")[:-1]
        return frozenset(name for name, kind in zip(objects, answer, strict=True) if kind == "blob")

    def commit_and_tag(
        self,
        files: Mapping[str, bytes],
        *,
        replaces: str,
        message: str,
        tag: str,
        parent: str | None,
    ) -> str:
        """Commit files on top of HEAD and tag the commit, as one step.

        Parameters
        ----------
        files
            Contents by path, relative to the root.
        replaces
            Folder whose former content these files replace as a whole.
        message
            Of the commit and of the annotated tag.
        tag
            Name of the new tag; must not exist.
        parent
            What HEAD was when the caller looked (`head`).

        Returns
        -------
        str
            The new commit's id. Work tree and index have the files too.

        Raises
        ------
        PromotionRaced
            HEAD moved, or the tag appeared, meanwhile; nothing was changed.
        WorkInTheWay
            The folder has edits that are not committed, and that would be lost.
        IdentityMissing
            Git knows no author.
        StorageFull, StorageUnusable
            Git could not write.
        """
        self._require_identity()
        # Ours wait for each other, so that the work tree ends as the newest of them; the
        # person's own git commands don't, and are what can still win a race.
        with self._promoting():
            self._require_no_edits(files, replaces)
            commit = self._commit(files, replaces, message, parent)
            self._publish(commit, parent, tag, self._tag(commit, tag, message), message)
            self._lay_out(files, replaces, parent)
        return commit

    def git(self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] = {}) -> str:
        """Run git in this repository and return what it prints.

        Raises
        ------
        StorageFull, StorageUnusable
            Git failed; its own words are in the message.
        """
        answer = self._try(*arguments, stdin=stdin, env=env)
        if answer.returncode == 0:
            return answer.stdout
        words = answer.stderr.strip() or f"exit status {answer.returncode}"
        if "No space left" in words:
            raise StorageFull(f"No space is left for the repository {self.root}.")
        raise StorageUnusable(f"`git {arguments[0]}` failed in {self.root}: {words}")

    def _try(
        self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        return _run(["git", "-C", str(self.root), *arguments], stdin=stdin, env=env)

    def has_identity(self) -> bool:
        """Tell whether git knows the name and address of a commit's author here."""
        return self._try("var", "GIT_AUTHOR_IDENT").returncode == 0

    def _require_identity(self) -> None:
        if not self.has_identity():
            raise IdentityMissing(
                "Git doesn't know who you are. Tell it: `git config --global user.name NAME`"
                " and `git config --global user.email ADDRESS`."
            )

    @contextmanager
    def _promoting(self) -> Iterator[None]:
        path = self.root / self.git("rev-parse", "--git-common-dir").strip() / "nb2prod.lock"
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _require_no_edits(self, files: Mapping[str, bytes], folder: str) -> None:
        entries = self.git("status", "--porcelain=v1", "-z", "--no-renames", "--", folder)
        states = {entry[3:]: entry[:2] for entry in entries.split("\0") if entry}
        # What git does not know yet is in the way only where it would be overwritten; ignored
        # files are not listed at all.
        unknown = {path for path in files if (self.root / path).exists()} - self._tracked(folder)
        edited = {path for path, state in states.items() if state != "??"} | unknown
        lost = sorted(path for path in edited if not self._holds(path, files))
        if lost:
            raise WorkInTheWay(
                f"{lost[0]} has edits that are not committed, and a new version would overwrite"
                f" them. Commit or discard them (`git restore --staged --worktree {folder}`),"
                " then promote again.",
                paths=lost,
            )

    def _tracked(self, folder: str) -> set[str]:
        return set(self.git("ls-files", "-z", "--", folder).split("\0"))

    def _holds(self, path: str, files: Mapping[str, bytes]) -> bool:
        file = self.root / path
        return file.is_file() and file.read_bytes() == files.get(path)

    def _commit(
        self, files: Mapping[str, bytes], replaces: str, message: str, parent: str | None
    ) -> str:
        with tempfile.TemporaryDirectory(prefix="nb2prod-index-") as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if parent is not None:
                self.git("read-tree", parent, env=env)
                former = "".join(f"{path}\0" for path in self.list_files(parent, replaces))
                self.git("update-index", "--force-remove", "-z", "--stdin", stdin=former, env=env)
            self._add(files, env)
            tree = self.git("write-tree", env=env).strip()
        parents = [] if parent is None else ["-p", parent]
        return self.git("commit-tree", tree, *parents, "-m", message).strip()

    def _tag(self, commit: str, tag: str, message: str) -> str:
        tagger = self.git("var", "GIT_COMMITTER_IDENT").strip()
        body = f"object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n{message}\n"
        return self.git("mktag", stdin=body).strip()

    def _add(self, files: Mapping[str, bytes], env: Mapping[str, str]) -> None:
        for path, content in files.items():
            stored = _run(
                ["git", "-C", str(self.root), "hash-object", "-w", "--stdin"],
                stdin=content,
                text=False,
            )
            if stored.returncode != 0:
                words = stored.stderr.decode(errors="replace").strip()
                raise StorageUnusable(f"Git could not store {path} in {self.root}: {words}")
            entry = f"100644,{stored.stdout.decode().strip()},{path}"
            self.git("update-index", "--add", "--cacheinfo", entry, env=env)

    def _publish(
        self, commit: str, parent: str | None, tag: str, tag_object: str, message: str
    ) -> None:
        first_line = message.splitlines()[0]
        # Of zeros: there must be none yet. As long as the repository's ids, 40 or 64 digits.
        former = parent or "0" * len(commit)
        transaction = (
            f"start\nupdate HEAD {commit} {former}\n"
            f"create refs/tags/{tag} {tag_object}\nprepare\ncommit\n"
        )
        answer = self._try(
            "update-ref", "-m", f"commit (promote): {first_line}", "--stdin", stdin=transaction
        )
        if answer.returncode != 0:
            raise PromotionRaced(
                f"{self.root} changed while {tag} was being made: {answer.stderr.strip()}"
            )

    def _lay_out(self, files: Mapping[str, bytes], replaces: str, parent: str | None) -> None:
        former = self.list_files(parent, replaces) if parent is not None else ()
        for path in sorted(set(former) - set(files)):
            (self.root / path).unlink(missing_ok=True)
        for path, content in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.partial")
            partial.write_bytes(content)
            partial.replace(target)
        staged = self._try("add", "--all", "--force", "--", replaces)
        if staged.returncode != 0:
            # The version is made; a git command of the person's own holds the index just now.
            log.warning("%s is committed, but not in the index: %s", replaces, staged.stderr)


def _run(
    command: list[str],
    *,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] = {},
    text: bool = True,
) -> subprocess.CompletedProcess[Any]:
    if shutil.which("git") is None:
        raise ToolMissing("Git is not installed. On Debian or Ubuntu: `apt-get install git`.")
    # Messages are compared with English ones; a prompt would wait for ever.
    fixed = {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(
        command,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=text,
        encoding="utf-8" if text else None,
        errors="surrogateescape" if text else None,
        env={**os.environ, **fixed, **env},
        timeout=GIT_TIMEOUT_S,
        check=False,
    )


def _time(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
