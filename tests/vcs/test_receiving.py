"""A delivery is proved, stored once, and looked at until something came of it."""

import asyncio
import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from landform.kit import clock
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, NotFoundError, UnauthenticatedError
from landform.kit.ids import new_id
from landform.kit.pagination import Page
from landform.vcs import deliveries, queries
from landform.vcs.changes import Push
from landform.vcs.models import Connection, DeliveryRow, DeliveryStatus, Hook
from landform.vcs.sealing import seal_hook_secrets
from tests import factories
from tests.vcs.scene import Scene

HEADERS = {"authorization": "Basic " + b64encode(b"landform:s3cret").decode()}
OLD = {"authorization": "Basic " + b64encode(b"landform:old").decode()}


async def hooked(scene: Scene) -> Hook:
    connection = await scene.connect(client_secret=scene.pat())
    hook_id = new_id("hook")
    hook = Hook(
        id=hook_id,
        connection_id=connection.id,
        repository_id=scene.repository.id,
        sealed_secrets=seal_hook_secrets(scene.reach.keyring, hook_id, ["s3cret", "old"]),
    )
    async with transaction(scene.reach.sessions) as session:
        session.add(hook)
    return hook


def push(scene: Scene, number: int = 1, **more: Any) -> bytes:
    moved = {"name": "refs/heads/main", "oldObjectId": "a" * 40, "newObjectId": "b" * 40}
    resource = {"repository": {"id": scene.repository.id}, "refUpdates": [moved], **more}
    said = {
        "subscriptionId": "s",
        "notificationId": number,
        "eventType": "git.push",
        "resource": resource,
    }
    return json.dumps(said).encode()


async def rows(scene: Scene) -> list[DeliveryRow]:
    async with transaction(scene.reach.sessions) as session:
        query = select(DeliveryRow).order_by(DeliveryRow.received_at)
        return list((await session.scalars(query)).all())


async def jobs(scene: Scene) -> int:
    async with transaction(scene.reach.sessions) as session:
        query = text("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'vcs'")
        return int((await session.execute(query)).scalar_one())


@pytest.mark.parametrize("headers", [HEADERS, OLD])
async def test_a_proved_delivery_is_stored_and_looked_at_once(
    scene: Scene, headers: dict[str, str]
) -> None:
    hook = await hooked(scene)
    assert await deliveries.receive(scene.reach, hook.id, headers, push(scene))
    assert not await deliveries.receive(scene.reach, hook.id, headers, push(scene))
    (row,) = await rows(scene)
    assert row.status is DeliveryStatus.RECEIVED
    assert await jobs(scene) == 1


async def test_a_delivery_that_comes_ten_times_at_once_is_stored_once(scene: Scene) -> None:
    hook = await hooked(scene)
    body = push(scene)
    found = await asyncio.gather(
        *(deliveries.receive(scene.reach, hook.id, HEADERS, body) for _ in range(10))
    )
    assert sorted(found) == [False] * 9 + [True]
    assert await jobs(scene) == 1


@pytest.mark.parametrize("hook_id", ["", "hook-NobodyHasThisId0", "nonsense", "\x00"])
async def test_an_unknown_hook_answers_as_a_wrong_secret_does(scene: Scene, hook_id: str) -> None:
    hook = await hooked(scene)
    with pytest.raises(UnauthenticatedError) as unknown:
        await deliveries.receive(scene.reach, hook_id, HEADERS, b"{}")
    with pytest.raises(UnauthenticatedError) as wrong:
        await deliveries.receive(scene.reach, hook.id, {"authorization": "Basic x"}, b"{}")
    assert str(unknown.value) == str(wrong.value)
    assert await rows(scene) == []


async def test_what_a_delivery_says_is_stored_encrypted(scene: Scene) -> None:
    hook = await hooked(scene)
    headers = {**HEADERS, "user-agent": "VSServices"}
    await deliveries.receive(scene.reach, hook.id, headers, push(scene))
    (row,) = await rows(scene)
    assert scene.repository.id.encode() not in row.body
    assert row.headers == {}


