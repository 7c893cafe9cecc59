"""Machines that act for a team by an issuer's word.

Revision ID: federated_credentials
Revises: large_files
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "federated_credentials"
down_revision = "large_files"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "federated_credentials",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("claims", postgresql.JSONB(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_federated_credentials_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["team_id"],
            ["teams.id"],
            name=op.f("fk_federated_credentials_team_id_teams"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_federated_credentials")),
        sa.UniqueConstraint(
            "organization_id", "name", name=op.f("uq_federated_credentials_organization_id_name")
        ),
    )
    op.create_index(op.f("ix_federated_credentials_team_id"), "federated_credentials", ["team_id"])
    op.add_column("api_tokens", sa.Column("federated_credential_id", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_api_tokens_federated_credential_id_federated_credentials"),
        "api_tokens",
        "federated_credentials",
        ["federated_credential_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index(
        op.f("ix_api_tokens_federated_credential_id"), "api_tokens", ["federated_credential_id"]
    )
