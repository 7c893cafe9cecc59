"""Runs through the API, as the CLI drives them and as it must be refused."""

import asyncio
from typing import Any

import pytest

from landform.contract import Artefact, Outcome, Phase
from landform.runs import attempts
from landform.workspaces import locks
from landform.workspaces.models import ExecutionMode
from tests.api.tfe.people import Caller, detail, ids, to_one
from tests.api.tfe.server import Server, signed
from tests.files import make_archive, make_state

CLI = {"X-Terraform-Integration": "cloud", "Terraform-Version": "1.11.4"}


async def create(server: Server, by: Caller | None = None, status: int = 201, **sent: Any) -> Any:
    """Create a run as the CLI does; an underscore in a name stands for its hyphen."""
    world = server.world
    configuration = sent.pop("configuration", world.configuration_id)
    links = to_one(
        **{
            "workspace": ("workspaces", world.workspace_id),
            "configuration-version": ("configuration-versions", configuration),
        }
    )
    caller = by or server.owner
    return await caller.post("runs", "runs", status, relationships=links, **sent)


async def act(server: Server, run_id: str, action: str, by: Caller | None = None) -> Any:
    """Return the answer to an action with the CLI's empty body."""
    caller = by or server.owner
    return await server.http.post(
        f"/api/v2/runs/{run_id}/actions/{action}",
        json={},
        headers={
            "Authorization": f"Bearer {caller.token}",
            "Content-Type": "application/vnd.api+json",
        },
    )


async def shown(server: Server, run_id: str) -> dict[str, Any]:
    document = await server.owner.get(f"runs/{run_id}")
    attributes: dict[str, Any] = document["data"]["attributes"]
    return attributes


async def test_a_run_goes_the_way_the_cli_takes_it(server: Server) -> None:
    world, owner = server.world, server.owner
    made = await owner.post(
        f"workspaces/{world.workspace_id}/configuration-versions",
        "configuration-versions",
        **{"auto-queue-runs": False, "speculative": False, "provisional": False},
    )
    configuration = made["data"]["id"]
    there = signed(made["data"]["attributes"]["upload-url"])
    assert (await server.http.put(there, content=make_archive())).status_code == 200
    read = await owner.get(f"configuration-versions/{configuration}")
    assert read["data"]["attributes"]["status"] == "uploaded"
    assert read["data"]["attributes"]["upload-url"] is None

    run_id = (await create(server, configuration=configuration))["data"]["id"]
    job = await world.must_begin(run_id)
    assert (await shown(server, run_id))["actions"]["is-cancelable"]
    await world.finish(job)
    attributes = await shown(server, run_id)
    assert attributes["has-changes"]
    assert attributes["actions"] == {
        "is-cancelable": False,
        "is-confirmable": True,
        "is-discardable": True,
        "is-force-cancelable": False,
    }
    assert (await act(server, run_id, "apply")).status_code == 202
    await world.apply(run_id, make_state(1))
    assert (await shown(server, run_id))["status"] == "applied"
    current = await owner.get(f"workspaces/{world.workspace_id}/current-state-version")
    raw = await server.http.get(signed(current["data"]["attributes"]["hosted-state-download-url"]))
    assert raw.content == make_state(1)
    assert raw.headers["cache-control"] == "no-store"


async def test_a_run_of_a_speculative_configuration_is_plan_only_unasked(server: Server) -> None:
    speculative = await server.world.configure(speculative=True)
    made = await create(server, configuration=speculative)
    assert made["data"]["attributes"]["plan-only"]


@pytest.mark.parametrize(
    "sent",
    [
        {
            "message": "hello",
            "is-destroy": True,
            "refresh": False,
            "target-addrs": ["a.b"],
            "auto-apply": True,
            "allow-empty-apply": True,
        },
        {"replace-addrs": ["a.b", 'c.d["e"]'], "allow-config-generation": True},
        {"refresh-only": True, "terraform-version": "1.11.4"},
        {"plan-only": True, "terraform-version": "~> 1.10"},
        {"save-plan": True},
    ],
    ids=",".join,
)
async def test_what_was_asked_for_is_told_back(server: Server, sent: dict[str, Any]) -> None:
    made = await create(server, **sent)
    shown = await server.owner.get(f"runs/{made['data']['id']}")
    for document in (made, shown):
        attributes = document["data"]["attributes"]
        assert {name: attributes[name] for name in sent} == sent


