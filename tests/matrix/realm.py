"""The application, two organizations, and the actors who walk its routes.

Built once. Every call is a transaction that is rolled back, so that each finds all as it was made.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

import httpx2
from argon2 import PasswordHasher
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker

from landform.api.jsonapi.errors import MEDIA_TYPE
from landform.app import make_process
from landform.contract import Phase
from landform.edge.process import Process
from landform.edge.signed_urls import PREFIX, Deed
from landform.identity import run_tokens, tokens
from landform.identity import sessions as browser
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.models import BrowserSession, User
from landform.identity.users import actor_of
from landform.kit.clock import now
from landform.kit.db import make_engine, transaction
from landform.organizations.models import Organization
from landform.runs.attempts import Platform
from landform.settings import Settings
from landform.tables import METADATA
from landform.web.pages import COOKIE, Visitor
from landform.workspaces.models import Workspace
from tests import factories
from tests.files import make_archive
from tests.matrix.agents import AGENT_SECRET
from tests.matrix.places import (
    OPEN,
    PASSWORD,
    STATE,
    Place,
    furnish,
    make_place,
    make_site,
)
from tests.matrix.table import ACTORS, Line

BASE: Final = "http://landform.test"
BYTES: Final = {"archive": make_archive(), "state": STATE, "json-state": b'{"values": {}}'}
Disguise: TypeAlias = Callable[[str], str]
# As little work as can be: every actor signs in.
_HASH: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
# When credentials were used is written with a call, and each of ours is taken back.
_LATER: Final = now() + timedelta(days=1)
_PARAMETER: Final = re.compile(r"(?:([^/{}]+)/)?\{(\w+)(?::path)?\}")
_PLACEHOLDER: Final = re.compile(r"\$([\w.-]+)")
_ID: Final = re.compile(r"[a-z]+-([A-Za-z0-9]{16})")


@dataclass(frozen=True)
class Walker:
    """Somebody who walks the routes.

    Attributes:
        token: shown to the API; empty for nobody.
        cookie: shown to pages; empty for who has no browser.
        unseen: what no answer may give away to this one, in ids and names.
    """

    actor: Actor | None = None
    token: str = ""
    cookie: str = ""
    unseen: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Realm:
    """What there is, and how it is asked for."""

    app: FastAPI
    process: Process
    connection: AsyncConnection
    http: httpx2.AsyncClient
    place: Place
    walkers: Mapping[str, Walker]

    async def ask(
        self, line: Line, walker: Walker, disguise: Disguise = lambda path: path
    ) -> httpx2.Response:
        """Return the answer to a call of which nothing remains.

        Args:
            disguise: makes something else of the path, and of the body, of the line.
        """
        async with self._unmade():
            path = disguise(await self.path(line, walker))
            body = await self._filled(line.body, walker)
            if line.is_api and body is not None:
                body = json.loads(disguise(json.dumps(body)))
            headers = _headers(line, walker)
            sent = _sent(line, body, walker)
            return await self.http.request(line.method, path, headers=headers, **sent)

    async def send(self, method: str, where: str | Line, **sent: Any) -> httpx2.Response:
        """Return the answer to a request as it is given, of which nothing remains.

        Args:
            where: a path and query, or whose objects are asked for as the owner does.
        """
        async with self._unmade():
            if isinstance(where, Line):
                where = await self.path(where, self.walkers["owner"])
            return await self.http.request(method, where, **sent)

    @asynccontextmanager
    async def _unmade(self) -> AsyncIterator[None]:
        self.app.state.process = self.process
        outer = await self.connection.begin()
        try:
            yield
        finally:
            await outer.rollback()

    def elsewhere(self, text: str, random: str = "NobodyHasThisId0") -> str:
        """Return the text with ids and names that nobody has, of the same form if not told."""
        text = _ID.sub(lambda match: match[0].replace(match[1], random), text)
        return text.replace(self.place.world.organization, "zorg")

    async def path(self, line: Line, walker: Walker) -> str:
        """Return the address of the line's objects."""
        path = line.path
        if path.startswith(f"{PREFIX}/"):
            deed = Deed(path.split("/")[2])
            return self.process.signer.path(deed, await self._object(deed, walker))
        for segment, name in _PARAMETER.findall(line.path):
            chosen = await self._object(self._key(line, segment, name), walker)
            path = re.sub(rf"\{{{name}(:path)?\}}", chosen, path, count=1)
        query = await self._filled(line.query, walker)
        return f"{path}?{query}" if query else path

    def _key(self, line: Line, segment: str, name: str) -> str:
        chosen = line.objects.get(name)
        keys = [chosen] if chosen else [f"{segment}.{name}", segment, name]
        found = next((each for each in keys if each in self.place.objects), None)
        assert found is not None, (
            f"What stands for {{{name}}} in {line.path}? Add one of {keys} to the objects of"
            f" tests/matrix/places.py, or name one that is there in the line: {name}=OBJECT."
        )
        return found

    async def _filled(self, value: Any, walker: Walker) -> Any:
        """Return a query or a body with objects in the places of their `$names`."""
        if isinstance(value, dict):
            return {name: await self._filled(each, walker) for name, each in value.items()}
        if isinstance(value, list):
            return [await self._filled(each, walker) for each in value]
        if isinstance(value, str):
            for name in _PLACEHOLDER.findall(value):
                value = value.replace(f"${name}", await self._object(name, walker))
        return value

    async def _object(self, name: str, walker: Walker) -> str:
        found = self.place.objects[name]
        if isinstance(found, str):
            return found
        return await found(self.place, walker.actor or self.place.world.owner)


