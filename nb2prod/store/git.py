"""Versions live in git; this is the part of git that they need, over the ``git`` program.

A commit is built beside the work tree (an index of its own) and becomes visible together with
its tag by one reference transaction, so that an interruption leaves either both or neither,
and what the person has staged stays staged. What it leaves undone in the work tree, the next
promotion does (`nb2prod.store.promotion_journal`). In a bare repository, which has neither work
tree nor index, the transaction is all there is.
"""

from __future__ import annotations

import fcntl
import logging
import re
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from nb2prod.errors import (
    IdentityMissing,
    PromotionRaced,
    RepositoryNotFound,
    WorkInTheWay,
)
from nb2prod.store.git_program import OTHERS_REPOSITORY, git_failure, run_git
from nb2prod.store.promotion_journal import (
    Journal,
    dead_locks,
    read_journal,
    remove_journal,
    write_journal,
)

log = logging.getLogger(__name__)

LOCK_NAME = "nb2prod.lock"
# A promotion holds the lock for some tenths of a second, and a stuck git for `GIT_TIMEOUT_S`.
PROMOTION_WAIT_S = 120

# Hooks and the file system monitor are programs that a repository's configuration names.
_RUNS_NOTHING = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and the commit that it points to.

    ``name`` is without ``refs/tags/``; ``author`` is "Name" of the commit's author.
    """

    name: str
    commit: str
    author: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Author:
    """Who made a commit.

    Git can't write each name: what it has no place for (``<``, ``>``, line ends) is left out.
    """

    name: str
    email: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that tell git, as author and as committer."""
        name, email = _identity_part(self.name), _identity_part(self.email).replace(" ", "")
        return {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": email,
        }


