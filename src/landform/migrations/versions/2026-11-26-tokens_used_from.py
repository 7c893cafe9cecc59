"""From where a token was last used.

Revision ID: tokens_used_from
Revises: organization_tags
"""

import sqlalchemy as sa
from alembic import op

revision = "tokens_used_from"
down_revision = "organization_tags"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("last_used_from", sa.Text(), server_default="", nullable=False)
    op.add_column("api_tokens", column)