def outcome(answer: httpx2.Response) -> str:
    """Return the cell that says what an answer is."""
    if answer.is_redirect and answer.headers["location"].startswith("/login?"):
        return "in"
    return "ok" if answer.is_success or answer.is_redirect else str(answer.status_code)


def _headers(line: Line, walker: Walker) -> dict[str, str]:
    """Show all that the walker has, everywhere: pages take no token, and the API no cookie."""
    shown = {"Content-Type": MEDIA_TYPE} if line.is_api else {}
    shown |= {"Authorization": f"Bearer {walker.token}"} if walker.token else {}
    shown |= {"Landform-Agent": AGENT_SECRET}
    return shown | ({"Cookie": f"{COOKIE}={walker.cookie}"} if walker.cookie else {})


def _sent(line: Line, body: Any, walker: Walker) -> dict[str, Any]:
    if body is None:
        return {}
    if isinstance(body, str):
        return {"content": BYTES[body]}
    if line.is_api:
        return {"content": json.dumps(body)}  # in ASCII, so that any text can be sent
    who = walker.actor
    return {
        "data": {"form_token": Visitor(who, walker.cookie, "").form_token if who else "", **body}
    }


@asynccontextmanager
async def open_realm(app: FastAPI, platform: Platform, database_url: str) -> AsyncIterator[Realm]:
    """Build it in the database, and yield it for calls that change nothing there."""
    shared = await make_site(platform)
    before = await _secrets(platform)
    stranger = await make_place(platform, "globex")
    walkers = {"anon": Walker(), "other": await _person(platform, stranger.world.owner.id)}
    foreign = await _secrets(platform) - before | {"globex"}
    place = await make_place(platform, "acme")
    place.objects |= shared
    walkers |= await _members(place)
    walkers |= await _runs_at_work(place)
    walkers["agent"] = await _agent(place)
    ours = await _secrets(platform) - before - foreign | {"acme"}
    await _hide(place)
    hidden = await _secrets(platform) - before - foreign - ours | {"vault"}
    unseen = {"anon": foreign | ours | hidden, "other": ours | hidden, "site": set[str]()}
    unseen |= dict.fromkeys(("owner", "org"), foreign)
    unseen["agent"] = foreign | hidden - {"vault"}  # a field of what it takes is called so
    walkers = {
        name: replace(walkers[name], unseen=frozenset(unseen.get(name, foreign | hidden)))
        for name in ACTORS
    }
    engine = make_engine(database_url)
    settings = Settings(database_url=SecretStr(database_url))
    async with engine.connect() as connection:
        bound = async_sessionmaker(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        )
        inside = replace(platform, sessions=bound)
        place.world.platform = inside
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
            process = make_process(settings, inside)
            yield Realm(app, process, connection, http, place, walkers)
    await engine.dispose()


