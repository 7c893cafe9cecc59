"""Directories that push people and groups by SCIM.

Revision ID: directories
Revises: approvals
"""

import sqlalchemy as sa
from alembic import op

revision = "directories"
down_revision = "approvals"
branch_labels = None
depends_on = None


def _to(column: str, table: str, of: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{of}_{column}_{table}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "directories",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        _to("organization_id", "organizations", "directories"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directories")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_directories_token_hash")),
    )
    op.create_index(op.f("ix_directories_organization_id"), "directories", ["organization_id"])
    op.create_table(
        "directory_people",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("directory_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("owns_user", sa.Boolean(), nullable=False),
        sa.Column("suspended_here", sa.Boolean(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        _to("directory_id", "directories", "directory_people"),
        _to("user_id", "users", "directory_people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_people")),
        sa.UniqueConstraint(
            "directory_id", "user_id", name=op.f("uq_directory_people_directory_id_user_id")
        ),
    )
    op.create_index(op.f("ix_directory_people_user_id"), "directory_people", ["user_id"])
    op.create_index(
        "uq_directory_people_name",
        "directory_people",
        ["directory_id", sa.text("lower(user_name)")],
        unique=True,
        postgresql_where=sa.text("NOT is_deleted"),
    )
    op.create_table(
        "directory_groups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("directory_id", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        _to("directory_id", "directories", "directory_groups"),
        _to("team_id", "teams", "directory_groups"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_groups")),
        sa.UniqueConstraint("team_id", name=op.f("uq_directory_groups_team_id")),
    )
    op.create_index(
        "uq_directory_groups_name",
        "directory_groups",
        ["directory_id", sa.text("lower(display_name)")],
        unique=True,
    )
    op.create_table(
        "directory_members",
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("was_there", sa.Boolean(), nullable=False),
        _to("group_id", "directory_groups", "directory_members"),
        _to("person_id", "directory_people", "directory_members"),
        sa.PrimaryKeyConstraint("group_id", "person_id", name=op.f("pk_directory_members")),
    )
    op.create_index(op.f("ix_directory_members_person_id"), "directory_members", ["person_id"])
