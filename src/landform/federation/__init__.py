"""People and groups that somebody else vouches for: identity providers and their directories."""
