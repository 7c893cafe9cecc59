"""Every test here is asked of every provider."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from landform.vcs.reach import Reach
from tests.vcs.contract.azure_devops import AzureDevOpsHost
from tests.vcs.contract.bitbucket import BitbucketHost
from tests.vcs.contract.bitbucket_data_center import DataCenterHost
from tests.vcs.contract.gitea import GiteaHost
from tests.vcs.contract.github import GitHubHost
from tests.vcs.contract.gitlab import GitLabHost
from tests.vcs.contract.host import Host
from tests.vcs.contract.making import host_of

HOSTS: Final[dict[str, type[Host]]] = {
    "azure-devops": AzureDevOpsHost,
    "github": GitHubHost,
    "gitea": GiteaHost,
    "gitlab": GitLabHost,
    "bitbucket": BitbucketHost,
    "bitbucket-data-center": DataCenterHost,
}


PEOPLES: Final = [name for name, host in HOSTS.items() if host.signs_in_people]


@pytest.fixture(params=HOSTS)
async def host(request: pytest.FixtureRequest, reach: Reach, tmp_path: Path) -> AsyncIterator[Host]:
    """A provider with one private repository, and an organization of ours."""
    async with host_of(HOSTS[request.param], reach, tmp_path / "host") as made:
        yield made


@pytest.fixture(params=PEOPLES)
async def peoples_host(
    request: pytest.FixtureRequest, reach: Reach, tmp_path: Path
) -> AsyncIterator[Host]:
    """The same, of providers to which a person is sent and comes back from."""
    async with host_of(HOSTS[request.param], reach, tmp_path / "host") as made:
        yield made
