"""Connections that follow an SSH key of their organization.

Revision ID: keys_of_connections
Revises: webhooks
"""

import sqlalchemy as sa
from alembic import op

revision = "keys_of_connections"
down_revision = "webhooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vcs_connections", sa.Column("ssh_key_id", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_vcs_connections_ssh_key_id_ssh_keys"),
        "vcs_connections",
        "ssh_keys",
        ["ssh_key_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index(op.f("ix_vcs_connections_ssh_key_id"), "vcs_connections", ["ssh_key_id"])
