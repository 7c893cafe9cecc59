"""Pages as a signed-in browser without scripts gets them, from an application in this process."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape

import httpx2
from fastapi import FastAPI
from pydantic import SecretStr

from landform.app import make_process
from landform.identity import sessions
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit.db import transaction
from landform.settings import Settings
from landform.web.pages import COOKIE
from tests import factories
from tests.world import World

BASE = "http://landform.test"


@dataclass(frozen=True)
class Browser:
    """Somebody's browser."""

    http: httpx2.AsyncClient

    async def get(self, path: str, status: int = 200) -> str:
        """Return a page, after redirects, of which `status` is the status."""
        answer = await self.http.get(path, follow_redirects=True)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[-2000:]}"
        return answer.text

    async def post(
        self, path: str, fields: Mapping[str, str] = {}, *, of: str | None = None, status: int = 200
    ) -> str:
        """Fill in the form of the page `of` and send it; return the page that follows."""
        token = re.search(r'name="form_token" value="(\w+)"', await self.get(of or path))
        assert token is not None, f"{of or path} has no form"
        sent = {"form_token": token[1], **fields}
        answer = await self.http.post(path, data=sent, follow_redirects=True)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[-2000:]}"
        return answer.text


@dataclass(frozen=True)
class Site:
    """An application on a world.

    Attributes:
        owner: the world's owner.
    """

    app: FastAPI
    world: World
    owner: Browser

    async def browser(self, actor: Actor) -> Browser:
        """Return a browser in which `actor`, a user, is signed in."""
        async with transaction(self.world.platform.sessions) as session:
            user = await session.get_one(User, actor.id)
            secret = await sessions.open_session(session, user)
        return Browser(_client(self.app, {COOKIE: secret}))

    async def stranger(self) -> Browser:
        """Return the browser of the owner of another organization."""
        async with transaction(self.world.platform.sessions) as session:
            organization = await factories.make_organization(session)
            actor = await factories.make_owner(session, organization)
        return await self.browser(actor)

    async def member(self, level: str) -> Browser:
        """Return the browser of somebody whose team has this access to the workspace only."""
        workspace = await self.world.workspace()
        async with transaction(self.world.platform.sessions) as session:
            actor = await factories.make_actor(session, workspace, level)
        return await self.browser(actor)

    def nobody(self) -> httpx2.AsyncClient:
        """Return a browser in which nobody is signed in."""
        return _client(self.app, {})

    async def place(self) -> str:
        """Return the address of the world's workspace."""
        return f"/app/{self.world.organization}/{(await self.world.workspace()).name}"


@asynccontextmanager
async def open_site(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Site]:
    """Yield the application on the world; `app` is shared by tests."""
    process = make_process(Settings(database_url=SecretStr(database_url)), world.platform)
    app.state.process = process
    await process.listener.start()
    try:
        nobody = Browser(_client(app, {}))
        site = Site(app, world, nobody)
        yield Site(app, world, await site.browser(world.owner))
    finally:
        await process.listener.stop()


def text_of(page: str) -> str:
    """Return what a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def _client(app: FastAPI, cookies: Mapping[str, str]) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url=BASE, cookies=dict(cookies))
