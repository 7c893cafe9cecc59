"""A delivery is sent until it is taken, within bounds, and harms neither runs nor others."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import func, update

from landform.kit.db import database_now, transaction
from landform.kit.egress import Outbound
from landform.notifications import courier, recording, sending
from landform.notifications.models import NotificationConfiguration, NotificationDelivery
from tests.notifications.conftest import Scene
from tests.standins.serving import Answer
from tests.web.pages import open_site


async def last(scene: Scene, row: NotificationConfiguration) -> NotificationDelivery:
    return (await scene.deliveries(row))[-1]


async def pause_s(scene: Scene, row: NotificationConfiguration) -> float:
    """Return in how many seconds the newest delivery is tried again."""
    async with transaction(scene.post.sessions) as session:
        delivery = await session.get_one(NotificationDelivery, (await last(scene, row)).id)
        moment = await database_now(session)
        assert delivery.next_at is not None
        return (delivery.next_at - moment).total_seconds()


async def created(scene: Scene) -> NotificationConfiguration:
    """Make a configuration and a run that it is to tell of, once."""
    row = await scene.add(triggers=["run:created"])
    await scene.world.create()
    return row


async def test_what_fails_is_tried_again_later_and_later_and_then_no_more(scene: Scene) -> None:
    row = await created(scene)
    scene.hook.plan("/", answer=Answer(503, b"down"), times=100)
    for pause in (5, 30, 120, 600, 1800):
        assert await scene.deliver() == 1
        assert pause - 5 < await pause_s(scene, row) <= pause
        assert await scene.deliver() == 0
        await scene.hurry()
    assert await scene.deliver() == 1
    over = await last(scene, row)
    assert (over.next_at, over.is_delivered, over.code, over.attempts) == (None, False, 503, 6)
    assert over.problem == "127.0.0.1 answered 503 Service Unavailable."


async def test_a_receiver_that_asks_for_time_gets_it(scene: Scene) -> None:
    row = await created(scene)
    scene.hook.plan("/", answer=Answer(429, b"", {"Retry-After": "77"}))
    await scene.deliver()
    assert 70 < await pause_s(scene, row) <= 77
    await scene.hurry()
    await scene.deliver()
    assert (await last(scene, row)).is_delivered


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_what_is_refused_is_not_sent_again(scene: Scene, status: int) -> None:
    row = await created(scene)
    scene.hook.plan("/", answer=Answer(status, b"no"))
    await scene.deliver()
    await scene.hurry()
    assert await scene.deliver() == 0
    assert (await last(scene, row)).code == status


async def test_a_redirect_is_not_followed_and_is_told_as_one(scene: Scene) -> None:
    row = await created(scene)
    scene.hook.plan("/hook", answer=Answer(307, b"", {"Location": f"{scene.hook.url}/other"}))
    await scene.deliver()
    assert scene.hook.asked("POST", "/other") == []
    assert "not followed" in (await last(scene, row)).problem


async def test_a_slow_receiver_is_given_up_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = await scene.add(url=f"{scene.hook.url}/slow", triggers=["run:created"])
    monkeypatch.setattr(sending, "_BOUNDS", replace(sending._BOUNDS, total_s=0.5))
    scene.hook.plan("/slow", delay_s=20.0)
    await scene.world.create()
    await scene.deliver()
    assert (await last(scene, slow)).problem == (
        f"{scene.hook.url.removeprefix('http://')} did not answer within 0.5 s."
    )


async def test_a_slow_receiver_keeps_no_other_waiting(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "_FAREWELL_S", 0.0)
    slow = await scene.add(url=f"{scene.hook.url}/slow", triggers=["run:created"])
    quick = await scene.add(url=f"{scene.hook.url}/quick", triggers=["run:created"])
    scene.hook.plan("/slow", delay_s=20.0)
    await scene.world.create()
    running = asyncio.create_task(courier.Courier(scene.post).run())
    try:
        await _until(scene, slow, "attempts")
        await _until(scene, quick, "is_delivered")
        waits = await last(scene, slow)
        assert (waits.attempts, waits.is_delivered, waits.problem) == (1, False, "")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_who_is_stopped_notes_first_what_was_just_sent_so_that_it_is_told_once(
    scene: Scene,
) -> None:
    row = await created(scene)
    scene.hook.plan("/", delay_s=0.5)
    running = await _sending(scene)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await last(scene, row)).is_delivered
    await scene.hurry()
    assert await scene.deliver() == 0
    assert len(scene.told()) == 1


async def test_a_receiver_that_never_answers_holds_up_no_stop(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "_FAREWELL_S", 0.2)
    row = await created(scene)
    scene.hook.plan("/", delay_s=20.0)
    running = await _sending(scene)
    running.cancel()
    async with asyncio.timeout(15.0):  # it is waited for longer than that otherwise
        await asyncio.gather(running, return_exceptions=True)
    assert (await last(scene, row)).next_at is not None


async def _sending(scene: Scene) -> asyncio.Task[None]:
    """Start a courier, and return when a receiver that is slow has what it is sent."""
    running = asyncio.create_task(courier.Courier(scene.post).run())
    async with asyncio.timeout(60.0):
        while not scene.told():  # noqa: ASYNC110 - a server in another thread
            await asyncio.sleep(0.01)
    return running


async def _until(scene: Scene, row: NotificationConfiguration, what: str) -> None:
    for _ in range(400):
        if getattr(await last(scene, row), what):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no {what} within 20 s")


async def test_an_answer_without_end_is_read_no_further_than_is_kept(scene: Scene) -> None:
    row = await created(scene)
    scene.hook.plan("/", answer=Answer(200, b"x" * (64 << 20)))
    await scene.deliver()
    delivery = await last(scene, row)
    assert delivery.is_delivered
    heard = recording.read_answer(scene.post.keyring, delivery)
    assert heard is not None
    assert len(heard.body) == 4096


async def test_those_behind_one_that_fails_wait_for_it_and_come_in_order(scene: Scene) -> None:
    row = await scene.add(triggers=["run:created", "run:planning"])
    scene.hook.plan("/", answer=Answer(500), times=1)
    await scene.world.must_begin(await scene.world.create())
    assert await scene.deliver() == 1
    await scene.hurry()
    assert await scene.deliver() == 2
    said = [body["notifications"][0]["trigger"] for body in scene.told()]
    assert said == ["run:created", "run:created", "run:planning"]
    assert all(each.is_delivered for each in await scene.deliveries(row))


async def test_who_died_over_a_delivery_has_it_sent_by_another_and_is_not_heard_any_more(
    scene: Scene,
) -> None:
    row = await created(scene)
    lost = await courier.take(scene.post)
    assert lost is not None
    assert await scene.deliver() == 0
    await scene.hurry()
    assert await scene.deliver() == 1
    await courier.deliver(scene.post, lost)  # it was only slow
    delivery = await last(scene, row)
    assert (delivery.is_delivered, delivery.attempts) == (True, 2)


async def test_one_that_cannot_be_read_is_put_off_and_holds_up_no_other(scene: Scene) -> None:
    broken = await scene.add(triggers=["run:created"])
    whole = await scene.add(triggers=["run:created"])
    async with transaction(scene.post.sessions) as session:
        row = await session.get_one(NotificationConfiguration, broken.id)
        row.sealed_url = whole.sealed_url  # of another row, so that it does not open
    await scene.world.create()
    assert await scene.deliver() == 1
    assert (await last(scene, whole)).is_delivered
    assert "cannot be read" in (await last(scene, broken)).problem


async def test_what_waited_for_too_long_is_let_go_and_what_is_new_is_told(scene: Scene) -> None:
    row = await scene.add(triggers=["run:created", "run:planning"])
    await scene.world.must_begin(await scene.world.create())
    old, _ = (await scene.deliveries(row))[-2:]
    async with transaction(scene.post.sessions) as session:
        await session.execute(
            update(NotificationDelivery)
            .where(NotificationDelivery.id == old.id)
            .values(happened_at=old.happened_at - timedelta(hours=7))
        )
    assert await scene.deliver() == 1
    old, new = (await scene.deliveries(row))[-2:]
    assert "too long" in old.problem
    assert (old.next_at, old.is_delivered, new.is_delivered) == (None, False, True)


async def test_only_the_newest_deliveries_are_kept_whoever_makes_how_many(scene: Scene) -> None:
    row = await scene.add(triggers=["run:created"])
    async with transaction(scene.post.sessions) as session:
        for is_over in (True, False):
            for _ in range(300):
                session.add(
                    NotificationDelivery(
                        configuration_id=row.id,
                        trigger="verification",
                        next_at=None if is_over else func.clock_timestamp(),
                    )
                )
        await session.flush()
        await recording.bound(session, row.id)
    kept = await scene.deliveries(row)
    waiting = [each for each in kept if each.next_at is not None]
    assert len(waiting) == 200
    assert len([each for each in kept if "More than" in each.problem]) == 100


async def test_the_address_is_judged_when_it_is_called_and_not_only_when_it_is_set(
    scene: Scene,
) -> None:
    row = await created(scene)
    async with Outbound() as http:  # as if the name led elsewhere meanwhile
        await courier.deliver_due(replace(scene.post, http=http))
    delivery = await last(scene, row)
    assert scene.told() == []
    assert "LANDFORM_EGRESS_ALLOW" in delivery.problem
    assert "secret=word" not in delivery.problem
    assert delivery.next_at is None


async def test_a_configuration_that_goes_away_while_a_run_moves_does_not_harm_the_run(
    scene: Scene,
) -> None:
    row = await scene.add()
    gone = asyncio.Event()

    async def take_away() -> None:
        async with transaction(scene.post.sessions) as session:
            await session.delete(await session.get_one(NotificationConfiguration, row.id))
            await session.flush()
            gone.set()
            await asyncio.sleep(0.3)  # the run meets the lock of who takes it away

    going = asyncio.create_task(take_away())
    await gone.wait()
    run_id = await scene.world.create()
    await going
    assert await scene.world.status(run_id) == "plan_queued"


async def test_metrics_say_how_many_wait_and_how_many_of_them_failed(
    scene: Scene, app: FastAPI, database_url: str
) -> None:
    await created(scene)
    await scene.add(triggers=["run:created"], url=f"{scene.hook.url}/other")
    await scene.world.create()
    scene.hook.plan("/hook", answer=Answer(500))
    taken = await courier.take(scene.post)
    assert taken is not None
    await courier.deliver(scene.post, taken)
    async with open_site(app, scene.world, database_url) as site:
        said = await site.owner.get("/metrics")
    assert 'landform_notifications{state="failed"} 1.0' in said
    assert 'landform_notifications{state="new"} 2.0' in said
