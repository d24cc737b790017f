"""The database: migrations, locks, errors."""

from __future__ import annotations

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
from nb2prod.store.schema import metadata, projects
from nb2prod.workspace.workspace import Workspace

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


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


def test_database_opened_by_many_at_once_is_migrated_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"

    with ThreadPoolExecutor(8) as pool:
        databases = list(pool.map(lambda _: Database(url), range(8)))

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


def test_database_of_a_newer_nb2prod_is_refused_with_a_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    database = Database(url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(StorageUnusable, match="newer nb2prod"):
        Database(url)


def test_database_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "text.db"
    file.write_text("This is no database, but a text of some length. " * 100)

    with pytest.raises(StorageUnusable, match="can't be used"):
        Database(f"sqlite:///{file}")


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
    "url", ["no address", "nosuch://ada:hunter2@host/x", "postgresql+nosuch://ada:hunter2@host/x"]
)
def test_database_that_can_not_be_reached_is_said_without_its_password(url: str) -> None:
    with pytest.raises(StorageUnusable, match="can't be used") as caught:
        Database(url)

    assert "hunter2" not in caught.value.message
