from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import team_access
from landform.access.permissions import PROJECT_CUSTOM, WORKSPACE_CUSTOM, Permission
from landform.access.service import may, permissions
from landform.access.team_access import Access
from landform.identity.users import actor_of
from landform.kit.errors import ForbiddenError, InvalidError, NotFoundError
from landform.kit.events import EventRow
from tests.factories import (
    grant,
    make_actor,
    make_organization,
    make_owner,
    make_project,
    make_team,
    make_user,
    make_workspace,
)


async def test_a_workspace_admin_gives_changes_and_withdraws_access(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    admin, user = await make_actor(session, workspace, "admin"), await make_user(session)
    team = await make_team(session, organization, members=[user], visibility="organization")
    row = await team_access.grant(session, admin, team, workspace.place, Access(level="plan"))
    assert await may(session, actor_of(user), Permission.QUEUE_PLAN, workspace.place)
    await team_access.change(
        session,
        admin,
        row,
        workspace.place,
        Access(level="custom", custom={"state-versions": "read-outputs"}),
    )
    assert await permissions(session, actor_of(user), workspace.place) == {
        Permission.READ_ORGANIZATION,
        Permission.READ_WORKSPACE,
        Permission.READ_RUNS,
        Permission.READ_OUTPUTS,
    }
    await team_access.withdraw(session, admin, row, workspace.place)
    assert not await may(session, actor_of(user), Permission.READ_WORKSPACE, workspace.place)
    told = await session.scalars(
        select(EventRow.name).where(EventRow.subject_id == row.id).order_by(EventRow.id)
    )
    assert list(told) == ["AccessGranted", "AccessChanged", "AccessWithdrawn"]


@pytest.mark.parametrize("level", ["read", "plan", "write"])
async def test_no_level_below_admin_gives_access_on(session: AsyncSession, level: str) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    actor = await make_actor(session, workspace, level)
    team = await make_team(session, organization, visibility="organization")
    with pytest.raises(ForbiddenError, match="give teams access to the workspace"):
        await team_access.grant(session, actor, team, workspace.place, Access(level="read"))


@pytest.mark.parametrize(
    ("level", "custom", "allowed"),
    [
        ("maintain", {}, False),
        ("admin", {}, True),
        ("custom", {"project-access": {"teams": "read"}}, False),
        ("custom", {"project-access": {"teams": "manage"}}, True),
    ],
)
async def test_access_to_a_project_is_given_by_who_manages_its_teams(
    session: AsyncSession, level: str, custom: dict[str, Any], allowed: bool
) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    actor = await make_actor(session, project, level, custom)
    team = await make_team(session, organization, visibility="organization")
    wanted = Access(level="custom", workspace_access={"runs": "apply", "locking": True})
    if allowed:
        row = await team_access.grant(session, actor, team, project.place, wanted)
        assert row.custom == {
            "project-access": {},
            "workspace-access": {"runs": "apply", "locking": True},
        }
    else:
        with pytest.raises(ForbiddenError, match="give teams access to the project"):
            await team_access.grant(session, actor, team, project.place, wanted)


async def test_a_secret_team_s_access_is_not_for_others_to_give_see_or_take(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    admin = await make_actor(session, workspace, "admin")
    owner = await make_owner(session, organization)
    secret = await make_team(session, organization, "hidden")
    with pytest.raises(NotFoundError, match="no team"):
        await team_access.grant(session, admin, secret, workspace.place, Access(level="read"))
    row = await team_access.grant(session, owner, secret, workspace.place, Access(level="read"))
    with pytest.raises(NotFoundError):
        await team_access.withdraw(session, admin, row, workspace.place)
    seen = await team_access.list_at(session, admin, workspace.place)
    assert secret.id not in {each.team_id for each in seen}
    seen = await team_access.list_at(session, owner, workspace.place)
    assert secret.id in {each.team_id for each in seen}


async def test_a_grant_is_changed_only_at_its_own_place(session: AsyncSession) -> None:
    """An admin of one workspace must not reach the grants of another by naming the wrong place."""
    organization = await make_organization(session)
    mine = await make_workspace(session, organization)
    other = await make_workspace(session, organization)
    admin = await make_actor(session, mine, "admin")
    team = await make_team(session, organization, visibility="organization")
    foreign = await grant(session, team, other, "read")
    with pytest.raises(NotFoundError, match="here"):
        await team_access.change(session, admin, foreign, mine.place, Access(level="admin"))
    with pytest.raises(NotFoundError, match="here"):
        await team_access.withdraw(session, admin, foreign, mine.place)


async def test_a_team_has_one_grant_at_a_place_and_only_in_its_organization(
    session: AsyncSession,
) -> None:
    organization, elsewhere = await make_organization(session), await make_organization(session)
    project = await make_project(session, organization)
    owner = actor_of(await make_user(session, is_site_admin=True))
    team = await make_team(session, organization)
    await team_access.grant(session, owner, team, project.place, Access(level="read"))
    with pytest.raises(InvalidError, match="has access already"):
        await team_access.grant(session, owner, team, project.place, Access(level="write"))
    foreign = await make_team(session, elsewhere)
    with pytest.raises(InvalidError, match="another organization"):
        await team_access.grant(session, owner, foreign, project.place, Access(level="read"))


@pytest.mark.parametrize(
    ("access", "pointer"),
    [
        (Access(level="maintain"), "access"),
        (Access(level="king"), "access"),
        (Access(level="custom", custom={"runs": "fly"}), "runs"),
        (Access(level="custom", custom={"runs": True}), "runs"),
        (Access(level="custom", custom={"workspace-locking": "yes"}), "workspace_locking"),
        (Access(level="custom", custom={"moon": True}), "moon"),
        (Access(level="read", custom={"runs": "plan"}), ""),
    ],
)
async def test_access_to_a_workspace_that_cannot_be_is_refused(
    session: AsyncSession, access: Access, pointer: str
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    owner = await make_owner(session, organization)
    team = await make_team(session, organization)
    with pytest.raises(InvalidError) as refused:
        await team_access.grant(session, owner, team, workspace.place, access)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("access", "pointer"),
    [
        (Access(level="plan"), "access"),
        (Access(level="custom", project_access={"settings": "none"}), "project_access"),
        (Access(level="custom", workspace_access={"create": "yes"}), "workspace_access"),
    ],
)
async def test_access_to_a_project_that_cannot_be_is_refused(
    session: AsyncSession, access: Access, pointer: str
) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    owner = await make_owner(session, organization)
    team = await make_team(session, organization)
    with pytest.raises(InvalidError) as refused:
        await team_access.grant(session, owner, team, project.place, access)
    assert refused.value.pointer == pointer


def test_settings_are_shown_whole() -> None:
    assert team_access.settings_of(WORKSPACE_CUSTOM, {"runs": "plan"}) == {
        "runs": "plan",
        "variables": "none",
        "state-versions": "none",
        "sentinel-mocks": "none",
        "workspace-locking": False,
        "run-tasks": False,
        "policy-overrides": False,
    }
    assert team_access.settings_of(PROJECT_CUSTOM, {})["settings"] == "read"


async def test_access_is_listed_for_who_may_read_it(session: AsyncSession) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    owner = await make_owner(session, organization)
    reader = await make_actor(session, project, "read")
    assert len(await team_access.list_at(session, owner, project.place)) == 1
    with pytest.raises(ForbiddenError, match="see which teams"):
        await team_access.list_at(session, reader, project.place)
