"""Whether a workspace's connection was named as a GitHub App's installation.

Revision ID: by_installation
Revises: variable_sets
"""

import sqlalchemy as sa
from alembic import op

revision = "by_installation"
down_revision = "variable_sets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("by_installation", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("workspace_repositories", column)
    op.alter_column("workspace_repositories", "by_installation", server_default=None)


def downgrade() -> None:
    op.drop_column("workspace_repositories", "by_installation")
