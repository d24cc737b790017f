"""The relational database: SQLite in WAL mode by default, PostgreSQL by URL.

Readers never block; a writer takes the write lock at its first statement (``BEGIN
IMMEDIATE``), so that two processes wait for each other instead of failing half-way.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from nb2prod.errors import StorageFull, StorageUnusable

log = logging.getLogger(__name__)

# The newest revision in migrations/versions. Compared at each start, so that Alembic (0.2 s to
# import) is loaded only when a database is new or old; a test keeps it true.
SCHEMA_REVISION = "0003"

BUSY_TIMEOUT_MS = 30_000


class Database:
    """A database at the newest schema.

    Parameters
    ----------
    url
        SQLAlchemy URL. For SQLite the folder is made, and the file brought up to date.

    Raises
    ------
    StorageUnusable
        The database can't be opened, or is of a newer nb2prod than this one.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._file = _sqlite_file(url)
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            self.engine = _make_engine(url)
            self._migrate()
        # An URL that is none, or that needs a driver which is not installed, too.
        except (OSError, DatabaseError, ArgumentError, ImportError) as error:
            raise _storage_error(url, error) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state throughout; nothing done with it is kept."""
        with self.engine.connect() as connection:
            if self._file is not None:
                connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in one transaction, committed at the end, rolled back on error.

        Raises
        ------
        StorageFull, StorageUnusable
            The database can't be written; nothing was changed.
        """
        try:
            with self.engine.begin() as connection:
                if self._file is not None:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        except OperationalError as error:
            raise _storage_error(self.url, error) from error

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()

    def _migrate(self) -> None:
        if self._revision() == SCHEMA_REVISION:
            return
        if self._file is None:
            self._upgrade()
            return
        with self._file.with_suffix(".migrating").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._revision() != SCHEMA_REVISION:
                self._upgrade()

    def _upgrade(self) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        log.info("Migrating the database, revision=%s", SCHEMA_REVISION)
        config = Config()
        config.set_main_option("script_location", "nb2prod.store:migrations")
        try:
            with self.write() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            raise StorageUnusable(
                f"The database {_without_password(self.url)} was written by a newer nb2prod;"
                " update this one."
            ) from error

    def _revision(self) -> str | None:
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return None if row is None else str(row[0])


def _sqlite_file(url: str) -> Path | None:
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _make_engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        # Transactions are begun by us (`write`), not by the driver at some later statement.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _storage_error(url: str, error: Exception) -> StorageFull | StorageUnusable:
    reason = str(getattr(error, "orig", None) or error)
    url = _without_password(url)
    if "disk is full" in reason or getattr(error, "errno", None) == errno.ENOSPC:
        return StorageFull(f"No space is left for the database {url}. Free some space.")
    return StorageUnusable(f"The database {url} can't be used: {reason}.")


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "of NB2PROD_DATABASE_URL"
