"""A PostgreSQL server of the tests' own, in a temporary folder, by an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from nb2prod.store.database import Database

# Tests look for it in what people are shown.
PASSWORD = "peregrine-hush"
_TEMPLATE = "nb2prod_template"
TIMEOUT_S = 60.0

# For a module whose tests go through once with each kind of database.
on_both_databases = pytest.mark.parametrize(
    "database_kind", ["sqlite", "postgresql"], indirect=True
)
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@dataclass
class Server:
    """A running server; see `start_server`."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str) -> str:
        """Return the address of a database, with a password that the server does not ask for."""
        return f"postgresql://nb2prod:{PASSWORD}@/{database}?host={self.folder}"

    def make_empty(self, *, options: str = "") -> str:
        """Make a database without tables; return its address."""
        name = f"empty_{next(self._numbers)}"
        self._say(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def make(self) -> str:
        """Make a database at the newest schema; return its address."""
        with self._admin() as connection:
            query = text("SELECT count(*) FROM pg_database WHERE datname = :name")
            has_template = connection.scalar(query, {"name": _TEMPLATE})
        if not has_template:
            self._say(f"CREATE DATABASE {_TEMPLATE}")
            Database(self.url(_TEMPLATE)).close()
        name = f"made_{next(self._numbers)}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)

    def _say(self, statement: str) -> None:
        with self._admin() as connection:
            connection.exec_driver_sql(statement)

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        url = self.url("postgres").replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


@contextmanager
def start_server() -> Iterator[Server]:
    """Start a server; without PostgreSQL the test is skipped, and fails in CI.

    It installs nothing: `scripts/system.sh postgres` does, before the tests.
    """
    programs = find_programs()
    if programs is None:
        missing = "PostgreSQL is not installed: scripts/system.sh postgres"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    # Not in pytest's folder, which other accounts can't enter; and sockets want short paths.
    folder = Path(tempfile.mkdtemp(prefix="nb2prod-pg-"))
    try:
        with _started(programs, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs, as Debian has it or on the PATH."""
    versions = Path("/usr/lib/postgresql")
    found = sorted(
        (path.parent for path in versions.glob("*/bin/postgres")),
        key=lambda path: float(path.parent.name),
    )
    if found:
        return found[-1]
    program = shutil.which("postgres")
    return Path(program).resolve().parent if program and shutil.which("initdb") else None


@contextmanager
def _started(programs: Path, folder: Path) -> Iterator[Server]:
    account = _account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)

    def call(program: str, *arguments: str | Path) -> None:
        ended = subprocess.run(
            [programs / program, "--pgdata", folder / "data", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
            timeout=TIMEOUT_S,
        )
        said = (folder / "log").read_text() if (folder / "log").exists() else ""
        assert ended.returncode == 0, f"{program} {arguments} failed; its log: {said}"

    settings = {
        "listen_addresses": "''",
        "unix_socket_directories": str(folder),
        "max_connections": "200",
        # Nobody pulls the plug; what is killed in the tests is not the server.
        "fsync": "off",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    call("initdb", "--username=nb2prod", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
    call("pg_ctl", "start", "--wait", "--silent", f"--log={folder / 'log'}", f"--options={options}")
    try:
        yield Server(folder)
    finally:
        # Open connections are ended.
        call("pg_ctl", "stop", "--wait", "--mode=fast")


def _account() -> pwd.struct_passwd | None:
    """Return the account for it; `None` for the tests' own, as PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
