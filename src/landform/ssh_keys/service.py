"""Writes of SSH keys. Facts: TFE's page "SSH keys API", terrakube_user.md §5.2."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.identity.actor import Actor
from landform.kit import events
from landform.kit.crypto import Keyring
from landform.kit.db import transaction
from landform.kit.errors import ConflictError, InvalidError
from landform.kit.ids import new_id
from landform.kit.text import check_text
from landform.kit.unique import unique
from landform.ssh_keys import connecting
from landform.ssh_keys.events import SshKeyCreated, SshKeyDeleted, SshKeyUpdated
from landform.ssh_keys.models import SshKey
from landform.ssh_keys.queries import get_key
from landform.vcs.host_keys import HostKey, read_host_keys, scan
from landform.vcs.private_keys import KeyKind, facts_of, new_private_key, read_private_key
from landform.vcs.reach import Reach

PER_ORGANIZATION: Final = 200
_LIMITS: Final = {"name": 128, "description": 1024, "known_hosts": 32_768}
_HOST: Final = re.compile(r"[A-Za-z0-9][\w.-]*(?::\d{1,5})?")
_UNIQUE: Final = "uq_ssh_keys_organization_lower_name"


@dataclass(frozen=True, kw_only=True)
class SshKeySettings:
    """What a client gives of a key; None means as it is, or the default for a new one.

    Attributes:
        private_key: in any form that OpenSSH or OpenSSL writes; empty: for a new one, made here.
        kind: what the client takes the key for; None: whatever it is.
    """

    name: str | None = None
    description: str | None = None
    known_hosts: str | None = None
    private_key: str | None = field(default=None, repr=False)
    kind: KeyKind | None = None


async def create_key(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    organization_id: str,
    new: SshKeySettings,
) -> SshKey:
    """Keep a key, or make one of which only the public half ever leaves.

    Raises:
        NotFoundError: there is no such organization, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage the organization's VCS settings.
        InvalidError: a setting cannot be, or the name is taken.
        ConflictError: the organization has as many as it may.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.MANAGE_VCS, place)
    found = _checked(new)
    if not found.get("name"):
        raise InvalidError("An SSH key needs a name.", pointer="name")
    query = select(func.count()).where(SshKey.organization_id == organization_id)
    if (await session.scalar(query) or 0) >= PER_ORGANIZATION:
        raise ConflictError(f"An organization has at most {PER_ORGANIZATION} SSH keys.")
    key_id = new_id("sshkey")
    if new.private_key or new.kind in (None, KeyKind.ED25519):
        found |= _sealed(keyring, key_id, new)
    else:
        raise InvalidError("Keys that are made here are ed25519; give this one.", pointer="kind")
    row = SshKey(id=key_id, organization_id=organization_id, created_by=actor.id, **found)
    async with unique(session, _UNIQUE, _taken(row.name)):
        session.add(row)
    events.publish(
        session,
        SshKeyCreated(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=row.id,
            name=row.name,
            fingerprint=row.fingerprint,
        ),
    )
    return row


async def update_key(
    session: AsyncSession, keyring: Keyring, actor: Actor, row: SshKey, change: SshKeySettings
) -> SshKey:
    """Apply the settings that are given; an empty private key leaves it as it is.

    Raises:
        ForbiddenError: `actor` may not manage the organization's VCS settings.
        InvalidError: a setting cannot be, or the name is taken.
    """
    await require(session, actor, Permission.MANAGE_VCS, row.place)
    found = _checked(change)
    await session.refresh(row, with_for_update=True)
    if "name" in found and not found["name"]:
        raise InvalidError("An SSH key needs a name.", pointer="name")
    changed = {name: value for name, value in found.items() if value != getattr(row, name)}
    named = [*changed]
    if change.private_key:
        changed |= _sealed(keyring, row.id, change)
        named += ["private_key"] if changed["fingerprint"] != row.fingerprint else []
    elif change.kind not in (None, row.kind):
        raise InvalidError(f"The key is {row.kind}, and stays so.", pointer="kind")
    async with unique(session, _UNIQUE, _taken(change.name or "")):
        for name, value in changed.items():
            setattr(row, name, value)
    if {"private_key", "known_hosts"} & {*named}:
        await connecting.follow(session, keyring, actor, row)
    if named:
        events.publish(
            session,
            SshKeyUpdated(
                actor_id=actor.id,
                organization_id=row.organization_id,
                subject_id=row.id,
                name=row.name,
                changed=tuple(named),
            ),
        )
    return row


