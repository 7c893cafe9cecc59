"""Schedules of workspaces.

Revision ID: schedules
Revises: ssh_keys
"""

import sqlalchemy as sa
from alembic import op

revision = "schedules"
down_revision = "ssh_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "schedules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("run_kind", sa.String(64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("acts_for_kind", sa.String(64), nullable=False),
        sa.Column("acts_for_id", sa.Text(), nullable=False),
        sa.Column("next_at", moment, nullable=True),
        sa.Column("last_at", moment, nullable=True),
        sa.Column("last_run_id", sa.Text(), nullable=True),
        sa.Column("last_outcome", sa.Text(), nullable=False),
        sa.Column("stopped_reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_schedules_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_index("ix_schedules_next_at", "schedules", ["next_at"])
    op.create_index(op.f("ix_schedules_workspace_id"), "schedules", ["workspace_id"])
