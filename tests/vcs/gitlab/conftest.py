"""A GitLab on loopback, and connections to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from landform.kit.db import transaction
from landform.vcs.reach import Reach
from tests import factories
from tests.vcs.contract.gitlab import GitLabHost
from tests.vcs.contract.host import Ours


@pytest.fixture
async def host(reach: Reach, tmp_path: Path) -> AsyncIterator[GitLabHost]:
    """A GitLab with one private project, and an organization of ours."""
    async with transaction(reach.sessions) as session:
        organization = await factories.make_organization(session)
        owner = await factories.make_owner(session, organization)
    made = GitLabHost(tmp_path / "gitlab", Ours(reach, organization.id, owner))
    yield made
    made.close()
