import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import SYSTEM, Actor
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError, ForbiddenError, NotFoundError
from landform.kit.events import EventRow
from landform.organizations.models import Organization
from landform.workspaces import locks
from landform.workspaces.models import LockHolder, Workspace
from tests.factories import (
    grant,
    make_actor,
    make_organization,
    make_owner,
    make_team,
    make_workspace,
    organization_actor,
    team_actor,
)


async def test_a_lock_has_a_holder_a_reason_and_a_time(session: AsyncSession) -> None:
    workspace = await make_workspace(session)
    actor = await make_actor(session, workspace, "write")
    workspace = await locks.lock(session, actor, workspace, "Locked by Terraform")
    await session.refresh(workspace)
    assert workspace.is_locked
    assert (workspace.lock_holder_kind, workspace.lock_holder_id) == (LockHolder.USER, actor.id)
    assert workspace.lock_reason == "Locked by Terraform"
    assert workspace.locked_at is not None
    workspace = await locks.unlock(session, actor, workspace)
    await session.refresh(workspace)
    assert not workspace.is_locked
    assert (workspace.lock_holder_id, workspace.lock_reason, workspace.locked_at) == (
        None,
        "",
        None,
    )
    told = await session.scalars(
        select(EventRow.name).where(EventRow.subject_id == workspace.id).order_by(EventRow.id)
    )
    assert list(told) == ["WorkspaceLocked", "WorkspaceUnlocked"]


async def test_a_locked_workspace_cannot_be_locked_again_not_even_by_its_holder(
    session: AsyncSession,
) -> None:
    workspace = await make_workspace(session)
    actor = await make_actor(session, workspace, "write")
    await locks.lock(session, actor, workspace, "mine")
    with pytest.raises(ConflictError, match=r"already locked: .* locked by User .*reason: mine"):
        await locks.lock(session, actor, workspace)


async def _hold(session: AsyncSession, workspace: Workspace, kind: LockHolder) -> None:
    """Let somebody else hold the lock."""
    if kind is LockHolder.RUN:
        await locks.lock_for_run(session, workspace, "run-1")
        return
    if kind is LockHolder.USER:
        holder = await make_actor(session, workspace, "write")
    else:
        organization = await session.get_one(Organization, workspace.organization_id)
        team = await make_team(session, organization)
        await grant(session, team, workspace, "write")
        holder = team_actor(team)
    await locks.lock(session, holder, workspace)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (LockHolder.RUN, "is locked by Run run-1"),
        (LockHolder.TEAM, "is locked by Team team-"),
        (LockHolder.USER, "is locked by User user-"),
    ],
)
async def test_another_s_lock_is_not_given_back_and_the_client_can_tell_whose_it_is(
    session: AsyncSession, kind: LockHolder, words: str
) -> None:
    """The words are those go-tfe looks for (reference tfe_api.md §1.10)."""
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    await _hold(session, workspace, kind)
    for actor in (
        await make_actor(session, workspace, "write"),
        await make_owner(session, organization),
    ):
        with pytest.raises(ConflictError, match=words):
            await locks.unlock(session, actor, workspace)


async def test_what_is_not_locked_cannot_be_unlocked(session: AsyncSession) -> None:
    workspace = await make_workspace(session)
    admin = await make_actor(session, workspace, "admin")
    for unlock in (locks.unlock, locks.force_unlock):
        with pytest.raises(ConflictError, match="already unlocked") as refused:
            await unlock(session, admin, workspace)
        assert "locked by" not in str(refused.value)


@pytest.mark.parametrize("kind", LockHolder)
async def test_an_admin_breaks_any_lock(session: AsyncSession, kind: LockHolder) -> None:
    workspace = await make_workspace(session)
    await _hold(session, workspace, kind)
    writer = await make_actor(session, workspace, "write")
    with pytest.raises(ForbiddenError, match="break the workspace's lock"):
        await locks.force_unlock(session, writer, workspace)
    admin = await make_actor(session, workspace, "admin")
    workspace = await locks.force_unlock(session, admin, workspace)
    assert not workspace.is_locked
    event = (
        await session.scalars(select(EventRow).where(EventRow.name == "WorkspaceUnlocked"))
    ).one()
    assert event.payload["forced"]


async def test_locking_takes_the_permission_to_lock(session: AsyncSession) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    refused: list[tuple[Actor, type[Exception]]] = [
        (await make_actor(session, workspace, "plan"), ForbiddenError),
        (organization_actor(organization), ForbiddenError),
        (await make_actor(session, await make_workspace(session), "admin"), NotFoundError),
    ]
    for actor, kind in refused:
        with pytest.raises(kind):
            await locks.lock(session, actor, workspace)
    locker = await make_actor(session, workspace, "custom", {"workspace-locking": True})
    await locks.lock(session, locker, workspace)


async def test_a_run_takes_the_lock_and_only_that_run_s_lock_is_taken_back(
    session: AsyncSession,
) -> None:
    workspace = await make_workspace(session)
    await locks.lock_for_run(session, workspace, "run-1")
    await locks.lock_for_run(session, workspace, "run-1")
    assert (workspace.lock_holder_kind, workspace.lock_holder_id) == (LockHolder.RUN, "run-1")
    with pytest.raises(ConflictError, match="already locked"):
        await locks.lock_for_run(session, workspace, "run-2")
    await locks.release_run_lock(session, workspace, "run-2")
    assert workspace.is_locked
    await locks.release_run_lock(session, workspace, "run-1")
    assert not workspace.is_locked
    await locks.release_run_lock(session, workspace, "run-1")


async def test_the_end_of_a_run_leaves_a_person_s_lock(session: AsyncSession) -> None:
    workspace = await make_workspace(session)
    await locks.lock(session, SYSTEM, workspace, "an apply was interrupted")
    await locks.release_run_lock(session, workspace, "run-1")
    assert workspace.lock_holder_id == SYSTEM.id


async def test_of_many_who_lock_at_once_one_has_the_lock(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        workspace = await make_workspace(session)
        actors = [await make_actor(session, workspace, "write") for _ in range(6)]

    async def lock(actor: Actor) -> str:
        async with transaction(sessions) as session:
            return (await locks.lock(session, actor, workspace)).lock_holder_id or ""

    outcomes = await asyncio.gather(*map(lock, actors), return_exceptions=True)
    winners = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(winners) == 1
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 5
    async with transaction(sessions) as session:
        assert (await session.get_one(Workspace, workspace.id)).lock_holder_id == winners[0]


async def test_a_second_locker_waits_for_the_first_and_sees_what_it_did(
    sessions: Sessions,
) -> None:
    """The row is read under its lock: what the session knew of it before does not count."""
    async with transaction(sessions) as session:
        workspace = await make_workspace(session)
        first = await make_actor(session, workspace, "write")
        second = await make_actor(session, workspace, "write")
    async with transaction(sessions) as late:
        stale = await late.get_one(Workspace, workspace.id)
        assert not stale.is_locked
        async with transaction(sessions) as early:
            await locks.lock(early, first, workspace)
            waiting = asyncio.create_task(locks.lock(late, second, stale))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
        with pytest.raises(ConflictError, match=f"locked by User {first.id}"):
            await waiting
