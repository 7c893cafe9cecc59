"""Since when hooks have their secrets, and their providers know them.

Revision ID: hook_secrets
Revises: invitations
"""

import sqlalchemy as sa
from alembic import op

revision = "hook_secrets"
down_revision = "invitations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("vcs_hooks", sa.Column("secret_told_at", moment, nullable=True))
    op.add_column(
        "vcs_hooks",
        sa.Column("secret_made_at", moment, nullable=False, server_default=sa.func.now()),
    )
    op.execute("UPDATE vcs_hooks SET secret_made_at = created_at")
    op.execute("UPDATE vcs_hooks SET secret_told_at = created_at WHERE remote <> '[]'")
    op.alter_column("vcs_hooks", "secret_made_at", server_default=None)


def downgrade() -> None:
    op.drop_column("vcs_hooks", "secret_made_at")
    op.drop_column("vcs_hooks", "secret_told_at")
