"""Tags that an organization sets aside.

Revision ID: organization_tags
Revises: workspace_readmes
"""

import sqlalchemy as sa
from alembic import op

revision = "organization_tags"
down_revision = "workspace_readmes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organization_tags",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_organization_tags_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "name", name=op.f("pk_organization_tags")),
    )
