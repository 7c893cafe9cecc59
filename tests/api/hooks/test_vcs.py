"""The endpoint of deliveries answers few things, and never what would switch a hook off."""

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from fastapi import FastAPI

from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.ids import new_id
from landform.vcs import connections
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Hook
from landform.vcs.sealing import seal_hook_secrets
from landform.vcs.settings import ConnectionSettings
from tests.api.tfe.server import Server, open_server
from tests.world import World

KNOWN = {"Authorization": "Basic " + b64encode(b"landform:s3cret").decode()}
PUSH = b'{"subscriptionId": "s", "notificationId": 1, "eventType": "git.push"}'


@pytest.fixture
async def server(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Server]:
    async with open_server(app, world, database_url) as opened:
        yield opened


@pytest.fixture
async def path(server: Server) -> str:
    """Where the deliveries of one repository go."""
    world, hook_id = server.world, new_id("hook")
    async with transaction(world.platform.sessions) as session:
        connection = await connections.create_connection(
            session,
            world.platform.keyring,
            world.owner,
            world.organization_id,
            ConnectionSettings(name="ado", account="acme", client_secret="pat"),
            kind=Kind.AZURE_DEVOPS,
            sign_in=SignIn.TOKEN,
            base="https://landform.test",
        )
        sealed = seal_hook_secrets(world.platform.keyring, hook_id, ["s3cret"])
        session.add(
            Hook(id=hook_id, connection_id=connection.id, repository_id="r", sealed_secrets=sealed)
        )
    return f"/hooks/vcs/{hook_id}"


async def test_a_delivery_is_accepted_and_its_repeat_too(server: Server, path: str) -> None:
    first = await server.http.post(path, content=PUSH, headers=KNOWN)
    again = await server.http.post(path, content=PUSH, headers=KNOWN)
    assert (first.status_code, first.json()) == (202, {"accepted": True, "repeated": False})
    assert (again.status_code, again.json()) == (202, {"accepted": True, "repeated": True})


async def test_the_path_of_terrakube_is_the_same_place(server: Server, path: str) -> None:
    old = path.replace("/hooks/vcs/", "/webhook/v2/")
    assert (await server.http.post(old, content=PUSH, headers=KNOWN)).status_code == 202


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{}", b"[" * 5000, b'{"eventType": "x"}'])
async def test_whatever_a_proved_delivery_says_it_is_accepted(
    server: Server, path: str, body: bytes
) -> None:
    answer = await server.http.post(path, content=body, headers=KNOWN)
    assert answer.status_code == 202


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eA=="}, {"Authorization": "x"}])
async def test_a_delivery_that_proves_nothing_is_refused(
    server: Server, path: str, headers: dict[str, str]
) -> None:
    for where in (path, "/hooks/vcs/hook-NobodyHasThisId0", "/hooks/vcs/x"):
        answer = await server.http.post(where, content=PUSH, headers=headers)
        assert answer.status_code == 401


async def test_what_cannot_be_stored_may_be_sent_again(server: Server, path: str) -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:1/none")
    process = server.app.state.process
    away = replace(process.reach, sessions=make_sessions(engine))
    server.app.state.process = replace(process, reach=away)
    answer = await server.http.post(path, content=PUSH, headers=KNOWN)
    assert answer.status_code == 503
    await engine.dispose()
