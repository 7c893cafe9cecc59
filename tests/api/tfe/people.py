"""A server on a database, and callers with tokens of their own, for tests of the routes."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Team
from landform.app import make_process
from landform.identity import tokens
from landform.identity.actor import SYSTEM, ActorKind
from landform.identity.models import User
from landform.kit.crypto import Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.storage import open_store
from landform.organizations.models import Organization
from landform.runs.attempts import Limits, Platform
from landform.settings import Settings
from tests import factories
from tests.api.oracle import find_oracle

Row = TypeVar("Row")


@dataclass(frozen=True)
class Caller:
    """Somebody with a token; every answer that is a document is held against the oracle."""

    id: str
    name: str
    token: str
    http: httpx2.AsyncClient

    async def get(self, path: str, status: int = 200, /, **parameters: str) -> Any:
        return await self.ask("GET", path, status, parameters=parameters)

    async def post(
        self, path: str, kind: str = "", status: int = 201, *, data: Any = None, **attributes: Any
    ) -> Any:
        return await self.ask("POST", path, status, body=_body(kind, data, attributes))

    async def patch(self, path: str, kind: str, status: int = 200, **attributes: Any) -> Any:
        return await self.ask("PATCH", path, status, body=_body(kind, None, attributes))

    async def delete(self, path: str, status: int = 204, *, data: Any = None) -> Any:
        return await self.ask("DELETE", path, status, body={"data": data} if data else None)

    async def ask(
        self,
        method: str,
        path: str,
        status: int,
        *,
        body: Any = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the document of an answer that must have `status`; None when it is empty."""
        answer = await self.http.request(
            method,
            f"/api/v2/{path}",
            json=body,
            params=parameters,
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        if not answer.content:
            return None
        document = answer.json()
        oracle = find_oracle()
        if oracle is not None and answer.is_success:
            faults = oracle.faults(method, f"/api/v2/{path}", document)
            assert not faults, faults
        return document


@dataclass(frozen=True)
class Site:
    """The application on a database of the test's own."""

    app: FastAPI
    sessions: Sessions
    http: httpx2.AsyncClient

    async def make(self, factory: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """Make a row with one of the factories, and commit it."""
        async with transaction(self.sessions) as session:
            return await factory(session, *arguments, **settings)

    async def user(self, name: str, **settings: Any) -> Caller:
        user: User = await self.make(factories.make_user, name, **settings)
        return await self.caller(ActorKind.USER, user.id, name)

    async def organization(self, name: str, *owners: Caller) -> Organization:
        async def made(session: AsyncSession) -> Organization:
            users = [await session.get_one(User, owner.id) for owner in owners]
            return await factories.make_organization(session, name, owners=users)

        organization: Organization = await self.make(made)
        return organization

    async def team(
        self, organization: Organization, name: str, *members: Caller, **settings: Any
    ) -> Team:
        async def made(session: AsyncSession) -> Team:
            users = [await session.get_one(User, member.id) for member in members]
            return await factories.make_team(session, organization, name, members=users, **settings)

        team: Team = await self.make(made)
        return team

    async def caller(self, kind: ActorKind, owner_id: str, name: str = "") -> Caller:
        """Return who has a new token of that user, team or organization."""
        async with transaction(self.sessions) as session:
            _, secret = await tokens.mint(session, SYSTEM, owner_kind=kind, owner_id=owner_id)
        return Caller(owner_id, name, secret, self.http)

    def with_token(self, token: str) -> Caller:
        return Caller("", "", token, self.http)


@asynccontextmanager
async def open_site(
    app: FastAPI, sessions: Sessions, database_url: str, keyring: Keyring
) -> AsyncIterator[Site]:
    """Yield a site whose application is asked in this process; `app` is shared by tests."""
    store = open_store("memory://", keyring)
    platform = Platform(sessions=sessions, store=store, keyring=keyring, limits=Limits())
    app.state.process = make_process(Settings(database_url=SecretStr(database_url)), platform)
    async with AsyncExitStack() as stack:
        transport = httpx2.ASGITransport(app=app)
        client = httpx2.AsyncClient(transport=transport, base_url="http://landform.test")
        yield Site(app, sessions, await stack.enter_async_context(client))


def names(document: Mapping[str, Any], attribute: str = "name") -> list[str]:
    return [each["attributes"][attribute] for each in document["data"]]


def ids(document: Mapping[str, Any]) -> list[str]:
    return [each["id"] for each in document["data"]]


def related(document: Mapping[str, Any], relationship: str) -> Any:
    return document["data"]["relationships"][relationship]["data"]


def detail(document: Mapping[str, Any]) -> str:
    return str(document["errors"][0]["detail"])


def to_one(**links: tuple[str, str]) -> dict[str, Any]:
    """Write relationships as a body has them."""
    return {name: {"data": {"type": kind, "id": each}} for name, (kind, each) in links.items()}


def linkages(kind: str, *row_ids: str) -> list[dict[str, str]]:
    return [{"type": kind, "id": each} for each in row_ids]


def _body(kind: str, data: Any, attributes: Mapping[str, Any]) -> Any:
    if data is not None:
        return {"data": data}
    if not kind:
        return None
    relationships = attributes.get("relationships")
    shown = {
        name.replace("_", "-"): value
        for name, value in attributes.items()
        if name != "relationships"
    }
    document: dict[str, Any] = {"type": kind, "attributes": shown}
    if relationships:
        document["relationships"] = relationships
    return {"data": document}


def described(rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(row["type"], row["id"]) for row in rows}
