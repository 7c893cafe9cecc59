"""The public half of the key a connection signs in with by SSH.

Revision ID: ssh_public_keys
Revises: strangers
"""

import sqlalchemy as sa
from alembic import op

revision = "ssh_public_keys"
down_revision = "strangers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody has signed in by SSH before this, so that no key lacks its public half.
    op.add_column(
        "vcs_connections",
        sa.Column("ssh_public_key", sa.Text(), nullable=False, server_default=""),
    )
    op.alter_column("vcs_connections", "ssh_public_key", server_default=None)


def downgrade() -> None:
    op.drop_column("vcs_connections", "ssh_public_key")
