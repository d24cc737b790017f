"""Which content the inputs of a schedule have now: looked at often, and hashed once.

They lie in a folder that a project's members, and their notebooks, write to, while this process
may read what they could not. So files are opened beneath the folder, no link is followed, only
regular files are read, and no more of them than is sensible.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, TypeVar

from nb2prod.errors import ScheduleInvalid
from nb2prod.store.untrusted_folder import UntrustedFolder

MAX_INPUTS = 20
MAX_FILES = 10_000
# Of one file.
MAX_BYTES = 100 * 10**9
MAX_DEPTH = 30
# Of one look: half a second or so, in which the dispatcher does nothing else.
BUDGET_BYTES = 256 * 2**20

_CHUNK_BYTES = 2**20
_KNOWN_FILES = 100_000
_BEGUN_FILES = 16
_PATH_LENGTH = 500
_SMALLER = "Watch less, such as a small file that is written last."
# Before that a file may change once more within one tick of its file system's clock.
_SETTLED_AFTER_NS = 2 * 10**9


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


# What the system says of a file; it says something else once the file was written to.
_Identity = tuple[int, int, int, int, int]
_Kept = TypeVar("_Kept")


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What the inputs were at one time.

    Parameters
    ----------
    hashes
        The sha256 of each by its path: of a file its content's, of a folder one over the names
        and hashes of all files in it; `None` for what is not there or can't be read.
    trouble
        A sentence on the first that is not there; empty where all are.
    """

    hashes: dict[str, str | None]
    trouble: str = ""


class Unfinished(Exception):
    """There is more to read than one look may; the next one goes on from there.

    Parameters
    ----------
    is_written
        Whether somebody writes to it just now, so that to go on at once would be in vain.
    """

    def __init__(self, *, is_written: bool) -> None:
        super().__init__()
        self.is_written = is_written


class Looker:
    """Looks at inputs, and remembers the hash of each file until it changes.

    Not safe for several threads at once.

    Parameters
    ----------
    budget_bytes
        How much one look may read.
    """

    def __init__(self, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._known: OrderedDict[_Identity, str] = OrderedDict()
        # Files that are larger than a look: how far each was read.
        self._begun: OrderedDict[_Identity, tuple[_Digest, int]] = OrderedDict()
        self._left_bytes = self._left_files = 0

    def look(self, root: Path, inputs: Sequence[str]) -> Look:
        """Look at inputs beneath a folder.

        Raises
        ------
        Unfinished
            Not all of them could be read.
        """
        self._left_bytes, self._left_files = self._budget_bytes, MAX_FILES
        hashes: dict[str, str | None] = {}
        troubles = []
        try:
            with UntrustedFolder(root) as folder:
                for path in inputs:
                    try:
                        hashes[path] = self._hash(folder, path)
                    except _Unusable as error:
                        hashes[path] = None
                        troubles.append(str(error))
        except FileNotFoundError:
            trouble = "The project's folder is not there."
            return Look(hashes=dict.fromkeys(inputs), trouble=trouble)
        return Look(hashes=hashes, trouble=troubles[0] if troubles else "")

    def _hash(self, folder: UntrustedFolder, path: str) -> str:
        names = PurePosixPath(path).parts
        stream = folder.open(*names)
        if stream is None:
            return self._hash_folder(folder, path, names)
        with stream:
            return self._hash_file(stream, path)

    def _hash_folder(self, folder: UntrustedFolder, path: str, names: tuple[str, ...]) -> str:
        digest = hashlib.sha256()
        for file in sorted(self._files_in(folder, path, names)):
            stream = folder.open(*names, *file)
            if stream is None:
                # Gone since it was listed.
                continue
            with stream:
                sha256 = self._hash_file(stream, path)
            # No name of a file has a byte 0 in it.
            digest.update(os.fsencode("/".join(file)) + b"\0" + sha256.encode() + b"\0")
        return digest.hexdigest()

    def _files_in(
        self, folder: UntrustedFolder, path: str, names: tuple[str, ...]
    ) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            inner = waiting.pop()
            listing = folder.list(*names, *inner, limit=self._left_files + 1)
            if listing is None:
                if not inner:
                    raise _Unusable(f"The input {path} is not there, can't be read, or is a link.")
                continue
            self._left_files -= listing.count
            if self._left_files < 0 or len(inner) > MAX_DEPTH:
                raise _Unusable(
                    f"The input {path} has more than {MAX_FILES} files, or folders that are nested"
                    f" more than {MAX_DEPTH} deep. {_SMALLER}"
                )
            found += ((*inner, name) for name in listing.files)
            waiting += ((*inner, name) for name in listing.folders)
        return found

    def _hash_file(self, stream: IO[bytes], path: str) -> str:
        identity, size_bytes, is_settled = _state_of(stream)
        if identity in self._known:
            self._known.move_to_end(identity)
            return self._known[identity]
        if size_bytes > MAX_BYTES:
            raise _Unusable(
                f"The input {path} has a file of more than {MAX_BYTES // 10**9} GB. {_SMALLER}"
            )
        if size_bytes > self._left_bytes and not is_settled:
            raise Unfinished(is_written=True)
        digest, offset = self._begun.pop(identity, (hashlib.sha256(), 0))
        stream.seek(offset)
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            offset += len(chunk)
            self._left_bytes -= len(chunk)
            if self._left_bytes <= 0:
                _remember(self._begun, identity, (digest, offset), limit=_BEGUN_FILES)
                raise Unfinished(is_written=False)
        if is_settled and _state_of(stream)[0] == identity:
            _remember(self._known, identity, digest.hexdigest(), limit=_KNOWN_FILES)
        return digest.hexdigest()


def check_inputs(paths: Sequence[str]) -> tuple[str, ...]:
    """Return paths of inputs in their plain form, each once.

    Raises
    ------
    ScheduleInvalid
        One of them leads nowhere beneath the project's folder, or there are too many.

    Examples
    --------
    >>> check_inputs(["data//flights.csv", "data/flights.csv", "raw/"])
    ('data/flights.csv', 'raw')
    """
    found = tuple(dict.fromkeys(map(_check_input, paths)))
    if len(found) > MAX_INPUTS:
        raise ScheduleInvalid(
            f"A schedule may watch {MAX_INPUTS} files and folders, not {len(found)}. Watch a folder"
            " that has them all."
        )
    return found


def _check_input(path: str) -> str:
    parts = PurePosixPath(path).parts
    is_plain = path.isprintable() and "\\" not in path and len(path) <= _PATH_LENGTH
    if not parts or not is_plain or path.startswith("/") or ".." in parts:
        raise ScheduleInvalid(
            f"{path[:80]!r} can't be watched: write the path of a file or folder within the"
            " project's folder, as in data/flights.parquet."
        )
    return PurePosixPath(path).as_posix()


class _Unusable(Exception):
    """An input is not there, or is too much; the text says so."""


def _state_of(stream: IO[bytes]) -> tuple[_Identity, int, bool]:
    found = os.fstat(stream.fileno())
    identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    # Nobody but the system sets the time of the last change.
    return identity, found.st_size, abs(time.time_ns() - found.st_ctime_ns) > _SETTLED_AFTER_NS


def _remember(
    memory: OrderedDict[_Identity, _Kept], identity: _Identity, kept: _Kept, *, limit: int
) -> None:
    memory[identity] = kept
    while len(memory) > limit:
        memory.popitem(last=False)
