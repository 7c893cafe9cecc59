"""Workspaces, the projects they are in, their tags and locks."""
