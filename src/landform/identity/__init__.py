"""Users, their tokens and sessions, and who is calling."""
