"""Tags of an organization and of its workspaces, as Terrakube's provider asks for them."""

from tests.api.terrakube.client import GoClient, client_of
from tests.api.tfe.server import Server


async def test_a_tag_is_made_found_and_deleted(owner: GoClient, server: Server, path: str) -> None:
    made = await owner.create(f"{path}/tag", "tag", name="team-a")
    assert made["attributes"] == {"name": "team-a"}
    linked = made["relationships"]["organization"]["data"]
    assert linked == {"type": "organization", "id": server.world.organization_id}
    one = f"{path}/tag/{made['id']}"
    assert (await owner.get(one))["data"] == made
    await owner.create(f"{path}/tag", "tag", name="other")
    assert await owner.names(f"{path}/tag", "name==team-a") == ["team-a"]
    assert len((await owner.get(f"{path}/tag"))["data"]) == 2
    await owner.create(f"{path}/tag", "tag", 422, name="team-a")
    await owner.create(f"{path}/tag", "tag", 422, name="not a tag")
    await owner.update(one, "tag", name="team-a")
    await owner.update(one, "tag", 422, name="renamed")
    await owner.delete(one)
    await owner.get(one, 404)
    await owner.delete(one, 404)


async def test_a_workspace_is_tagged_and_the_tag_stays_while_it_is_used(
    owner: GoClient, server: Server, path: str
) -> None:
    tag = await owner.create(f"{path}/tag", "tag", name="team-a")
    below = f"{path}/workspace/{server.world.workspace_id}/workspaceTag"
    answer = await owner.create(below, "workspacetag", 422, tagId="nobody")
    assert answer["errors"][0]["source"]["pointer"] == "/data/attributes/tagId"
    made = await owner.create(below, "workspacetag", tagId=tag["id"])
    assert made["attributes"] == {"tagId": tag["id"]}
    assert (await owner.get(f"{below}/{made['id']}"))["data"] == made
    assert [each["id"] for each in (await owner.get(below))["data"]] == [made["id"]]
    shown = await server.read(f"workspaces/{server.world.workspace_id}")
    assert shown["data"]["attributes"]["tag-names"] == ["team-a"]
    await owner.delete(f"{path}/tag/{tag['id']}", 409)
    await owner.delete(f"{below}/{made['id']}")
    await owner.get(f"{below}/{made['id']}", 404)
    await owner.delete(f"{path}/tag/{tag['id']}")


async def test_who_reads_a_workspace_sees_its_tags_and_no_others(
    owner: GoClient, server: Server, path: str
) -> None:
    for name in ("used", "aside"):
        await owner.create(f"{path}/tag", "tag", name=name)
    below = f"{path}/workspace/{server.world.workspace_id}/workspaceTag"
    await owner.create(below, "workspacetag", tagId="used")
    reader = client_of(server, await server.caller("read"))
    found = (await reader.get(f"{path}/tag"))["data"]
    assert [each["id"] for each in found] == ["used"]
    await reader.get(f"{path}/tag/aside", 404)
    await reader.create(f"{path}/tag", "tag", 403, name="mine")
    await reader.delete(f"{path}/tag/used", 403)
    await reader.delete(f"{below}/used", 403)
    stranger = client_of(server, await server.stranger())
    await stranger.get(f"{path}/tag", 404)
