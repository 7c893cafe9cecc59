"""What happens wakes also who waits for a kind of it at one place, and it does outside organizations.

Revision ID: told_places
Revises: drift
"""

from alembic import op

revision = "told_places"
down_revision = "drift"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE OR REPLACE FUNCTION landform_tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('landform_changes', left(told, 200))
  FROM unnest(ARRAY[
    NEW.organization_id, NEW.subject_id,
    NEW.payload ->> 'workspace_id', NEW.payload ->> 'owner_id', '']) AS place,
  LATERAL (VALUES (place), (concat_ws('/', nullif(place, ''), NEW.name))) AS each (told)
  WHERE told <> '' AND place IS NOT NULL;
  RETURN NULL;
END
$$"""
    )
    op.execute("DROP TRIGGER tell_change ON events")
    op.execute(
        """
CREATE TRIGGER tell_change AFTER INSERT ON events FOR EACH ROW
EXECUTE FUNCTION landform_tell_change()"""
    )
