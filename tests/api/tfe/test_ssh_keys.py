"""SSH keys as go-tfe and the tfe provider speak of them: `tfe_ssh_key`, `tfe_workspace`."""

from typing import Any

import pytest
from sqlalchemy import select

from landform.kit.db import transaction
from landform.kit.events import EventRow
from tests.api.tfe.people import detail, names, related
from tests.api.tfe.server import Server
from tests.ssh_keys import samples


@pytest.fixture
def path(server: Server) -> str:
    return f"organizations/{server.world.organization}/ssh-keys"


@pytest.fixture
def key() -> str:
    return samples.make_key(*samples.ED25519)


async def make(server: Server, path: str, key: str, **more: Any) -> Any:
    given = {"name": "modules", "value": key, **more}
    return (await server.owner.post(path, "ssh-keys", **given))["data"]


async def test_a_key_is_kept_listed_renamed_and_forgotten(
    server: Server, path: str, key: str
) -> None:
    made = await make(server, path, key)
    assert made["id"].startswith("sshkey-")
    shown = made["attributes"]
    assert (shown["name"], shown["kind"]) == ("modules", "ed25519")
    assert shown["public-key"].startswith(samples.public_half_of(key))
    assert names(await server.owner.get(path)) == ["modules"]
    one = f"ssh-keys/{made['id']}"
    renamed = await server.owner.patch(one, "ssh-keys", name="others")
    assert renamed["data"]["attributes"]["fingerprint"] == shown["fingerprint"]
    assert (await server.owner.get(one))["data"]["attributes"]["name"] == "others"
    await server.owner.delete(one)
    await server.owner.get(one, 404)


async def test_the_private_half_comes_back_in_no_answer_and_in_no_event(
    server: Server, path: str, key: str
) -> None:
    assert samples.betrays(key, key)
    made = await make(server, path, key)
    other = samples.make_key(*samples.RSA)
    one = f"ssh-keys/{made['id']}"
    answers = [
        made,
        await server.owner.get(path),
        await server.owner.get(one),
        await server.owner.patch(one, "ssh-keys", value=other),
    ]
    assert "PRIVATE" not in str(answers)
    assert not samples.betrays(str(answers), key)
    assert not samples.betrays(str(answers), other)
    assert answers[3]["data"]["attributes"]["kind"] == "rsa"
    async with transaction(server.world.platform.sessions) as session:
        rows = (
            await session.scalars(select(EventRow).where(EventRow.subject_id == made["id"]))
        ).all()
    assert [row.name for row in rows] == ["SshKeyCreated", "SshKeyUpdated"]
    assert rows[1].payload["changed"] == ["private_key"]
    assert not samples.betrays(str([row.payload for row in rows]), key)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (samples.CLOSED, "passphrase"),
        (samples.SMALL, "2048 bits"),
        (samples.ECDSA, "ed25519, or RSA"),
    ],
    ids=["closed by a passphrase", "too small", "of another kind"],
)
async def test_a_key_that_no_run_could_use_is_refused_with_what_would_be_right(
    server: Server, path: str, words: tuple[str, ...], said: str
) -> None:
    given = {"name": "modules", "value": samples.make_key(*words)}
    refused = await server.owner.post(path, "ssh-keys", 422, **given)
    assert said in detail(refused)
    assert refused["errors"][0]["source"]["pointer"] == "/data/attributes/value"
    assert "BEGIN" not in detail(refused)


async def test_what_is_no_key_has_no_name_or_one_that_is_taken_is_refused(
    server: Server, path: str, key: str
) -> None:
    post = server.owner.post
    for value in ("", "nonsense", "x" * 20_000, samples.public_half_of(key)):
        await post(path, "ssh-keys", 422, name="modules", value=value)
    await post(path, "ssh-keys", 422, name=" ", value=key)
    await post(path, "ssh-keys", 422, name="n" * 129, value=key)
    await make(server, path, key)
    assert "already" in detail(await post(path, "ssh-keys", 422, name="Modules", value=key))
    wrong = await post(path, "ssh-keys", 422, name="m", value=key, **{"known-hosts": "git.example"})
    assert wrong["errors"][0]["source"]["pointer"] == "/data/attributes/known-hosts"


async def test_an_rsa_key_in_openssl_s_form_is_taken(server: Server, path: str) -> None:
    key = samples.make_key(*samples.PEM)
    assert "RSA PRIVATE" in key
    made = await make(server, path, key)
    assert made["attributes"]["kind"] == "rsa"
    assert made["attributes"]["public-key"].startswith(samples.public_half_of(key))


async def test_a_workspace_has_a_key_until_it_is_taken_away_or_forgotten(
    server: Server, path: str, key: str
) -> None:
    made = await make(server, path, key)
    workspace = f"workspaces/{server.world.workspace_id}"
    assign = f"{workspace}/relationships/ssh-key"
    linked = {"type": "ssh-keys", "id": made["id"]}
    assert related(await server.owner.get(workspace), "ssh-key") is None
    assert (
        related(await server.owner.patch(assign, "workspaces", id=made["id"]), "ssh-key") == linked
    )
    shown = await server.owner.get(workspace, include="ssh_key")
    assert [each["id"] for each in shown["included"]] == [made["id"]]
    assert related(await server.owner.patch(assign, "workspaces", id=None), "ssh-key") is None
    await server.owner.patch(assign, "workspaces", id=made["id"])
    await server.owner.delete(f"ssh-keys/{made['id']}")
    assert related(await server.owner.get(workspace), "ssh-key") is None
    events = await server.world.events(server.world.workspace_id)
    told = [row.payload["changed"] for row in events if row.name == "WorkspaceUpdated"]
    assert told == [["ssh_key_id"]] * 3


async def test_a_key_of_another_organization_cannot_be_had(
    server: Server, path: str, key: str
) -> None:
    made = await make(server, path, key)
    there = await server.stranger()
    await there.get(f"ssh-keys/{made['id']}", 404)
    workspace = f"workspaces/{server.world.workspace_id}/relationships/ssh-key"
    await there.patch(workspace, "workspaces", 404, id=made["id"])
    missing = await server.owner.patch(workspace, "workspaces", 422, id="sshkey-0000000000000000")
    assert "There is no SSH key" in detail(missing)


async def test_whoever_only_administers_a_workspace_gives_it_no_key_but_takes_one_away(
    server: Server, path: str, key: str
) -> None:
    made = await make(server, path, key)
    admin, writer = await server.caller("admin"), await server.caller("write")
    assign = f"workspaces/{server.world.workspace_id}/relationships/ssh-key"
    await admin.patch(assign, "workspaces", 422, id=made["id"])
    await server.owner.patch(assign, "workspaces", id=made["id"])
    await writer.patch(assign, "workspaces", 403, id=None)
    await admin.patch(assign, "workspaces", id=None)
