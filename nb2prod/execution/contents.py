"""Where a run's contents are kept: the workspace's blobs, or the run's own folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from nb2prod.errors import storage_error
from nb2prod.execution.recorder import write_file
from nb2prod.store.blobs import Blob


class Contents(Protocol):
    """Keeps contents under their sha256; `nb2prod.store.blobs.BlobStore` is one."""

    def put_bytes(self, content: bytes) -> Blob:
        """Keep a content; one that is kept already is left as it is.

        Raises
        ------
        StorageFull, StorageUnusable
            It could not be written; nothing of it is kept.
        """
        ...


class ContentFolder:
    """Keeps contents as files named by their sha256, for a run that has no blob store.

    Parameters
    ----------
    path
        The folder; made when the first content is kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def put_bytes(self, content: bytes) -> Blob:
        """Keep a content; see `Contents`."""
        blob = Blob(hashlib.sha256(content).hexdigest(), len(content))
        file = self._path / blob.sha256
        try:
            self._path.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error(self._path, error) from error
        if not file.exists():
            write_file(file, content)
        return blob
