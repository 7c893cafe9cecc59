"""Identity providers that speak SAML: their metadata, and whether we sign what we ask.

Revision ID: saml
Revises: schedules
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "saml"
down_revision = "schedules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("metadata_url", "sso_url"):
        column = sa.Column(name, sa.Text(), server_default="", nullable=False)
        op.add_column("identity_providers", column)
    op.add_column(
        "identity_providers",
        sa.Column("certificates", postgresql.JSONB(), server_default="[]", nullable=False),
    )
    op.add_column(
        "identity_providers",
        sa.Column("signs_requests", sa.Boolean(), server_default="false", nullable=False),
    )
