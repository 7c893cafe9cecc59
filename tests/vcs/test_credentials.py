"""A connection's token: fetched late, by one at a time, never lost, and never shown."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from landform.kit import clock
from landform.kit.crypto import Keyring
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.egress import Allow, Outbound
from landform.kit.errors import LandformError
from landform.vcs import callback, connections, credentials
from landform.vcs.callback import Return
from landform.vcs.credentials import get_token, open_provider
from landform.vcs.errors import ProviderAwayError, ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.provider import Token
from landform.vcs.sealing import open_token, seal_token
from landform.vcs.settings import ConnectionSettings
from tests.standins.azure_oauth import Application
from tests.standins.serving import json_answer
from tests.vcs.scene import ISSUER, Scene, until


async def connected(scene: Scene) -> tuple[Connection, Application]:
    """Connect by the legacy OAuth of Azure DevOps."""
    row = await scene.connect(
        SignIn.OAUTH, client_id="pending", client_secret="pending", callback="ado"
    )
    application = scene.azure.oauth.register(f"{ISSUER}/callback/v1/vcs/ado")
    async with transaction(scene.reach.sessions) as session:
        found = await session.get_one(Connection, row.id)
        await connections.update_connection(
            session,
            scene.reach.keyring,
            scene.owner,
            found,
            ConnectionSettings(client_id=application.client_id, client_secret=application.secret),
        )
    code = scene.azure.oauth.code(application, scene.ann)
    await callback.finish(scene.reach, scene.owner, Return(name="ado", code=code))
    return await scene.row(row.id), application


async def age(scene: Scene, row: Connection) -> None:
    """Let the token end now: keep everything of it but its time."""
    async with transaction(scene.reach.sessions) as session:
        found = await session.get_one(Connection, row.id)
        token = open_token(scene.reach.keyring, found)
        assert token is not None
        old = replace(token, expires_at=clock.now() - timedelta(days=3))
        found.sealed_token = seal_token(scene.reach.keyring, row.id, old)
        found.token_fetched_at = clock.now() - timedelta(days=3)


async def until_kept(scene: Scene, row: Connection, holds: Callable[[Token], bool]) -> None:
    """Wait until the stored token is of this kind."""
    for _ in range(3000):
        kept = open_token(scene.reach.keyring, await scene.row(row.id))
        if kept is not None and holds(kept):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the token is not stored")


async def test_a_token_that_holds_is_not_fetched_again(scene: Scene) -> None:
    row, _ = await connected(scene)
    first = await get_token(scene.reach, row.id)
    assert first.value == (await get_token(scene.reach, row.id)).value
    assert scene.azure.oauth.refreshes == 0


async def test_a_token_is_refreshed_on_use_after_days_of_nobody_looking(scene: Scene) -> None:
    row, _ = await connected(scene)
    first = await get_token(scene.reach, row.id)
    await age(scene, row)
    second = await get_token(scene.reach, row.id)
    assert second.value != first.value
    assert second.refresh_token not in ("", first.refresh_token)
    await age(scene, row)
    third = await get_token(scene.reach, row.id)  # with the refresh token that came last
    assert third.value != second.value
    assert scene.azure.oauth.refreshes == 2


async def test_two_processes_that_need_a_token_at_once_refresh_it_once(
    scene: Scene, database_url: str
) -> None:
    row, _ = await connected(scene)
    await age(scene, row)
    scene.azure.vssps.plan("oauth2/token", delay_s=0.5)
    engine = make_engine(database_url)
    other = replace(scene.reach, sessions=make_sessions(engine))
    try:
        found = await asyncio.gather(
            *(get_token(each, row.id) for each in (scene.reach, other) for _ in range(5))
        )
    finally:
        await engine.dispose()
    assert len({each.value for each in found}) == 1
    assert scene.azure.oauth.refreshes == 1


async def test_a_refresh_holds_no_transaction_while_the_provider_thinks(scene: Scene) -> None:
    row, _ = await connected(scene)
    await age(scene, row)
    thinking = threading.Event()
    scene.azure.vssps.plan("oauth2/token", held=thinking)
    fetching = asyncio.create_task(get_token(scene.reach, row.id))
    await until(lambda: len(scene.azure.vssps.asked("POST", "oauth2/token")) > 1)
    async with transaction(scene.reach.sessions) as session:
        await session.execute(
            update(Connection).where(Connection.id == row.id).values(description="free")
        )
    assert not fetching.done()
    thinking.set()
    await fetching


async def test_whoever_fetched_and_died_is_followed_by_the_next(scene: Scene) -> None:
    row, _ = await connected(scene)
    await age(scene, row)
    async with transaction(scene.reach.sessions) as session:
        dead = {"lease_id": "dead", "lease_until": clock.now() - timedelta(seconds=1)}
        await session.execute(update(Connection).where(Connection.id == row.id).values(**dead))
    assert (await get_token(scene.reach, row.id)).value
    assert (await scene.row(row.id)).lease_id is None


async def test_a_caller_that_gives_up_loses_no_refresh_token(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, _ = await connected(scene)
    before = await get_token(scene.reach, row.id)
    await age(scene, row)
    storing, go_on = asyncio.Event(), asyncio.Event()
    keep_token = credentials.keep_token

    async def slowly(*arguments: Any, **more: Any) -> None:
        storing.set()
        await go_on.wait()
        await keep_token(*arguments, **more)

    monkeypatch.setattr(credentials, "keep_token", slowly)
    fetching = asyncio.create_task(get_token(scene.reach, row.id))
    await until(storing.is_set)
    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    go_on.set()
    await until_kept(scene, row, lambda token: token.refresh_token != before.refresh_token)


async def test_a_dead_refresh_token_asks_for_a_person_and_is_not_tried_again(
    scene: Scene,
) -> None:
    row, _ = await connected(scene)
    await age(scene, row)
    refused = json_answer({"Error": "invalid_grant", "ErrorDescription": "Gone."}, 400)
    scene.azure.vssps.plan("oauth2/token", answer=refused)
    for _ in range(3):
        with pytest.raises(SignInNeededError, match="connect again"):
            await get_token(scene.reach, row.id)
    broken = await scene.row(row.id)
    assert broken.status is ConnectionStatus.NEEDS_RECONNECT
    assert "connect again" in broken.status_reason
    assert len(scene.azure.vssps.asked("POST", "oauth2/token")) == 2


async def test_an_expired_client_secret_says_what_to_do(scene: Scene) -> None:
    row, _ = await connected(scene)
    await age(scene, row)
    scene.azure.clock.advance(days=61)
    for _ in range(2):
        with pytest.raises(ProviderRefusedError, match="expires after 60 days"):
            await get_token(scene.reach, row.id)
    assert (await scene.row(row.id)).status is ConnectionStatus.FAILED
    assert len(scene.azure.vssps.asked("POST", "oauth2/token")) == 2


async def test_a_provider_that_is_away_breaks_nothing(scene: Scene) -> None:
    row, _ = await connected(scene)
    await age(scene, row)
    scene.azure.vssps.plan("oauth2/token", answer=json_answer({}, 503))
    with pytest.raises(ProviderAwayError):
        await get_token(scene.reach, row.id)
    assert (await scene.row(row.id)).status is ConnectionStatus.CONNECTED
    assert (await get_token(scene.reach, row.id)).value


async def test_an_organization_that_forbids_applications_ends_in_advice(scene: Scene) -> None:
    row, _ = await connected(scene)
    scene.acme.oauth_forbidden = True
    provider = await scene.provider_of(row)
    with pytest.raises(SignInNeededError):
        await provider.repositories()
    broken = await scene.row(row.id)
    assert broken.status is ConnectionStatus.NEEDS_RECONNECT
    assert "third-party" in broken.status_reason


async def test_a_revoked_token_is_replaced_and_the_call_done(scene: Scene) -> None:
    row, _ = await connected(scene)
    async with transaction(scene.reach.sessions) as session:
        found = await session.get_one(Connection, row.id)
        found.token_fetched_at = clock.now() - timedelta(minutes=30)
    scene.azure.tokens.revoke((await get_token(scene.reach, row.id)).value)
    provider = await scene.provider_of(row)
    assert len((await provider.repositories()).items) == 1
    assert scene.azure.oauth.refreshes == 1


async def test_nothing_of_a_credential_is_in_the_database_in_clear(
    scene: Scene, keyring: Keyring
) -> None:
    row, application = await connected(scene)
    token = await get_token(scene.reach, row.id)
    found = await scene.row(row.id)
    everything = repr([getattr(found, each.key) for each in Connection.__mapper__.column_attrs])
    for secret in (application.secret, token.value, token.refresh_token):
        assert secret
        assert secret not in everything
    assert token.value not in repr(token)


async def test_a_connection_nobody_signed_in_for_gives_no_token(scene: Scene) -> None:
    row = await scene.connect(SignIn.OAUTH, client_id="a", client_secret="b")
    with pytest.raises(SignInNeededError, match="connect it first"):
        await get_token(scene.reach, row.id)


async def test_a_provider_on_a_private_address_is_not_called(scene: Scene) -> None:
    row = await scene.connect(client_secret=scene.pat())
    shut = Outbound(Allow())
    reach = replace(scene.reach, services=replace(scene.reach.services, http=shut))
    provider = await open_provider(reach, row.id)
    with pytest.raises(LandformError, match="LANDFORM_EGRESS_ALLOW"):
        await provider.repositories()
    assert scene.azure.server.requests == []
    await shut.close()
