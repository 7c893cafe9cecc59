"""The application on one world, for tests of what clients of the CLI's routes send and get."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx2
from fastapi import FastAPI
from pydantic import SecretStr

from landform.app import make_process
from landform.edge.process import Process
from landform.identity import tokens
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.models import ApiToken
from landform.kit.clock import now
from landform.kit.db import transaction
from landform.settings import Settings
from tests import factories
from tests.api.tfe.people import Caller
from tests.world import World

BASE = "http://landform.test"
LIMIT_BYTES = 64 * 1024  # of uploads: the tests' own, so that too large is still small


@dataclass(frozen=True)
class Server:
    """An application that is asked in this process, and the world it works on.

    Attributes:
        http: sends no token unless told.
        owner: has a token of the world's owner.
    """

    app: FastAPI
    world: World
    process: Process
    http: httpx2.AsyncClient
    owner: Caller

    async def caller(self, level: str, custom: Mapping[str, Any] | None = None) -> Caller:
        """Return somebody whose team has this access to the workspace, and none besides."""
        workspace = await self.world.workspace()
        async with transaction(self.world.platform.sessions) as session:
            actor = await factories.make_actor(session, workspace, level, custom)
        return await self.caller_of(actor)

    async def stranger(self) -> Caller:
        """Return the owner of another organization."""
        async with transaction(self.world.platform.sessions) as session:
            organization = await factories.make_organization(session)
            actor = await factories.make_owner(session, organization)
        return await self.caller_of(actor)

    async def caller_of(self, actor: Actor) -> Caller:
        return Caller(actor.id, actor.name, await mint(self.world, actor), self.http)

    async def expired(self) -> Caller:
        """Return the owner with a token whose time is over."""
        secret = await mint(self.world, self.world.owner)
        async with transaction(self.world.platform.sessions) as session:
            actor = await tokens.authenticate(session, secret)
            token = await session.get_one(ApiToken, actor.token_id)
            token.expires_at = now() - timedelta(minutes=1)
        return Caller(actor.id, actor.name, secret, self.http)

    async def read(self, path: str, **headers: str) -> Any:
        """Return the document that the owner gets, whatever the oracle knows of it."""
        given = {"Authorization": f"Bearer {self.owner.token}", **headers}
        answer = await self.http.get(f"/api/v2/{path}", headers=given)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    def with_limits(self, **limits: Any) -> None:
        """Give the process other limits."""
        self.app.state.process = replace(self.process, **limits)


async def mint(world: World, actor: Actor) -> str:
    """Return the secret of a new token of a user."""
    async with transaction(world.platform.sessions) as session:
        _, secret = await tokens.mint(session, SYSTEM, owner_kind=ActorKind.USER, owner_id=actor.id)
    return secret


@asynccontextmanager
async def open_server(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Server]:
    """Yield a server on the world; `app` is shared by tests, as to build it takes a while."""
    settings = Settings(database_url=SecretStr(database_url))
    process = replace(
        make_process(settings, world.platform),
        max_configuration_bytes=LIMIT_BYTES,
        max_state_bytes=LIMIT_BYTES,
    )
    app.state.process = process
    await process.listener.start()
    try:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
            owner = Caller(world.owner.id, world.owner.name, await mint(world, world.owner), http)
            yield Server(app, world, process, http, owner)
    finally:
        await process.listener.stop()


def signed(address: str) -> str:
    """Return the path of an address that the server gave."""
    assert address.startswith(f"{BASE}/_signed/"), address
    return address.removeprefix(BASE)
