"""Jobs, their steps and logs, and the states of workspaces."""

from typing import Any

import httpx2
import pytest

from landform.access import approval_rules
from landform.contract import Phase
from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import locks
from landform.workspaces.models import Workspace
from tests import factories
from tests.api.terrakube.client import GoClient, client_of, fault
from tests.api.tfe.server import BASE, Server
from tests.files import make_state, output


def cli_job(workspace_id: str, command: str, **changed: Any) -> dict[str, Any]:
    """Return what `terrakube job create` sends: the zero values of Go too."""
    return {
        "command": command,
        "output": "",
        "status": "",
        "approvalTeam": None,
        "comments": None,
        "commitId": None,
        "overrideBranch": None,
        "planChanges": False,
        "refresh": True,
        "refreshOnly": False,
        "tcl": None,
        "templateReference": None,
        "terraformPlan": None,
        "via": None,
        **({"relationships": {"workspace": workspace_id}} if workspace_id else {}),
        **changed,
    }


async def start(owner: GoClient, server: Server, path: str, command: str, **changed: Any) -> str:
    """Create a job; return its id."""
    sent = cli_job(server.world.workspace_id, command, **changed)
    made: str = (await owner.create(f"{path}/job", "job", **sent))["id"]
    return made


async def shown(owner: GoClient, path: str, job_id: str) -> dict[str, Any]:
    attributes: dict[str, Any] = (await owner.get(f"{path}/job/{job_id}"))["data"]["attributes"]
    return attributes


async def download(client: GoClient, address: str) -> httpx2.Response:
    """Follow an address of an answer, as the provider does."""
    assert address.startswith(BASE)
    return await client.http.get(
        address.removeprefix(BASE), headers={"Authorization": f"Bearer {client.token}"}
    )


@pytest.mark.parametrize(
    ("command", "template", "flags"),
    [
        ("plan", "tpl-plan", (True, False, False)),
        ("apply", "tpl-plan-and-apply", (False, False, True)),
        ("destroy", "tpl-destroy", (False, True, True)),
    ],
)
async def test_a_command_of_the_cli_is_a_template(
    owner: GoClient,
    server: Server,
    path: str,
    command: str,
    template: str,
    flags: tuple[bool, bool, bool],
) -> None:
    job_id = await start(owner, server, path, command)
    attributes = await shown(owner, path, job_id)
    assert (attributes["templateReference"], attributes["status"]) == (template, "queue")
    run = await server.world.run(job_id)
    assert (run.plan_only, run.is_destroy, run.auto_apply) == flags
    again = await start(owner, server, path, "", tcl=attributes["tcl"])
    assert (await shown(owner, path, again))["templateReference"] == template


async def test_a_job_waits_for_approval_and_is_applied(
    owner: GoClient, server: Server, path: str
) -> None:
    job_id = await start(owner, server, path, "", templateReference="tpl-plan-apply-cli")
    await server.world.plan(job_id)
    attributes = await shown(owner, path, job_id)
    assert (attributes["status"], attributes["planChanges"]) == ("waitingApproval", True)
    await owner.update(f"{path}/job/{job_id}", "job", status="waitingApproval")
    planner = client_of(server, await server.caller("plan"))
    await planner.update(f"{path}/job/{job_id}", "job", 403, status="approved")
    await owner.update(f"{path}/job/{job_id}", "job", status="approved")
    assert (await shown(owner, path, job_id))["status"] == "queue"
    await server.world.apply(job_id, make_state(1))
    assert (await shown(owner, path, job_id))["status"] == "completed"


@pytest.mark.parametrize(
    ("said", "status", "ends"),
    [("rejected", 204, "rejected"), ("cancelled", 204, "rejected"), ("completed", 422, "")],
)
async def test_a_job_that_waits_is_rejected(
    owner: GoClient, server: Server, path: str, said: str, status: int, ends: str
) -> None:
    job_id = await start(owner, server, path, "", templateReference="tpl-plan-apply-cli")
    await server.world.plan(job_id)
    await owner.update(f"{path}/job/{job_id}", "job", status, status=said)
    assert (await shown(owner, path, job_id))["status"] == (ends or "waitingApproval")


