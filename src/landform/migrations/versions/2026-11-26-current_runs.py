"""The runs that workspaces are at are found without reading all others.

Revision ID: current_runs
Revises: tokens_used_from
"""

import sqlalchemy as sa
from alembic import op

revision = "current_runs"
down_revision = "tokens_used_from"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "runs", sa.Column("is_current", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute(
        "UPDATE runs SET is_current = true FROM workspaces"
        " WHERE workspaces.current_run_id = runs.id"
    )
    op.alter_column("runs", "is_current", server_default=None)
    op.create_index(
        "ix_runs_current",
        "runs",
        ["organization_id", "id"],
        postgresql_include=["status", "changed_at"],
        postgresql_where=sa.text("is_current"),
    )
    # The row of the workspace is held by then: locks are taken in that order everywhere.
    op.execute(
        """
CREATE FUNCTION landform_mark_current_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE runs SET is_current = (id IS NOT DISTINCT FROM NEW.current_run_id)
  WHERE id IN (OLD.current_run_id, NEW.current_run_id);
  RETURN NULL;
END
$$"""
    )
    op.execute(
        """
CREATE TRIGGER mark_current_run AFTER UPDATE OF current_run_id ON workspaces FOR EACH ROW
WHEN (NEW.current_run_id IS DISTINCT FROM OLD.current_run_id)
EXECUTE FUNCTION landform_mark_current_run()"""
    )
    # A session may write a workspace before the run it is at.
    op.execute(
        """
CREATE FUNCTION landform_is_current_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.is_current := EXISTS (
    SELECT FROM workspaces WHERE id = NEW.workspace_id AND current_run_id = NEW.id);
  RETURN NEW;
END
$$"""
    )
    op.execute(
        """
CREATE TRIGGER is_current_run BEFORE INSERT ON runs FOR EACH ROW
EXECUTE FUNCTION landform_is_current_run()"""
    )
