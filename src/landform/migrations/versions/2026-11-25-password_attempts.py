"""How often passwords were tried.

Revision ID: password_attempts
Revises: run_tokens
"""

import sqlalchemy as sa
from alembic import op

revision = "password_attempts"
down_revision = "run_tokens"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "password_attempts",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wait_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_password_attempts")),
    )
    op.create_index(op.f("ix_password_attempts_last_at"), "password_attempts", ["last_at"])