async def test_a_job_that_has_not_begun_is_cancelled(
    owner: GoClient, server: Server, path: str
) -> None:
    job_id = await start(owner, server, path, "plan")
    await owner.update(f"{path}/job/{job_id}", "job", **cli_job("", "", status="cancelled"))
    assert (await shown(owner, path, job_id))["status"] == "cancelled"
    await owner.update(f"{path}/job/{job_id}", "job", 409, status="approved")


async def test_who_is_asked_approves_and_who_may_applies(
    owner: GoClient, server: Server, path: str
) -> None:
    world = server.world
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        organization = await session.get_one(Organization, world.organization_id)
        user = await factories.make_user(session)
        await factories.make_member(session, organization.id, user)
        team = await factories.make_team(session, organization, "reviewers", members=[user])
        await factories.grant(session, team, workspace, "read")
        await approval_rules.set_rule(
            session, world.owner, workspace.place, needed=1, team_ids=[team.id]
        )
    job_id = await start(owner, server, path, "", templateReference="tpl-plan-apply-cli")
    await world.plan(job_id)
    one = f"{path}/job/{job_id}"
    answer = await owner.update(one, "job", 403, status="approved")
    assert "does not approve it" in fault(answer)
    reviewer = client_of(server, await server.caller_of(actor_of(user)))
    await reviewer.update(one, "job", status="approved")
    assert (await shown(owner, path, job_id))["status"] == "waitingApproval"
    await owner.update(one, "job", status="approved")
    assert (await shown(owner, path, job_id))["status"] == "queue"


@pytest.mark.parametrize(
    ("changed", "pointer", "words"),
    [
        ({"command": "import"}, "command", "plan, apply, destroy"),
        ({"templateReference": "tpl-none"}, "templateReference", "no template"),
        ({"tcl": "Zmxvdzo="}, "tcl", "of one's own"),
        ({"commitId": "a" * 40}, "commitId", "newest configuration"),
        ({"overrideBranch": "next"}, "overrideBranch", "own branch"),
        ({"overrideSource": "https://x.example/y"}, "overrideSource", "own source"),
        ({"approvalTeam": "ops"}, "approvalTeam", "rule of approvals"),
    ],
)
async def test_what_a_job_cannot_be_asked_is_refused(
    owner: GoClient, server: Server, path: str, changed: dict[str, Any], pointer: str, words: str
) -> None:
    sent = cli_job(server.world.workspace_id, "plan") | changed
    answer = await owner.create(f"{path}/job", "job", 422, **sent)
    assert answer["errors"][0]["source"]["pointer"] == f"/data/attributes/{pointer}"
    assert words in fault(answer)


async def test_a_job_needs_a_workspace_of_the_organization(
    owner: GoClient, server: Server, path: str
) -> None:
    sent = cli_job(server.world.workspace_id, "plan")
    del sent["relationships"]
    await owner.create(f"{path}/job", "job", 422, **sent)
    other = (await owner.create("organization", "organization", name="other"))["id"]
    sent = cli_job(server.world.workspace_id, "plan")
    await owner.create(f"organization/{other}/job", "job", 404, **sent)
    assert await server.world.runs() == []


async def test_jobs_are_found_by_status_and_workspace(
    owner: GoClient, server: Server, path: str
) -> None:
    first = await start(owner, server, path, "plan", comments="first")
    second = await start(owner, server, path, "plan", comments="second")
    await server.world.plan(first)
    everything = f"{path}/job"
    assert await owner.names(everything, "comments==*", attribute="comments") == [
        "second",
        "first",
    ]
    queued = await owner.find(everything, filter__job="status==queue")
    assert [each["id"] for each in queued["data"]] == [second]
    over = await owner.find(everything, filter__job="status=in=(completed,failed)")
    assert [each["id"] for each in over["data"]] == [first]
    here = f"workspace.id=={server.world.workspace_id}"
    assert len((await owner.find(everything, filter__job=here))["data"]) == 2
    below = await owner.find(
        f"{path}/workspace/{server.world.workspace_id}/job", sort="createdDate"
    )
    assert [each["id"] for each in below["data"]] == [first, second]
    await owner.find(everything, 400, filter__job="status==lost")
    nosy = client_of(server, await server.stranger())
    await nosy.get(f"{path}/job/{first}", 404)


