"""What happens wakes who waits for it.

Revision ID: told_changes
Revises: github_apps
"""

from alembic import op

revision = "told_changes"
down_revision = "github_apps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE FUNCTION landform_tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('landform_changes', left(place, 200))
  FROM unnest(ARRAY[NEW.organization_id, NEW.subject_id, NEW.payload ->> 'workspace_id']) AS place
  WHERE place <> '';
  RETURN NULL;
END
$$"""
    )
    op.execute(
        """
CREATE TRIGGER tell_change AFTER INSERT ON events FOR EACH ROW
WHEN (NEW.organization_id IS NOT NULL) EXECUTE FUNCTION landform_tell_change()"""
    )
