"""The end of a secret is told 30, 7 and 1 days before, and at the end, once each."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from landform.kit import clock
from landform.kit.db import transaction
from landform.kit.events import EventRow
from landform.vcs import expiry
from landform.vcs.models import Connection
from tests.vcs.scene import Scene


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> "Today":
    return Today(monkeypatch)


class Today:
    """Moves the day on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._real = clock.now
        self._by = timedelta()
        patch.setattr(clock, "now", self.now)

    def now(self) -> datetime:
        return self._real() + self._by

    def move_on(self, **by: float) -> None:
        self._by += timedelta(**by)


async def told(scene: Scene) -> list[int]:
    """Look, as workers do, and return the days of all that was told so far."""
    async with transaction(scene.reach.sessions) as session:
        await expiry.tell_due(session)
    async with transaction(scene.reach.sessions) as session:
        query = select(EventRow).where(EventRow.name == "ConnectionExpiring")
        rows = await session.scalars(query.order_by(EventRow.id))
        return [row.payload["days"] for row in rows]


async def connection(scene: Scene) -> Connection:
    async with transaction(scene.reach.sessions) as session:
        return (await session.scalars(select(Connection))).one()


async def test_each_stage_is_told_once(scene: Scene, today: Today) -> None:
    ends = today.now() + timedelta(days=40)
    await scene.connect(client_secret=scene.pat(), secret_expires_at=ends)
    assert await told(scene) == []
    assert expiry.warning(await connection(scene)) == ""
    today.move_on(days=11)
    assert await told(scene) == await told(scene) == [28]
    assert "ends in 28 days" in expiry.warning(await connection(scene))
    today.move_on(days=22)
    assert await told(scene) == [28, 6]
    today.move_on(days=6.5)
    assert await told(scene) == [28, 6, 0]
    assert "within a day" in expiry.warning(await connection(scene))
    today.move_on(days=1)
    assert await told(scene) == await told(scene) == [28, 6, 0, 0]
    assert "ended on" in expiry.warning(await connection(scene))


async def test_a_new_secret_is_told_of_anew(scene: Scene, today: Today) -> None:
    ends = today.now() + timedelta(days=5)
    row = await scene.connect(client_secret=scene.pat(), secret_expires_at=ends)
    assert await told(scene) == [4]
    async with transaction(scene.reach.sessions) as session:
        renewed = await session.get_one(Connection, row.id)
        renewed.secret_expires_at = today.now() + timedelta(days=100)
    assert await told(scene) == [4]
    today.move_on(days=99.5)
    assert await told(scene) == [4, 0]
