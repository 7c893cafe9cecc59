"""Apps that are registered from here, and where apps are installed.

Revision ID: github_apps
Revises: token_life
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "github_apps"
down_revision = "token_life"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "vcs_connections", sa.Column("app_url", sa.Text(), nullable=False, server_default="")
    )
    op.alter_column("vcs_connections", "app_url", server_default=None)
    op.add_column(
        "vcs_connections",
        sa.Column("installation", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    )


def downgrade() -> None:
    op.drop_column("vcs_connections", "installation")
    op.drop_column("vcs_connections", "app_url")
