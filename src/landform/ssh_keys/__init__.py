"""SSH keys of an organization, by which runs fetch the modules of private repositories."""
