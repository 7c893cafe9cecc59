"""One organization here, one at Azure DevOps, and connections between them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

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
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING, Identity, Organization, Repository
from tests.standins.microsoft_identity import MicrosoftIdentity

ISSUER = "https://landform.test"


async def until(condition: Callable[[], bool], *, deadline_s: float = 60.0) -> None:
    """Look again and again until the condition holds."""
    for _ in range(int(deadline_s / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about in time")


@dataclass
class Scene:
    """Who is there.

    Attributes:
        owner: of our organization.
        ann: of the organization at Azure DevOps.
    """

    reach: Reach
    azure: AzureDevOps
    entra: MicrosoftIdentity
    organization_id: str
    owner: Actor
    acme: Organization
    ann: Identity
    repository: Repository
    first_commit: str

    @classmethod
    async def make(cls, reach: Reach, azure: AzureDevOps, entra: MicrosoftIdentity) -> "Scene":
        async with transaction(reach.sessions) as session:
            organization = await factories.make_organization(session)
            owner = await factories.make_owner(session, organization)
        acme = azure.organization("Acme")
        ann = acme.identity("Ann")
        repository = acme.repository("Cloud Team", "infra.git")
        first = azure.people.push(repository, ann, {"main.tf": ""})
        return cls(reach, azure, entra, organization.id, owner, acme, ann, repository, first)

    async def connect(
        self, sign_in: SignIn = SignIn.TOKEN, kind: Kind = Kind.AZURE_DEVOPS, **settings: Any
    ) -> Connection:
        """Make a connection to the stand-ins."""
        given = {"name": "ado", "account": "Acme", "api_url": self.azure.url, **settings}
        if sign_in is SignIn.OAUTH:
            given.setdefault("endpoint", self.azure.vssps_url)
        async with transaction(self.reach.sessions) as session:
            return await connections.create_connection(
                session,
                self.reach.keyring,
                self.site_admin if sign_in is SignIn.MANAGED_IDENTITY else self.owner,
                self.organization_id,
                ConnectionSettings(**given),
                kind=kind,
                sign_in=sign_in,
                base=ISSUER,
            )

    @property
    def site_admin(self) -> Actor:
        return replace(self.owner, is_site_admin=True)

    def pat(self, *scopes: str, who: Identity | None = None) -> str:
        return self.azure.tokens.issue(who or self.ann, scopes or EVERYTHING)

    async def provider(self, **settings: Any) -> VcsProvider:
        """Connect with a personal token that may do everything."""
        row = await self.connect(client_secret=settings.pop("pat", self.pat()), **settings)
        return await self.provider_of(row)

    async def provider_of(self, row: Connection) -> VcsProvider:
        return await open_provider(self.reach, row.id)

    async def row(self, connection_id: str) -> Connection:
        async with transaction(self.reach.sessions) as session:
            return await session.get_one(Connection, connection_id)
