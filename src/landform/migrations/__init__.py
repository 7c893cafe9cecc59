"""The database's shape over time: Alembic's versions, and what applies and checks them."""
