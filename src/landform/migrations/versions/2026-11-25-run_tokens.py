"""Tokens of runs, and the workspaces that one shares its state with.

Revision ID: run_tokens
Revises: audit_chain
"""

import sqlalchemy as sa
from alembic import op

revision = "run_tokens"
down_revision = "audit_chain"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_tokens",
        sa.Column("phase_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [f"{one}_id"],
                [f"{one}s.id"],
                name=op.f(f"fk_run_tokens_{one}_id"),
                ondelete="CASCADE",
            )
            for one in ("run", "workspace", "organization")
        ),
        sa.PrimaryKeyConstraint("phase_id", name=op.f("pk_run_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_run_tokens_token_hash")),
    )
    for one in ("run", "workspace", "organization"):
        op.create_index(op.f(f"ix_run_tokens_{one}_id"), "run_tokens", [f"{one}_id"])
    op.create_table(
        "remote_state_consumers",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("consumer_id", sa.Text(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [column],
                ["workspaces.id"],
                name=op.f(f"fk_remote_state_consumers_{column}"),
                ondelete="CASCADE",
            )
            for column in ("workspace_id", "consumer_id")
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "consumer_id", name=op.f("pk_remote_state_consumers")
        ),
    )
    op.create_index(
        op.f("ix_remote_state_consumers_consumer_id"), "remote_state_consumers", ["consumer_id"]
    )