class Repository:
    """A git repository: a work tree, or a bare one that only we write.

    Parameters
    ----------
    root
        The folder that holds ``.git``, see `discover` to find it from below; or the bare
        repository itself.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        # Of our lock, while we promote.
        self._held: tuple[int, ...] = ()

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
        answer = run_git(["git", "-C", str(folder), "rev-parse", "--show-toplevel"])
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

    @classmethod
    def create_bare(cls, root: Path) -> Repository:
        """Make a new, empty repository without a work tree, its HEAD on ``main``."""
        root.mkdir(parents=True, exist_ok=True)
        # Without a template: those of this machine may bring hooks.
        made = run_git(
            ["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(root)],
            drops=OTHERS_REPOSITORY,
        )
        if made.returncode != 0:
            raise git_failure("init", root, made.stderr)
        return cls(root)

    def clone_bare(self, target: Path) -> Repository:
        """Copy all branches and tags into a new bare repository, its HEAD on ``main``.

        ``main`` is what HEAD is here, where there is no branch of that name. The copy shares
        no file with this repository and doesn't remember it.

        Raises
        ------
        StorageFull, StorageUnusable
            Git could not read or write.
        """
        command = ["git", "clone", "--quiet", "--bare", "--no-hardlinks", "--template="]
        cloned = run_git(
            [*command, "--", str(self.root.absolute()), str(target)],
            drops=OTHERS_REPOSITORY,
        )
        if cloned.returncode != 0:
            raise git_failure("clone", target, cloned.stderr)
        clone = Repository(target)
        clone.git("remote", "remove", "origin")
        head = clone.head()
        clone.git("symbolic-ref", "HEAD", "refs/heads/main")
        if head is not None and clone.head() is None:
            clone.git("update-ref", "HEAD", head)
        return clone

    def head(self) -> str | None:
        """Return the commit of HEAD; `None` in a repository without a commit."""
        answer = self._try("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return answer.stdout.strip() or None

    def is_bare(self) -> bool:
        """Tell whether it has no work tree."""
        return (self.root / "HEAD").is_file() and not (self.root / ".git").exists()

    def is_detached(self) -> bool:
        """Tell whether HEAD is on no branch."""
        return self._try("symbolic-ref", "--quiet", "HEAD").returncode != 0

    def read_file(self, revision: str, path: str) -> bytes | None:
        """Return a file's content at a revision; `None` where it isn't there.

        ``path`` is relative to the root, with ``/``.
        """
        answer = self._start("cat-file", "blob", f"{revision}:{path}", text=False)
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
        author: Author | None = None,
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
        author
            Who made the commit and the tag; by default whom git's configuration names.

        Returns
        -------
        str
            The new commit's id. Work tree and index, where there are any, have the files too.

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
        identity = self._identity() if author is None else author.environment
        has_work_tree = not self.is_bare()
        # Ours wait for each other, so that the work tree ends as the newest of them; the
        # person's own git commands don't, and are what can still win a race.
        with self._promoting():
            if has_work_tree:
                self._require_no_edits(files, replaces)
            tree = self._write_tree(files, replaces, parent)
            parents = [] if parent is None else ["-p", parent]
            commit = self.git("commit-tree", tree, *parents, "-m", message, env=identity).strip()
            tag_object = self._tag(commit, tag, message, identity)
            first_line = message.splitlines()[0]
            begun = Journal(
                root=str(self.root), commit=commit, parent=parent, tag=tag, folder=replaces
            )
            write_journal(self._common_folder(), begun)
            try:
                self._publish(commit, parent, (tag, tag_object), f"commit (promote): {first_line}")
                if has_work_tree:
                    self._lay_out(files, replaces, parent)
            finally:
                remove_journal(self._common_folder())
        return commit

    def settle(self) -> None:
        """Bring to its end what a promotion that was cut off, as by a power cut, has left.

        Raises
        ------
        PromotionRaced
            Another promotion does not come to its end.
        """
        if read_journal(self._common_folder()) is not None:
            with self._promoting():
                pass

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
        words = answer.stderr or f"exit status {answer.returncode}"
        raise git_failure(arguments[0], self.root, words)

    def _try(
        self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        return self._start(*arguments, stdin=stdin, env=env)

    def _start(
        self,
        *arguments: str,
        stdin: str | bytes | None = None,
        env: Mapping[str, str] = {},
        text: bool = True,
    ) -> subprocess.CompletedProcess[Any]:
        if not self.is_bare():
            command = ["git", "-C", str(self.root), *arguments]
            return run_git(command, stdin=stdin, env=env, text=text, keeps=self._held)
        # Named, not discovered: then git asks neither who owns it nor what else lies around.
        root = str(self.root.absolute())
        command = ["git", "-C", root, f"--git-dir={root}", *_RUNS_NOTHING, *arguments]
        return run_git(
            command,
            stdin=stdin,
            env=env,
            text=text,
            drops=OTHERS_REPOSITORY,
            keeps=self._held,
        )

    def has_identity(self) -> bool:
        """Tell whether git knows the name and address of a commit's author here."""
        return self._try("var", "GIT_AUTHOR_IDENT").returncode == 0

    def _identity(self) -> dict[str, str]:
        if not self.has_identity():
            raise IdentityMissing(
                "Git doesn't know who you are. Tell it: `git config --global user.name NAME`"
                " and `git config --global user.email ADDRESS`."
            )
        return {}

    @contextmanager
    def _promoting(self) -> Iterator[None]:
        folder = self._common_folder()
        with (folder / LOCK_NAME).open("w") as lock:
            self._wait_for(lock)
            # Each git of ours holds it too. So when it is free again after we were killed, no git
            # that we had started is still at work.
            self._held = (lock.fileno(),)
            try:
                self._recover(folder)
                yield
            finally:
                self._held = ()

    def _wait_for(self, lock: IO[str]) -> None:
        deadline = time.monotonic() + PROMOTION_WAIT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise PromotionRaced(
                        f"Another promotion in {self.root.name} does not come to its end; promote"
                        " again when it has."
                    ) from error
                time.sleep(0.01)
            else:
                return

    def _common_folder(self) -> Path:
        return self.root / self.git("rev-parse", "--git-common-dir").strip()

    def _recover(self, folder: Path) -> None:
        if self.is_bare():
            # Nobody but us writes references here.
            _remove_locks([self.root / "HEAD.lock", *(self.root / "refs").rglob("*.lock")])
        journal = read_journal(folder)
        if journal is not None and Path(journal.root).is_dir():
            cut_off = Repository(Path(journal.root))
            cut_off._held = self._held
            cut_off._complete(journal, folder)
        remove_journal(folder)

    def _complete(self, journal: Journal, folder: Path) -> None:
        if not self.is_bare():
            self._remove_dead_locks(journal, folder)
        tag = f"refs/tags/{journal.tag}"
        made = self._try("rev-parse", "--verify", "--quiet", f"{tag}^{{commit}}").stdout.strip()
        if made != journal.commit:
            return
        log.warning("Completing a promotion that was cut off, tag=%s", journal.tag)
        # Git makes the tag first, and may have been killed before it moved the branch.
        if self.head() == journal.parent:
            former = journal.parent or "0" * len(journal.commit)
            reason = f"commit (promote): {journal.tag}"
            self.git("update-ref", "-m", reason, "HEAD", journal.commit, former)
        if self.is_bare() or self.head() != journal.commit:
            return
        before, after = (
            {} if commit is None else self._contents(commit, journal.folder)
            for commit in (journal.parent, journal.commit)
        )
        self._lay_out(
            {path: after[path] for path in after if self._stands(path, before)},
            journal.folder,
            journal.parent,
            goes={path for path in before if path not in after and self._stands(path, before)},
        )

    def _remove_dead_locks(self, journal: Journal, folder: Path) -> None:
        own = self.root / self.git("rev-parse", "--git-dir").strip()
        branch = self._try("symbolic-ref", "--quiet", "HEAD").stdout.strip()
        names = (own / "HEAD", own / "index", folder / "packed-refs", folder / branch)
        files = (*names, folder / "refs" / "tags" / journal.tag)
        locks = (file.with_name(f"{file.name}.lock") for file in files)
        _remove_locks(dead_locks(folder, self.root, locks))

    def _contents(self, commit: str, folder: str) -> dict[str, bytes]:
        paths = self.list_files(commit, folder)
        return {path: self.read_file(commit, path) or b"" for path in paths}

    def _stands(self, path: str, before: Mapping[str, bytes]) -> bool:
        """Whether nobody has written to a file since."""
        file = self.root / path
        return self._holds(path, before) or not file.exists()

    def _require_no_edits(self, files: Mapping[str, bytes], folder: str) -> None:
        # Without its optional lock on the index: killed with us, it would leave it behind.
        status = ("--no-optional-locks", "status", "--porcelain=v1", "-z", "--no-renames")
        entries = self.git(*status, "--", folder)
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

    def _write_tree(self, files: Mapping[str, bytes], replaces: str, parent: str | None) -> str:
        with tempfile.TemporaryDirectory(prefix="nb2prod-index-") as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            entries = []
            if parent is not None:
                self.git("read-tree", parent, env=env)
                gone = "0" * len(parent)
                entries = [f"0 {gone}\t{path}" for path in self.list_files(parent, replaces)]
            entries += [f"100644 {self._store(path, files[path])}\t{path}" for path in files]
            listed = "".join(f"{entry}\0" for entry in entries)
            self.git("update-index", "-z", "--index-info", stdin=listed, env=env)
            return self.git("write-tree", env=env).strip()

    def _store(self, path: str, content: bytes) -> str:
        stored = self._start("hash-object", "-w", "--stdin", stdin=content, text=False)
        if stored.returncode != 0:
            words = stored.stderr.decode(errors="replace")
            raise git_failure(f"hash-object` of `{path}", self.root, words)
        object_id: str = stored.stdout.decode().strip()
        return object_id

    def _tag(self, commit: str, tag: str, message: str, identity: Mapping[str, str]) -> str:
        tagger = self.git("var", "GIT_COMMITTER_IDENT", env=identity).strip()
        body = f"object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n{message}\n"
        return self.git("mktag", stdin=body).strip()

    def _publish(self, commit: str, parent: str | None, tag: tuple[str, str], reason: str) -> None:
        name, tag_object = tag
        # Of zeros: there must be none yet. As long as the repository's ids, 40 or 64 digits.
        former = parent or "0" * len(commit)
        transaction = (
            f"start\nupdate HEAD {commit} {former}\n"
            f"create refs/tags/{name} {tag_object}\nprepare\ncommit\n"
        )
        answer = self._try("update-ref", "-m", reason, "--stdin", stdin=transaction)
        if "No space left" in answer.stderr:
            raise git_failure("update-ref", self.root, answer.stderr)
        held = re.search(r"Unable to create '(.+\.lock)': File exists", answer.stderr)
        if held:
            raise PromotionRaced(
                f"{name} can't be made: another git is at work in {self.root.name}, or one that was"
                f" killed has left {held[1]}. If none is at work, delete that file, and promote"
                " again."
            )
        if answer.returncode != 0:
            raise PromotionRaced(
                f"{self.root.name} changed while {name} was being made: {answer.stderr.strip()}"
            )

    def _lay_out(
        self,
        files: Mapping[str, bytes],
        replaces: str,
        parent: str | None,
        *,
        goes: Collection[str] | None = None,
    ) -> None:
        if goes is None:
            former = self.list_files(parent, replaces) if parent is not None else ()
            goes = set(former) - set(files)
        for path in sorted(goes):
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


def _remove_locks(locks: Iterable[Path]) -> None:
    for lock in locks:
        if lock.exists():
            log.warning("Removing a lock that nobody holds, path=%s", lock)
            lock.unlink(missing_ok=True)


def _identity_part(text: str) -> str:
    """Return what git can write of a name; it refuses an empty one."""
    encodable = text.encode("utf-8", "replace").decode()
    plain = re.sub(r"[\x00-\x20\x7f<>]+", " ", encodable)
    # Git itself strips these from both ends.
    return plain.strip(" .,:;\"'\\") or "unknown"


def _time(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
