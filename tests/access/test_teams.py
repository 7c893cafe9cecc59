import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import directory, teams
from landform.access.models import TeamMember
from landform.access.permissions import Permission, Place
from landform.access.service import may
from landform.access.teams import TeamSettings
from landform.identity.actor import Actor
from landform.identity.users import actor_of
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.events import EventRow
from landform.kit.pagination import Page
from landform.organizations.models import Organization
from tests.factories import (
    make_member,
    make_organization,
    make_owner,
    make_team,
    make_user,
    organization_actor,
    owners_of,
    put_in,
    team_actor,
)


async def _manager(session: AsyncSession, organization: Organization, switch: str) -> Actor:
    user = await make_user(session)
    await make_team(session, organization, organization_access=[switch], members=[user])
    return actor_of(user)


async def test_an_owner_makes_a_team_and_the_log_says_so(session: AsyncSession) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    team = await teams.create_team(
        session,
        owner,
        organization.id,
        TeamSettings(name="ops", organization_access=["manage-workspaces", "read-projects"]),
    )
    assert team.visibility == "secret"
    assert team.organization_access == ["manage-workspaces", "read-projects"]
    event = (await session.scalars(select(EventRow).where(EventRow.subject_id == team.id))).one()
    assert (event.name, event.actor_id, event.organization_id) == (
        "TeamCreated",
        owner.id,
        organization.id,
    )


@pytest.mark.parametrize(
    ("switch", "allowed"),
    [
        ("manage-membership", False),
        ("manage-workspaces", False),
        ("manage-teams", True),
        ("manage-organization-access", True),
    ],
)
async def test_making_a_team_takes_the_permission_to_manage_teams(
    session: AsyncSession, switch: str, allowed: bool
) -> None:
    organization = await make_organization(session)
    actor = await _manager(session, organization, switch)
    if allowed:
        await teams.create_team(session, actor, organization.id, TeamSettings(name="ops"))
    else:
        with pytest.raises(ForbiddenError, match="manage teams"):
            await teams.create_team(session, actor, organization.id, TeamSettings(name="ops"))


async def test_a_stranger_is_told_that_there_is_no_such_organization(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    stranger = actor_of(await make_user(session))
    with pytest.raises(NotFoundError):
        await teams.create_team(session, stranger, organization.id, TeamSettings(name="ops"))


async def test_who_manages_teams_cannot_give_the_organization_away(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    actor = await _manager(session, organization, "manage-teams")
    wanted = TeamSettings(name="ops", organization_access=["manage-projects"])
    with pytest.raises(ForbiddenError, match="give teams access to the organization"):
        await teams.create_team(session, actor, organization.id, wanted)
    team = await make_team(session, organization)
    with pytest.raises(ForbiddenError, match="give teams access to the organization"):
        await teams.update_team(
            session, actor, team, TeamSettings(organization_access=["manage-projects"])
        )


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        (TeamSettings(), "name"),
        (TeamSettings(name=""), "name"),
        (TeamSettings(name="a b"), "name"),
        (TeamSettings(name="x" * 91), "name"),
        (TeamSettings(name="Owners"), "name"),
        (TeamSettings(name="taken"), "name"),
        (TeamSettings(name="ops", visibility="public"), "visibility"),
        (TeamSettings(name="ops", organization_access=["manage-moon"]), "organization_access"),
    ],
)
async def test_a_team_that_cannot_be_is_refused(
    session: AsyncSession, settings: TeamSettings, pointer: str
) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    await make_team(session, organization, "taken")
    with pytest.raises(InvalidError) as refused:
        await teams.create_team(session, owner, organization.id, settings)
    assert refused.value.pointer == pointer


async def test_a_change_holds_at_once(session: AsyncSession) -> None:
    organization = await make_organization(session)
    owner, user = await make_owner(session, organization), await make_user(session)
    team = await make_team(session, organization, members=[user])
    place = Place(organization_id=organization.id)
    assert not await may(session, actor_of(user), Permission.CREATE_PROJECT, place)
    await teams.update_team(
        session, owner, team, TeamSettings(organization_access=["manage-projects"])
    )
    assert await may(session, actor_of(user), Permission.CREATE_PROJECT, place)
    await teams.delete_team(session, owner, team)
    assert not await may(session, actor_of(user), Permission.READ_ORGANIZATION, place)


