"""A stored delivery is dealt with by a job, once, whatever happens to whoever does it."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text, update

from landform.configurations.models import ConfigurationVersion
from landform.kit.clock import now
from landform.kit.db import transaction
from landform.triggers import watching
from landform.triggers.background import Background
from landform.triggers.models import RepositoryWatch
from landform.vcs import deliveries
from landform.vcs.models import Connection, ConnectionStatus, DeliveryRow, Hook
from landform.vcs.sealing import open_hook_secrets
from tests.standins.serving import Answer
from tests.triggers.scene import Scene


async def rows(scene: Scene) -> list[DeliveryRow]:
    async with transaction(scene.platform.sessions) as session:
        query = select(DeliveryRow).order_by(DeliveryRow.received_at)
        return list((await session.scalars(query)).all())


async def lose_jobs(scene: Scene) -> None:
    """Leave nothing of the jobs, and let some time pass."""
    async with transaction(scene.platform.sessions) as session:
        await session.execute(text("DELETE FROM procrastinate_jobs"))
        long_ago = now() - timedelta(minutes=1)
        await session.execute(update(DeliveryRow).values(received_at=long_ago))


async def forge(scene: Scene, said: dict[str, Any]) -> None:
    """Deliver what the provider could, with the secret it knows."""
    async with transaction(scene.platform.sessions) as session:
        hook_id = scene.received[0].path.rpartition("/")[2]
        hook = await session.get_one(Hook, hook_id)
    secret = open_hook_secrets(scene.platform.keyring, hook)[0]
    assert secret
    headers = scene.received[0].headers
    await deliveries.receive(scene.desk.reach, hook_id, headers, json.dumps(said).encode())


async def test_what_the_provider_delivers_becomes_a_run_and_the_delivery_says_so(
    scene: Scene,
) -> None:
    await scene.hook()
    scene.push({"main.tf": "# second\n"}, message="net: add subnet")
    assert await scene.receive() == 1
    await scene.run_jobs()
    [run] = await scene.runs()
    assert (run.message, run.status.value) == ("net: add subnet", "plan_queued")
    [row] = await rows(scene)
    assert row.status.value == "done"
    [outcome] = row.outcomes
    assert (outcome["run_id"], outcome["reason"]) == (
        run.id,
        "Push to branch main. Any file counts.",
    )


async def test_a_delivery_whose_job_was_lost_is_dealt_with_all_the_same(scene: Scene) -> None:
    await scene.hook()
    scene.push({"main.tf": "# second\n"})
    await scene.receive()
    await lose_jobs(scene)
    assert await scene.run_jobs() == 0
    background = Background(scene.desk, look_s=30)
    await background.ring_again()
    await background.ring_again()  # with a job about it there is nothing to ring for
    assert await scene.run_jobs() == 2, "the delivery, and the commit it led to"
    assert len(await scene.runs()) == 1
    await lose_jobs(scene)
    await background.ring_again()
    assert await scene.run_jobs() == 0


async def test_a_job_is_rung_for_when_its_worker_is_silent_and_not_while_it_lives(
    scene: Scene,
) -> None:
    await scene.hook()
    scene.push({"main.tf": "# second\n"})
    await scene.receive()
    background = Background(scene.desk, look_s=30)
    counts = []
    for silence_s in (0, 60):
        async with transaction(scene.platform.sessions) as session:
            await session.execute(text("DELETE FROM procrastinate_workers"))
            await session.execute(
                text(
                    "WITH one AS (INSERT INTO procrastinate_workers (last_heartbeat)"
                    " VALUES (now() - make_interval(secs => :silence)) RETURNING id)"
                    " UPDATE procrastinate_jobs SET status = 'doing', worker_id = one.id FROM one"
                ),
                {"silence": silence_s},
            )
            long_ago = now() - timedelta(minutes=1)
            await session.execute(update(DeliveryRow).values(received_at=long_ago))
        await background.ring_again()
        counts.append(len(await scene.jobs()))
    assert counts == [1, 2]


async def test_a_delivery_that_no_worker_survives_is_given_up_and_says_so(scene: Scene) -> None:
    await scene.hook()
    scene.push({"main.tf": "# second\n"})
    await scene.receive()
    [row] = await rows(scene)
    background = Background(scene.desk, look_s=30)
    for _ in range(deliveries.ATTEMPTS):
        await lose_jobs(scene)
        await background.ring_again()
        assert await deliveries.take(scene.desk.reach, row.id), "and then it died"
    await lose_jobs(scene)
    await background.ring_again()
    assert await scene.run_jobs() == 0
    [row] = await rows(scene)
    assert row.status.value == "failed"
    assert "stopped before it was done" in row.outcomes[0]["reason"]


async def test_a_commit_that_never_comes_ends_its_run_with_the_reason(scene: Scene) -> None:
    scene.push({"main.tf": "# second\n"})
    await scene.take()
    await lose_jobs(scene)
    async with transaction(scene.platform.sessions) as session:
        long_ago = now() - timedelta(hours=2)
        await session.execute(update(ConfigurationVersion).values(created_at=long_ago))
    await Background(scene.desk, look_s=30).ring_again()
    assert await scene.run_jobs() == 0
    [run] = await scene.runs()
    assert (run.status.value, "within an hour" in run.error) == ("errored", True)


async def test_two_workers_at_the_same_delivery_start_one_run(scene: Scene) -> None:
    await scene.hook()
    scene.push({"main.tf": "# second\n"})
    await scene.receive()
    [row] = await rows(scene)
    process = Background(scene.desk, look_s=30).tasks[deliveries.PROCESS]
    await process(delivery_id=row.id)
    await process(delivery_id=row.id)
    assert len(await scene.runs()) == 1


async def test_a_provider_that_is_away_has_its_delivery_looked_at_later(scene: Scene) -> None:
    await scene.hook()
    pull = scene.open_pull({"a.tf": "1"})
    await scene.receive()
    scene.azure.server.plan(f"pullRequests/{pull.id}", answer=Answer(200, b"nonsense"), times=1)
    await scene.run_jobs()
    failed = [row for row in await rows(scene) if row.status.value == "failed"]
    assert failed
    assert failed[0].outcomes[0]["reason"]
    assert not await scene.runs()
    async with transaction(scene.platform.sessions) as session:
        await session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL"))
    await scene.run_jobs()
    assert len(await scene.runs()) == 1
    assert {row.status.value for row in await rows(scene)} == {"done"}


async def test_a_connection_that_is_broken_fails_its_deliveries_with_what_to_do(
    scene: Scene,
) -> None:
    await scene.hook()
    scene.open_pull({"a.tf": "1"})
    await scene.receive()
    scene.azure.tokens.revoke(scene.pat)
    await scene.run_jobs()
    reasons = [outcome["reason"] for row in await rows(scene) for outcome in row.outcomes]
    assert any("token" in reason for reason in reasons), reasons
    assert not any(scene.pat in reason for reason in reasons)
    async with transaction(scene.platform.sessions) as session:
        connection = await session.get_one(Connection, scene.connection_id)
    assert connection.status is not ConnectionStatus.CONNECTED


async def test_a_payload_without_its_resource_has_the_repository_looked_at(scene: Scene) -> None:
    await scene.hook()
    async with transaction(scene.platform.sessions) as session:
        later = now() + timedelta(hours=1)
        await session.execute(update(RepositoryWatch).values(next_look_at=later))
    scene.push({"main.tf": "# second\n"})
    scene.azure.sender.settle()
    await forge(
        scene,
        {"subscriptionId": "s", "notificationId": 1, "eventType": "git.push", "resource": None},
    )
    await scene.run_jobs()
    assert await watching.claim_look(scene.desk) is not None
    [row] = await rows(scene)
    assert "looked at" in row.outcomes[0]["reason"]
