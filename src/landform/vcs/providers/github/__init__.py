"""GitHub.com, GitHub Enterprise Cloud with its own domain, and GitHub Enterprise Server."""

from landform.vcs.providers.github.deliveries import GitHubDeliveries
from landform.vcs.providers.github.provider import GitHub

__all__ = ["GitHub", "GitHubDeliveries"]