async def test_the_configuration_of_another_workspace_is_not_run(server: Server) -> None:
    other = await server.world.beside()
    refused = await create(server, status=422, configuration=other.configuration_id)
    assert "another workspace" in detail(refused)


async def test_a_destroy_is_not_run_where_the_workspace_does_not_allow_it(server: Server) -> None:
    path = f"workspaces/{server.world.workspace_id}"
    await server.owner.patch(path, "workspaces", allow_destroy_plan=False)
    refused = await create(server, status=422, is_destroy=True)
    assert "does not allow destroy plans" in detail(refused)
    await create(server, is_destroy=True, plan_only=True)


async def test_who_may_plan_gets_no_apply_by_any_option(server: Server) -> None:
    planner = await server.caller("plan")
    await create(server, by=planner, status=403, auto_apply=True)
    path = f"workspaces/{server.world.workspace_id}"
    await server.owner.patch(path, "workspaces", auto_apply=True)
    made = await create(server, by=planner)
    assert made["data"]["attributes"]["auto-apply"] is False
    saved = (await create(server, by=planner, save_plan=True))["data"]["id"]
    await server.world.plan(saved)
    assert (await act(server, saved, "apply", by=planner)).status_code == 403
    assert await server.world.status(saved) == "planned_and_saved"


async def test_who_may_plan_cancels_their_own_run_and_no_other(server: Server) -> None:
    planner = await server.caller("plan")
    own = (await create(server, by=planner))["data"]["id"]
    foreign = await server.world.create()
    assert (await act(server, foreign, "cancel", by=planner)).status_code == 403
    assert (await act(server, own, "cancel", by=planner)).status_code == 202
    assert await server.world.status(own) == "canceled"


async def test_variables_of_a_run_are_not_told_back(server: Server) -> None:
    made = await create(server, variables=[{"key": "password", "value": '"hunter2"'}])
    assert "hunter2" not in str(made)
    assert "hunter2" not in str(await server.read(f"runs/{made['data']['id']}/run-events"))


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"refresh-only": True, "is-destroy": True}, "refresh-only"),
        ({"target-addrs": "a.b"}, "target-addrs"),
        ({"target-addrs": [7]}, "target-addrs/0"),
        ({"is-destroy": "yes"}, "is-destroy"),
        ({"variables": [{"key": "a"}]}, "variables/0/value"),
        ({"variables": [{"key": "1", "value": "1"}]}, "variables"),
        ({"message": 7}, "message"),
        ({"terraform-version": "newest please"}, "terraform-version"),
    ],
)
async def test_what_cannot_be_asked_for_is_pointed_at(
    server: Server, sent: dict[str, Any], pointer: str
) -> None:
    before = await server.world.snapshot()
    refused = await create(server, status=422, **sent)
    [error] = refused["errors"]
    assert error["source"]["pointer"] == f"/data/attributes/{pointer}"
    assert await server.world.snapshot() == before


async def test_a_run_needs_a_workspace_that_is_there(server: Server) -> None:
    assert "workspace" in detail(await server.owner.post("runs", "runs", 422))
    links = to_one(workspace=("workspaces", "ws-none"))
    refused = await server.owner.post("runs", "runs", 404, relationships=links)
    assert "ws-none" in detail(refused)
    links = to_one(workspace=("runs", server.world.workspace_id))
    await server.owner.post("runs", "runs", 422, relationships=links)


async def test_a_run_on_a_workspace_that_runs_elsewhere_says_so(server: Server) -> None:
    local = await server.world.beside(execution_mode=ExecutionMode.LOCAL)
    links = to_one(workspace=("workspaces", local.workspace_id))
    refused = await server.owner.post("runs", "runs", 409, relationships=links)
    assert "Set it to remote to run here" in detail(refused)


async def test_a_run_on_a_locked_workspace_says_why_it_waits(server: Server) -> None:
    await server.world.on_workspace(locks.lock, reason="moving house")
    run_id = (await create(server))["data"]["id"]
    attributes = await shown(server, run_id)
    assert attributes["status"] == "pending"
    assert attributes["wait-reason"].endswith("moving house")


