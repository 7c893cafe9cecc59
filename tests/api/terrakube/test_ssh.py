"""SSH keys as Terrakube's provider asks for them: `terrakube_ssh`, and a workspace's key."""

from tests.api.terrakube.client import GoClient, client_of
from tests.api.tfe.server import Server
from tests.ssh_keys import samples


async def test_a_key_is_made_found_changed_and_deleted(
    owner: GoClient, server: Server, path: str
) -> None:
    key = samples.make_key(*samples.RSA)
    given = {"name": "modules", "description": "", "privateKey": key, "sshType": "rsa"}
    made = await owner.create(f"{path}/ssh", "ssh", **given)
    shown = made["attributes"]
    assert (shown["name"], shown["sshType"]) == ("modules", "rsa")
    assert "privateKey" not in shown
    assert samples.betrays(key, key)
    assert not samples.betrays(str(made), key)
    linked = made["relationships"]["organization"]["data"]
    assert linked == {"type": "organization", "id": server.world.organization_id}
    one = f"{path}/ssh/{made['id']}"
    await owner.update(one, "ssh", description="of the platform team", privateKey="")
    after = (await owner.get(one))["data"]["attributes"]
    assert after["description"] == "of the platform team"
    assert after["fingerprint"] == shown["fingerprint"]
    assert await owner.names(f"{path}/ssh", "sshType==rsa;name==mod*") == ["modules"]
    assert await owner.names(f"{path}/ssh", "name==other") == []
    await owner.delete(one)
    await owner.get(one, 404)


async def test_a_key_is_what_the_client_takes_it_for(owner: GoClient, path: str) -> None:
    key = samples.make_key(*samples.ED25519)
    for kind in ("rsa", "dsa"):
        given = {"name": "modules", "privateKey": key, "sshType": kind}
        refused = await owner.create(f"{path}/ssh", "ssh", 422, **given)
        assert refused["errors"][0]["source"]["pointer"] == "/data/attributes/sshType"


async def test_without_a_private_key_one_is_made_of_which_only_the_public_half_is_shown(
    owner: GoClient, path: str
) -> None:
    made = await owner.create(f"{path}/ssh", "ssh", name="fresh", sshType="ed25519")
    assert made["attributes"]["publicKey"].startswith("ssh-ed25519 AAAA")
    refused = await owner.create(f"{path}/ssh", "ssh", 422, name="rsa", sshType="rsa")
    assert "made here are ed25519" in refused["errors"][0]["detail"]


async def test_a_workspace_s_module_key_is_given_shown_and_taken_away(
    owner: GoClient, server: Server, path: str
) -> None:
    made = await owner.create(f"{path}/ssh", "ssh", name="fresh")
    one = f"{path}/workspace/{server.world.workspace_id}"
    await owner.update(one, "workspace", moduleSshKey=made["id"])
    assert (await owner.get(one))["data"]["attributes"]["moduleSshKey"] == made["id"]
    await owner.update(one, "workspace", moduleSshKey="")  # Go clients send what is not set
    assert (await owner.get(one))["data"]["attributes"]["moduleSshKey"] == made["id"]
    await owner.update(one, "workspace", moduleSshKey=None)
    assert (await owner.get(one))["data"]["attributes"]["moduleSshKey"] is None
    refused = await owner.update(one, "workspace", 422, moduleSshKey="sshkey-0000000000000000")
    assert refused["errors"][0]["source"]["pointer"] == "/data/attributes/moduleSshKey"


async def test_strangers_and_readers_see_no_keys(
    owner: GoClient, server: Server, path: str
) -> None:
    made = await owner.create(f"{path}/ssh", "ssh", name="fresh")
    reader = client_of(server, await server.caller("read"))
    await reader.get(f"{path}/ssh", 403)
    await reader.get(f"{path}/ssh/{made['id']}", 404)
    stranger = client_of(server, await server.stranger())
    await stranger.get(f"{path}/ssh", 404)
    await stranger.delete(f"{path}/ssh/{made['id']}", 404)
