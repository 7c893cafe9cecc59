"""Alembic's entry: always on a connection that somebody else opened."""

from alembic import context

from landform.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
