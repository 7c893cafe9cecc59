"""Variables of an organization, as Terrakube's provider and command line ask for them."""

from typing import Any

from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.variables import sets
from landform.variables.sets import SetSettings
from tests.api.terrakube.client import GoClient, client_of
from tests.api.tfe.server import Server


def variable(key: str, /, **changed: Any) -> dict[str, Any]:
    """Return what the provider sends of a `terrakube_organization_variable`."""
    return {
        "key": key,
        "value": "x",
        "description": "given",
        "category": "ENV",
        "sensitive": False,
        "hcl": False,
        **changed,
    }


async def test_a_variable_of_the_organization_is_kept_found_changed_and_deleted(
    owner: GoClient, server: Server, path: str
) -> None:
    below = f"{path}/globalvar"
    made = await owner.create(below, "globalvar", **variable("REGION"))
    assert made["type"] == "globalvar"
    assert made["attributes"] == variable("REGION")
    linked = made["relationships"]["organization"]["data"]
    assert linked == {"type": "organization", "id": server.world.organization_id}
    secret = variable("TOKEN", value="hush-hush", sensitive=True)
    hidden = await owner.create(below, "globalvar", **secret)
    assert hidden["attributes"]["value"] is None
    assert await owner.names(below, "key==REGION", attribute="key") == ["REGION"]
    one = f"{below}/{made['id']}"
    await owner.update(one, "globalvar", **variable("REGION", value="y"))
    assert (await owner.get(one))["data"]["attributes"]["value"] == "y"
    job = await server.world.must_begin(await server.world.create())
    used = {one.key: one.value for one in job.variables}
    assert used == {"REGION": "y", "TOKEN": "hush-hush"}
    await owner.delete(one)
    await owner.get(one, 404)
    await owner.create(below, "globalvar", 422, **secret)


async def test_they_are_those_of_all_global_sets_and_of_no_other(
    owner: GoClient, server: Server, path: str
) -> None:
    made = await owner.create(f"{path}/globalvar", "globalvar", **variable("A"))
    async with transaction(server.world.platform.sessions) as session:
        organization = await session.get_one(Organization, server.world.organization_id)
        found = await sets.organizations_own(session, server.world.owner, organization)
        await sets.update_set(
            session, server.world.owner, found, SetSettings(name="renamed", is_global=True)
        )
    await owner.create(f"{path}/globalvar", "globalvar", **variable("B"))
    listed = (await owner.get(f"{path}/globalvar"))["data"]
    assert [each["attributes"]["key"] for each in listed] == ["A", "B"]
    async with transaction(server.world.platform.sessions) as session:
        await sets.update_set(session, server.world.owner, found, SetSettings(is_global=False))
    await owner.get(f"{path}/globalvar/{made['id']}", 404)


async def test_who_reads_a_workspace_reads_them_and_changes_none(
    owner: GoClient, server: Server, path: str
) -> None:
    made = await owner.create(f"{path}/globalvar", "globalvar", **variable("A"))
    reader = client_of(server, await server.caller("write"))
    one = f"{path}/globalvar/{made['id']}"
    await reader.get(one)
    await reader.update(one, "globalvar", 403, **variable("A"))
    await reader.create(f"{path}/globalvar", "globalvar", 403, **variable("B"))
    await reader.delete(one, 403)
    stranger = client_of(server, await server.stranger())
    await stranger.get(one, 404)
