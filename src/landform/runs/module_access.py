"""How a run fetches modules from private repositories over SSH: by its workspace's key."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import CREDENTIAL_FILES, Credentials
from landform.kit.crypto import Keyring
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.queries import private_half
from landform.vcs.git.public_hosts import PUBLIC_HOSTS
from landform.vcs.git.ssh import ssh_command
from landform.workspaces.models import Workspace

_KEY: Final = "ssh-key"
_KNOWN: Final = "ssh-known-hosts"


async def key_of(session: AsyncSession, keyring: Keyring, workspace: Workspace) -> Credentials:
    """Return what lets git reach the servers that the workspace's key is for; nothing without one.

    A server that is neither public nor pinned with the key is not spoken to.
    """
    if workspace.ssh_key_id is None:
        return Credentials()
    row = await session.scalar(select(SshKey).where(SshKey.id == workspace.ssh_key_id))
    if row is None:  # gone since
        return Credentials()
    key = private_half(keyring, row)
    command = ssh_command(f"{CREDENTIAL_FILES}/{_KEY}", f"{CREDENTIAL_FILES}/{_KNOWN}")
    return Credentials(
        files={_KEY: key, _KNOWN: f"{PUBLIC_HOSTS}{row.known_hosts}\n"},
        environment={"GIT_SSH_COMMAND": command, "GIT_SSH_VARIANT": "ssh"},
        secrets=(key,),
    )
