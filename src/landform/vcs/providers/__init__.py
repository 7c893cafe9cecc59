"""The kinds of provider by name. A new one is a module here, and one line in each table."""

from collections.abc import Callable, Mapping
from typing import Final

from landform.vcs.kinds import Kind
from landform.vcs.provider import DeliveryReader, Services, Setup, TokenSource, VcsProvider
from landform.vcs.providers.azure_devops import AzureDeliveries, AzureDevOps
from landform.vcs.providers.bitbucket import Bitbucket, BitbucketDeliveries
from landform.vcs.providers.bitbucket_data_center import (
    BitbucketDataCenter,
    DataCenterDeliveries,
)
from landform.vcs.providers.git import Git
from landform.vcs.providers.gitea import Gitea, GiteaDeliveries
from landform.vcs.providers.github import GitHub, GitHubDeliveries
from landform.vcs.providers.gitlab import GitLab, GitLabDeliveries

KINDS: Final[Mapping[Kind, Callable[[Setup, Services, TokenSource], VcsProvider]]] = {
    Kind.AZURE_DEVOPS: AzureDevOps,
    Kind.AZURE_DEVOPS_SERVER: AzureDevOps,
    Kind.GITHUB: GitHub,
    Kind.GITHUB_ENTERPRISE: GitHub,
    Kind.GITLAB: GitLab,
    Kind.GITLAB_SELF_MANAGED: GitLab,
    Kind.BITBUCKET: Bitbucket,
    Kind.BITBUCKET_DATA_CENTER: BitbucketDataCenter,
    Kind.GITEA: Gitea,
    Kind.GIT: Git,
}

# A kind that is not here sends nothing: its repositories are looked at.
READERS: Final[Mapping[Kind, DeliveryReader]] = {
    Kind.AZURE_DEVOPS: AzureDeliveries(),
    Kind.AZURE_DEVOPS_SERVER: AzureDeliveries(),
    Kind.GITHUB: GitHubDeliveries(),
    Kind.GITHUB_ENTERPRISE: GitHubDeliveries(),
    Kind.GITLAB: GitLabDeliveries(),
    Kind.GITLAB_SELF_MANAGED: GitLabDeliveries(),
    Kind.BITBUCKET: BitbucketDeliveries(),
    Kind.BITBUCKET_DATA_CENTER: DataCenterDeliveries(),
    Kind.GITEA: GiteaDeliveries(),
}