async def delete_key(session: AsyncSession, actor: Actor, row: SshKey) -> None:
    """Forget a key; workspaces that used it have none from then on, as with TFE.

    Raises:
        ForbiddenError: `actor` may not manage the organization's VCS settings.
        ConflictError: workspaces are planned from repositories that are reached by it.
    """
    await require(session, actor, Permission.MANAGE_VCS, row.place)
    await connecting.let_go(session, actor, row)
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        SshKeyDeleted(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
        ),
    )


async def ask_host_keys(reach: Reach, actor: Actor, key_id: str, server: str) -> Sequence[HostKey]:
    """Ask a server which SSH keys it has; a person compares them, then has them pinned.

    Args:
        server: `HOST`, `HOST:PORT`, or any address of a repository there.

    Raises:
        NotFoundError: there is no such key, or `actor` may not know of it.
        ForbiddenError: `actor` may not manage the organization's VCS settings.
        InvalidError: `server` is no address of SSH.
        BlockedAddressError: it is not on the public network, and not allowed.
        ProviderAwayError: nothing answers there as an SSH server does.
    """
    async with transaction(reach.sessions) as session:
        row = await get_key(session, actor, key_id)
        await require(session, actor, Permission.MANAGE_VCS, row.place)
    address = server.removeprefix("git::")
    url = f"ssh://{address}" if _HOST.fullmatch(address) else address
    return await scan(url, allow=reach.services.http.allow)


async def pin(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    row: SshKey,
    lines: str,
    *,
    without: Sequence[str] = (),
) -> SshKey:
    """Have the key shown to servers, in place of what was pinned of them before.

    Args:
        lines: of a known_hosts file.
        without: hosts, as `lines` name them, that it is shown to no more.

    Raises:
        ForbiddenError: `actor` may not manage the organization's VCS settings.
        InvalidError: a line is none, or there are too many.
    """
    await require(session, actor, Permission.MANAGE_VCS, row.place)
    await session.refresh(row, with_for_update=True)
    new = read_host_keys(lines)
    replaced = {*without, *(each.host for each in new)}
    kept = [each for each in read_host_keys(row.known_hosts) if each.host not in replaced]
    text = "\n".join(each.line for each in (*kept, *new))
    return await update_key(session, keyring, actor, row, SshKeySettings(known_hosts=text))


def _checked(settings: SshKeySettings) -> dict[str, Any]:
    """Return what is given and kept in clear, by the names of the columns."""
    found: dict[str, Any] = {}
    for name, limit in _LIMITS.items():
        text = getattr(settings, name)
        if text is not None:
            what = f"The {name.replace('_', ' ')}"
            found[name] = check_text(text.strip(), what=what, limit=limit, pointer=name)
    if "\n" in found.get("name", ""):
        raise InvalidError("A name is one line.", pointer="name")
    if found.get("known_hosts"):
        found["known_hosts"] = "\n".join(each.line for each in read_host_keys(found["known_hosts"]))
    return found


def _sealed(keyring: Keyring, key_id: str, settings: SshKeySettings) -> dict[str, Any]:
    given = settings.private_key
    text = read_private_key(given) if given else new_private_key()
    facts = facts_of(text)
    if settings.kind not in (None, facts.kind):
        raise InvalidError(
            f"The private key is {facts.kind}, and not {settings.kind}.", pointer="kind"
        )
    return {
        "kind": facts.kind,
        "public_key": facts.public_key,
        "fingerprint": facts.fingerprint,
        "sealed_private_key": keyring.seal(text.encode(), place=f"ssh-keys/{key_id}"),
    }


def _taken(name: str) -> InvalidError:
    return InvalidError(f"There is an SSH key called {name} already.", pointer="name")
