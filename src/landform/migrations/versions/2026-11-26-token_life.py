"""How long tokens of an organization live at most.

Revision ID: token_life
Revises: federated_credentials
"""

import sqlalchemy as sa
from alembic import op

revision = "token_life"
down_revision = "federated_credentials"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organizations", sa.Column("max_token_days", sa.Integer(), nullable=True))