async def test_a_delivery_is_taken_until_something_came_of_it(scene: Scene) -> None:
    hook = await hooked(scene)
    await deliveries.receive(scene.reach, hook.id, HEADERS, push(scene))
    (row,) = await rows(scene)
    taken = await deliveries.take(scene.reach, row.id)
    again = await deliveries.take(scene.reach, row.id)  # whoever took it first may have died
    assert taken == again
    assert taken is not None
    (change,) = taken.changes
    assert isinstance(change, Push)
    assert (taken.event, change.after) == ("git.push", "b" * 40)
    async with transaction(scene.reach.sessions) as session:
        assert await deliveries.settle(session, row.id, [{"reason": "because"}])
    assert await deliveries.take(scene.reach, row.id) is None
    async with transaction(scene.reach.sessions) as session:
        assert not await deliveries.settle(session, row.id, [])
    (done,) = await rows(scene)
    assert (done.status, done.outcomes, done.attempts) == ("done", [{"reason": "because"}], 2)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"nonsense", "JSON"), (b'{"eventType": "build.complete"}', "Nothing follows")],
)
async def test_a_delivery_that_says_nothing_is_kept_with_the_reason(
    scene: Scene, body: bytes, reason: str
) -> None:
    hook = await hooked(scene)
    assert await deliveries.receive(scene.reach, hook.id, HEADERS, body)
    (row,) = await rows(scene)
    taken = await deliveries.take(scene.reach, row.id)
    assert taken is not None
    assert taken.changes == ()
    assert reason in taken.reason


async def test_a_hook_speaks_for_its_own_repository_alone(scene: Scene) -> None:
    hook = await hooked(scene)
    body = push(scene, repository={"id": "another"})
    await deliveries.receive(scene.reach, hook.id, HEADERS, body)
    (row,) = await rows(scene)
    taken = await deliveries.take(scene.reach, row.id)
    assert taken is not None
    assert taken.changes == ()
    assert "another repository" in taken.reason


async def test_what_failed_is_tried_again_a_few_times_and_then_shown(scene: Scene) -> None:
    hook = await hooked(scene)
    await deliveries.receive(scene.reach, hook.id, HEADERS, push(scene))
    (row,) = await rows(scene)
    for _ in range(deliveries.ATTEMPTS):
        assert await deliveries.take(scene.reach, row.id)
        await deliveries.set_aside(scene.reach, row.id, "no answer", retry_after_s=0)
    assert await jobs(scene) == deliveries.ATTEMPTS  # the first, and one after each but the last
    (failed,) = await rows(scene)
    assert (failed.status, failed.outcomes) == ("failed", [{"reason": "no answer"}])


async def test_an_administrator_has_a_delivery_looked_at_again(scene: Scene) -> None:
    hook = await hooked(scene)
    await deliveries.receive(scene.reach, hook.id, HEADERS, push(scene))
    (row,) = await rows(scene)
    async with transaction(scene.reach.sessions) as session:
        with pytest.raises(ConflictError):
            await deliveries.redeliver(session, scene.owner, row.id)
        await deliveries.settle(session, row.id, [{"reason": "because"}])
    async with transaction(scene.reach.sessions) as session:
        stranger = await factories.make_owner(session, await factories.make_organization(session))
        with pytest.raises(NotFoundError):
            await deliveries.redeliver(session, stranger, row.id)
        await deliveries.redeliver(session, scene.owner, row.id)
    assert await deliveries.take(scene.reach, row.id) is not None
    assert await jobs(scene) == 2


async def test_old_deliveries_go_when_new_ones_are_done(scene: Scene) -> None:
    hook = await hooked(scene)
    for number in (1, 2):
        await deliveries.receive(scene.reach, hook.id, HEADERS, push(scene, number))
    old, new = await rows(scene)
    async with transaction(scene.reach.sessions) as session:
        row = await session.get_one(DeliveryRow, old.id)
        row.received_at = clock.now() - timedelta(days=31)
    async with transaction(scene.reach.sessions) as session:
        await deliveries.settle(session, new.id, [])
    assert [row.id for row in await rows(scene)] == [new.id]


async def test_deliveries_are_listed_newest_first_for_who_manages_connections(
    scene: Scene,
) -> None:
    hook = await hooked(scene)
    for number in range(3):
        await deliveries.receive(scene.reach, hook.id, HEADERS, push(scene, number))
    async with transaction(scene.reach.sessions) as session:
        connection = await session.get_one(Connection, hook.connection_id)
        found = await queries.list_deliveries(
            session, scene.owner, connection, Page(number=1, size=2)
        )
    assert [each.provider_id for each in found.items] == ["s/2", "s/1"]
    assert found.total == 3


async def test_five_hundred_deliveries_one_fifth_repeated_are_stored_exactly(
    scene: Scene,
) -> None:
    hook = await hooked(scene)
    bodies = [push(scene, number % 400) for number in range(500)]
    gate = asyncio.Semaphore(10)

    async def deliver(body: bytes) -> None:
        async with gate:
            await deliveries.receive(scene.reach, hook.id, HEADERS, body)

    await asyncio.gather(*(deliver(body) for body in bodies))
    async with transaction(scene.reach.sessions) as session:
        assert await session.scalar(select(func.count()).select_from(DeliveryRow)) == 400
    assert await jobs(scene) == 400
