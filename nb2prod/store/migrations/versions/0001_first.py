"""Projects, runs, pages, sign-in, and the full-text index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from nb2prod.store.schema import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(30), nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "members",
        sa.Column(
            "project_id",
            sa.Integer,
            sa.ForeignKey("projects.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("person", sa.String(255), primary_key=True),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("role IN ('owner', 'editor', 'viewer')", name="ck_members_role"),
    )
    op.create_index("ix_members_person", "members", ["person"])
    op.create_table(
        "runs",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("pipeline", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("requested_by", sa.String(255), nullable=False),
        sa.Column("requested_via", sa.String(20), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("record", sa.JSON),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled',"
            " 'kernel_died', 'lost')",
            name="ck_runs_status",
        ),
    )
    op.create_index(
        "ix_runs_project_id_pipeline_version", "runs", ["project_id", "pipeline", "version"]
    )
    op.create_index("ix_runs_created_at", "runs", ["created_at"])
    op.create_table(
        "metrics",
        sa.Column(
            "run_id", sa.String(12), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("name", sa.String(250), primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
    )
    op.create_index("ix_metrics_name", "metrics", ["name"])
    op.create_table(
        "pages",
        sa.Column(
            "run_id", sa.String(12), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("conclusion", sa.Text, nullable=False),
        sa.Column("poster", sa.String(64)),
        sa.Column("document", sa.String(64), nullable=False),
        sa.Column("main_metric", sa.String(250)),
        sa.Column("lower_is_better", sa.Boolean),
        sa.Column("published_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "page_blobs",
        sa.Column(
            "run_id",
            sa.String(12),
            sa.ForeignKey("pages.run_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("media_type", sa.String(255), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        # SQLite's integers have all sizes.
        sa.Column(
            "size_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
    )
    op.create_table(
        "sign_in_tokens",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime),
    )
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )
    _SEARCH[op.get_bind().dialect.name]()


def downgrade() -> None:
    op.execute("DROP TABLE page_search")
    for table in (
        "sessions",
        "sign_in_tokens",
        "page_blobs",
        "pages",
        "metrics",
        "runs",
        "members",
        "projects",
    ):
        op.drop_table(table)


def _make_fts5() -> None:
    op.execute(
        "CREATE VIRTUAL TABLE page_search USING fts5("
        "run_id UNINDEXED, title, markdown, code, outputs,"
        " tokenize = \"unicode61 remove_diacritics 2 tokenchars '_'\", prefix = '2 3')"
    )


def _make_tsvector() -> None:
    op.create_table(
        "page_search",
        sa.Column("run_id", sa.String(12), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("markdown", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("outputs", sa.Text, nullable=False),
        # All words as they are looked for, in order; and the same with their weights, by word.
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("vector", TSVECTOR, nullable=False),
    )
    op.create_index("ix_page_search_vector", "page_search", ["vector"], postgresql_using="gin")


_SEARCH = {"sqlite": _make_fts5, "postgresql": _make_tsvector}
