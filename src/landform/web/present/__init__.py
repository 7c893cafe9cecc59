"""View models: a template gets plain data, made here, never a row of a table."""
