"""Configuration versions: announced, accepted or refused, found again."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.configurations import queries, service
from landform.configurations.models import ConfigurationStatus, ConfigurationVersion
from landform.configurations.service import NewConfiguration
from landform.identity.actor import SYSTEM, Actor
from landform.kit.errors import ConflictError, ForbiddenError, NotFoundError
from landform.kit.events import EventRow
from landform.kit.pagination import Page
from landform.workspaces.models import Workspace
from tests import factories


@pytest.fixture
async def workspace(session: AsyncSession) -> Workspace:
    return await factories.make_workspace(session)


@pytest.fixture
async def planner(session: AsyncSession, workspace: Workspace) -> Actor:
    return await factories.make_actor(session, workspace, "plan")


async def announce(
    session: AsyncSession, actor: Actor, workspace: Workspace, **options: Any
) -> ConfigurationVersion:
    return await service.create(session, actor, workspace, NewConfiguration(**options))


async def accepted(
    session: AsyncSession, actor: Actor, workspace: Workspace, **options: Any
) -> ConfigurationVersion:
    row = await announce(session, actor, workspace, **options)
    service.accept(session, row, workspace, size_bytes=7)
    await session.flush()
    return row


async def test_a_configuration_is_announced_by_who_may_plan(
    session: AsyncSession, workspace: Workspace, planner: Actor
) -> None:
    row = await announce(session, planner, workspace, speculative=True)
    assert (row.status, row.speculative, row.created_by) == (
        ConfigurationStatus.PENDING,
        True,
        planner.id,
    )
    reader = await factories.make_actor(session, workspace, "read")
    with pytest.raises(ForbiddenError):
        await announce(session, reader, workspace)


async def test_an_upload_is_accepted_once(
    session: AsyncSession, workspace: Workspace, planner: Actor
) -> None:
    row = await accepted(session, planner, workspace)
    assert (row.status, row.size_bytes) == (ConfigurationStatus.UPLOADED, 7)
    with pytest.raises(ConflictError, match="is uploaded; make a new one"):
        service.accept(session, row, workspace, size_bytes=9)
    with pytest.raises(ConflictError):
        service.refuse(session, row, workspace, "late")
    assert (row.status, row.error) == (ConfigurationStatus.UPLOADED, "")


async def test_what_was_refused_says_why_and_takes_nothing_more(
    session: AsyncSession, workspace: Workspace, planner: Actor
) -> None:
    row = await announce(session, planner, workspace)
    service.refuse(session, row, workspace, "no archive")
    assert (row.status, row.error) == (ConfigurationStatus.ERRORED, "no archive")
    await session.flush()
    told = await session.scalars(
        select(EventRow).where(EventRow.subject_id == row.id).order_by(EventRow.id)
    )
    assert [(each.name, each.actor_id, each.payload["workspace_id"]) for each in told] == [
        (name, planner.id, workspace.id)
        for name in ("ConfigurationCreated", "ConfigurationRefused")
    ]
    with pytest.raises(ConflictError, match="is errored; make a new one"):
        service.accept(session, row, workspace, size_bytes=9)


async def test_what_a_run_plans_unasked_is_the_newest_that_can_be_applied(
    session: AsyncSession, workspace: Workspace, planner: Actor
) -> None:
    with pytest.raises(NotFoundError, match="terraform plan"):
        await queries.newest_usable(session, workspace)
    await accepted(session, planner, workspace)
    newest = await accepted(session, planner, workspace)
    await accepted(session, planner, workspace, speculative=True)
    await accepted(session, planner, workspace, provisional=True)
    await announce(session, planner, workspace)
    assert (await queries.newest_usable(session, workspace)).id == newest.id


async def test_configurations_are_listed_newest_first_by_page(
    session: AsyncSession, workspace: Workspace, planner: Actor
) -> None:
    rows = [await announce(session, planner, workspace) for _ in range(3)]
    await announce(
        session,
        await factories.make_actor(
            session, other := await factories.make_workspace(session), "plan"
        ),
        other,
    )
    found = await queries.list_of(session, SYSTEM, workspace, Page(1, 2))
    assert (found.total, [row.id for row in found.items]) == (3, [rows[2].id, rows[1].id])
    found = await queries.list_of(session, SYSTEM, workspace, Page(2, 2))
    assert [row.id for row in found.items] == [rows[0].id]


async def test_another_s_configuration_is_not_there(
    session: AsyncSession, workspace: Workspace, planner: Actor
) -> None:
    row = await announce(session, planner, workspace)
    stranger = await factories.make_actor(session, await factories.make_workspace(session), "admin")
    for configuration_id in (row.id, "cv-none"):
        with pytest.raises(NotFoundError, match=f"no configuration version {configuration_id}"):
            await queries.get(session, stranger, configuration_id)
    assert (await queries.get(session, planner, row.id)).id == row.id