async def test_steps_have_logs(owner: GoClient, server: Server, path: str) -> None:
    job_id = await start(owner, server, path, "apply")
    job = await server.world.must_begin(job_id)
    text = b"".join(b"line %d\n" % number for number in range(1000))
    await server.world.append(job, 0, text)
    one = f"{path}/job/{job_id}"
    steps = (await owner.get(f"{one}/step"))["data"]
    assert [each["attributes"]["stepNumber"] for each in steps] == [100, 200]
    assert [each["attributes"]["status"] for each in steps] == ["running", "pending"]
    address = steps[0]["attributes"]["output"]
    assert (await download(owner, address)).content == text
    await server.world.finish(job)
    assert (await download(owner, address)).content == text
    assert (await owner.get(f"{one}/step/{steps[0]['id']}"))["data"]["attributes"]["name"] == "Plan"
    included = await owner.find(one, include="step")
    assert [each["id"] for each in included["included"]] == [each["id"] for each in steps]
    stranger = client_of(server, await server.stranger())
    assert (await download(stranger, address)).status_code == 404
    assert (await owner.http.get(address.removeprefix(BASE))).status_code == 401


async def test_a_plan_that_nothing_follows_has_one_step(
    owner: GoClient, server: Server, path: str
) -> None:
    job_id = await start(owner, server, path, "plan")
    assert len((await owner.get(f"{path}/job/{job_id}/step"))["data"]) == 1
    apply = server.world.phase_id(job_id, Phase.APPLY)
    await owner.get(f"{path}/job/{job_id}/step/{apply}", 404)


async def test_the_provider_reads_the_outputs_of_the_newest_state(
    owner: GoClient, server: Server, path: str
) -> None:
    below = f"{path}/workspace/{server.world.workspace_id}/history"
    assert (await owner.find(below, sort="-createdDate"))["data"] == []
    outputs = {"url": output("https://x"), "password": output("hunter2", sensitive=True)}
    raw = make_state(1, outputs=outputs)
    await server.world.on_workspace(locks.lock, reason="")
    await server.world.save_state(raw, serial=1)
    found = (await owner.find(below, sort="-createdDate"))["data"]
    assert len(found) == 1
    attributes = found[0]["attributes"]
    assert (attributes["serial"], attributes["lineage"]) == (1, "lineage-1")
    answer = await download(owner, attributes["output"])
    values = answer.json()["values"]["outputs"]
    assert values["url"]["value"] == "https://x"
    assert values["password"] == {"sensitive": True, "type": "string", "value": "hunter2"}
    kept = await download(owner, attributes["output"].replace(".json", ".raw.json"))
    assert kept.content == raw
    current = attributes["output"].rpartition("/")[0] + "/terraform.tfstate"
    assert (await download(owner, current)).content == raw
    one = await owner.get(f"{below}/{found[0]['id']}")
    assert one["data"] == found[0]
    custom = {"runs": "read", "state-versions": "read-outputs"}
    nosy = client_of(server, await server.caller("custom", custom))
    await nosy.get(below, 403)
    for address in (attributes["output"], current):
        assert (await download(nosy, address)).status_code == 403
        assert (await owner.http.get(address.removeprefix(BASE))).status_code == 401
    stranger = client_of(server, await server.stranger())
    assert (await download(stranger, current)).status_code == 404


async def test_a_job_says_of_which_commit_and_pull_request_it_is_and_that_it_was_scheduled(
    owner: GoClient, server: Server, path: str
) -> None:
    async with transaction(server.world.platform.sessions) as session:
        await factories.make_ingress(
            session,
            server.world.configuration_id,
            clone_url="https://git.example/acme/infra",
            ref="refs/heads/topic",
            branch="topic",
            commit_sha="c" * 40,
            pull_request_number=7,
        )
    job_id = await server.world.create(source="landform-schedule")
    attributes = await shown(owner, path, job_id)
    assert (attributes["commitId"], attributes["prNumber"]) == ("c" * 40, 7)
    assert attributes["via"] == "Schedule"
