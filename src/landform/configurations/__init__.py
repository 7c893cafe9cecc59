"""Configuration versions: what a run plans."""
