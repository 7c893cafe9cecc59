"""What plans found changed outside of terraform, by workspace.

Revision ID: drift
Revises: keys_of_connections
"""

import sqlalchemy as sa
from alembic import op

revision = "drift"
down_revision = "keys_of_connections"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("drifted", sa.Integer(), server_default="0", nullable=False)
    op.add_column("workspaces", column)
    op.add_column("workspaces", sa.Column("drift_run_id", sa.Text(), nullable=True))
