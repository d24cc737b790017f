"""The tables, as SQLAlchemy Core; `migrations/` brings a database to this state.

Times are aware UTC datetimes in Python and in PostgreSQL; SQLite keeps them as UTC text.
A sha256 is 64 lower-case hexadecimal digits.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
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

# A group of runs of one version over values of its parameters.
sweeps = Table(
    "sweeps",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("pipeline", String(60), nullable=False),
    Column("version", Integer, nullable=False),
    # What was asked for (jobs.sweep_values), by parameter; the names of those that vary.
    Column("axes", JSON, nullable=False),
    Column("requested_by", String(255), nullable=False),
    Column("requested_via", String(20), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("cancelled_at", UtcDateTime),
    Index(None, "project_id", "created_at"),
)

# What makes runs by time, by changed data, or by both.
schedules = Table(
    "schedules",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("pipeline", String(60), nullable=False),
    # Null for the newest at each time.
    Column("version", Integer),
    Column("parameters", JSON, nullable=False),
    # Five fields as in crontab(5), and an IANA time zone; null where only data decides.
    Column("cron", Text),
    Column("time_zone", String(64), nullable=False),
    # Paths under the project's folder whose change makes a run; empty where only time decides.
    Column("inputs", JSON, nullable=False),
    # Their sha256 at the last run and at the last look (jobs.schedule_models.Seen).
    Column("input_hashes", JSON, nullable=False),
    # What is done about times that passed while nothing worked: skip, once, all.
    Column("missed", String(10), nullable=False),
    Column("is_paused", Boolean, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # When to look at it again; null while it is paused.
    Column("next_at", UtcDateTime),
    # Up to when its times are settled.
    Column("last_at", UtcDateTime),
    # Why the last time made no run; null where it did.
    Column("last_error", Text),
    CheckConstraint("missed IN ('skip', 'once', 'all')", name="missed"),
    Index(None, "project_id"),
    Index(None, "next_at"),
)

# Names and encrypted values; only a run that names one is given it.
project_secrets = Table(
    "project_secrets",
    metadata,
    Column("project_id", Integer, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("set_by", String(255), nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
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
    # Where the values come from that nobody gave (execution.models.Profile).
    Column("profile", String(10), nullable=False, server_default="full"),
    # The dispatcher's queue that it waits in (settings.ResourceClass).
    Column("resources", String(30), nullable=False, server_default="standard"),
    # What it is one of, and what made it; the latter may be gone. No foreign keys: SQLite could
    # add them to a table that is there only by a copy, whose old one takes pages with it.
    Column("sweep_id", String(12)),
    Column("sweep_position", Integer),
    Column("schedule_id", String(12)),
    # One more than the failures that were tried again.
    Column("attempt", Integer, nullable=False, server_default="1"),
    # Until then it is not tried again; null where it need not wait.
    Column("not_before", UtcDateTime),
    Column("cancel_requested_at", UtcDateTime),
    Column("cancel_requested_by", String(255)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    # The record as it was asked for (execution.models.RunRecord), as JSON.
    Column("request", JSON),
    # The whole record as JSON; written once, when the run ends.
    Column("record", JSON),
    Index(None, "project_id", "pipeline", "version"),
    Index(None, "created_at"),
    Index(None, "status"),
    Index(None, "sweep_id", "sweep_position"),
    Index(None, "schedule_id", "created_at"),
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
    # SQLite's integers have all sizes.
    Column("size_bytes", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
)

sign_in_tokens = Table(
    "sign_in_tokens",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("person", String(255), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

# Tokens of programs that act for a person in one project: a run that talks to MLflow, CI.
access_tokens = Table(
    "access_tokens",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("person", String(255), nullable=False),
    Column("project_id", Integer, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("purpose", String(60), nullable=False),
    # What its person calls it; null for those that the workspace makes itself.
    Column("title", Text),
    Column("created_at", UtcDateTime),
    Column("used_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("person", String(255), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# The full-text index is the table `page_search`, made by the first migration: in SQLite a virtual
# one of FTS5, for which SQLAlchemy has no name, in PostgreSQL one with a tsvector. Only
# nb2prod.knowledge.search and its parts touch it.
