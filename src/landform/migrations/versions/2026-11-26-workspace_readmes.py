"""The README of the configuration that a workspace took last.

Revision ID: workspace_readmes
Revises: hook_secrets
"""

import sqlalchemy as sa
from alembic import op

revision = "workspace_readmes"
down_revision = "hook_secrets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workspace_readmes",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("configuration_version_id", sa.Text(), nullable=False),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed_html", sa.LargeBinary(), nullable=False),
        sa.Column("is_cut", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_workspace_readmes_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_workspace_readmes")),
    )
