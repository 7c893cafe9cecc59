"""Azure DevOps, Services and Server."""

from landform.vcs.providers.azure_devops.deliveries import AzureDeliveries
from landform.vcs.providers.azure_devops.provider import AzureDevOps

__all__ = ["AzureDeliveries", "AzureDevOps"]
