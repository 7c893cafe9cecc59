"""Configurations of forks, whose runs get no secret.

Revision ID: strangers
Revises: second_factors
"""

import sqlalchemy as sa
from alembic import op

revision = "strangers"
down_revision = "second_factors"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "ingress_attributes",
        sa.Column("from_stranger", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.alter_column("ingress_attributes", "from_stranger", server_default=None)
