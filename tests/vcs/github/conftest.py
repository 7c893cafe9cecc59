"""A GitHub on loopback, and connections to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.vcs import connections
from landform.vcs.credentials import open_provider
from landform.vcs.facts import Repository
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.provider import VcsProvider
from landform.vcs.reach import Reach
from landform.vcs.settings import ConnectionSettings
from tests import factories
from tests.standins.github import GitHub, github
from tests.standins.github_world import Account, Repo


@dataclass
class Place:
    """An organization here with an owner, and a repository there with a commit in it."""

    reach: Reach
    hub: GitHub
    ann: Account
    repo: Repo
    first: str
    organization_id: str
    owner: Actor

    async def connect(self, sign_in: SignIn = SignIn.TOKEN, **settings: Any) -> str:
        """Make a connection, and return its id."""
        async with transaction(self.reach.sessions) as session:
            row = await connections.create_connection(
                session,
                self.reach.keyring,
                self.owner,
                self.organization_id,
                ConnectionSettings(name="hub", endpoint=self.hub.url, **settings),
                kind=Kind.GITHUB_ENTERPRISE,
                sign_in=sign_in,
                base="https://landform.test",
            )
            return row.id

    async def provider(self, sign_in: SignIn = SignIn.TOKEN, **settings: Any) -> VcsProvider:
        """Connect, by a token that may do everything unless another is given."""
        if sign_in is SignIn.TOKEN:
            settings.setdefault("client_secret", self.hub.token(self.ann))
        return await open_provider(self.reach, await self.connect(sign_in, **settings))

    async def repository(self, provider: VcsProvider) -> Repository:
        return await provider.repository("acme/infra")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[GitHub]:
    with github(tmp_path / "github") as service:
        yield service


@pytest.fixture
async def place(reach: Reach, hub: GitHub) -> Place:
    ann = hub.account("ann")
    repo = hub.repository("acme", "infra")
    first = hub.push(repo, ann, {"main.tf": "# first\n"}, message="Begin")
    async with transaction(reach.sessions) as session:
        organization = await factories.make_organization(session)
        owner = await factories.make_owner(session, organization)
    return Place(reach, hub, ann, repo, first, organization.id, owner)
