"""kill -9 of whatever comes first to each named point: a run reaches its end all the same."""

import json
from collections.abc import Iterator

import pytest

from landform.kit.failpoints import FailPoint
from tests.cli.command import eventually
from tests.faults.client import StubbornClient, insist, new_state, put
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import RECOVERY_S, Platform
from tests.faults.test_deliveries import DELIVERED
from tests.faults.test_notifications import NOTIFIED

# Where in a run's life a point is armed; what comes first to it then, dies.
_ASKED = {
    FailPoint.CONFIGURATION_ANNOUNCING: "announce",
    FailPoint.CONFIGURATION_CHECKED: "upload",
    FailPoint.CONFIGURATION_STORED: "upload",
    FailPoint.CONFIGURATION_ACCEPTING: "upload",
    FailPoint.CONFIGURATION_ACCEPTED: "upload",
    FailPoint.RUN_CREATING: "create",
    FailPoint.RUN_QUEUEING: "create",
    FailPoint.REQUEST_COMMITTING: "create",
    FailPoint.REQUEST_COMMITTED: "create",
    FailPoint.RUN_CONFIRMING: "confirm",
    FailPoint.LOG_READING: "read",
}
_ENDED_BY_HAND = {FailPoint.RUN_DISCARDING: "discard", FailPoint.RUN_CANCELING: "cancel"}
_STATES = (
    FailPoint.STATE_ANNOUNCING,
    FailPoint.STATE_STORED,
    FailPoint.STATE_TAKING,
    FailPoint.STATE_TAKEN,
)
_SWEPT = (
    FailPoint.SWEEP_FOUND,
    FailPoint.SWEEP_LOOKED,
    FailPoint.SWEEP_FENCING,
    FailPoint.SWEEP_FENCED,
)
_AT_WORK = (
    FailPoint.ATTEMPT_LEASING,
    FailPoint.ATTEMPT_LEASED,
    FailPoint.INPUT_FETCHED,
    FailPoint.ROOM_MADE,
    FailPoint.LOG_STORED,
    FailPoint.LOG_APPENDED,
    FailPoint.ATTEMPT_FINISHING,
    FailPoint.ATTEMPT_FINISHED,
    FailPoint.ROOM_LEAVING,
)
_PLANNING = (
    *_AT_WORK,
    FailPoint.ATTEMPT_RESOLVED,
    FailPoint.ARTEFACT_STORED,
    FailPoint.ARTEFACT_KEPT,
)
_APPLYING = (
    *_AT_WORK,
    FailPoint.CREATED_REPORTED,
    FailPoint.STATE_SPOOLED,
    FailPoint.RUN_STATE_STORED,
    FailPoint.RUN_STATE_SAVING,
    FailPoint.RUN_STATE_SAVED,
    FailPoint.RUN_STATE_SENT,
)
_NEVER_BEGAN = {FailPoint.ATTEMPT_LEASING}
_WERE_OVER = {FailPoint.ATTEMPT_FINISHED, FailPoint.ROOM_LEAVING}


@pytest.fixture
def stubborn(platform: Platform) -> Iterator[StubbornClient]:
    client = StubbornClient(platform.url, platform.token)
    yield client
    client.close()


class Life:
    """A run from its announcement to its end, with one death in it."""

    def __init__(
        self, platform: Platform, client: StubbornClient, point: FailPoint, step: str
    ) -> None:
        self._platform = platform
        self._client = client
        self._point = point
        self._step = step

    def comes_to(self, step: str) -> None:
        """Arm the point when this is the step for it."""
        if step == self._step:
            self._platform.arm(self._point)

    def has_died(self) -> None:
        """See that somebody died, and have another in its place."""
        eventually(
            lambda: self._platform.was_reached(self._point),
            within_s=4 * RECOVERY_S,  # what comes there may be the end of a plan
            say=lambda: f"nothing came to {self._point}",
        )
        self._platform.replace_dead()

    def begin(self, workspace: str, archive: bytes) -> str:
        """Take a run to its plan; return its id."""
        client = self._client
        self.comes_to("announce")
        configuration = client.announce(workspace)
        self.comes_to("upload")
        client.send(configuration, archive)
        self.comes_to("create")
        return client.start(workspace, configuration)


def test_every_point_is_in_one_of_the_tests_below() -> None:
    tested = {
        *DELIVERED,
        *NOTIFIED,
        *_ASKED,
        *_ENDED_BY_HAND,
        *_STATES,
        *_SWEPT,
        *_PLANNING,
        *_APPLYING,
    }
    assert tested == set(FailPoint)


@pytest.mark.parametrize("point", _ASKED)
def test_a_run_is_applied_although_the_server_died(
    platform: Platform,
    stubborn: StubbornClient,
    gate: Gate,
    workspace: str,
    name: str,
    point: FailPoint,
) -> None:
    life = Life(platform, stubborn, point, _ASKED[point])
    run = life.begin(workspace, gated(gate, name))
    stubborn.wait(run, "planned")
    life.comes_to("confirm")
    assert stubborn.act(run, "apply") in (202, 409)
    stubborn.wait(run, "applied")
    life.comes_to("read")
    assert "one: Creation complete" in stubborn.text_log(run)
    life.has_died()
    assert len(stubborn.get(f"/workspaces/{workspace}/runs")) == 1


@pytest.mark.parametrize("point", _ENDED_BY_HAND)
def test_a_run_is_ended_by_hand_although_the_server_died(
    platform: Platform,
    stubborn: StubbornClient,
    gate: Gate,
    workspace: str,
    name: str,
    point: FailPoint,
) -> None:
    action = _ENDED_BY_HAND[point]
    life = Life(platform, stubborn, point, action)
    if action == "cancel":
        gate.hold(f"plan/{name}")
    run = life.begin(workspace, gated(gate, name))
    if action == "cancel":
        gate.wait_for(f"plan/{name}")
    else:
        stubborn.wait(run, "planned")
    life.comes_to(action)
    assert stubborn.act(run, action) in (202, 409)
    life.has_died()
    stubborn.wait(run, "canceled" if action == "cancel" else "discarded")


@pytest.mark.parametrize("point", _STATES)
def test_a_state_is_taken_once_although_the_server_died(
    platform: Platform, stubborn: StubbornClient, workspace: str, point: FailPoint
) -> None:
    raw = new_state(workspace)
    assert stubborn.post(f"/workspaces/{workspace}/actions/lock", {}).status_code == 200
    platform.arm(point)
    address = insist(lambda: stubborn.announce_state(workspace, raw))
    insist(lambda: put(address, raw).raise_for_status())
    eventually(lambda: platform.was_reached(point), within_s=RECOVERY_S)
    platform.replace_dead()
    assert stubborn.state(workspace) == json.loads(raw)
    taken = platform.rows(
        "SELECT id FROM state_versions WHERE workspace_id = %s AND status = 'finalized'", workspace
    )
    assert len(taken) == 1
    assert stubborn.post(f"/workspaces/{workspace}/actions/unlock").status_code == 200


@pytest.mark.parametrize("point", _SWEPT)
def test_a_dead_attempt_is_taken_over_although_who_took_it_over_died_too(
    platform: Platform,
    stubborn: StubbornClient,
    gate: Gate,
    workspace: str,
    name: str,
    point: FailPoint,
) -> None:
    gate.hold(f"apply/{name}/one")
    life = Life(platform, stubborn, point, "sweep")
    run = life.begin(workspace, gated(gate, name))
    stubborn.wait(run, "planned")
    assert stubborn.act(run, "apply") == 202
    gate.wait_for(f"apply/{name}/one")
    eventually(lambda: "one: Creating" in stubborn.text_log(run), within_s=15)
    life.comes_to("sweep")
    platform.worker_of(run).kill()
    life.has_died()
    stubborn.wait(run, "errored", within_s=4 * RECOVERY_S)
    assert stubborn.apply(run)["maybe-not-in-state"]
    assert _unlock(stubborn, workspace) == 200


@pytest.mark.parametrize("point", _PLANNING)
def test_a_plan_is_made_although_its_worker_died(
    platform: Platform,
    stubborn: StubbornClient,
    gate: Gate,
    workspace: str,
    name: str,
    point: FailPoint,
) -> None:
    life = Life(platform, stubborn, point, "create")
    run = life.begin(workspace, gated(gate, name))
    life.has_died()
    stubborn.wait(run, "planned", within_s=4 * RECOVERY_S)
    assert stubborn.act(run, "apply") == 202
    stubborn.wait(run, "applied")


@pytest.mark.parametrize("point", _APPLYING)
def test_an_apply_is_done_at_most_once_when_its_worker_dies(
    platform: Platform,
    stubborn: StubbornClient,
    gate: Gate,
    workspace: str,
    name: str,
    point: FailPoint,
) -> None:
    life = Life(platform, stubborn, point, "confirm")
    if point is FailPoint.CREATED_REPORTED:
        gate.hold(f"apply/{name}/two")  # reports come once a second
    run = life.begin(workspace, gated(gate, name, ("one", "two")))
    stubborn.wait(run, "planned")
    life.comes_to("confirm")
    assert stubborn.act(run, "apply") == 202
    life.has_died()
    ended = "applied" if point in _NEVER_BEGAN | _WERE_OVER else "errored"
    stubborn.wait(run, ended, within_s=4 * RECOVERY_S)
    assert stubborn.workspace(workspace)["locked"] is (ended == "errored")
    if ended == "errored":
        assert _unlock(stubborn, workspace) == 200


def _unlock(client: StubbornClient, workspace: str) -> int:
    return client.post(f"/workspaces/{workspace}/actions/force-unlock").status_code
