"""The rotation of keys, and the processes that take part in it.

Revision ID: keys_and_processes
Revises: vcs_connections
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "keys_and_processes"
down_revision = "vcs_connections"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("key_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sandbox", sa.Text(), nullable=False),
        sa.Column("sandbox_reason", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.add_column(
        "key_checks", sa.Column("generation", sa.Integer(), nullable=False, server_default="0")
    )
    op.alter_column("key_checks", "generation", server_default=None)
    op.add_column("key_checks", sa.Column("rotating_to", sa.Text(), nullable=True))
    op.add_column("key_checks", sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True))
