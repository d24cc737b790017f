"""Sweeps, schedules and secrets; what a queue has to know of a run; tokens of people's programs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nb2prod.store.schema import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "sweeps",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("pipeline", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("axes", sa.JSON, nullable=False),
        sa.Column("requested_by", sa.String(255), nullable=False),
        sa.Column("requested_via", sa.String(20), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("cancelled_at", UtcDateTime),
    )
    op.create_index("ix_sweeps_project_id_created_at", "sweeps", ["project_id", "created_at"])
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(12), primary_key=True),
        _project_column(),
        sa.Column("pipeline", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("cron", sa.Text),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False),
        sa.Column("input_hashes", sa.JSON, nullable=False),
        sa.Column("missed", sa.String(10), nullable=False),
        sa.Column("is_paused", sa.Boolean, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("next_at", UtcDateTime),
        sa.Column("last_at", UtcDateTime),
        sa.Column("last_error", sa.Text),
        sa.CheckConstraint("missed IN ('skip', 'once', 'all')", name="missed"),
    )
    op.create_index("ix_schedules_project_id", "schedules", ["project_id"])
    op.create_index("ix_schedules_next_at", "schedules", ["next_at"])
    op.create_table(
        "project_secrets",
        _project_column(is_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("set_by", sa.String(255), nullable=False),
        sa.Column("set_at", UtcDateTime, nullable=False),
    )
    for column in (
        sa.Column("profile", sa.String(10), nullable=False, server_default="full"),
        sa.Column("resources", sa.String(30), nullable=False, server_default="standard"),
        sa.Column("sweep_id", sa.String(12)),
        sa.Column("sweep_position", sa.Integer),
        sa.Column("schedule_id", sa.String(12)),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("not_before", UtcDateTime),
        sa.Column("cancel_requested_at", UtcDateTime),
        sa.Column("cancel_requested_by", sa.String(255)),
        sa.Column("request", sa.JSON),
    ):
        op.add_column("runs", column)
    op.create_index("ix_runs_status", "runs", ["status"])
    op.create_index("ix_runs_sweep_id_sweep_position", "runs", ["sweep_id", "sweep_position"])
    op.create_index("ix_runs_schedule_id_created_at", "runs", ["schedule_id", "created_at"])
    op.add_column("access_tokens", sa.Column("title", sa.Text))
    op.add_column("access_tokens", sa.Column("created_at", UtcDateTime))
    op.add_column("access_tokens", sa.Column("used_at", UtcDateTime))


def _project_column(*, is_key: bool = False) -> sa.Column[int]:
    return sa.Column(
        "project_id",
        sa.Integer,
        sa.ForeignKey("projects.id", ondelete="CASCADE"),
        primary_key=is_key,
        nullable=False,
    )
