"""When a VCS token was fetched, and keys of our own issuer.

Revision ID: vcs_tokens
Revises: password_attempts
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "vcs_tokens"
down_revision = "password_attempts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "issuer_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer_keys")),
    )
    op.add_column(
        "vcs_connections", sa.Column("token_fetched_at", sa.DateTime(timezone=True), nullable=True)
    )
