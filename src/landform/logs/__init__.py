"""Logs of phases: appended by offset, kept in the object store, read while they grow."""