async def test_the_owners_team_keeps_its_name_and_cannot_be_deleted(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owner, owners = await make_owner(session, organization), await owners_of(session, organization)
    with pytest.raises(InvalidError, match="owners team"):
        await teams.update_team(session, owner, owners, TeamSettings(name="kings"))
    with pytest.raises(ConflictError, match="cannot be deleted"):
        await teams.delete_team(session, owner, owners)


async def test_members_come_and_go(session: AsyncSession) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    alice, bob = await make_user(session, "alice"), await make_user(session, "bob")
    for user in (alice, bob):
        await make_member(session, organization.id, user)
    team = await make_team(session, organization)
    await teams.add_members(session, owner, team, [alice.id, bob.id])
    await teams.add_members(session, owner, team, [alice.id])
    assert await directory.members_of(session, team) == [alice, bob]
    assert await directory.member_counts(session, [team]) == {team.id: 2}
    await teams.remove_members(session, owner, team, [bob.id, "user-none"])
    assert await directory.members_of(session, team) == [alice]


async def test_only_members_of_the_organization_can_be_in_its_teams(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owner, stranger = await make_owner(session, organization), await make_user(session)
    team = await make_team(session, organization)
    with pytest.raises(InvalidError, match="must first become a member"):
        await teams.add_members(session, owner, team, [stranger.id])


async def test_who_manages_members_does_so_in_teams_they_can_see_and_never_in_the_owners(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    await make_owner(session, organization)
    actor = await _manager(session, organization, "manage-membership")
    shown = await make_team(session, organization, visibility="organization")
    secret = await make_team(session, organization)
    owners = await owners_of(session, organization)
    await teams.add_members(session, actor, shown, [actor.id])
    with pytest.raises(ForbiddenError, match="secret"):
        await teams.add_members(session, actor, secret, [actor.id])
    for change in (teams.add_members, teams.remove_members):
        with pytest.raises(ForbiddenError, match="manage the owners team"):
            await change(session, actor, owners, [actor.id])


async def test_an_organization_token_cannot_make_an_owner(session: AsyncSession) -> None:
    organization = await make_organization(session)
    user = await make_user(session)
    await make_member(session, organization.id, user)
    token = organization_actor(organization)
    with pytest.raises(ForbiddenError, match="manage the owners team"):
        await teams.add_members(session, token, await owners_of(session, organization), [user.id])


async def test_the_last_owner_cannot_be_removed(session: AsyncSession) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    second = await make_owner(session, organization)
    owners = await owners_of(session, organization)
    await teams.remove_members(session, owner, owners, [second.id])
    with pytest.raises(ConflictError, match="last owner"):
        await teams.remove_members(session, owner, owners, [owner.id])


async def test_two_owners_who_remove_each_other_at_once_do_not_both_succeed(
    sessions: Sessions,
) -> None:
    async with transaction(sessions) as session:
        organization = await make_organization(session)
        first = await make_owner(session, organization)
        second = await make_owner(session, organization)
        owners = await owners_of(session, organization)

    async def remove(actor: Actor, other: Actor) -> None:
        async with transaction(sessions) as session:
            await teams.remove_members(session, actor, owners, [other.id])

    outcomes = await asyncio.gather(
        remove(first, second), remove(second, first), return_exceptions=True
    )
    assert [outcome for outcome in outcomes if outcome is None] == [None]
    async with transaction(sessions) as session:
        assert len((await session.scalars(select(TeamMember))).all()) == 1


async def test_a_secret_team_is_known_to_its_members_and_to_who_may_see_secret_teams(
    session: AsyncSession,
) -> None:
    organization, elsewhere = await make_organization(session), await make_organization(session)
    member, other = await make_user(session, "m"), await make_user(session, "o")
    secret = await make_team(session, organization, "secret-one", members=[member])
    shown = await make_team(session, organization, "shown", visibility="organization")
    await put_in(session, shown, other)
    sees = [
        (await make_owner(session, organization), True),
        (actor_of(member), True),
        (team_actor(secret), True),
        (organization_actor(organization), True),
        (await _manager(session, organization, "access-secret-teams"), True),
        (await _manager(session, organization, "manage-teams"), False),
        (actor_of(other), False),
        (await make_owner(session, elsewhere), False),
        (actor_of(await make_user(session)), False),
    ]
    for actor, known in sees:
        if known:
            assert await directory.get_team(session, actor, secret.id) is secret
        else:
            with pytest.raises(NotFoundError):
                await directory.get_team(session, actor, secret.id)


async def test_teams_are_listed_by_name_as_far_as_they_may_be_seen(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    user = await make_user(session)
    await make_team(session, organization, "b-mine", members=[user])
    await make_team(session, organization, "a-shown", visibility="organization")
    await make_team(session, organization, "c-secret")
    listed = await directory.list_teams(session, actor_of(user), organization.id, Page())
    assert [team.name for team in listed.items] == ["a-shown", "b-mine"]
    assert listed.total == 2
    found = await directory.list_teams(
        session, actor_of(user), organization.id, Page(), search="SHOW"
    )
    assert [team.name for team in found.items] == ["a-shown"]
    named = await directory.list_teams(
        session, actor_of(user), organization.id, Page(), names=["b-mine", "c-secret"]
    )
    assert [team.name for team in named.items] == ["b-mine"]
    stranger = actor_of(await make_user(session))
    with pytest.raises(NotFoundError):
        await directory.list_teams(session, stranger, organization.id, Page())
