"""A plain git server on loopback, by SSH and HTTPS, and connections to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.vcs import connections
from landform.vcs.credentials import open_provider
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from landform.vcs.provider import VcsProvider
from landform.vcs.reach import Reach
from landform.vcs.settings import ConnectionSettings
from tests import factories
from tests.standins.git_server import GitServer, git_server
from tests.standins.repositories import GitRepository

PASSWORD = "correct horse"


@dataclass
class Place:
    """An organization here, and a repository there with a commit in it."""

    reach: Reach
    server: GitServer
    owner: Actor
    organization_id: str
    repo: GitRepository
    first: str

    async def connect(self, sign_in: SignIn = SignIn.SSH_KEY, **settings: Any) -> Connection:
        """Make a connection; by SSH its key is let in, and the server's keys are pinned."""
        if sign_in is SignIn.SSH_KEY:
            given = {
                "endpoint": self.server.ssh_url,
                "username": self.server.user,
                "known_hosts": self.server.host_key(),
            }
        else:
            given = {
                "endpoint": self.server.https_url,
                "username": "ann",
                "client_secret": PASSWORD,
            }
        async with transaction(self.reach.sessions) as session:
            row = await connections.create_connection(
                session,
                self.reach.keyring,
                self.owner,
                self.organization_id,
                ConnectionSettings(**{"name": "git", **given, **settings}),
                kind=Kind.GIT,
                sign_in=sign_in,
                base="https://landform.test",
            )
        if sign_in is SignIn.SSH_KEY:
            self.server.authorize(row.ssh_public_key)
        return row

    async def provider(self, sign_in: SignIn = SignIn.SSH_KEY, **settings: Any) -> VcsProvider:
        return await open_provider(self.reach, (await self.connect(sign_in, **settings)).id)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitServer]:
    with git_server(tmp_path / "git") as service:
        service.passwords["ann"] = PASSWORD
        monkeypatch.setenv("GIT_SSL_CAINFO", str(service.authority))
        yield service


@pytest.fixture
async def place(reach: Reach, server: GitServer) -> Place:
    async with transaction(reach.sessions) as session:
        organization = await factories.make_organization(session)
        owner = await factories.make_owner(session, organization)
    repo = server.repository("team/infra.git")
    first = repo.commit("main", {"main.tf": "# first\n"}, message="Begin")
    return Place(reach, server, owner, organization.id, repo, first)
