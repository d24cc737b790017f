"""The relational database: SQLite in WAL mode by default, PostgreSQL by URL.

Readers never block; writers wait for each other from their first statement on, so that none fails
half-way. What differs between the two is in `nb2prod.store.engines`.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from nb2prod.errors import StorageFull, StorageUnusable
from nb2prod.store.engines import backend_of

log = logging.getLogger(__name__)

# The newest revision in migrations/versions. Compared at each start, so that Alembic (0.2 s to
# import) is loaded only when a database is new or old; a test keeps it true.
SCHEMA_REVISION = "0003"

# PostgreSQL's code for "no space left on device".
_DISK_FULL = "53100"


class Database:
    """A database at the newest schema.

    Parameters
    ----------
    url
        SQLAlchemy URL. For SQLite the folder and the file are made where there are none; for
        PostgreSQL (``postgresql://…``, by psycopg 3) the database must be there, in UTF-8.

    Raises
    ------
    StorageUnusable
        The database can't be opened, or is of a newer nb2prod than this one.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._backend = backend_of(make_url(url))
            self.engine = self._backend.open()
            try:
                self._migrate()
            except BaseException:
                self.close()
                raise
        # An URL that is none, or that needs a driver which is not installed, too.
        except (OSError, DatabaseError, ArgumentError, ImportError) as error:
            raise _storage_error(url, error) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state throughout; nothing done with it is kept.

        Raises
        ------
        StorageUnusable
            The database can't be read.
        """
        try:
            with self.engine.connect() as connection:
                self._backend.begin_read(connection)
                yield connection
        except OperationalError as error:
            raise _storage_error(self.url, error) from error

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
                self._backend.begin_write(connection)
                yield connection
        except OperationalError as error:
            raise _storage_error(self.url, error) from error

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()

    def _migrate(self) -> None:
        with self.engine.connect() as connection:
            if _revision(connection) == SCHEMA_REVISION:
                return
        with self._backend.alone(), self.write() as connection:
            if _revision(connection) != SCHEMA_REVISION:
                self._upgrade(connection)

    def _upgrade(self, connection: Connection) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        log.info("Migrating the database, revision=%s", SCHEMA_REVISION)
        self._backend.check(connection)
        config = Config()
        config.set_main_option("script_location", "nb2prod.store:migrations")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StorageUnusable(
                f"The database {_without_password(self.url)} was written by a newer nb2prod;"
                " update this one."
            ) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def _storage_error(url: str, error: Exception) -> StorageFull | StorageUnusable:
    cause = getattr(error, "orig", None) or error
    shown = _without_password(url)
    reason = _reason(cause)
    is_full = "disk is full" in reason or getattr(error, "errno", None) == errno.ENOSPC
    if is_full or getattr(cause, "sqlstate", None) == _DISK_FULL:
        return StorageFull(f"No space is left for the database {shown}. Free some space.")
    return StorageUnusable(f"The database {shown} can't be used: {reason}.")


def _reason(cause: BaseException) -> str:
    if isinstance(cause, ModuleNotFoundError) and cause.name == "psycopg":
        return "that needs the package psycopg; run `pip install 'nb2prod[postgresql]'`"
    # Of several lines the first says what is wrong, and the rest where it was looked for.
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".:")


def _without_password(url: str) -> str:
    try:
        # Without what follows a question mark: it may hold a password as well.
        return make_url(url).set(query={}).render_as_string(hide_password=True)
    except ArgumentError:
        return "of NB2PROD_DATABASE_URL"
