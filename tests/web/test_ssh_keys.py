"""SSH keys for modules on pages: kept or made, their servers pinned, given to a workspace."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from landform.kit.db import transaction
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.queries import private_half
from landform.ssh_keys.service import SshKeySettings, create_key
from landform.vcs.reach import Reach
from tests.ssh_keys import samples
from tests.standins.git_server import GitServer, git_server
from tests.web.pages import Site


@pytest.fixture
def path(site: Site) -> str:
    return f"/organizations/{site.world.organization}/ssh-keys"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "git") as service:
        yield service


async def made(site: Site) -> SshKey:
    world = site.world
    async with transaction(world.platform.sessions) as session:
        return await create_key(
            session,
            world.platform.keyring,
            world.owner,
            world.organization_id,
            SshKeySettings(name="modules"),
        )


async def read(site: Site, key_id: str) -> SshKey:
    async with transaction(site.world.platform.sessions) as session:
        return await session.get_one(SshKey, key_id)


async def test_a_key_that_is_pasted_is_kept_and_its_private_half_is_on_no_page(
    site: Site, path: str
) -> None:
    private = samples.make_key(*samples.ED25519)
    assert "None yet" in await site.owner.get(path)
    pasted = private.replace("\n", "\r\n")  # as browsers send it
    page = await site.owner.post(path, {"name": "modules", "private_key": pasted})
    assert samples.public_half_of(private) in unescape(page)
    assert not samples.betrays(page, private)
    assert "PRIVATE" not in page
    listed = await site.owner.get(path)
    assert "modules" in listed
    assert not samples.betrays(listed, private)


async def test_a_key_is_made_here_when_none_is_given_and_replaced_later(
    site: Site, path: str
) -> None:
    page = await site.owner.post(path, {"name": "modules", "private_key": ""})
    found = re.search(r"/ssh-keys/(sshkey-\w+)", page)
    assert found is not None
    one, private = f"{path}/{found[1]}", samples.make_key(*samples.RSA)
    before = await read(site, found[1])
    renamed = await site.owner.post(one, {"name": "others", "private_key": ""})
    assert "others" in renamed
    assert (await read(site, found[1])).fingerprint == before.fingerprint
    await site.owner.post(one, {"name": "others", "private_key": private})
    row = await read(site, found[1])
    kept = private_half(site.world.platform.keyring, row)
    assert samples.public_half_of(kept) == samples.public_half_of(private)


async def test_a_key_that_is_closed_by_a_passphrase_is_refused_on_the_page(
    site: Site, path: str
) -> None:
    given = {"name": "modules", "private_key": samples.make_key(*samples.CLOSED)}
    page = await site.owner.post(path, given, status=422)
    assert "closed by a passphrase" in page
    assert "None yet" in page


async def test_a_server_s_keys_are_asked_for_compared_pinned_and_unpinned(
    site: Site, path: str, server: GitServer, outbound: Reach
) -> None:
    row = await made(site)
    one = f"{path}/{row.id}"
    asked = await site.owner.post(
        f"{one}/host-keys", {"server": f"127.0.0.1:{server.port}"}, of=one
    )
    assert "Nothing proves these yet" in asked
    assert server.fingerprint() in unescape(asked)
    assert (await read(site, row.id)).known_hosts == ""
    lines = re.search(r'name="known_hosts" value="([^"]+)"', asked)
    assert lines is not None
    pinned = await site.owner.post(f"{one}/pin", {"known_hosts": unescape(lines[1])}, of=one)
    assert server.fingerprint() in unescape(pinned)
    assert server.host_key() in (await read(site, row.id)).known_hosts.splitlines()
    known_as = f"[127.0.0.1]:{server.port}"
    await site.owner.post(f"{one}/pin", {"unpin": known_as}, of=one)
    assert (await read(site, row.id)).known_hosts == ""


@pytest.mark.parametrize(
    ("server", "said"),
    [("127.0.0.1:1", "does not answer"), ("https://x.example", "SSH"), ("ssh://h:x", "no port")],
)
async def test_a_server_that_cannot_be_asked_is_said_on_the_page(
    site: Site, path: str, outbound: Reach, server: str, said: str
) -> None:
    one = f"{path}/{(await made(site)).id}"
    assert said in await site.owner.post(f"{one}/host-keys", {"server": server}, of=one)


async def test_a_server_on_a_private_address_is_not_asked(site: Site, path: str) -> None:
    one = f"{path}/{(await made(site)).id}"
    page = await site.owner.post(f"{one}/host-keys", {"server": "127.0.0.1:22"}, of=one)
    assert "LANDFORM_EGRESS_ALLOW" in page


async def test_keys_that_a_link_brings_along_are_not_shown_to_be_pinned(
    site: Site, path: str
) -> None:
    row = await made(site)
    line = (
        "git.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9"
    )
    page = await site.owner.get(f"{path}/{row.id}?key={line}&proof=00")
    assert "Nothing proves these yet" not in page


async def test_a_workspace_is_given_a_key_and_left_without_one_when_that_is_deleted(
    site: Site, path: str
) -> None:
    row, workspace = await made(site), await site.world.workspace()
    settings = f"/app/{site.world.organization}/{workspace.name}/settings"
    given = {"name": workspace.name, "ssh_key": row.id}
    assert 'value="" selected' not in await site.owner.post(settings, given)
    assert (await site.world.workspace()).ssh_key_id == row.id
    assert workspace.name in await site.owner.get(f"{path}/{row.id}")
    admin = await site.member("admin")
    page = await admin.get(settings)
    assert "One of the organization's" in unescape(page)
    assert "modules" not in page.split("SSH key for modules")[1].split("</select>")[0]
    one = f"{path}/{row.id}"
    refused = await site.owner.post(
        f"{one}/delete", {"of": "delete", "name": "x"}, of=one, status=422
    )
    assert "Type the key" in unescape(refused)
    gone = await site.owner.post(
        f"{path}/{row.id}/delete", {"name": "modules"}, of=f"{path}/{row.id}"
    )
    assert "None yet" in gone
    assert (await site.world.workspace()).ssh_key_id is None


async def test_saving_a_workspace_s_settings_without_the_choice_leaves_its_key(
    site: Site, path: str
) -> None:
    row, workspace = await made(site), await site.world.workspace()
    settings = f"/app/{site.world.organization}/{workspace.name}/settings"
    await site.owner.post(settings, {"name": workspace.name, "ssh_key": row.id})
    await site.owner.post(settings, {"name": workspace.name})
    assert (await site.world.workspace()).ssh_key_id == row.id
