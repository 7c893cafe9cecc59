"""Organizations: what everything else belongs to."""
