"""The database: migrations, locks, errors."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text, update

from nb2prod.errors import StorageUnusable
from nb2prod.store.database import SCHEMA_REVISION, Database
from nb2prod.store.schema import metadata, projects, sweeps
from nb2prod.workspace.workspace import Workspace
from tests.helpers.postgresql import PASSWORD, Server, on_both_databases

# Both keep the same promises.
pytestmark = on_both_databases

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def empty_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a database without tables."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.make_empty()


def add_project(database: Database, name: str, created_at: datetime = NOW) -> None:
    with database.write() as connection:
        connection.execute(
            insert(projects).values(name=name, title=name, root=f"/{name}", created_at=created_at)
        )


def test_migrations_of_a_new_database_give_the_schema_in_code(workspace: Workspace) -> None:
    with workspace.database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: not (kind == "table" and "search" in name)},
        )
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_schema_revision_in_code_is_the_newest_migration() -> None:
    from nb2prod.store import migrations

    scripts = ScriptDirectory(str(Path(migrations.__path__[0])))

    assert scripts.get_current_head() == SCHEMA_REVISION


def test_database_opened_by_many_at_once_is_migrated_once(empty_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        databases = list(pool.map(lambda _: Database(empty_url), range(8)))

    with databases[-1].read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    for database in databases:
        database.close()


def test_database_written_by_many_at_once_loses_nothing(workspace: Workspace) -> None:
    database = workspace.database
    add_project(database, "p")

    def increment(_: int) -> None:
        with database.write() as connection:
            title = connection.scalar(select(projects.c.title)) or ""
            connection.execute(update(projects).values(title=f"{title}."))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(40)))

    with database.read() as connection:
        assert connection.scalar(select(projects.c.title)) == "p" + "." * 40


def test_database_write_that_fails_keeps_nothing(workspace: Workspace) -> None:
    def fail() -> None:
        with workspace.database.write() as connection:
            connection.execute(
                insert(projects).values(name="p", title="p", root="/p", created_at=NOW)
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with workspace.database.read() as connection:
        assert connection.execute(select(projects)).all() == []


def test_database_opened_by_many_processes_at_once_is_migrated_once(empty_url: str) -> None:
    program = "import sys; from nb2prod.store.database import Database; Database(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", program, empty_url]) for _ in range(4)]

    assert [process.wait() for process in processes] == [0] * 4
    database = Database(empty_url)
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    database.close()


def test_database_of_a_newer_nb2prod_is_refused_with_a_sentence(empty_url: str) -> None:
    database = Database(empty_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(StorageUnusable, match="newer nb2prod") as caught:
        Database(empty_url)

    assert PASSWORD not in caught.value.message


def test_database_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "text.db"
    file.write_text("This is no database, but a text of some length. " * 100)

    with pytest.raises(StorageUnusable, match="can't be used"):
        Database(f"sqlite:///{file}")


def test_reader_sees_one_state_while_others_write(workspace: Workspace) -> None:
    add_project(workspace.database, "first")

    with workspace.database.read() as connection:
        before = connection.scalars(select(projects.c.name)).all()
        add_project(workspace.database, "second")
        after = connection.scalars(select(projects.c.name)).all()

    assert before == after == ["first"]


def test_writer_waits_for_another_and_then_sees_what_it_did(workspace: Workspace) -> None:
    begun = threading.Event()

    def rename() -> str | None:
        begun.set()
        with workspace.database.write() as connection:
            return connection.scalar(select(projects.c.title))

    with ThreadPoolExecutor(1) as pool:
        with workspace.database.write() as connection:
            waiting = pool.submit(rename)
            begun.wait()
            connection.execute(
                insert(projects).values(name="p", title="done", root="/p", created_at=NOW)
            )
            # Whether it waits is seen by what it finds.
            assert not waiting.done()

        assert waiting.result() == "done"


def test_writer_that_is_killed_keeps_nobody_waiting(workspace: Workspace) -> None:
    program = """
import os, signal, sys
from nb2prod.store.database import Database
with Database(sys.argv[1]).write():
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run(
        [sys.executable, "-c", program, workspace.database.url], check=False, timeout=60
    )

    add_project(workspace.database, "p")

    assert killed.returncode == -signal.SIGKILL


def test_texts_are_kept_without_what_no_database_can_hold(workspace: Workspace) -> None:
    add_project(workspace.database, "nul \x00 and half \ud83d of \U0001f98a")

    with workspace.database.read() as connection:
        assert connection.scalar(select(projects.c.name)) == (
            "nul \ufffd and half \ufffd of \U0001f98a"
        )


@pytest.mark.parametrize(
    "value",
    [
        {"alpha": float("inf"), "beta": [float("-inf"), 0.1]},
        {"text": "nul \x00, half \ud800, other half \udc00", "key \x00": None},
        {"looks escaped": "\U0010fffd0000 \U0010fffdnan \\u0000 NaN Infinity"},
        {"all": "Ünïcödé \U0001f98a \u2028 \x7f \ue000", "big": 2**70, "small": 5e-324},
    ],
    ids=["infinite", "halves", "escapes", "plain"],
)
def test_json_is_kept_exactly_and_can_be_looked_into(
    workspace: Workspace, value: dict[str, object]
) -> None:
    add_project(workspace.database, "p")
    row = {
        "id": "s",
        "project_id": 1,
        "pipeline": "train",
        "version": 1,
        "axes": {**value, "count": 3, "name": "lasso"},
        "requested_by": "ada",
        "requested_via": "api",
        "created_at": NOW,
    }
    with workspace.database.write() as connection:
        connection.execute(insert(sweeps).values(**row))

    axes = sweeps.c.axes
    with workspace.database.read() as connection:
        found = connection.execute(
            select(axes, axes["count"].as_integer(), axes["name"].as_string())
        ).one()

    assert tuple(found) == ({**value, "count": 3, "name": "lasso"}, 3, "lasso")


def test_times_come_back_as_utc_whatever_zone_they_had(workspace: Workspace) -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))

    add_project(workspace.database, "p", created_at=tokyo)

    with workspace.database.read() as connection:
        found = connection.scalar(select(projects.c.created_at))
    assert found == NOW
    assert found is not None
    assert found.utcoffset() == timedelta(0)


def test_times_without_a_zone_are_refused(workspace: Workspace) -> None:
    with pytest.raises(Exception, match="without a time zone"):
        add_project(workspace.database, "p", created_at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    "url",
    [
        "no address",
        "nosuch://ada:hunter2@host/x",
        "postgresql+nosuch://ada:hunter2@host/x",
        "mysql://ada:hunter2@host/x",
        "postgresql://ada:hunter2@127.0.0.1:9/x?application_name=hunter2",
        "postgresql://ada@127.0.0.1:9/x?password=hunter2",
    ],
)
def test_database_that_can_not_be_reached_is_said_without_its_password(url: str) -> None:
    with pytest.raises(StorageUnusable, match="can't be used") as caught:
        Database(url)

    assert "hunter2" not in caught.value.message
