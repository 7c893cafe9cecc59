"""Who the people of providers are here, and which of their comments were acted on.

Revision ID: vcs_people
Revises: sandbox_of_phases
"""

import sqlalchemy as sa
from alembic import op

revision = "vcs_people"
down_revision = "sandbox_of_phases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vcs_people",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_vcs_people_connection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_vcs_people_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vcs_people")),
        sa.UniqueConstraint(
            "connection_id", "person_id", name=op.f("uq_vcs_people_connection_id_person_id")
        ),
    )
    op.create_index(op.f("ix_vcs_people_user_id"), "vcs_people", ["user_id"], unique=False)
    op.create_table(
        "vcs_seen_comments",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("comment_id", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["vcs_connections.id"],
            name=op.f("fk_vcs_seen_comments_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "connection_id",
            "repository_id",
            "number",
            "comment_id",
            name=op.f("pk_vcs_seen_comments"),
        ),
    )


def downgrade() -> None:
    op.drop_table("vcs_seen_comments")
    op.drop_index(op.f("ix_vcs_people_user_id"), table_name="vcs_people")
    op.drop_table("vcs_people")
