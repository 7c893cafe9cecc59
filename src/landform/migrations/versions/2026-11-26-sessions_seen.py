"""Where browser sessions were opened, and when they were last seen.

Revision ID: sessions_seen
Revises: vcs_people
"""

import sqlalchemy as sa
from alembic import op

revision = "sessions_seen"
down_revision = "vcs_people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("address", "agent"):
        op.add_column(
            "browser_sessions", sa.Column(name, sa.Text(), nullable=False, server_default="")
        )
        op.alter_column("browser_sessions", name, server_default=None)
    op.add_column(
        "browser_sessions",
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    op.alter_column("browser_sessions", "seen_at", server_default=None)
