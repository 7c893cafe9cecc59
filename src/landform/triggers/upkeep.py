"""Hooks at providers: one per repository, made, repaired, and removed with the last workspace."""

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from landform.kit.clock import now
from landform.kit.db import transaction
from landform.kit.errors import LandformError
from landform.kit.ids import new_id
from landform.triggers import hook_secrets, watching
from landform.triggers.desk import Desk
from landform.triggers.watching import Watched
from landform.vcs.credentials import open_provider
from landform.vcs.facts import RemoteHook
from landform.vcs.models import Connection, Hook
from landform.vcs.providers import READERS
from landform.vcs.sealing import seal_hook_secrets
from landform.workspaces.models import WorkspaceRepository

log = structlog.get_logger()

HOOK_PATH: Final = "/hooks/vcs"
_EVERY_S: Final = 3600.0
_AFTER_FAILURE_S: Final = 600.0


async def see_to_due(desk: Desk) -> int:
    """See to the hook of every repository whose turn it is; return how many."""
    count = 0
    while (watched := await watching.claim_upkeep(desk)) is not None:
        count += 1
        try:
            problem = await _see_to(desk, watched)
        except LandformError as failure:
            problem = str(failure)
            log.info("a hook is not in order", reason=problem)
        await _note(desk, watched, problem)
    while (watched := await watching.claim_orphan(desk)) is not None:
        count += 1
        await _remove(desk, watched)
    return count


async def _see_to(desk: Desk, watched: Watched) -> str:
    """Have a working hook at the provider; return why there is none, if that is so."""
    if not await _tells(desk, watched):
        return ""  # it has no hooks, and nothing is wrong with that: it is looked at
    if not desk.reach.public_url:
        return (
            "Nobody told this server how providers reach it (LANDFORM_PUBLIC_URL), so the"
            " repository is looked at from time to time instead."
        )
    hook = await _row(desk, watched)
    url = f"{desk.reach.public_url}{HOOK_PATH}/{hook.id}"
    provider = await open_provider(desk.reach, watched.connection_id)
    repository = await provider.repository(watched.repository_id)
    there = await provider.hooks(repository, url=url) if hook.remote else []
    was_off = not hook.remote or not _is_in_order(hook, there)
    secret, is_due = await hook_secrets.next_of(desk, hook.id)
    told = secret if was_off or is_due else ""
    if told:
        there = await provider.ensure_hooks(repository, url=url, secret=told)
        for old in {one["url"] for one in hook.remote} - {url}:
            await provider.delete_hooks(repository, url=old)  # our address is another now
    await _keep(desk, watched, hook, there, told=told, was_off=was_off)
    return ""


async def _tells(desk: Desk, watched: Watched) -> bool:
    async with transaction(desk.sessions) as session:
        connection = await session.get_one(Connection, watched.connection_id)
        return connection.kind in READERS


def _is_in_order(hook: Hook, there: Sequence[RemoteHook]) -> bool:
    """Tell whether the hooks at the provider are those we made, and none is off."""
    return {one.id for one in there if one.is_enabled} == {one["id"] for one in hook.remote}


async def _row(desk: Desk, watched: Watched) -> Hook:
    """Return the repository's hook, made with a fresh secret unless it is there."""
    key = {"connection_id": watched.connection_id, "repository_id": watched.repository_id}
    hook_id = new_id("hook")
    sealed = seal_hook_secrets(desk.platform.keyring, hook_id, [hook_secrets.new_secret()])
    moment = now()
    new = insert(Hook).values(
        **key, id=hook_id, sealed_secrets=sealed, created_at=moment, secret_made_at=moment
    )
    async with transaction(desk.sessions) as session:
        await session.execute(new.on_conflict_do_nothing())
        row = (await session.scalars(select(Hook).filter_by(**key))).one()
        called = select(WorkspaceRepository.identifier).filter_by(**key).limit(1)
        row.repository_name = await session.scalar(called) or row.repository_name
        return row


async def _keep(
    desk: Desk,
    watched: Watched,
    hook: Hook,
    there: Sequence[RemoteHook],
    *,
    told: str,
    was_off: bool,
) -> None:
    async with transaction(desk.sessions) as session:
        row = await session.get(Hook, hook.id, with_for_update=True)
        if row is not None:
            if told:
                hook_secrets.note_told(desk.platform.keyring, row, told)
            row.remote = [{"id": each.id, "event": each.event, "url": each.url} for each in there]
            row.checked_at = now()
        watch = await watching.row_of(session, watched)
        if watch is not None and was_off:
            watch.next_look_at = now()  # for what was not delivered meanwhile


async def _note(desk: Desk, watched: Watched, problem: str) -> None:
    """Say at the hook and at every workspace what is wrong, so that somebody can mend it."""
    key = {"connection_id": watched.connection_id, "repository_id": watched.repository_id}
    async with transaction(desk.sessions) as session:
        await session.execute(update(Hook).filter_by(**key).values(problem=problem))
        linked = update(WorkspaceRepository).filter_by(**key)
        await session.execute(linked.values(problem=problem))
        row = await watching.row_of(session, watched)
        if row is not None:
            row.next_upkeep_at = watching.after(_AFTER_FAILURE_S if problem else _EVERY_S)


async def _remove(desk: Desk, watched: Watched) -> None:
    """Remove the hook of a repository without workspaces; one we cannot remove is left behind."""
    key = {"connection_id": watched.connection_id, "repository_id": watched.repository_id}
    async with transaction(desk.sessions) as session:
        hook = (await session.scalars(select(Hook).filter_by(**key))).one_or_none()
    if hook is not None:
        try:
            provider = await open_provider(desk.reach, watched.connection_id)
            repository = await provider.repository(watched.repository_id)
            url = f"{desk.reach.public_url}{HOOK_PATH}/{hook.id}"
            await provider.delete_hooks(repository, url=url)
        except LandformError as failure:
            log.warning("a hook stays at its provider", hook=hook.id, reason=str(failure))
        async with transaction(desk.sessions) as session:
            row = await session.get(Hook, hook.id)
            if row is not None:
                await session.delete(row)
    await watching.forget(desk, watched)
