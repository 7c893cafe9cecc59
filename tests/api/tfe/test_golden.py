"""Each resource's document, whole, against the one that is checked in."""

from typing import Any, Final

from landform.contract import Artefact, Counts, LogStream, Phase
from landform.kit.db import transaction
from landform.runs import attempts, service
from landform.runs.creation import RunVariable
from landform.variables import service as variables
from landform.variables.service import VariableSettings
from landform.workspaces import locks
from landform.workspaces.models import Workspace
from landform.workspaces.tags import Tag, attach
from tests.api.oracle import find_oracle
from tests.api.tfe.golden import compare
from tests.api.tfe.server import Server
from tests.files import make_state, output, resource
from tests.world import World

STATE: Final = make_state(
    3,
    outputs={
        "color": output("red"),
        "password": output("hunter2", sensitive=True),
        "sizes": output([1, 2], ["tuple", ["number", "number"]]),
    },
    resources=[resource(instances=2)],
)


# What the description has otherwise, or lacks, and clients do not.
DEVIATIONS: Final = {
    "organization-capacity is no resource type",
    "tags is no resource type",
}


async def apply_a_run(world: World) -> str:
    """Plan, say something, and apply; return the run's id."""
    run_id = await world.create(
        message="first", variables=[RunVariable("color", '"red"')], target_addrs=["a.b"]
    )
    job = await world.must_begin(run_id)
    await world.append(job, 0, b"Plan: 2 to add.\n", LogStream.TEXT)
    await attempts.put(world.platform, job, Artefact.PLAN_JSON, b"{}")
    await world.finish(job, counts=Counts(additions=2))
    async with transaction(world.platform.sessions) as session:
        await service.add_comment(session, world.owner, run_id, "Looks good.")
    await world.confirm(run_id)
    job = await world.must_begin(run_id, Phase.APPLY)
    await attempts.put_state(world.platform, job, STATE, final=True)
    await world.finish(job, counts=Counts(additions=2))
    return run_id


async def furnish(world: World) -> None:
    """Give the workspace tags and variables."""
    async with transaction(world.platform.sessions) as session:
        workspace = await session.get_one(Workspace, world.workspace_id)
        workspace.name = "hello"
        await attach(session, workspace, [Tag("plain"), Tag("stage", "test")])
        for key, value, sensitive in (("color", "red", False), ("password", "hunter2", True)):
            settings = VariableSettings(
                key=key, value=value, category="terraform", sensitive=sensitive
            )
            await variables.create_variable(
                session, world.platform.keyring, world.owner, workspace, settings
            )


async def test_documents_are_as_they_are_checked_in(server: Server) -> None:
    world = server.world
    await furnish(world)
    run_id = await apply_a_run(world)
    waiting = await world.create(message="second")
    await world.create(message="third")
    state = await world.current_state()
    suffix = run_id.partition("-")[2]
    w, o = f"workspaces/{world.workspace_id}", f"organizations/{world.organization}"
    project = (await world.workspace()).project_id
    paths = {
        "account": "account/details",
        "organization": o,
        "organizations": "organizations",
        "entitlement-set": f"{o}/entitlement-set",
        "capacity": f"{o}/capacity",
        "project": f"projects/{project}",
        "projects": f"{o}/projects",
        "workspace": w,
        "workspace-by-name": f"{o}/workspaces/hello?include=current_run,project",
        "workspaces": f"{o}/workspaces",
        "tag-bindings": f"{w}/tag-bindings",
        "effective-tag-bindings": f"{w}/effective-tag-bindings",
        "tags": f"{w}/relationships/tags",
        "variables": f"{w}/vars",
        "run-applied": f"runs/{run_id}?include=plan,apply,workspace,configuration_version",
        "run-waiting": f"runs/{waiting}",
        "runs": f"{w}/runs?page%5Bsize%5D=2",
        "runs-of-organization": f"{o}/runs",
        "queue": f"{o}/runs/queue",
        "plan": f"plans/plan-{suffix}",
        "apply": f"applies/apply-{suffix}",
        "run-events": f"runs/{run_id}/run-events",
        "comments": f"runs/{run_id}/comments",
        "configuration-version": f"configuration-versions/{world.configuration_id}",
        "configuration-versions": f"{w}/configuration-versions",
        "state-version": f"state-versions/{state.id}?include=outputs,run",
        "state-versions": f"{w}/state-versions",
        "current-state-version": f"{w}/current-state-version",
        "current-outputs": f"{w}/current-state-version-outputs",
        "outputs": f"state-versions/{state.id}/outputs",
    }
    found: dict[str, Any] = {name: await server.read(path) for name, path in paths.items()}
    hidden = next(
        row["id"] for row in found["outputs"]["data"] if row["attributes"]["name"] == "password"
    )
    found["output-sensitive"] = await server.read(f"state-version-outputs/{hidden}")
    paths["output-sensitive"] = f"state-version-outputs/{hidden}"
    if (oracle := find_oracle()) is not None:
        faults = {
            fault
            for name, path in paths.items()
            for fault in oracle.faults("GET", f"/api/v2/{path}", found[name])
        }
        assert faults == DEVIATIONS
    wrong = [line for name, document in found.items() for line in compare(name, document)]
    assert not wrong, "\n".join(wrong)


async def test_documents_of_what_is_made_are_as_they_are_checked_in(server: Server) -> None:
    world, owner = server.world, server.owner
    w, o = f"workspaces/{world.workspace_id}", f"organizations/{world.organization}"
    async with transaction(world.platform.sessions) as session:
        (await session.get_one(Workspace, world.workspace_id)).name = "hello"
    found = {
        "made-configuration-version": await owner.post(
            f"{w}/configuration-versions",
            "configuration-versions",
            **{"auto-queue-runs": False, "speculative": True},
        ),
        "made-project": await owner.post(f"{o}/projects", "projects", name="shelf"),
        "made-workspace": await owner.post(f"{o}/workspaces", "workspaces", name="fresh"),
        "made-variable": await owner.post(
            f"{w}/vars", "vars", key="a", value="b", category="env", sensitive=True
        ),
    }
    await world.on_workspace(locks.lock)
    found["locked-workspace"] = await owner.get(w)
    found["made-state-version"] = await owner.post(
        f"{w}/state-versions", "state-versions", serial=1, md5="0" * 32, lineage="lineage-1"
    )
    wrong = [line for name, document in found.items() for line in compare(name, document)]
    assert not wrong, "\n".join(wrong)
