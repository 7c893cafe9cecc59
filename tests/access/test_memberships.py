import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import directory, memberships
from landform.access.models import Membership, TeamMember
from landform.identity.actor import Actor
from landform.identity.users import actor_of
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
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
)


async def _manager(session: AsyncSession, organization: Organization) -> Actor:
    user = await make_user(session)
    switches = ["manage-membership"]
    await make_team(session, organization, organization_access=switches, members=[user])
    return actor_of(user)


async def _membership(session: AsyncSession, actor: Actor) -> Membership:
    return (await session.scalars(select(Membership).where(Membership.user_id == actor.id))).one()


async def test_a_member_is_added_with_teams(session: AsyncSession) -> None:
    organization = await make_organization(session)
    manager, user = await _manager(session, organization), await make_user(session)
    team = await make_team(session, organization, visibility="organization")
    row = await memberships.add_member(session, manager, organization.id, user, into=[team])
    assert (row.organization_id, row.user_id) == (organization.id, user.id)
    assert await directory.members_of(session, team) == [user]
    with pytest.raises(InvalidError, match="already"):
        await memberships.add_member(session, manager, organization.id, user)


async def test_adding_members_is_not_for_everyone(session: AsyncSession) -> None:
    organization, other = await make_organization(session), await make_organization(session)
    user, member = await make_user(session), await make_user(session)
    await make_team(session, organization, members=[member])
    with pytest.raises(ForbiddenError):
        await memberships.add_member(session, actor_of(member), organization.id, user)
    stranger = await make_owner(session, other)
    with pytest.raises(NotFoundError):
        await memberships.add_member(session, stranger, organization.id, user)


async def test_a_new_member_cannot_be_put_where_the_adder_may_not_put_anyone(
    session: AsyncSession,
) -> None:
    organization, other = await make_organization(session), await make_organization(session)
    manager, user = await _manager(session, organization), await make_user(session)
    foreign = await make_team(session, other, visibility="organization")
    owners = await owners_of(session, organization)
    with pytest.raises(InvalidError, match="another organization"):
        await memberships.add_member(session, manager, organization.id, user, into=[foreign])
    user = await make_user(session)
    with pytest.raises(ForbiddenError, match="owners"):
        await memberships.add_member(session, manager, organization.id, user, into=[owners])


async def test_the_end_of_a_membership_ends_every_team_of_that_organization_only(
    session: AsyncSession,
) -> None:
    organization, other = await make_organization(session), await make_organization(session)
    manager, user = await _manager(session, organization), await make_user(session)
    for where in (organization, organization, other):
        await make_team(session, where, members=[user])
    row = await make_member(session, organization.id, user)
    await memberships.remove_member(session, manager, row)
    left = await session.scalars(select(TeamMember).where(TeamMember.user_id == user.id))
    assert len(left.all()) == 1
    with pytest.raises(NotFoundError):
        await directory.get_membership(session, manager, row.id)


async def test_owners_are_removed_by_owners_but_never_the_last_and_never_by_themselves(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owner, second = [await make_owner(session, organization) for _ in range(2)]
    manager = await _manager(session, organization)
    with pytest.raises(ForbiddenError, match="owners team"):
        await memberships.remove_member(session, manager, await _membership(session, owner))
    with pytest.raises(ForbiddenError, match="an organization you own"):
        await memberships.remove_member(session, owner, await _membership(session, owner))
    await memberships.remove_member(session, owner, await _membership(session, second))
    admin = actor_of(await make_user(session, is_site_admin=True))
    with pytest.raises(ConflictError, match="last owner"):
        await memberships.remove_member(session, admin, await _membership(session, owner))


async def test_anyone_may_leave_an_organization_they_do_not_own(session: AsyncSession) -> None:
    organization = await make_organization(session)
    user, other = await make_user(session), await make_user(session)
    await make_team(session, organization, members=[user, other])
    row = await _membership(session, actor_of(other))
    with pytest.raises(ForbiddenError):
        await memberships.remove_member(session, actor_of(user), row)
    await memberships.remove_member(
        session, actor_of(user), await _membership(session, actor_of(user))
    )
    assert await directory.own_memberships(session, actor_of(user)) == []


async def test_members_are_listed_for_who_manages_them(session: AsyncSession) -> None:
    organization = await make_organization(session)
    manager = await _manager(session, organization)
    zoe = await make_user(session, "zoe", email="Zoe@Example.com")
    abe = await make_user(session, "abe")
    team = await make_team(session, organization, "crew", visibility="organization")
    await put_in(session, team, zoe, abe)
    listed = await directory.list_memberships(session, manager, organization.id, Page())
    assert [user.username for _, user in listed.items] == ["abe", manager.name, "zoe"]
    assert listed.total == 3
    for wanted in ({"emails": ["zoe@example.com"]}, {"search": "ZO"}):
        found = await directory.list_memberships(
            session,
            manager,
            organization.id,
            Page(),
            **wanted,
        )
        assert [user.id for _, user in found.items] == [zoe.id]
    teams = await directory.teams_of_members(
        session, manager, organization.id, [zoe.id, manager.id]
    )
    assert teams[zoe.id] == [team.id]
    with pytest.raises(ForbiddenError):
        await directory.list_memberships(session, actor_of(zoe), organization.id, Page())


async def test_a_membership_is_seen_by_its_user_and_by_who_manages_members(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    manager = await _manager(session, organization)
    user, other = await make_user(session), await make_user(session)
    await make_team(session, organization, members=[user, other])
    row = await _membership(session, actor_of(user))
    for actor in (actor_of(user), manager):
        assert await directory.get_membership(session, actor, row.id) is row
    with pytest.raises(NotFoundError):
        await directory.get_membership(session, actor_of(other), row.id)
    assert await directory.own_memberships(session, actor_of(user)) == [row]
    assert await directory.own_memberships(session, organization_actor(organization)) == []
