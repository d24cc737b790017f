"""Content-addressed blobs under a URL: a folder by default, an object store by configuration."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec

from nb2prod.errors import BlobNotFound, StorageUnusable, storage_error

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored content: its sha256 (64 hexadecimal digits) and its size in bytes."""

    sha256: str
    size_bytes: int


class BlobStore:
    """Contents by their sha256; written once, never changed.

    A content becomes visible under its name by one rename after it is whole, so that a
    reader, or a crash, never meets half of one. Safe to use from several processes.

    Parameters
    ----------
    url
        Any fsspec URL, for instance ``/var/lib/nb2prod/blobs`` or ``s3://bucket/blobs``.

    Raises
    ------
    StorageUnusable
        The URL is of an unknown kind, or of one that needs a package which is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            scheme = url.partition("://")[0]
            raise StorageUnusable(f"Blobs can't be kept in {scheme!r}: {error}.") from error

    def put_bytes(self, content: bytes) -> Blob:
        """Store a content; one that is stored already is left as it is.

        Raises
        ------
        StorageFull, StorageUnusable
            It could not be written; nothing of it is kept.
        """
        blob = Blob(hashlib.sha256(content).hexdigest(), len(content))
        self._write(blob, iter((content,)))
        return blob

    def put_file(self, path: Path) -> Blob:
        """Store a file's content; raises `OSError` where the file itself can't be read."""
        with path.open("rb") as stream:
            digest, size = hashlib.sha256(), 0
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
            stream.seek(0)
            blob = Blob(digest.hexdigest(), size)
            self._write(blob, iter(lambda: stream.read(CHUNK_BYTES), b""))
        return blob

    def get(self, sha256: str) -> bytes:
        """Return a whole content; raises `BlobNotFound`."""
        with self.open(sha256) as stream:
            content: bytes = stream.read()
        return content

    def open(self, sha256: str) -> IO[Any]:
        """Open a content for reading; raises `BlobNotFound`."""
        try:
            stream: IO[Any] = self._files.open(self._path(sha256), "rb")
        except FileNotFoundError as error:
            raise BlobNotFound(f"No content {sha256} is stored.") from error
        return stream

    def has(self, sha256: str) -> bool:
        """Tell whether a content is stored."""
        return bool(self._files.exists(self._path(sha256)))

    def _path(self, sha256: str) -> str:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise BlobNotFound(f"{sha256!r} is no sha256.")
        return f"{self._root}/{sha256[:2]}/{sha256[2:]}"

    def _write(self, blob: Blob, chunks: Iterator[bytes]) -> None:
        path = self._path(blob.sha256)
        if self._files.exists(path):
            return
        partial = f"{self._root}/partial/{uuid.uuid4().hex}"
        digest = hashlib.sha256()
        try:
            self._files.makedirs(f"{self._root}/partial", exist_ok=True)
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            with self._files.open(partial, "wb") as stream:
                for chunk in chunks:
                    digest.update(chunk)
                    stream.write(chunk)
            if digest.hexdigest() != blob.sha256:
                raise StorageUnusable("A file changed while it was being stored; try again.")
            self._files.mv(partial, path)
        except OSError as error:
            raise storage_error(self.url, error) from error
        finally:
            if self._files.exists(partial):
                self._files.rm(partial)
