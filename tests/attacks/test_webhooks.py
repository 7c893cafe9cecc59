"""A4, A5, C11: deliveries that are forged, altered, replayed, too large, or oddly written."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from landform.kit.db import transaction
from landform.kit.ids import new_id
from landform.vcs import connections
from landform.vcs.deliveries import BODY_LIMIT
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import DeliveryRow, Hook
from landform.vcs.sealing import seal_hook_secrets
from landform.vcs.settings import ConnectionSettings
from tests.api.tfe.server import Server, open_server
from tests.conftest import platform
from tests.world import World

__all__ = ["platform"]  # a fixture; no real platform is needed

SIGNED = "X-Hub-Signature-256"
NOBODY_S = "hook-NobodyHasThisId0"
# Whoever signs parsed and re-written JSON instead of the bytes sees another text in each of these.
PUSH = json.dumps(
    {"ref": "refs/heads/main", "size": 1.10, "big": 10**20, "name": "ü\u2028é/</script>"},
    ensure_ascii=False,
    indent=1,
).encode()


def signature(secret: str, body: bytes = PUSH, algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.new(secret.encode(), body, algorithm).hexdigest()}"


@dataclass(frozen=True)
class Inbox:
    """The hook of one GitHub repository; that of another connection is beside it."""

    server: Server
    hook_id: str

    async def deliver(
        self, proof: Mapping[str, str], body: bytes = PUSH, *, hook_id: str = ""
    ) -> httpx2.Response:
        path = f"/hooks/vcs/{hook_id or self.hook_id}"
        told = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "1", **proof}
        return await self.server.http.post(path, content=body, headers=told)

    async def stored(self) -> int:
        async with transaction(self.server.world.platform.sessions) as session:
            return len((await session.scalars(select(DeliveryRow))).all())


async def hook(world: World, secret: str) -> str:
    hook_id = new_id("hook")
    async with transaction(world.platform.sessions) as session:
        connection = await connections.create_connection(
            session,
            world.platform.keyring,
            world.owner,
            world.organization_id,
            ConnectionSettings(name=secret, client_secret="token"),
            kind=Kind.GITHUB,
            sign_in=SignIn.TOKEN,
            base="https://landform.test",
        )
        sealed = seal_hook_secrets(world.platform.keyring, hook_id, [secret])
        session.add(
            Hook(id=hook_id, connection_id=connection.id, repository_id="7", sealed_secrets=sealed)
        )
    return hook_id


@pytest.fixture
async def inbox(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Inbox]:
    async with open_server(app, world, database_url) as server:
        await hook(world, "another-connection-s")
        yield Inbox(server, await hook(world, "s3cret"))


async def test_the_bytes_that_were_sent_are_what_is_signed(inbox: Inbox) -> None:
    answer = await inbox.deliver({SIGNED: signature("s3cret")})
    assert (answer.status_code, await inbox.stored()) == (202, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {SIGNED: ""},
        {SIGNED: "sha256="},
        {SIGNED: signature("a-guess")},
        {SIGNED: signature("")},
        {SIGNED: signature("another-connection-s")},
        {SIGNED: signature("s3cret", PUSH + b" ")},
        {SIGNED: signature("s3cret")[len("sha256=") :]},
        {SIGNED: signature("s3cret").upper()},
        {SIGNED: signature("s3cret", algorithm="sha1")},
        {"X-Hub-Signature": signature("s3cret", algorithm="sha1")},
        {"X-Hub-Signature": signature("s3cret")},
        {"X-Gitea-Signature": signature("s3cret")},
        {"X-Gitlab-Token": "s3cret"},
        {"Authorization": "Bearer s3cret"},
        {SIGNED: hashlib.sha256(b"s3cret" + PUSH).hexdigest()},
    ],
)
async def test_a_forged_delivery_is_refused_as_one_to_a_hook_that_is_not_there(
    inbox: Inbox, headers: dict[str, str]
) -> None:
    known = await inbox.deliver(headers)
    unknown = await inbox.deliver(headers, hook_id=NOBODY_S)
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert (known.status_code, await inbox.stored()) == (401, 0)


async def test_a_body_past_the_limit_is_not_kept_whoever_sends_it(inbox: Inbox) -> None:
    body = b'{"a": "' + b"x" * BODY_LIMIT + b'"}'
    for hook_id in (inbox.hook_id, NOBODY_S):
        answer = await inbox.deliver({SIGNED: signature("s3cret", body)}, body, hook_id=hook_id)
        assert answer.json()["accepted"] is False
    assert await inbox.stored() == 0


async def test_a_delivery_replayed_twenty_times_at_once_is_kept_once(inbox: Inbox) -> None:
    proof = {SIGNED: signature("s3cret")}
    answers = await asyncio.gather(*(inbox.deliver(proof) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json()["repeated"] for answer in answers].count(False) == 1
    assert await inbox.stored() == 1


@pytest.mark.parametrize("hook_id", ["%00", "%2e%2e", "x" * 3000, "hook-%F0%9F%92%A5", "%ff"])
async def test_an_odd_address_of_a_hook_is_refused(inbox: Inbox, hook_id: str) -> None:
    answer = await inbox.deliver({SIGNED: signature("s3cret")}, hook_id=hook_id)
    assert 400 <= answer.status_code < 500
    assert await inbox.stored() == 0
