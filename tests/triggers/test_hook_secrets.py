"""New secrets of hooks: by request and by age, with two valid on the way."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from landform.kit.clock import now
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, ForbiddenError
from landform.triggers import hook_secrets
from landform.vcs.models import Connection, Hook
from landform.vcs.providers import READERS
from landform.vcs.sealing import open_hook_secrets
from tests import factories
from tests.standins.serving import Answer
from tests.triggers.scene import Scene
from tests.triggers.test_upkeep import hook_of, reachable, see_to, subscriptions_of

__all__ = ["reachable"]


@pytest.fixture
async def hooked(reachable: Scene) -> Scene:
    """The scene, with a hook that its provider knows the secret of."""
    await see_to(reachable)
    return reachable


async def ask(scene: Scene) -> int:
    async with transaction(scene.platform.sessions) as session:
        connection = await session.get_one(Connection, scene.connection_id)
        keyring, owner = scene.platform.keyring, scene.world.owner
        return await hook_secrets.replace_all(session, keyring, owner, connection)


async def age(scene: Scene, **columns: timedelta) -> None:
    """Let what a hook notes have been that long ago."""
    values: dict[str, Any] = {name: now() - ago for name, ago in columns.items()}
    async with transaction(scene.platform.sessions) as session:
        await session.execute(update(Hook).values(**values))


async def valid(scene: Scene) -> list[str]:
    return open_hook_secrets(scene.platform.keyring, await hook_of(scene))


def theirs(scene: Scene) -> set[str]:
    """Return the secrets with which the provider delivers."""
    every = scene.repository.project.organization.subscriptions.values()
    return {one.secrets["basicAuthPassword"] for one in every}


async def takes(scene: Scene, secret: str) -> bool:
    """Tell whether a delivery with that secret is taken."""
    shown = base64.b64encode(f"landform:{secret}".encode()).decode()
    headers = {"authorization": f"Basic {shown}"}
    async with transaction(scene.platform.sessions) as session:
        connection = await session.get_one(Connection, scene.connection_id)
    return READERS[connection.kind].verify(headers, b"{}", await valid(scene))


async def test_a_new_secret_goes_to_the_provider_and_a_day_later_the_old_one_is_forgotten(
    hooked: Scene,
) -> None:
    [old] = await valid(hooked)
    assert theirs(hooked) == {old}
    assert await ask(hooked) == 1
    new, kept = await valid(hooked)
    assert (kept, theirs(hooked)) == (old, {old}), "the provider is told after it is valid here"
    await see_to(hooked)
    assert theirs(hooked) == {new}
    assert await takes(hooked, old)
    assert await takes(hooked, new)
    await age(hooked, secret_told_at=timedelta(hours=23))
    await see_to(hooked)
    assert await valid(hooked) == [new, old]
    await age(hooked, secret_told_at=timedelta(hours=25))
    await see_to(hooked)
    assert await valid(hooked) == [new]
    assert theirs(hooked) == {new}
    assert not await takes(hooked, old)


async def test_a_secret_that_is_too_old_is_replaced_by_itself(hooked: Scene) -> None:
    [old] = await valid(hooked)
    await age(hooked, secret_made_at=timedelta(days=89))
    await see_to(hooked)
    assert await valid(hooked) == [old]
    await age(hooked, secret_made_at=timedelta(days=91))
    await see_to(hooked)
    new, kept = await valid(hooked)
    assert (kept, theirs(hooked)) == (old, {new})


async def test_while_the_provider_is_away_the_old_secret_stays_and_no_third_is_made(
    hooked: Scene,
) -> None:
    [old] = await valid(hooked)
    await ask(hooked)
    new, _ = await valid(hooked)
    hooked.azure.server.plan("/hooks/subscriptions", method="PUT", answer=Answer(500), times=99)
    await see_to(hooked)
    await age(hooked, secret_made_at=timedelta(days=200))
    await see_to(hooked)
    assert await valid(hooked) == [new, old]
    with pytest.raises(ConflictError, match="on their way"):
        await ask(hooked)
    hooked.azure.server.forgive()
    await see_to(hooked)
    assert theirs(hooked) == {new}


async def test_a_worker_that_dies_once_the_provider_was_told_of_some_loses_nothing(
    hooked: Scene,
) -> None:
    [old] = await valid(hooked)
    await ask(hooked)
    new, _ = await valid(hooked)
    one = subscriptions_of(hooked, "git.push")[0]
    one.secrets["basicAuthPassword"] = new  # and then it died
    for secret in theirs(hooked):
        assert await takes(hooked, secret)
    assert theirs(hooked) == {old, new}
    await see_to(hooked)
    assert theirs(hooked) == {new}


async def test_who_told_the_provider_of_an_older_secret_too_late_is_made_good(
    hooked: Scene,
) -> None:
    [old] = await valid(hooked)
    await ask(hooked)
    await see_to(hooked)
    new, _ = await valid(hooked)
    for one in subscriptions_of(hooked, "git.push"):
        one.secrets["basicAuthPassword"] = old
    await age(hooked, secret_told_at=timedelta(hours=25))
    await see_to(hooked)
    assert theirs(hooked) == {new}
    assert await valid(hooked) == [new]


async def test_only_who_manages_connections_asks_for_new_secrets(hooked: Scene) -> None:
    async with transaction(hooked.platform.sessions) as session:
        connection = await session.get_one(Connection, hooked.connection_id)
        workspace = await factories.make_actor(session, (await hooked.world.workspace()), "admin")
        with pytest.raises(ForbiddenError):
            await hook_secrets.replace_all(session, hooked.platform.keyring, workspace, connection)
