"""What a push runs, files by regular expressions, and Terrakube's webhooks with their events.

Revision ID: webhooks
Revises: project_remote_state
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "webhooks"
down_revision = "project_remote_state"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    for column, default in (
        (sa.Column("pushes_enabled", sa.Boolean(), nullable=False), sa.true()),
        (sa.Column("path_regexes", postgresql.JSONB(), nullable=False), sa.text("'[]'")),
        (sa.Column("pull_path_regexes", postgresql.JSONB(), nullable=False), sa.text("'[]'")),
    ):
        column.server_default = sa.DefaultClause(default)
        op.add_column("workspace_repositories", column)
        op.alter_column("workspace_repositories", column.name, server_default=None)
    op.add_column("workspace_repositories", sa.Column("push_run_kind", sa.String(64)))
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("migrated", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace_repositories.workspace_id"],
            name=op.f("fk_webhooks_workspace_id_workspace_repositories"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("workspace_id", name=op.f("uq_webhooks_workspace_id")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("path_type", sa.String(64), nullable=False),
        sa.Column("run_kind", sa.String(64), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("plans_by_comment", sa.Boolean(), nullable=False),
        sa.Column("applies_by_comment", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_events_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("webhook_id", "event", name=op.f("uq_webhook_events_webhook_id_event")),
    )
