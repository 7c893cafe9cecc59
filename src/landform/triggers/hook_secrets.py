"""New secrets for hooks: asked for by somebody, or because the old one is old.

A hook has two secrets while one replaces the other. The new one is valid here first; then the
provider is given it, by whoever sees to the hook; a day later, when the provider was given it
once more, the old one is forgotten. So a worker that dies anywhere on the way leaves a hook whose
deliveries are taken, and the next one goes on.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.permissions import Permission
from landform.access.service import require
from landform.identity.actor import SYSTEM, Actor
from landform.kit import clock, events
from landform.kit.crypto import Keyring
from landform.kit.db import transaction
from landform.kit.errors import ConflictError
from landform.triggers import watching
from landform.triggers.desk import Desk
from landform.vcs.events import HookSecretReplaced
from landform.vcs.models import Connection, Hook
from landform.vcs.sealing import open_hook_secrets, seal_hook_secrets

KEPT_FOR: Final = timedelta(days=1)  # the old one: what was signed with it may still be tried again


def new_secret() -> str:
    """Return one that nobody can guess."""
    return secrets.token_urlsafe(32)


async def replace_all(
    session: AsyncSession, keyring: Keyring, actor: Actor, connection: Connection
) -> int:
    """Have the secret of each of a connection's hooks replaced as soon as can be; return how many.

    Raises:
        ForbiddenError: `actor` may not manage connections.
        ConflictError: there is no hook, or all their secrets are being replaced already.
    """
    await require(session, actor, Permission.MANAGE_VCS, connection.place)
    query = select(Hook).where(Hook.connection_id == connection.id).order_by(Hook.id)
    count = 0
    for hook in await session.scalars(query.with_for_update()):
        if _begin(session, keyring, actor, connection, hook):
            count += 1
            await watching.see_to_now(session, connection.id, hook.repository_id)
    if not count:
        raise ConflictError(
            "No secret was replaced: the connection has no service hook, or the new secrets of all"
            " of them are on their way to the provider already."
        )
    return count


async def next_of(desk: Desk, hook_id: str) -> tuple[str, bool]:
    """Return the secret that the provider should have, and whether to give it to it now.

    A secret that has become too old is replaced first.
    """
    async with transaction(desk.sessions) as session:
        hook = await session.get_one(Hook, hook_id, with_for_update=True)
        if _is_old(desk, hook):
            connection = await session.get_one(Connection, hook.connection_id)
            _begin(session, desk.platform.keyring, SYSTEM, connection, hook)
        known = open_hook_secrets(desk.platform.keyring, hook)
        return known[0], hook.secret_told_at is None or (len(known) > 1 and _is_spent(hook))


def note_told(keyring: Keyring, hook: Hook, secret: str) -> None:
    """Note that the provider has a secret now, in the caller's transaction, on a locked row."""
    known = open_hook_secrets(keyring, hook)
    if known[0] != secret:
        return  # it was replaced again meanwhile, and is told of again
    if hook.secret_told_at is not None and _is_spent(hook):
        hook.sealed_secrets = seal_hook_secrets(keyring, hook.id, known[:1])
    hook.secret_told_at = hook.secret_told_at or clock.now()


def _begin(
    session: AsyncSession, keyring: Keyring, actor: Actor, connection: Connection, hook: Hook
) -> bool:
    """Make the new secret valid beside the old one, unless the last one is not told of yet."""
    if hook.secret_told_at is None:
        return False
    known = open_hook_secrets(keyring, hook)
    hook.sealed_secrets = seal_hook_secrets(keyring, hook.id, [new_secret(), known[0]])
    hook.secret_made_at, hook.secret_told_at = clock.now(), None
    events.publish(
        session,
        HookSecretReplaced(
            actor_id=actor.id,
            organization_id=connection.organization_id,
            subject_id=hook.id,
            connection_id=connection.id,
            repository=hook.repository_name or hook.repository_id,
        ),
    )
    return True


def _is_old(desk: Desk, hook: Hook) -> bool:
    days = desk.hook_secret_days
    return days > 0 and hook.secret_made_at + timedelta(days=days) <= clock.now()


def _is_spent(hook: Hook) -> bool:
    told: datetime | None = hook.secret_told_at
    return told is not None and told + KEPT_FOR <= clock.now()
