"""Which files under the project a run read and wrote, and what was in them.

The kernel's probe (`nb2prod_kernels.probe`, which says what it can see and what not) names
the files; this side hashes them, so that the notebook can't say anything about content. A
file that was read is hashed when it is first seen, soon after the end of the cell, and compared
with what it was when it was opened, and at the run's end; a file that was written is hashed at
the end. In a container of its own, where all that a run writes lies apart, files count as
written also where the probe did not see it.

Left out: everything outside the project (also behind links), git's own files, compiled code,
virtual environments and installed packages, and what is no regular file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nb2prod.execution.models import FileAccess, FileUse, Machine, RandomSource

SKIPPED_FOLDERS = frozenset(
    {".git", ".ipynb_checkpoints", "__pycache__", "site-packages", "node_modules"}
)
SKIPPED_SUFFIXES = (".pyc", ".pyo")
CHUNK_BYTES = 1 << 20

log = logging.getLogger(__name__)

# Of folders within folders in which a run's files are looked for.
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class _State:
    """Of a file at one time; the first three tell cheaply whether it may have changed."""

    mtime_ns: int
    size_bytes: int
    inode: int
    sha256: str

    @property
    def quick(self) -> tuple[int, int, int]:
        """What `_quick` gave."""
        return self.mtime_ns, self.size_bytes, self.inode


class Lineage:
    """Follows the files of one run. Not safe to use from two threads at once.

    Parameters
    ----------
    root
        The project's root.
    journal
        File that the probe writes to.
    own_folders
        Folders of ours that may lie under the root: the workspace, the run's own.
    started_at_ns
        When the run started, as a file's time of change.
    written_folder
        Folder of all that the run has written under the root, and of nothing else: the upper layer
        of an overlay. `None` where there is no such folder.
    own_modules
        Folder of the version's copies of the project's modules.
    """

    def __init__(
        self,
        root: Path,
        journal: Path,
        own_folders: tuple[Path, ...],
        started_at_ns: int,
        *,
        written_folder: Path | None = None,
        own_modules: Path | None = None,
    ) -> None:
        self._root = root.resolve()
        self._spelled_root = root.absolute()
        self._journal = journal
        # A folder of ours may lie in the project; a project in a folder of ours (the example)
        # is a project like any other.
        resolved = (folder.resolve() for folder in own_folders)
        self._own = tuple(folder for folder in resolved if not self._root.is_relative_to(folder))
        self._started_at_ns = started_at_ns
        self._written_folder = written_folder
        self._own_modules = own_modules
        self.own_modules: set[str] = set()
        self._offset = 0
        self._read: dict[str, _State] = {}
        # Hashed only when they were other than they had been read.
        self._hashed_late: set[str] = set()
        self._written: set[str] = set()
        self._undecided: set[str] = set()
        self._moved: set[str] = set()
        self._venvs: dict[Path, bool] = {}
        self.machine: Machine | None = None
        self.seeded: set[RandomSource] = set()

    def look(self) -> tuple[FileUse, ...]:
        """Take in what the probe has told since the last look; hash files newly read."""
        new = []
        for fact in self._facts():
            if "machine" in fact:
                self.machine = machine_of(fact["machine"])
                continue
            if "seeded" in fact:
                self.seeded.add(RandomSource(fact["seeded"]))
                continue
            path = self._relative(fact["path"])
            if path is None:
                self._note_module(fact["path"])
                continue
            use = self._take_in(path, fact["mode"], fact.get("state"))
            if use is not None:
                new.append(use)
        return tuple(new)

    def settle(self) -> tuple[FileUse, ...]:
        """Take a last look, and return all files as they are now."""
        self.look()
        for path in self._undecided:
            state = self._state(path)
            if state is not None and state.mtime_ns >= self._started_at_ns:
                self._written.add(path)
        self._written.update(self._found())
        uses = []
        for path in sorted(self._written):
            state = self._state(path)
            # What was written under a passing name, as careful programs do, is the new name's.
            if state is not None or path not in self._moved:
                uses.append(_use(path, FileAccess.WRITTEN, state))
        for path, before in sorted(self._read.items()):
            if path not in self._written:
                is_changed = path in self._hashed_late or self._has_changed(path, before)
                uses.append(replace(_use(path, FileAccess.READ, before), is_changed=is_changed))
        return tuple(sorted(uses, key=lambda use: use.path))

    def open_file(self, path: str) -> int | None:
        """Open one of the project's files, by a path as in `FileUse`, for reading.

        Returns
        -------
        int or None
            A file descriptor; `None` where there is no regular file inside the project.
        """
        try:
            target = (self._root / path).resolve()
            if not target.is_relative_to(self._root):
                return None
            # Not to be stopped by a named pipe that nobody writes to.
            descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (OSError, RuntimeError):
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return None

    def _take_in(self, path: str, mode: str, opened: list[int] | None) -> FileUse | None:
        """Take in one opening of a file; returns its use where it is newly read."""
        if mode == "w":
            self._written.add(path)
        elif mode == "x":
            self._moved.add(path)
        elif path not in self._read:
            if mode == "?":
                self._undecided.add(path)
            state = self._state(path)
            # Looking for a file that isn't there tells of no content.
            if state is not None:
                self._read[path] = state
                if opened is not None and opened != list(state.quick):
                    self._hashed_late.add(path)
                return _use(path, FileAccess.READ, state)
        return None

    def _facts(self) -> Iterator[dict[str, Any]]:
        try:
            with self._journal.open("rb") as stream:
                stream.seek(self._offset)
                for line in stream:
                    if not line.endswith(b"\n"):
                        return
                    self._offset += len(line)
                    yield json.loads(line)
        except FileNotFoundError:
            return

    def _found(self) -> Iterator[str]:
        """Give the files of the folder of all that was written."""
        if self._written_folder is None:
            return
        for within in _files_below(self._written_folder):
            path = self._relative(str(self._root / within))
            # What is no regular file, a file that was removed for instance, can't be opened.
            if path is not None and self._is_file(path):
                yield path

    def _is_file(self, path: str) -> bool:
        descriptor = self.open_file(path)
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is not None

    def _relative(self, name: str) -> str | None:
        path = Path(name)
        for root in (self._spelled_root, self._root):
            if path.is_relative_to(root):
                relative = path.relative_to(root)
                break
        else:
            return None
        try:
            target = path.resolve()
            is_ours = target.is_relative_to(self._root) and not self._is_skipped(relative, target)
        # A loop of links; a name that no file can have, too long or with a NUL in it.
        except (OSError, RuntimeError, ValueError):
            return None
        return relative.as_posix() if is_ours else None

    def _note_module(self, name: str) -> None:
        path, folder = Path(name), self._own_modules
        if folder is not None and path.is_relative_to(folder) and path.suffix == ".py":
            self.own_modules.add(path.relative_to(folder).as_posix())

    def _is_skipped(self, relative: Path, target: Path) -> bool:
        if not SKIPPED_FOLDERS.isdisjoint(relative.parts) or target.suffix in SKIPPED_SUFFIXES:
            return True
        if any(target.is_relative_to(folder) for folder in self._own):
            return True
        if target.is_dir():
            return True
        return any(self._is_venv(folder) for folder in target.parents if folder != self._root)

    def _is_venv(self, folder: Path) -> bool:
        if not folder.is_relative_to(self._root):
            return False
        if folder not in self._venvs:
            self._venvs[folder] = (folder / "pyvenv.cfg").exists()
        return self._venvs[folder]

    def _has_changed(self, path: str, before: _State) -> bool:
        descriptor = self.open_file(path)
        if descriptor is None:
            return True
        quick = _quick(os.fstat(descriptor))
        os.close(descriptor)
        if quick == before.quick:
            return False
        now = self._state(path)
        return now is None or now.sha256 != before.sha256

    def _state(self, path: str) -> _State | None:
        descriptor = self.open_file(path)
        if descriptor is None:
            return None
        digest = hashlib.sha256()
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
        return _State(*_quick(status), digest.hexdigest())


def machine_of(said: Mapping[str, Any]) -> Machine:
    """Return what the probe says of its machine."""
    return Machine(**{**said, "gpus": tuple(said["gpus"])})


def _files_below(folder: Path) -> Iterator[Path]:
    """Give what lies below a folder and is no folder, following no link.

    An error of one folder must not hide the others, nor must folders that lie deeper than
    anybody keeps files: both are as if nothing were there.
    """
    left = [Path()]
    while left:
        within = left.pop()
        try:
            with os.scandir(folder / within) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        yield within / entry.name
                    elif entry.name not in SKIPPED_FOLDERS and len(within.parts) < MAX_DEPTH:
                        left.append(within / entry.name)
        except OSError as error:
            log.warning("A folder can't be read, reason=%s", error)


def _quick(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _use(path: str, access: FileAccess, state: _State | None) -> FileUse:
    return FileUse(
        path=path,
        access=access,
        sha256=state.sha256 if state else None,
        size_bytes=state.size_bytes if state else None,
    )
