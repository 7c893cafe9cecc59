"""What happens wakes also who waits for all of its kind.

Revision ID: told_kinds
Revises: agent_pools
"""

from alembic import op

revision = "told_kinds"
down_revision = "agent_pools"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE OR REPLACE FUNCTION landform_tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('landform_changes', left(place, 200))
  FROM unnest(ARRAY[
    NEW.organization_id, NEW.subject_id, NEW.payload ->> 'workspace_id', NEW.name]) AS place
  WHERE place <> '';
  RETURN NULL;
END
$$"""
    )
