"""Bitbucket Data Center."""

from landform.vcs.providers.bitbucket_data_center.deliveries import DataCenterDeliveries
from landform.vcs.providers.bitbucket_data_center.provider import BitbucketDataCenter

__all__ = ["BitbucketDataCenter", "DataCenterDeliveries"]
