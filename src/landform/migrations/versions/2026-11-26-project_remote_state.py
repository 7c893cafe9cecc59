"""A workspace may share its state with all of its project.

Revision ID: project_remote_state
Revises: told_kinds
"""

import sqlalchemy as sa
from alembic import op

revision = "project_remote_state"
down_revision = "told_kinds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("project_remote_state", sa.Boolean(), server_default="false", nullable=False)
    op.add_column("workspaces", column)
