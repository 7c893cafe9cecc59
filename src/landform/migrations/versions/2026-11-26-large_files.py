"""Whether what a repository keeps in Git LFS is fetched.

Revision ID: large_files
Revises: directories
"""

import sqlalchemy as sa
from alembic import op

revision = "large_files"
down_revision = "directories"
branch_labels = None
depends_on = None

_COLUMNS = (("workspace_repositories", "large_files"), ("ingress_attributes", "with_large_files"))


def upgrade() -> None:
    # Before this, nothing in Git LFS was fetched.
    for table, column in _COLUMNS:
        op.add_column(
            table, sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false())
        )
        op.alter_column(table, column, server_default=None)


def downgrade() -> None:
    for table, column in _COLUMNS:
        op.drop_column(table, column)
