"""What of an organization leads to other servers: connections, and keys for modules."""

from typing import Final

from landform.kit.clock import now
from landform.kit.db import transaction
from landform.kit.ids import new_id
from landform.ssh_keys.models import SshKey
from landform.vcs import connections
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import (
    Connection,
    DeliveryRow,
    DeliveryStatus,
    Hook,
    KnownGroup,
    KnownPerson,
)
from landform.vcs.private_keys import KeyKind
from landform.vcs.sealing import seal_body, seal_hook_secrets, seal_secrets
from landform.vcs.settings import ConnectionSettings
from landform.workspaces.models import Workspace
from tests.world import World

SECRET: Final = "hunter2-of-the-matrix"
"""In variables, outputs and keys that are sensitive."""


async def connect(world: World, team_id: str) -> dict[str, str]:
    """Make a connection that a person signs in for, and one that needs nobody."""
    made: dict[str, str] = {}
    ways = {"vcs_id": SignIn.OAUTH, "token-vcs": SignIn.TOKEN}
    async with transaction(world.platform.sessions) as session:
        for name, sign_in in ways.items():
            settings = ConnectionSettings(
                name=name,
                client_id="app",
                client_secret=SECRET,
                account="acme",
                api_url="https://127.0.0.1:1",
            )
            row = await connections.create_connection(
                session,
                world.platform.keyring,
                world.owner,
                world.organization_id,
                settings,
                kind=Kind.AZURE_DEVOPS,
                sign_in=sign_in,
                base="https://landform.test",
            )
            made[name] = row.id
        app = Connection(
            id=new_id("oc"),
            organization_id=world.organization_id,
            name="app",
            kind=Kind.GITHUB,
            sign_in=SignIn.GITHUB_APP,
            client_id="app",
            sealed_secrets=seal_secrets(world.platform.keyring, "none", {}),
            installation={"id": 1, "account": "widgets", "type": "Organization"},
            created_by=world.owner.id,
        )
        session.add(app)
        hook_id, delivery_id = new_id("hook"), new_id("whd")
        keyring = world.platform.keyring
        hook = Hook(
            id=hook_id,
            connection_id=made["token-vcs"],
            repository_id="r",
            sealed_secrets=seal_hook_secrets(keyring, hook_id, [SECRET]),
            secret_told_at=now(),
        )
        session.add(hook)
        await session.flush()
        delivery = DeliveryRow(
            id=delivery_id,
            hook_id=hook_id,
            provider_id="1",
            headers={},
            body=seal_body(keyring, delivery_id, b"{}"),
            status=DeliveryStatus.DONE,
        )
        session.add(delivery)
        person = KnownPerson(
            connection_id=made["token-vcs"],
            person_id="ann",
            user_id=world.owner.id,
            created_by=world.owner.id,
        )
        session.add(person)
        group = KnownGroup(
            connection_id=made["token-vcs"],
            name="team:mine/theirs",
            team_id=team_id,
            created_by=world.owner.id,
        )
        session.add(group)
        await session.flush()
    return {
        **made,
        "organization_id": world.organization_id,
        "oauth_client_id": made["vcs_id"],
        "oauth_token_id": made["token-vcs"].replace("oc-", "ot-"),
        "github_app_installation_id": app.id.replace("oc-", "ghain-"),
        "hook_id": hook_id,
        "delivery_id": delivery_id,
        "vcs_person_id": person.id,
        "vcs_group_id": group.id,
    }


async def keep_key(world: World) -> dict[str, str]:
    """Make a key that the workspace has."""
    key_id = new_id("sshkey")
    sealed = world.platform.keyring.seal(SECRET.encode(), place=f"ssh-keys/{key_id}")
    async with transaction(world.platform.sessions) as session:
        row = SshKey(
            id=key_id,
            organization_id=world.organization_id,
            name="modules",
            kind=KeyKind.ED25519,
            public_key="ssh-ed25519 AAAA",
            fingerprint="SHA256:AAAA",
            sealed_private_key=sealed,
            created_by=world.owner.id,
        )
        session.add(row)
        workspace = await session.get_one(Workspace, world.workspace_id)
        workspace.ssh_key_id = key_id
    return {"ssh-keys": key_id, "ssh": key_id}
