"""What differs between the two databases that a workspace may have: SQLite and PostgreSQL.

Both keep one promise: who reads sees one state, and never waits; who writes waits for the other
writers, and then sees all that they have done.
"""

from __future__ import annotations

import fcntl
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError

from nb2prod.errors import StorageUnusable
from nb2prod.store.json_values import dump_json, load_json

# How long a writer waits for another one.
WRITE_TIMEOUT_S = 30
# PostgreSQL's name of the lock that writers take; any number that nobody else takes there.
WRITE_LOCK = int.from_bytes(b"nb2prod", "big")

_NOT_IN_TEXTS = re.compile("[\x00\ud800-\udfff]")


class Backend(ABC):
    """One kind of database; see `backend_of`."""

    def __init__(self, url: URL) -> None:
        self.url = url

    @abstractmethod
    def open(self) -> Engine:
        """Return an engine for it; where it is a file, its folder is made."""

    @abstractmethod
    def begin_read(self, connection: Connection) -> None:
        """Let a connection see one state from now on."""

    @abstractmethod
    def begin_write(self, connection: Connection) -> None:
        """Wait for the other writers, and keep them out until the transaction's end."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from making tables meanwhile, beyond what `begin_write` does."""
        yield

    @abstractmethod
    def check(self, connection: Connection) -> None:
        """Look before tables are made; raises `StorageUnusable` where they would be of no use."""


class Sqlite(Backend):
    """A file in WAL mode. The writer takes its lock at the start, not at some later statement."""

    def open(self) -> Engine:
        """Return an engine for the file, whose folder is made."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        engine = _engine(self.url, connect_args={"timeout": WRITE_TIMEOUT_S})

        @event.listens_for(engine, "connect")
        def _configure(connection: sqlite3.Connection, _record: Any) -> None:
            # Transactions are begun by us, not by the driver at some later statement.
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
                connection.execute(f"PRAGMA {pragma}")

        return engine

    def begin_read(self, connection: Connection) -> None:
        """Begin a transaction."""
        connection.exec_driver_sql("BEGIN")

    def begin_write(self, connection: Connection) -> None:
        """Begin a transaction with the file's write lock."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lock a file beside the database: Alembic ends transactions of SQLite in between."""
        with self._file.with_suffix(".migrating").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def check(self, connection: Connection) -> None:
        """Let every file be: its texts are in UTF-8."""

    @property
    def _file(self) -> Path:
        return Path(self.url.database or "")


class Postgresql(Backend):
    """A server. Writers take one advisory lock, so that they come one after the other.

    Each statement then sees what is committed, as PostgreSQL does by itself (*read committed*): a
    stricter level would show a writer the state from before its wait.
    """

    def open(self) -> Engine:
        """Return an engine for the server, by psycopg 3 whatever driver the address leaves open."""
        url = self.url
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        return _engine(url, pool_pre_ping=True)

    def begin_read(self, connection: Connection) -> None:
        """Ask for one state throughout, in which nothing can be changed."""
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def begin_write(self, connection: Connection) -> None:
        """Take the lock, which PostgreSQL gives back at the transaction's end, however it ends."""
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = '{WRITE_TIMEOUT_S}s';"
            f" SELECT pg_advisory_xact_lock({WRITE_LOCK})"
        )

    def check(self, connection: Connection) -> None:
        """Refuse a database that can't hold every text."""
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise StorageUnusable(
                f"The database {self.url.database} keeps texts in {encoding}, which has not all"
                " characters. Make one in UTF-8: `createdb --encoding=UTF8 --template=template0`."
            )


def backend_of(url: URL) -> Backend:
    """Return the kind of database that an address names; raises `ArgumentError` for others."""
    kinds: dict[str, type[Backend]] = {"sqlite": Sqlite, "postgresql": Postgresql}
    name = url.get_backend_name()
    if name not in kinds:
        raise ArgumentError(f"it must be SQLite or PostgreSQL, not {name}")
    return kinds[name](url)


def _engine(url: URL, **options: Any) -> Engine:
    engine = create_engine(url, json_serializer=dump_json, json_deserializer=load_json, **options)

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _repair(
        _connection: Connection,
        _cursor: Any,
        statement: str,
        parameters: Any,
        _context: Any,
        _is_many: bool,  # noqa: FBT001 (SQLAlchemy's signature)
    ) -> tuple[str, Any]:
        return statement, _repaired(parameters)

    return engine


def _repaired(value: Any) -> Any:
    """Return parameters of a statement without what no text in UTF-8, or PostgreSQL, can have."""
    if isinstance(value, str):
        return _NOT_IN_TEXTS.sub("\ufffd", value)
    if isinstance(value, dict):
        return {key: _repaired(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_repaired(item) for item in value)
    return value
