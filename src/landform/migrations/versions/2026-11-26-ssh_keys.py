"""SSH keys of an organization, and which one a workspace's runs use.

Revision ID: ssh_keys
Revises: current_runs
"""

import sqlalchemy as sa
from alembic import op

revision = "ssh_keys"
down_revision = "current_runs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ssh_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("ed25519", "rsa", name="keykind", native_enum=False, length=64),
            nullable=False,
        ),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("known_hosts", sa.Text(), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_ssh_keys_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ssh_keys")),
    )
    op.create_index(
        "uq_ssh_keys_organization_lower_name",
        "ssh_keys",
        ["organization_id", sa.text("lower(name)")],
        unique=True,
    )
    op.add_column("workspaces", sa.Column("ssh_key_id", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_workspaces_ssh_key_id_ssh_keys"),
        "workspaces",
        "ssh_keys",
        ["ssh_key_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(op.f("ix_workspaces_ssh_key_id"), "workspaces", ["ssh_key_id"])
