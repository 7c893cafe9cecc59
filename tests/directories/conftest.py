"""A server, and directories that push people to it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from landform.access.models import Membership, Team, TeamMember
from landform.directories import service
from landform.identity.models import ApiToken, BrowserSession, User
from landform.identity.users import actor_of
from landform.kit.db import transaction
from tests import factories
from tests.api.tfe.server import Server, open_server
from tests.world import World

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass
class Pusher:
    """A directory with its token."""

    server: Server
    token: str

    async def ask(
        self, method: str, path: str, status: int = 200, body: Any = None, **query: Any
    ) -> Any:
        """Return the document of an answer that must have the status."""
        answer = await self.server.http.request(
            method,
            f"/scim/v2/{path}",
            json=body,
            params={name: str(value) for name, value in query.items()},
            headers={
                "Authorization": f"Bearer {self.token}",
                **({"Content-Type": "application/scim+json"} if body is not None else {}),
            },
        )
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        if not answer.content:
            return None
        assert answer.headers["content-type"].startswith("application/scim+json")
        document = answer.json()
        if status >= 400:
            assert document["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
            assert document["status"] == str(status)
        return document

    async def push(self, name: str, status: int = 201, **attributes: Any) -> Any:
        """Make a person, as Entra does."""
        body = {
            "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "externalId": f"x-{name}",
            "userName": f"{name}@acme.example",
            "active": True,
            "displayName": name.title(),
            "emails": [{"primary": True, "type": "work", "value": f"{name}@acme.example"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": name.title(), "familyName": name, "givenName": name},
            **attributes,
        }
        return await self.ask("POST", "Users", status, body)

    async def change(self, path: str, *operations: Any, status: int = 200) -> Any:
        """Send a PATCH."""
        body = {"schemas": [PATCH], "Operations": list(operations)}
        return await self.ask("PATCH", path, status, body)

    # ── what is there to see ────────────────────────────────────────────────────────────────────

    async def user(self, email: str) -> User:
        async with transaction(self.server.world.platform.sessions) as session:
            return (await session.scalars(select(User).where(User.email == email))).one()

    async def teams(self, user: User) -> set[str]:
        query = select(Team.name).join(TeamMember).where(TeamMember.user_id == user.id)
        async with transaction(self.server.world.platform.sessions) as session:
            return set(await session.scalars(query))

    async def is_member(self, user: User) -> bool:
        world = self.server.world
        query = select(Membership.id).where(
            Membership.user_id == user.id, Membership.organization_id == world.organization_id
        )
        async with transaction(world.platform.sessions) as session:
            return await session.scalar(query) is not None

    async def credentials(self, user: User) -> int:
        """Return how many sessions and tokens the user has."""
        async with transaction(self.server.world.platform.sessions) as session:
            found = [
                *await session.scalars(
                    select(BrowserSession.id).where(BrowserSession.user_id == user.id)
                ),
                *await session.scalars(select(ApiToken.id).where(ApiToken.user_id == user.id)),
            ]
        return len(found)


@pytest.fixture
async def server(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Server]:
    async with open_server(app, world, database_url) as opened:
        yield opened


async def make(server: Server, organization: str) -> Pusher:
    async with transaction(server.world.platform.sessions) as session:
        admin = actor_of(await factories.make_user(session, is_site_admin=True))
        _, token = await service.create_directory(
            session, admin, name="Entra", organization=organization
        )
    return Pusher(server, token)


@pytest.fixture
async def directory(server: Server) -> Pusher:
    """A directory of the world's organization."""
    return await make(server, server.world.organization)


@pytest.fixture
async def of_site(server: Server) -> Pusher:
    """A directory of the site."""
    return await make(server, "")