async def test_a_stale_plan_is_not_confirmable_and_says_so_when_it_is_tried(
    server: Server,
) -> None:
    world = server.world
    run_id = await world.create(save_plan=True)
    await world.plan(run_id)
    assert (await shown(server, run_id))["actions"]["is-confirmable"]
    await world.on_workspace(locks.lock)
    await world.save_state(make_state(1), serial=1)
    assert not (await shown(server, run_id))["actions"]["is-confirmable"]
    refused = await act(server, run_id, "apply")
    assert refused.status_code == 409
    assert "stale" in detail(refused.json())
    assert "Discard the run and plan again" in detail(refused.json())
    assert await world.status(run_id) == "planned_and_saved"


async def test_of_two_confirms_at_once_one_is_refused(server: Server) -> None:
    run_id = await server.world.create()
    await server.world.plan(run_id)
    answers = await asyncio.gather(*(act(server, run_id, "apply") for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [202, 409]
    [refused] = [answer for answer in answers if answer.status_code == 409]
    assert "cannot be confirmed" in detail(refused.json())


@pytest.mark.parametrize("action", ["apply", "discard", "cancel", "force-cancel"])
async def test_what_a_run_that_is_over_cannot_do_is_refused(server: Server, action: str) -> None:
    run_id = await server.world.create()
    await server.world.plan(run_id, has_changes=False)
    before = await server.world.snapshot()
    refused = await act(server, run_id, action)
    assert refused.status_code == 409
    assert run_id in detail(refused.json())
    after = await server.world.snapshot()
    assert after == before


async def test_a_run_is_canceled_and_tells_when_it_may_be_forced(server: Server) -> None:
    run_id = await server.world.create()
    job = await server.world.must_begin(run_id)
    assert "force-cancel-available-at" not in await shown(server, run_id)
    assert (await act(server, run_id, "cancel")).status_code == 202
    attributes = await shown(server, run_id)
    assert attributes["canceled-at"] is not None
    assert attributes["force-cancel-available-at"] > attributes["canceled-at"]
    assert not attributes["actions"]["is-cancelable"]
    assert not attributes["actions"]["is-force-cancelable"]
    await server.world.finish(job, Outcome.CANCELED, error="Interrupted.")
    attributes = await shown(server, run_id)
    assert (attributes["status"], attributes["error"]) == ("canceled", "Interrupted.")


async def test_a_run_that_failed_tells_why(server: Server) -> None:
    run_id = await server.world.create()
    await server.world.plan(run_id, outcome=Outcome.ERRORED, error="main.tf:3: no such thing")
    assert (await shown(server, run_id))["error"] == "main.tf:3: no such thing"
    events = await server.read(f"runs/{run_id}/run-events")
    assert events["data"][-1]["attributes"]["description"] == "main.tf:3: no such thing"


async def test_runs_are_listed_by_what_is_asked(server: Server) -> None:
    world = server.world
    done, waiting = await world.create(message="fix the roof"), await world.create()
    await world.plan(done, has_changes=False)
    looking = await world.create(plan_only=True)
    path = f"workspaces/{world.workspace_id}/runs"
    assert ids(await server.owner.get(path)) == [waiting, done]
    for parameters, found in (
        ({"filter[operation]": "plan_only"}, [looking]),
        ({"filter[status]": "planned_and_finished"}, [done]),
        ({"filter[status]": "planned_and_finished,plan_queued"}, [waiting, done]),
        ({"filter[status]": "applied"}, []),
        ({"filter[source]": "elsewhere"}, []),
        ({"search[basic]": "ROOF"}, [done]),
        ({"search[basic]": done}, [done]),
        ({"search[basic]": "%"}, []),
    ):
        assert ids(await server.owner.get(path, **parameters)) == found, parameters
    refused = await server.owner.get(path, 422, **{"filter[status]": "tired"})
    assert "planned_and_finished" in detail(refused)
    queue = f"organizations/{world.organization}/runs/queue"
    assert ids(await server.owner.get(queue)) == [waiting, looking]


async def test_lists_of_the_organization_leave_out_what_the_caller_may_not_see(
    server: Server,
) -> None:
    other = await server.world.beside()
    hidden, seen = await other.create(), await server.world.create()
    reader = await server.caller("read")
    for path in ("runs", "runs/queue"):
        listed = f"organizations/{server.world.organization}/{path}"
        assert ids(await reader.get(listed)) == [seen]
        assert set(ids(await server.owner.get(listed))) == {seen, hidden}


@pytest.mark.parametrize(
    ("include", "types"),
    [
        ("plan,apply", {"plans", "applies"}),
        ("workspace", {"workspaces"}),
        ("workspace,plan", {"workspaces", "plans"}),
        ("workspace.organization", {"workspaces", "organizations"}),
        ("configuration_version", {"configuration-versions"}),
        ("task_stages", set()),
        ("created_by", {"users"}),
        ("cost_estimate,policy_checks", set()),
    ],
)
async def test_what_clients_include_comes_along(
    server: Server, include: str, types: set[str]
) -> None:
    run_id = await server.world.create()
    found = await server.owner.get(f"runs/{run_id}", include=include)
    assert {each["type"] for each in found.get("included", [])} == types


async def test_the_log_is_the_one_that_the_client_can_show(server: Server) -> None:
    run_id = await server.world.create()
    plan = server.world.phase_id(run_id, Phase.PLAN)

    async def address(**headers: str) -> str:
        answer = await server.http.get(
            f"/api/v2/plans/{plan}",
            headers={"Authorization": f"Bearer {server.owner.token}", **headers},
        )
        return str(answer.json()["data"]["attributes"]["log-read-url"])

    assert "/log-json/" in await address(**CLI)
    assert "/log-text/" in await address()
    assert "/log-text/" in await address(**{"Terraform-Version": "1.11.4"})
    assert "/log-text/" in await address(**{**CLI, "Terraform-Version": "1.2.9"})
    assert "/log-text/" in await address(**{**CLI, "Terraform-Version": "nonsense"})


async def test_actions_cannot_be_invoked_and_nothing_is_planned_instead(server: Server) -> None:
    links = to_one(workspace=_workspace(server))
    refused = await server.owner.post(
        "runs", "runs", 422, invoke_action_addrs=["action.one.two"], relationships=links
    )
    [error] = refused["errors"]
    assert error["source"]["pointer"] == "/data/attributes/invoke-action-addrs"
    assert await server.world.runs() == []
    await server.owner.post("runs", "runs", 201, invoke_action_addrs=[], relationships=links)


async def test_a_run_in_the_organization_s_queue_says_how_many_go_before_it(server: Server) -> None:
    first, second, third = [await server.world.create() for _ in range(3)]
    page = await server.owner.get(f"organizations/{server.world.organization}/runs/queue")
    told = {run["id"]: run["attributes"]["position-in-queue"] for run in page["data"]}
    assert told == {first: 0, second: 1, third: 2}


async def test_where_a_run_comes_from_is_told(server: Server) -> None:
    body = {"data": {"type": "runs", "relationships": to_one(workspace=_workspace(server))}}
    for headers, source in (
        (CLI, "terraform+cloud"),
        ({"Terraform-Version": "1.11.4"}, "terraform"),
        ({}, "tfe-api"),
    ):
        answer = await server.http.post(
            "/api/v2/runs",
            json=body,
            headers={"Authorization": f"Bearer {server.owner.token}", **headers},
        )
        assert answer.json()["data"]["attributes"]["source"] == source


def _workspace(server: Server) -> tuple[str, str]:
    return ("workspaces", server.world.workspace_id)


@pytest.mark.parametrize(
    ("path", "artefact", "level"),
    [
        ("json-output", Artefact.PLAN_JSON, "read"),
        ("json-output-redacted", Artefact.PLAN_JSON_REDACTED, "read"),
    ],
)
async def test_a_plan_is_read_whole_once_it_is_there(
    server: Server, path: str, artefact: Artefact, level: str
) -> None:
    world = server.world
    run_id = await world.create()
    job = await world.must_begin(run_id)
    reader = await server.caller(level)
    headers = {"Authorization": f"Bearer {reader.token}"}
    url = f"/api/v2/plans/{job.phase_id}/{path}"
    assert (await server.http.get(url, headers=headers)).status_code == 204
    await attempts.put(world.platform, job, artefact, b'{"plan": 1}')
    assert (await server.http.get(url, headers=headers)).status_code == 204
    await world.finish(job)
    answer = await server.http.get(url, headers=headers, follow_redirects=True)
    assert (answer.status_code, answer.json()) == (200, {"plan": 1})


async def test_a_plan_with_its_secrets_is_for_who_may_read_state(server: Server) -> None:
    world = server.world
    run_id = await world.create()
    job = await world.must_begin(run_id)
    for artefact in (Artefact.PLAN_JSON, Artefact.PLAN_JSON_REDACTED):
        await attempts.put(world.platform, job, artefact, b"{}")
    await world.finish(job)
    blind = await server.caller("custom", {"runs": "read"})
    await blind.get(f"plans/{job.phase_id}/json-output", 403)
    headers = {"Authorization": f"Bearer {blind.token}"}
    answer = await server.http.get(
        f"/api/v2/plans/{job.phase_id}/json-output-redacted", headers=headers
    )
    assert answer.status_code == 307


async def test_a_plan_and_an_apply_are_not_each_other(server: Server) -> None:
    run_id = await server.world.create()
    suffix = run_id.partition("-")[2]
    await server.owner.get(f"plans/apply-{suffix}", 404)
    await server.owner.get(f"applies/plan-{suffix}", 404)
    shown_plan = await server.owner.get(f"runs/{run_id}/plan")
    assert shown_plan["data"]["id"] == f"plan-{suffix}"


async def test_generated_configuration_comes_with_the_plan(server: Server) -> None:
    world = server.world
    run_id = await world.create(allow_config_generation=True)
    job = await world.must_begin(run_id)
    await attempts.put(
        world.platform, job, Artefact.GENERATED_CONFIGURATION, b'resource "a" "b" {}\n'
    )
    await world.finish(job)
    path = f"/api/v2/plans/{job.phase_id}"
    answer = await server.http.get(path, headers={"Authorization": f"Bearer {server.owner.token}"})
    generated = answer.json()["data"]["attributes"]["generated-configuration"]
    assert generated in (True, 'resource "a" "b" {}\n')


async def test_comments_are_said_and_read(server: Server) -> None:
    run_id = await server.world.create()
    reader = await server.caller("read")
    made = await reader.post(f"runs/{run_id}/comments", "comments", body="Why?")
    assert made["data"]["attributes"]["body"] == "Why?"
    assert ids(await server.owner.get(f"runs/{run_id}/comments")) == [made["data"]["id"]]
    await server.owner.get(f"comments/{made['data']['id']}")
    await reader.post(f"runs/{run_id}/comments", "comments", 422, body=" ")
    await server.owner.get("comments/wsc-none", 404)
    await (await server.stranger()).get(f"comments/{made['data']['id']}", 404)


async def test_a_run_that_needs_approvals_says_so_and_is_confirmable_only_with_them(
    server: Server,
) -> None:
    world = server.world
    team = await server.owner.post(f"organizations/{world.organization}/teams", "teams", name="sec")
    rule = f"workspaces/{world.workspace_id}/approval-rule"
    shown = await server.owner.get(rule)
    assert shown["data"]["attributes"] == {"approvals-needed": 0, "teams": []}
    await server.owner.patch(rule, "approval-rules", approvals_needed=1, teams=[team["data"]["id"]])
    run_id = await world.create()
    await world.plan(run_id)
    run = (await server.owner.get(f"runs/{run_id}"))["data"]["attributes"]
    assert run["actions"]["is-confirmable"] is False
    assert run["approvals"] == {"needed": 1, "teams": [team["data"]["id"]], "given-by": []}
    assert run["wait-reason"] == "Waiting for 1 approval of sec."
    refused = await act(server, run_id, "apply")
    assert refused.status_code == 409
    assert "needs 1 approval of sec" in refused.text
    assert (await act(server, run_id, "approve")).status_code == 403
    await server.owner.patch(rule, "approval-rules", approvals_needed=0)
    assert (await act(server, run_id, "apply")).status_code == 202
