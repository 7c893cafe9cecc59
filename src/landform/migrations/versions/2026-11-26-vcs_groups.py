"""Groups of providers that count as teams.

Revision ID: vcs_groups
Revises: by_installation
"""

import sqlalchemy as sa
from alembic import op

revision = "vcs_groups"
down_revision = "by_installation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vcs_groups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_vcs_groups_connection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_vcs_groups_team_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vcs_groups")),
        sa.UniqueConstraint("connection_id", "name", name=op.f("uq_vcs_groups_connection_id_name")),
    )
    op.create_index(op.f("ix_vcs_groups_team_id"), "vcs_groups", ["team_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_vcs_groups_team_id"), table_name="vcs_groups")
    op.drop_table("vcs_groups")
