"""VCS connections, grants asked for, hooks and deliveries.

Revision ID: vcs_connections
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "vcs_connections"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vcs_connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "ado_services",
                "ado_server",
                "github",
                "github_enterprise",
                "gitlab_hosted",
                "gitlab_enterprise_edition",
                "bitbucket_hosted",
                "bitbucket_data_center",
                "gitea",
                "git",
                name="kind",
                native_enum=False,
                length=64,
            ),
            nullable=False,
        ),
        sa.Column(
            "sign_in",
            sa.Enum(
                "oauth",
                "entra-oauth",
                "service-principal-secret",
                "service-principal-certificate",
                "service-principal-federated",
                "managed-identity",
                "token",
                "github-app",
                "ssh-key",
                "password",
                name="signin",
                native_enum=False,
                length=64,
            ),
            nullable=False,
        ),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("api_url", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("known_hosts", sa.Text(), nullable=False),
        sa.Column("callback", sa.Text(), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=False),
        sa.Column("redirect_url", sa.Text(), nullable=False),
        sa.Column("sealed_secrets", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=True),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_id", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("secret_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "connected",
                "needs-reconnect",
                "failed",
                name="connectionstatus",
                native_enum=False,
                length=64,
            ),
            nullable=False,
        ),
        sa.Column("status_reason", sa.Text(), nullable=False),
        sa.Column("capabilities", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("opened_by", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_vcs_connections_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vcs_connections")),
        sa.UniqueConstraint("callback", name=op.f("uq_vcs_connections_callback")),
    )
    op.create_index(
        op.f("ix_vcs_connections_organization_id"),
        "vcs_connections",
        ["organization_id"],
        unique=False,
    )
    op.create_table(
        "vcs_authorizations",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("sealed_verifier", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_vcs_authorizations_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_vcs_authorizations")),
    )
    op.create_index(
        op.f("ix_vcs_authorizations_connection_id"),
        "vcs_authorizations",
        ["connection_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_vcs_authorizations_expires_at"), "vcs_authorizations", ["expires_at"], unique=False
    )
    op.create_table(
        "vcs_hooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("repository_name", sa.Text(), nullable=False),
        sa.Column("sealed_secrets", sa.LargeBinary(), nullable=False),
        sa.Column("remote", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_delivery_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_vcs_hooks_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vcs_hooks")),
        sa.UniqueConstraint(
            "connection_id", "repository_id", name=op.f("uq_vcs_hooks_connection_id_repository_id")
        ),
    )
    op.create_table(
        "vcs_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("hook_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "received", "done", "failed", name="deliverystatus", native_enum=False, length=64
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcomes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["hook_id"],
            ["vcs_hooks.id"],
            name=op.f("fk_vcs_deliveries_hook_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vcs_deliveries")),
        sa.UniqueConstraint(
            "hook_id", "provider_id", name=op.f("uq_vcs_deliveries_hook_id_provider_id")
        ),
    )
    op.create_index(
        "ix_vcs_deliveries_hook_id_received_at",
        "vcs_deliveries",
        ["hook_id", "received_at"],
        unique=False,
    )