async def _secrets(platform: Platform) -> set[str]:
    """Return the random part of every id that there is: plans and applies share their run's."""
    found: set[str] = set()
    async with transaction(platform.sessions) as session:
        for table in METADATA.sorted_tables:
            if "id" in table.c:
                ids = map(str, await session.scalars(select(table.c.id)))
                found |= {match[1] for each in ids if (match := _ID.fullmatch(each))}
    return found


async def _person(platform: Platform, user_id: str) -> Walker:
    """Return a user with a token and a browser."""
    async with transaction(platform.sessions) as session:
        user = await session.get_one(User, user_id)
        user.password_hash = _HASH
        row, token = await tokens.mint(session, SYSTEM, owner_kind=ActorKind.USER, owner_id=user_id)
        row.last_used_at = _LATER
        cookie = await browser.open_session(session, user)
        await session.execute(update(BrowserSession).values(seen_at=_LATER))
        return Walker(replace(actor_of(user), token_id=row.id), token, cookie)


async def _members(place: Place) -> dict[str, Walker]:
    """Return everybody of the organization, and the admin of the site."""
    world = place.world
    platform = world.platform
    found = {"owner": await _person(platform, world.owner.id)}
    async with transaction(platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        opened = [
            await session.get_one(Workspace, place.workspaces[name].workspace_id) for name in OPEN
        ]
        users = {
            "site": (await factories.make_user(session, is_site_admin=True)).id,
            "loose": (await factories.make_user(session)).id,
        }
        loose = await session.get_one(User, users["loose"])
        await factories.make_member(session, organization.id, loose)
        for level in ("read", "plan", "write", "admin"):
            user = await factories.make_user(session)
            team = await factories.make_team(session, organization, members=[user])
            for workspace in opened:
                await factories.grant(session, team, workspace, level)
            users[level] = user.id
        robots = await factories.make_team(session, organization, "robots")
        for workspace in opened:
            await factories.grant(session, robots, workspace, "write")
    for name, user_id in users.items():
        found[name] = await _person(platform, user_id)
    found["team"] = await _machine(platform, factories.team_actor(robots))
    found["org"] = await _machine(platform, factories.organization_actor(organization))
    return found


async def _machine(platform: Platform, actor: Actor) -> Walker:
    """Return a team or an organization with a token, and no browser."""
    async with transaction(platform.sessions) as session:
        row, token = await tokens.mint(session, SYSTEM, owner_kind=actor.kind, owner_id=actor.id)
        row.last_used_at = _LATER
    return Walker(replace(actor, token_id=row.id), token)


async def _runs_at_work(place: Place) -> dict[str, Walker]:
    """Return what the terraform of a plan shows, and of an apply, of a run of `hello`."""
    world, run_id = place.world, str(place.objects["runs"])
    walkers = {}
    async with transaction(world.platform.sessions) as session:
        for name, phase in (("plans", Phase.PLAN), ("applies", Phase.APPLY)):
            secret = await run_tokens.mint(
                session,
                phase_id=world.phase_id(run_id, phase),
                run_id=run_id,
                workspace_id=world.workspace_id,
                organization_id=world.organization_id,
            )
            walkers[name] = Walker(await run_tokens.authenticate(session, secret), secret)
    return walkers


async def _agent(place: Place) -> Walker:
    """Return an agent of the pool `site`, with the pool's token and a secret of its own."""
    async with transaction(place.world.platform.sessions) as session:
        row, token = await tokens.mint(
            session,
            SYSTEM,
            owner_kind=ActorKind.AGENT_POOL,
            owner_id=str(place.objects["agent-pools"]),
        )
        row.last_used_at = _LATER
        return Walker(await tokens.authenticate_agent(session, token), token)


async def _hide(place: Place) -> None:
    """Make what only owners see: a workspace with all that belongs to it, and a secret team."""
    world = await place.world.beside(name="vault")
    await furnish(world)
    waiting = await world.create()
    await world.must_begin(waiting)
    await world.create()
    async with transaction(world.platform.sessions) as session:
        organization = await session.get_one(Organization, world.organization_id)
        await factories.make_team(session, organization, "sealed")
        await factories.make_project(session, organization, "vault")
