"""Machines whose clocks are wrong by an hour: leases and order go by the database's."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from landform.kit.failpoints import FailPoint
from tests.cli.command import SOURCES, eventually
from tests.faults.client import Client
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import LEASE_S, RECOVERY_S, Platform, since

_HOUR_S = 3600


@pytest.fixture(params=[-_HOUR_S, _HOUR_S], ids=["workers behind", "workers ahead"])
def skewed(request: pytest.FixtureRequest, platform: Platform) -> Iterator[Platform]:
    """Workers are wrong one way and servers the other; the database and we are right."""
    path = os.pathsep.join([str(Path(__file__).with_name("skewed")), str(SOURCES)])
    with platform.everything_with(PYTHONPATH=path, TESTED_CLOCK_SKEW_S=str(request.param)):
        yield platform


def test_a_lease_lasts_as_long_as_the_database_says_and_lost_work_is_found(
    skewed: Platform, client: Client, gate: Gate, workspace: str, name: str
) -> None:
    gate.hold(f"plan/{name}")
    run = client.start(
        workspace, client.upload(workspace, gated(gate, name)), **{"auto-apply": True}
    )
    first = gate.wait_for(f"plan/{name}")
    began = time.monotonic()
    eventually(lambda: since(began) > 1.5 * LEASE_S, within_s=2 * LEASE_S)
    assert not first.is_cut
    skewed.worker_of(run).kill()
    skewed.sees_death_of(run)
    gate.wait_for(f"plan/{name}", count=2)
    gate.open(f"plan/{name}")
    client.wait(run, "applied")

    skewed.restore()
    skewed.arm(FailPoint.ATTEMPT_LEASING)
    run = client.start(workspace, client.upload(workspace, gated(gate, f"{name}-2")))
    eventually(lambda: skewed.was_reached(FailPoint.ATTEMPT_LEASING), within_s=RECOVERY_S)
    client.wait(run, "planned")
    assert client.act(run, "discard") == 202
