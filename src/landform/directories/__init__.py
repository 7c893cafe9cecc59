"""Directories of people and groups that others keep, and push here (SCIM 2.0)."""
