"""Runs: the heart. A run plans one configuration on one workspace, and may apply that plan."""
