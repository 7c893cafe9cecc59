"""Every test here is asked of every provider."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest

from landform.kit.db import transaction
from landform.vcs.reach import Reach
from tests import factories
from tests.vcs.contract.azure_devops import AzureDevOpsHost
from tests.vcs.contract.gitea import GiteaHost
from tests.vcs.contract.github import GitHubHost
from tests.vcs.contract.gitlab import GitLabHost
from tests.vcs.contract.host import Host, Ours

HOSTS: Final[dict[str, Callable[[Path, Ours], Host]]] = {
    "azure-devops": AzureDevOpsHost,
    "github": GitHubHost,
    "gitea": GiteaHost,
    "gitlab": GitLabHost,
}


@pytest.fixture(params=HOSTS)
async def host(request: pytest.FixtureRequest, reach: Reach, tmp_path: Path) -> AsyncIterator[Host]:
    """A provider with one private repository, and an organization of ours."""
    async with transaction(reach.sessions) as session:
        organization = await factories.make_organization(session)
        owner = await factories.make_owner(session, organization)
    made = HOSTS[request.param](tmp_path / "host", Ours(reach, organization.id, owner))
    yield made
    made.close()
