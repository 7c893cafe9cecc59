"""Agent pools, the agents in them, and which workspaces run there.

Revision ID: agent_pools
Revises: saml
"""

import sqlalchemy as sa
from alembic import op

revision = "agent_pools"
down_revision = "saml"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_pools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organization_scoped", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_agent_pools_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_pools")),
    )
    op.create_index(
        "uq_agent_pools_organization_lower_name",
        "agent_pools",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.create_table(
        "agent_pool_places",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=True),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("is_excluded", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(workspace_id, project_id) = 1",
            name=op.f("ck_agent_pool_places_one_place"),
        ),
        sa.CheckConstraint(
            "NOT is_excluded OR project_id IS NULL",
            name=op.f("ck_agent_pool_places_no_project_excluded"),
        ),
        sa.ForeignKeyConstraint(
            ["pool_id"],
            ["agent_pools.id"],
            name=op.f("fk_agent_pool_places_pool_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_agent_pool_places_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_agent_pool_places_project_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_pool_places")),
    )
    op.create_index(
        "uq_agent_pool_places_workspace",
        "agent_pool_places",
        ["pool_id", "workspace_id", "is_excluded"],
        unique=True,
    )
    op.create_index(
        "uq_agent_pool_places_project", "agent_pool_places", ["pool_id", "project_id"], unique=True
    )
    for column in ("workspace_id", "project_id"):
        op.create_index(op.f(f"ix_agent_pool_places_{column}"), "agent_pool_places", [column])
    op.create_table(
        "agents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("sandbox", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("farewell", sa.String(length=64), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["agent_pools.id"], name=op.f("fk_agents_pool_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
    )
    op.create_index(op.f("ix_agents_pool_id"), "agents", ["pool_id"])
    op.create_foreign_key(
        op.f("fk_api_tokens_agent_pool_id"),
        "api_tokens",
        "agent_pools",
        ["agent_pool_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index(op.f("ix_api_tokens_agent_pool_id"), "api_tokens", ["agent_pool_id"])
    op.add_column("workspaces", sa.Column("agent_pool_id", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_workspaces_agent_pool_id"), "workspaces", "agent_pools", ["agent_pool_id"], ["id"]
    )
    op.create_index(op.f("ix_workspaces_agent_pool_id"), "workspaces", ["agent_pool_id"])
    op.create_check_constraint(
        op.f("ck_workspaces_agents_of_a_pool"),
        "workspaces",
        "(execution_mode = 'agent') = (agent_pool_id IS NOT NULL)",
    )
    op.add_column("organizations", sa.Column("default_agent_pool_id", sa.Text(), nullable=True))
    op.create_index("ix_leases_pool_state", "leases", ["pool", "state"])
