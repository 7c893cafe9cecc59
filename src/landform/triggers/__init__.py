"""What happens at a repository becomes runs of the workspaces planned from it, and back."""
