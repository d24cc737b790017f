"""A workspace: settings, database and blobs, opened together and handed to every room."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nb2prod.errors import StorageFull, StorageUnusable
from nb2prod.settings import Settings
from nb2prod.store.blobs import BlobStore
from nb2prod.store.database import Database


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """An open workspace; see `open_workspace`."""

    settings: Settings
    database: Database
    blobs: BlobStore


@contextmanager
def open_workspace(settings: Settings) -> Iterator[Workspace]:
    """Open a workspace, making its folder and database where there are none.

    Raises
    ------
    StorageFull, StorageUnusable
        Its folder or database can't be written.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull(f"No space is left for {settings.home}.") from error
        raise StorageUnusable(
            f"The workspace's folder {settings.home} can't be made: {error.strerror}."
            " Set NB2PROD_HOME to another folder."
        ) from error
    database = Database(settings.database_url)
    try:
        yield Workspace(settings=settings, database=database, blobs=BlobStore(settings.blob_url))
    finally:
        database.close()
