"""The tables, as SQLAlchemy Core; `migrations/` brings a database to this state.

Times are aware UTC datetimes in Python and in PostgreSQL; SQLite keeps them as UTC text.
A sha256 is 64 lower-case hexadecimal digits.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time; always aware and in UTC on Python's side."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone can't be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give an aware time in UTC, also where the database forgot the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(30), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    # The project's folder on this machine; one implicit project per repository.
    Column("root", Text, nullable=False, unique=True),
    # The bare repository of its versions, which only the workspace writes; null where the
    # folder itself is the repository, as on a machine without a hub.
    Column("repository", Text),
    # The container image of its servers and runs; null for the workspace's default.
    Column("image", Text),
    Column("created_at", UtcDateTime, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("project_id", Integer, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("person", String(255), primary_key=True),
    Column("role", String(10), nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    CheckConstraint("role IN ('owner', 'editor', 'viewer')", name="role"),
    Index(None, "person"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("pipeline", String(60), nullable=False),
    Column("version", Integer, nullable=False),
    Column("commit", String(64), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("status", String(12), nullable=False),
    # A sentence on how the run came to its end; null while it goes on.
    Column("reason", Text),
    Column("requested_by", String(255), nullable=False),
    Column("requested_via", String(20), nullable=False),
    # Who brings it to its end: an executor of the dispatcher's; null for who asked for it.
    Column("executor", String(20)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    # The whole record (execution.models.RunRecord) as JSON; written once, when the run ends.
    Column("record", JSON),
    Index(None, "project_id", "pipeline", "version"),
    Index(None, "created_at"),
    CheckConstraint(
        "status IN ('queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled',"
        " 'kernel_died', 'lost')",
        name="status",
    ),
)

metrics = Table(
    "metrics",
    metadata,
    Column("run_id", String(12), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(250), primary_key=True),
    Column("value", Float, nullable=False),
    Index(None, "name"),
)

pages = Table(
    "pages",
    metadata,
    Column("run_id", String(12), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("title", Text, nullable=False),
    # One sentence or two, plain text, for the card; the page itself has it rendered.
    Column("conclusion", Text, nullable=False),
    Column("poster", String(64)),
    # sha256 of the rendered page (knowledge.models.PageDocument as JSON).
    Column("document", String(64), nullable=False),
    Column("main_metric", String(250)),
    # For the main metric: whether less is better; null where nobody said.
    Column("lower_is_better", Boolean),
    Column("published_at", UtcDateTime, nullable=False),
)

page_blobs = Table(
    "page_blobs",
    metadata,
    Column("run_id", String(12), ForeignKey("pages.run_id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(255), nullable=False),
    Column("name", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
)

sign_in_tokens = Table(
    "sign_in_tokens",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("person", String(255), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

# Tokens of programs that act for a person in one project: a run that talks to MLflow.
access_tokens = Table(
    "access_tokens",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("person", String(255), nullable=False),
    Column("project_id", Integer, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("purpose", String(60), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("person", String(255), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# The full-text index is SQLite's FTS5 virtual table `page_search`
# (run_id UNINDEXED, title, markdown, code, outputs), made by the first migration: SQLAlchemy
# has no name for such a table. nb2prod.knowledge.search is the only module that touches it.
