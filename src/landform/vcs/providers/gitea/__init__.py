"""Gitea and Forgejo, on a server of one's own or at a public one such as Codeberg."""

from landform.vcs.providers.gitea.deliveries import GiteaDeliveries
from landform.vcs.providers.gitea.provider import Gitea

__all__ = ["Gitea", "GiteaDeliveries"]
