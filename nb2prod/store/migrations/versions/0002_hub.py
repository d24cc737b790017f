"""Projects with a repository and an image of their own; runs by executors; tokens of programs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nb2prod.store.schema import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("projects", sa.Column("repository", sa.Text))
    op.add_column("projects", sa.Column("image", sa.Text))
    op.add_column("runs", sa.Column("executor", sa.String(20)))
    op.create_table(
        "access_tokens",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column(
            "project_id",
            sa.Integer,
            sa.ForeignKey("projects.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("purpose", sa.String(60), nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )
