"""A cancel at every stage of a run, alone and at once with what it contradicts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.cli.command import eventually
from tests.faults.client import FINAL, Client
from tests.faults.configurations import gated
from tests.faults.gate import Gate
from tests.faults.platform import Platform

_STAGES = ("pending", "planning", "planned", "confirmed", "apply_queued", "applying", "applied")
_ORDER = (
    *("pending", "plan_queued", "planning", "planned", "confirmed", "apply_queued", "applying"),
    *sorted(FINAL),
)


@pytest.mark.parametrize("stage", _STAGES)
def test_a_cancel_at_any_moment_is_taken_once_or_comes_too_late(
    platform: Platform,
    client: Client,
    gate: Gate,
    make_workspace: Callable[..., str],
    name: str,
    stage: str,
) -> None:
    automatic = stage not in ("pending", "planning", "planned")
    for other in ("cancel", "apply", "discard"):
        workspace, own_name = make_workspace(), f"{name}-{other}"
        run = client.start(
            workspace, client.upload(workspace, gated(gate, own_name)), **{"auto-apply": automatic}
        )
        eventually(partial(_has_come_to, client, run, stage), within_s=30)
        canceled, answered = _at_once(platform, run, "cancel", other)
        assert {canceled, answered} <= {202, 409}
        if other in ("cancel", "discard") and stage != "planned":
            assert (canceled, answered) != (202, 202)
        if client.run(run)["status"] == "planned":  # the cancel came too late for the plan
            assert client.act(run, "discard") == 202
        ended = client.wait(run, *FINAL)
        if canceled == 202:
            # An apply that was done before it heard of it stays done.
            assert ended["status"] in {"canceled", "applied"}, ended
        assert len(gate.at(f"apply/{own_name}/one")) <= 1


def _at_once(platform: Platform, run: str, *actions: str) -> list[int]:
    def act(action: str) -> int:
        own = Client(platform.url, platform.token)
        try:
            return own.act(run, action)
        finally:
            own.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(act, actions))


def _has_come_to(client: Client, run: str, stage: str) -> bool:
    status = client.run(run)["status"]
    return status in FINAL or _ORDER.index(status) >= _ORDER.index(stage)
