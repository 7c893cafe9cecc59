"""Variables of workspaces; sensitive values are write-only and encrypted."""
