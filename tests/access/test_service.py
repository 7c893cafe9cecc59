"""Who may do what, asked of a real database."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, event, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.grants import forget
from landform.access.models import Membership
from landform.access.permissions import (
    EVERYTHING,
    NOTHING,
    ORGANIZATION_ACCESS,
    ORGANIZATION_TOKEN,
    PROJECT_LEVELS,
    WORKSPACE_LEVELS,
    Permission,
    Place,
)
from landform.access.service import (
    may,
    permissions,
    require,
    visible_organizations,
    visible_projects,
    visible_workspaces,
)
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.users import actor_of
from landform.kit.errors import ForbiddenError, NotFoundError
from landform.organizations.models import Organization
from landform.workspaces.models import Project, Workspace
from tests.factories import (
    grant,
    make_actor,
    make_member,
    make_organization,
    make_owner,
    make_project,
    make_team,
    make_user,
    make_workspace,
    organization_actor,
    put_in,
    team_actor,
)

P = Permission


@pytest.mark.parametrize("permission", Permission)
async def test_a_user_without_a_team_may_do_nothing_anywhere(
    session: AsyncSession, permission: Permission
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    stranger, member = await make_user(session), await make_user(session)
    await make_member(session, organization.id, member)
    for user in (stranger, member):
        for place in _places(workspace):
            assert not await may(session, actor_of(user), permission, place)


async def test_owners_site_admins_and_the_platform_may_do_everything(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    owner = await make_owner(session, organization)
    admin = actor_of(await make_user(session, is_site_admin=True))
    for actor in (owner, admin, SYSTEM):
        for place in _places(workspace):
            assert await permissions(session, actor, place) == EVERYTHING


@pytest.mark.parametrize("level", WORKSPACE_LEVELS)
async def test_a_grant_on_a_workspace_holds_there_and_not_next_door(
    session: AsyncSession, level: str
) -> None:
    organization = await make_organization(session)
    granted = await make_workspace(session, organization)
    other = await make_workspace(session, organization)
    actor = await make_actor(session, granted, level)
    expected = WORKSPACE_LEVELS[level] | {P.READ_ORGANIZATION}
    assert await permissions(session, actor, granted.place) == expected
    assert await permissions(session, actor, other.place) == {P.READ_ORGANIZATION}


@pytest.mark.parametrize("level", PROJECT_LEVELS)
async def test_a_grant_on_a_project_holds_in_its_workspaces_and_not_next_door(
    session: AsyncSession, level: str
) -> None:
    organization = await make_organization(session)
    project = await make_project(session, organization)
    inside = await make_workspace(session, organization, project=project)
    outside = await make_workspace(session, organization)
    actor = await make_actor(session, project, level)
    expected = PROJECT_LEVELS[level] | {P.READ_ORGANIZATION}
    assert await permissions(session, actor, project.place) == expected
    assert await permissions(session, actor, inside.place) == expected
    assert await permissions(session, actor, outside.place) == {P.READ_ORGANIZATION}


@pytest.mark.parametrize("switch", ORGANIZATION_ACCESS)
async def test_a_switch_holds_everywhere_in_the_organization(
    session: AsyncSession, switch: str
) -> None:
    organization = await make_organization(session)
    shelf = await make_project(session, organization)
    workspace = await make_workspace(session, organization, project=shelf)
    user = await make_user(session)
    await make_team(session, organization, organization_access=[switch], members=[user])
    held = await permissions(session, actor_of(user), workspace.place)
    assert held == ORGANIZATION_ACCESS[switch] | {P.READ_ORGANIZATION}


async def test_who_manages_workspaces_creates_them_in_the_default_project_only(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    shelf = await make_project(session, organization)
    default = await session.get_one(Project, organization.default_project_id)
    user = await make_user(session)
    await make_team(
        session, organization, organization_access=["manage-workspaces"], members=[user]
    )
    actor = actor_of(user)
    assert await may(session, actor, P.CREATE_WORKSPACE, default.place)
    assert not await may(session, actor, P.CREATE_WORKSPACE, shelf.place)
    everywhere = Place(organization_id=organization.id)
    assert await may(session, actor, P.CREATE_WORKSPACE, everywhere)


async def test_what_several_teams_allow_adds_up(session: AsyncSession) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    user = await make_user(session)
    for custom in ({"runs": "plan"}, {"variables": "read"}):
        team = await make_team(session, organization, members=[user])
        await grant(session, team, workspace, "custom", custom)
    held = await permissions(session, actor_of(user), workspace.place)
    assert held == {
        P.READ_WORKSPACE,
        P.READ_RUNS,
        P.QUEUE_PLAN,
        P.READ_VARIABLES,
        P.READ_ORGANIZATION,
    }


async def test_a_team_token_may_do_what_the_team_may_and_nothing_elsewhere(
    session: AsyncSession,
) -> None:
    organization, elsewhere = await make_organization(session), await make_organization(session)
    workspace = await make_workspace(session, organization)
    other = await make_workspace(session, elsewhere)
    team = await make_team(session, organization)
    await grant(session, team, workspace, "write")
    actor = team_actor(team)
    expected = WORKSPACE_LEVELS["write"] | {P.READ_ORGANIZATION}
    assert await permissions(session, actor, workspace.place) == expected
    assert await permissions(session, actor, other.place) == NOTHING


async def test_an_organization_token_is_good_in_its_organization_only(
    session: AsyncSession,
) -> None:
    organization, elsewhere = await make_organization(session), await make_organization(session)
    actor = organization_actor(organization)
    workspace = await make_workspace(session, organization)
    assert await permissions(session, actor, workspace.place) == ORGANIZATION_TOKEN
    other = await make_workspace(session, elsewhere)
    for shown in (actor, replace(actor, organization_id=None)):
        assert await permissions(session, shown, other.place) == NOTHING


async def test_an_actor_bound_to_one_organization_reaches_no_other(session: AsyncSession) -> None:
    organization, elsewhere = await make_organization(session), await make_organization(session)
    user = await make_user(session)
    for each in (organization, elsewhere):
        await make_team(session, each, members=[user])
    bound = replace(actor_of(user), organization_id=organization.id)
    assert await permissions(session, bound, Place(organization_id=organization.id))
    assert await permissions(session, bound, Place(organization_id=elsewhere.id)) == NOTHING


async def test_lists_show_nothing_to_a_user_without_a_team(session: AsyncSession) -> None:
    organization = await make_organization(session)
    await make_workspace(session, organization)
    actor = actor_of(await make_user(session))
    workspaces = await visible_workspaces(session, actor, organization.id)
    projects = await visible_projects(session, actor, organization.id)
    assert (await session.scalars(select(Workspace).where(workspaces))).all() == []
    assert (await session.scalars(select(Project).where(projects))).all() == []


async def test_an_agent_may_do_nothing_by_itself(session: AsyncSession) -> None:
    workspace = await make_workspace(session)
    actor = Actor(
        kind=ActorKind.AGENT_POOL, id="apool-1", organization_id=workspace.organization_id
    )
    assert await permissions(session, actor, workspace.place) == NOTHING


async def test_a_team_stops_counting_when_the_membership_ends(session: AsyncSession) -> None:
    organization = await make_organization(session)
    actor = await make_owner(session, organization)
    await session.execute(delete(Membership).where(Membership.user_id == actor.id))
    forget(session)
    assert await permissions(session, actor, Place(organization_id=organization.id)) == NOTHING


async def test_grants_of_an_actor_are_loaded_with_one_query_per_session(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    workspaces = [await make_workspace(session, organization) for _ in range(5)]
    user = await make_user(session)
    for workspace in workspaces:
        team = await make_team(session, organization, members=[user])
        await grant(session, team, workspace, "read")
    statements: list[str] = []
    connection = (await session.connection()).sync_connection

    def note(*arguments: Any) -> None:
        statements.append(str(arguments[2]))

    event.listen(connection, "before_cursor_execute", note)
    for workspace in workspaces:
        assert await may(session, actor_of(user), P.READ_WORKSPACE, workspace.place)
    assert len(statements) == 1


async def test_require_hides_what_the_actor_may_not_know_of(session: AsyncSession) -> None:
    organization = await make_organization(session)
    workspace = await make_workspace(session, organization)
    user = await make_user(session)
    team = await make_team(session, organization, members=[user])
    actor = actor_of(user)
    for place in (workspace.place, Place(organization_id="org-none")):
        with pytest.raises(NotFoundError, match="There is no"):
            await require(session, actor, P.READ_WORKSPACE, place)
    await grant(session, team, workspace, "read")
    await require(session, actor, P.READ_WORKSPACE, workspace.place)
    with pytest.raises(ForbiddenError, match=r"lack the permission to queue plans") as denied:
        await require(session, actor, P.QUEUE_PLAN, workspace.place)
    assert str(denied.value).endswith(f"(workspace {workspace.name}).")
    with pytest.raises(ForbiddenError) as denied:
        await require(session, actor, P.MANAGE_TEAMS, Place(organization_id=organization.id))
    assert str(denied.value).endswith(f"(organization {organization.name}).")


@pytest.mark.parametrize(
    ("switches", "on", "seen"),
    [
        ((), (), set()),
        ((), ("one",), {"one"}),
        ((), ("shelf",), {"two", "three"}),
        ((), ("one", "shelf"), {"one", "two", "three"}),
        (("read-workspaces",), (), {"one", "two", "three", "four"}),
        (("manage-policies",), (), {"one", "two", "three", "four"}),
        (("manage-membership",), (), set()),
    ],
)
async def test_lists_show_the_workspaces_that_may_be_read(
    session: AsyncSession, switches: tuple[str, ...], on: tuple[str, ...], seen: set[str]
) -> None:
    organization = await make_organization(session)
    shelf = await make_project(session, organization, "shelf")
    places: dict[str, Any] = {"shelf": shelf}
    for name in ("one", "two", "three", "four"):
        project = shelf if name in {"two", "three"} else None
        places[name] = await make_workspace(session, organization, name, project=project)
    user = await make_user(session)
    team = await make_team(session, organization, organization_access=switches, members=[user])
    for name in on:
        await grant(session, team, places[name], "read")
    actor = actor_of(user)
    condition = await visible_workspaces(session, actor, organization.id)
    rows = await session.scalars(
        select(Workspace).where(condition, Workspace.organization_id == organization.id)
    )
    names = {row.name for row in rows}
    assert names == seen
    for name in ("one", "two", "three", "four"):
        place = places[name].place
        assert (name in seen) == await may(session, actor, P.READ_WORKSPACE, place)


@pytest.mark.parametrize(
    ("switches", "granted", "seen"),
    [
        ((), False, set()),
        ((), True, {"shelf"}),
        (("read-projects",), False, {"shelf", "Default Project"}),
        (("manage-workspaces",), False, {"Default Project"}),
        (("manage-workspaces",), True, {"shelf", "Default Project"}),
    ],
)
async def test_lists_show_the_projects_that_may_be_read(
    session: AsyncSession, switches: tuple[str, ...], granted: bool, seen: set[str]
) -> None:
    organization = await make_organization(session)
    shelf = await make_project(session, organization, "shelf")
    user = await make_user(session)
    team = await make_team(session, organization, organization_access=switches, members=[user])
    if granted:
        await grant(session, team, shelf, "read")
    actor = actor_of(user)
    condition = await visible_projects(session, actor, organization.id)
    rows = await session.scalars(
        select(Project).where(condition, Project.organization_id == organization.id)
    )
    projects = list(rows)
    assert {row.name for row in projects} == seen
    for row in projects:
        assert await may(session, actor, P.READ_PROJECT, row.place)


async def test_lists_show_the_organizations_that_may_be_read(session: AsyncSession) -> None:
    mine, other = await make_organization(session), await make_organization(session)
    user, member = await make_user(session), await make_user(session)
    team = await make_team(session, mine, members=[user])
    await make_member(session, mine.id, member)
    admin = actor_of(await make_user(session, is_site_admin=True))
    expected = [
        (actor_of(user), {mine.id}),
        (actor_of(member), set()),
        (team_actor(team), {mine.id}),
        (organization_actor(other), {other.id}),
        (admin, {mine.id, other.id}),
        (SYSTEM, {mine.id, other.id}),
        (Actor(kind=ActorKind.AGENT_POOL, id="apool-1", organization_id=mine.id), set()),
    ]
    for actor, seen in expected:
        condition = await visible_organizations(session, actor)
        rows = set(await session.scalars(select(Organization.id).where(condition)))
        assert rows & {mine.id, other.id} == seen
    await put_in(session, await make_team(session, other), user)
    condition = await visible_organizations(session, actor_of(user))
    rows = set(await session.scalars(select(Organization.id).where(condition)))
    assert rows == {mine.id, other.id}


def _places(workspace: Workspace) -> list[Place]:
    return [
        Place(organization_id=workspace.organization_id),
        Place(organization_id=workspace.organization_id, project_id=workspace.project_id),
        workspace.place,
    ]
