"""Two clients do the same, or the opposite, at the same moment: one of them is told no."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest

from landform.states.document import md5_of
from tests.api.tfe.people import Caller, detail, to_one
from tests.api.tfe.server import Server, signed
from tests.files import make_state

Asked: TypeAlias = tuple[str, str, dict[str, Any]]
LINEAGES = ("lineage-1", "lineage-2")
STATES = [(make_state(1, lineage=lineage), lineage) for lineage in LINEAGES]


async def both(server: Server, *asked: Asked, by: Sequence[Caller] = ()) -> Any:
    """Return the answers to requests that are sent at once, in order of their status."""
    callers = by or [server.owner] * len(asked)
    answers = await asyncio.gather(
        *(
            server.http.request(
                method,
                f"/api/v2/{path}",
                json=body,
                headers={"Authorization": f"Bearer {caller.token}"},
            )
            for (method, path, body), caller in zip(asked, callers, strict=True)
        )
    )
    return sorted(answers, key=lambda answer: answer.status_code)


@pytest.mark.parametrize("second", ["apply", "discard"])
@pytest.mark.parametrize("first", ["apply", "discard"])
async def test_a_plan_is_decided_once(server: Server, first: str, second: str) -> None:
    run_id = await server.world.create()
    await server.world.plan(run_id)
    asked: list[Asked] = [
        ("POST", f"runs/{run_id}/actions/{action}", {}) for action in (first, second)
    ]
    done, refused = await both(server, *asked)
    assert (done.status_code, refused.status_code) == (202, 409)
    assert run_id in detail(refused.json())
    assert await server.world.status(run_id) in ("apply_queued", "discarded")


async def test_a_run_is_asked_to_stop_once(server: Server) -> None:
    run_id = await server.world.create()
    await server.world.must_begin(run_id)
    cancel: Asked = ("POST", f"runs/{run_id}/actions/cancel", {})
    done, refused = await both(server, cancel, cancel)
    assert (done.status_code, refused.status_code) == (202, 409)


async def test_a_lock_has_one_holder(server: Server) -> None:
    other = await server.caller("write")
    lock: Asked = ("POST", f"workspaces/{server.world.workspace_id}/actions/lock", {})
    done, refused = await both(server, lock, lock, by=[server.owner, other])
    assert (done.status_code, refused.status_code) == (200, 409)
    holder = (await server.world.workspace()).lock_holder_id
    assert str(holder) in detail(refused.json())


async def test_a_name_is_given_once(server: Server) -> None:
    path = f"organizations/{server.world.organization}/workspaces"
    bodies = [{"data": {"type": "workspaces", "attributes": {"name": n}}} for n in ("one", "ONE")]
    done, refused = await both(server, *(("POST", path, body) for body in bodies))
    assert (done.status_code, refused.status_code) == (201, 422)
    assert "already been taken" in detail(refused.json())


async def test_of_two_states_announced_at_once_the_later_upload_is_refused(server: Server) -> None:
    await server.owner.post(f"workspaces/{server.world.workspace_id}/actions/lock", "", 200)
    made = [
        await server.owner.post(
            f"workspaces/{server.world.workspace_id}/state-versions",
            "state-versions",
            serial=1,
            md5=md5_of(raw),
            lineage=lineage,
        )
        for raw, lineage in STATES
    ]
    uploads = [
        server.http.put(signed(each["data"]["attributes"]["hosted-state-upload-url"]), content=raw)
        for each, (raw, _) in zip(made, STATES, strict=True)
    ]
    answers = await asyncio.gather(*uploads)
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    won = made[[answer.status_code for answer in answers].index(200)]
    assert (await server.world.current_state()).id == won["data"]["id"]


async def test_runs_that_come_at_once_have_one_order_and_one_turn(server: Server) -> None:
    links = to_one(workspace=("workspaces", server.world.workspace_id))
    create: Asked = ("POST", "runs", {"data": {"type": "runs", "relationships": links}})
    answers = await both(server, *[create] * 5)
    assert [answer.status_code for answer in answers] == [201] * 5
    runs = await server.world.runs()
    assert [run.status.value for run in runs] == ["plan_queued", *["pending"] * 4]
    assert len({run.number for run in runs}) == 5
