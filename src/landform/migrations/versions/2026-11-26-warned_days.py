"""How long before its end a connection's secret was last warned of.

Revision ID: warned_days
Revises: ssh_public_keys
"""

import sqlalchemy as sa
from alembic import op

revision = "warned_days"
down_revision = "ssh_public_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vcs_connections", sa.Column("warned_days", sa.Integer(), nullable=True))
