"""Where events came from, and the chain that shows what was altered.

Revision ID: audit_chain
Revises: keys_and_processes
"""

import sqlalchemy as sa
from alembic import op

revision = "audit_chain"
down_revision = "keys_and_processes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("address", sa.Text(), server_default="", nullable=False))
    op.add_column("events", sa.Column("request_id", sa.Text(), server_default="", nullable=False))
    op.add_column("events", sa.Column("position", sa.BigInteger(), nullable=True))
    op.add_column("events", sa.Column("digest", sa.LargeBinary(), nullable=True))
    op.create_unique_constraint(op.f("uq_events_position"), "events", ["position"])
    op.create_index(
        "ix_events_unsealed", "events", ["id"], postgresql_where=sa.text("position IS NULL")
    )
    op.create_index("ix_events_organization_id_at", "events", ["organization_id", "at"])
    op.create_table(
        "audit_chains",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("base_position", sa.BigInteger(), nullable=False),
        sa.Column("base_digest", sa.LargeBinary(), nullable=False),
        sa.Column("head_position", sa.BigInteger(), nullable=False),
        sa.Column("head_digest", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_chains")),
    )
    op.create_table(
        "audit_sinks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("taken_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_sinks")),
    )
