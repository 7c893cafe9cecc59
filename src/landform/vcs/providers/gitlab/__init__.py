"""GitLab.com, GitLab Dedicated and self-managed GitLab."""

from landform.vcs.providers.gitlab.deliveries import GitLabDeliveries
from landform.vcs.providers.gitlab.provider import GitLab

__all__ = ["GitLab", "GitLabDeliveries"]
