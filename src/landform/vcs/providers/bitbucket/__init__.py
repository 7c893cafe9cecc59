"""Bitbucket Cloud."""

from landform.vcs.providers.bitbucket.deliveries import BitbucketDeliveries
from landform.vcs.providers.bitbucket.provider import Bitbucket

__all__ = ["Bitbucket", "BitbucketDeliveries"]
