"""kill -9 of whoever sends a notification: what was committed is told, by another if need be."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from landform.kit.failpoints import FailPoint
from tests.cli.command import eventually
from tests.faults.client import Client, insist
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import Platform
from tests.standins.receiver import receiver
from tests.standins.serving import Server

NOTIFIED = (FailPoint.NOTIFICATION_TAKEN, FailPoint.NOTIFICATION_SENT)
_WITHIN_S = 90.0  # somebody else takes up after a minute what a dead worker had taken up

pytestmark = pytest.mark.timeout(300)


@dataclass
class Told:
    """A workspace whose runs are told of to a receiver."""

    platform: Platform
    client: Client
    workspace: str
    hook: Server

    def is_over(self) -> bool:
        """Say whether nothing of it waits to be told."""
        waiting = (
            "SELECT delivery.id FROM notification_deliveries delivery"
            " JOIN notification_configurations configuration"
            " ON configuration.id = delivery.configuration_id"
            " WHERE configuration.workspace_id = %s AND delivery.next_at IS NOT NULL"
        )
        return not self.platform.rows(waiting, self.workspace)

    def steps(self) -> Counter[tuple[str, str]]:
        """Return which steps of which runs were told, and how often."""
        bodies = [request.json() for request in self.hook.requests]
        return Counter(
            (body["run_id"], body["notifications"][0]["trigger"])
            for body in bodies
            if body["run_id"]
        )


@pytest.fixture
def told(platform: Platform, client: Client, make_workspace: Callable[..., str]) -> Iterator[Told]:
    settings = {"LANDFORM_EGRESS_ALLOW": "127.0.0.1", "LANDFORM_PUBLIC_URL": platform.url}
    with receiver() as hook, platform.everything_with(**settings):
        workspace = make_workspace()
        given = {
            "destination-type": "generic",
            "enabled": True,
            "name": "all",
            "url": hook.url,
            "triggers": [
                *("run:created", "run:planning", "run:needs_attention"),
                *("run:applying", "run:completed", "run:errored"),
            ],
        }
        document = {"data": {"type": "notification-configurations", "attributes": given}}
        path = f"/workspaces/{workspace}/notification-configurations"
        made = insist(lambda: client.post(path, document))
        assert made.status_code == 201, made.text
        told = Told(platform, client, workspace, hook)
        yield told
        # What is left would be tried beside the next test, and be what dies in its place.
        eventually(told.is_over, within_s=_WITHIN_S)


def test_each_step_of_a_run_of_terraform_is_told_once_and_soon(
    told: Told, gate: Gate, name: str
) -> None:
    gate.open_all()
    version = told.client.upload(told.workspace, gated(gate, name))
    run = told.client.start(told.workspace, version)
    told.client.wait(run, "planned")
    told.client.act(run, "apply")
    told.client.wait(run, "applied")
    began = time.monotonic()
    steps = ("created", "planning", "needs_attention", "applying", "completed")
    wanted = Counter({(run, f"run:{each}"): 1 for each in steps})
    eventually(lambda: (run, "run:completed") in told.steps(), within_s=30.0)
    assert time.monotonic() - began < 30.0
    # Who confirms before it was asked for is not asked.
    assert told.steps() in (wanted, wanted - Counter({(run, "run:needs_attention"): 1}))


@pytest.mark.parametrize("point", NOTIFIED)
def test_what_happened_is_told_although_who_was_telling_died(
    platform: Platform, told: Told, gate: Gate, name: str, point: FailPoint
) -> None:
    version = told.client.upload(told.workspace, gated(gate, name))
    run = told.client.start(told.workspace, version)
    told.client.wait(run, "planned")
    eventually(lambda: (run, "run:needs_attention") in told.steps(), within_s=30.0)
    # It was heard before it is noted: who tells that must not be who dies.
    eventually(told.is_over, within_s=30.0)
    platform.arm(point)
    told.client.act(run, "discard")
    eventually(
        lambda: platform.was_reached(point),
        within_s=_WITHIN_S,
        say=lambda: f"nothing came to {point}",
    )
    platform.replace_dead()
    times = 1 if point is FailPoint.NOTIFICATION_TAKEN else 2
    eventually(
        lambda: told.steps()[run, "run:completed"] == times,
        within_s=_WITHIN_S,
        say=platform.everything,
    )
    eventually(told.is_over, within_s=_WITHIN_S)
    assert told.steps()[run, "run:completed"] == times
