"""What kept a phase apart from others.

Revision ID: sandbox_of_phases
Revises: repositories
"""

import sqlalchemy as sa
from alembic import op

revision = "sandbox_of_phases"
down_revision = "repositories"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_phases", sa.Column("sandbox", sa.Text(), nullable=False, server_default=""))
    op.alter_column("run_phases", "sandbox", server_default=None)
