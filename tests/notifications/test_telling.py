"""What happens to a run is told, each step once, in order, and signed."""

import hashlib
import hmac

from sqlalchemy import select

from landform.contract import Counts, Outcome
from landform.kit.db import transaction, undone
from landform.notifications.models import NotificationDelivery
from landform.notifications.sending import SIGNATURE
from landform.runs.creation import NewRun, create_run
from tests.notifications.conftest import PUBLIC, Scene


def triggers(scene: Scene) -> list[str]:
    return [
        body["notifications"][0]["trigger"] if "notifications" in body else body["trigger"]
        for body in scene.told()
    ]


async def test_each_step_of_a_run_is_told_in_order_with_what_tfe_says_of_it(scene: Scene) -> None:
    row = await scene.add(token="hush")
    run_id = await scene.world.create(message="Five more workers")
    await scene.world.plan(run_id)
    await scene.deliver()
    await scene.world.confirm(run_id)
    await scene.world.apply(run_id)
    await scene.deliver()
    assert triggers(scene) == [
        "run:created",
        "run:planning",
        "run:needs_attention",
        "run:applying",
        "run:completed",
    ]
    first, *_, last = scene.told()
    workspace = await scene.world.workspace()
    assert first | {"notifications": [], "run_created_at": ""} == {
        "payload_version": 1,
        "notification_configuration_id": row.id,
        "run_url": f"{PUBLIC}/app/{scene.world.organization}/{workspace.name}/runs/{run_id}",
        "run_id": run_id,
        "run_message": "Five more workers",
        "run_created_at": "",
        "run_created_by": scene.world.owner.name,
        "workspace_id": workspace.id,
        "workspace_name": workspace.name,
        "organization_name": scene.world.organization,
        "notifications": [],
    }
    assert first["notifications"][0]["run_updated_by"] == scene.world.owner.name
    assert last["notifications"][0]["message"] == "Run Applied"
    assert last["notifications"][0]["run_status"] == "applied"
    sent = scene.hook.requests[-1]
    digest = hmac.new(b"hush", sent.body, hashlib.sha512).hexdigest()
    assert sent.headers[SIGNATURE] == digest
    assert await scene.deliver() == 0
    assert all(each.is_delivered for each in await scene.deliveries(row))


async def test_only_what_was_asked_for_is_told_and_only_of_runs_that_may_apply(
    scene: Scene,
) -> None:
    row = await scene.add(triggers=["run:completed", "run:created"])
    await scene.world.plan(await scene.world.create(plan_only=True))
    await scene.world.plan(await scene.world.create(), has_changes=False)
    await scene.deliver()
    assert triggers(scene) == ["run:created", "run:completed"]
    assert scene.told()[-1]["notifications"][0]["run_status"] == "planned_and_finished"
    await scene.change(row, enabled=False)
    await scene.world.plan(await scene.world.create(), has_changes=False)
    assert await scene.deliver() == 0


async def test_nobody_is_asked_for_attention_by_a_run_that_applies_by_itself(
    scene: Scene,
) -> None:
    await scene.add()
    await scene.world.plan(await scene.world.create(auto_apply=True))
    await scene.deliver()
    assert triggers(scene) == ["run:created", "run:planning"]


async def test_an_error_is_told_and_a_cancellation_as_one(scene: Scene) -> None:
    await scene.add(triggers=["run:errored"])
    job = await scene.world.must_begin(await scene.world.create())
    await scene.world.finish(job, outcome=Outcome.ERRORED, error="No such module.")
    await scene.world.cancel(await scene.world.create())
    await scene.deliver()
    said = [body["notifications"][0] for body in scene.told()]
    assert [each["run_status"] for each in said] == ["errored", "canceled"]
    assert [each["message"] for each in said] == ["Run Errored", "Run Canceled"]


async def test_drift_is_told_once_for_what_is_new_of_it_and_a_failed_look_too(
    scene: Scene,
) -> None:
    row = await scene.add(triggers=["assessment:drifted", "assessment:failed"])
    for drifted in (2, 2, 3):
        job = await scene.world.must_begin(await scene.world.create(plan_only=True))
        await scene.world.finish(job, counts=Counts(drifted=drifted))
        await scene.deliver()
    for source in ("landform-schedule", "tfe-api"):
        job = await scene.world.must_begin(await scene.world.create(plan_only=True, source=source))
        await scene.world.finish(job, outcome=Outcome.ERRORED, error="Away.")
    await scene.deliver()
    assert triggers(scene) == ["assessment:drifted"] * 2 + ["assessment:failed"]
    drift = scene.told()[1]
    assert (drift["payload_version"], drift["trigger_scope"]) == ("2", "assessment")
    assert drift["details"]["new_assessment_result"]["resources_drifted"] == 3
    assert drift["notification_configuration_url"] == (
        f"{PUBLIC}/api/v2/notification-configurations/{row.id}"
    )


async def test_what_a_transaction_takes_back_is_told_to_nobody(scene: Scene) -> None:
    row = await scene.add()
    workspace = await scene.world.workspace()
    new = NewRun(configuration_version_id=scene.world.configuration_id)
    async with transaction(scene.post.sessions) as session, undone(session):
        await create_run(session, scene.post.keyring, scene.world.owner, workspace, new)
        of_run = NotificationDelivery.trigger == "run:created"
        assert await session.scalar(select(NotificationDelivery.id).where(of_run))
    assert [each.trigger for each in await scene.deliveries(row)] == ["verification"]
    assert await scene.deliver() == 0
