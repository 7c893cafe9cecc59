"""Agent pools, the agents in them, and which workspaces may use which pool."""
