"""Encryption keys: where they come from, and their rotation."""
