"""Whether a VCS connection has a key for git over SSH.

Revision ID: vcs_ssh_keys
Revises: vcs_tokens
"""

import sqlalchemy as sa
from alembic import op

revision = "vcs_ssh_keys"
down_revision = "vcs_tokens"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("has_ssh_key", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("vcs_connections", column)
    op.alter_column("vcs_connections", "has_ssh_key", server_default=None)
