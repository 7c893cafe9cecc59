from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import directory, invitations, memberships
from landform.access.models import Invitation, Membership
from landform.identity import users
from landform.identity.actor import Actor
from landform.identity.models import SignInPolicy, User
from landform.identity.users import actor_of
from landform.kit import clock
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.events import EventRow
from landform.organizations.models import Organization
from tests.factories import (
    make_organization,
    make_owner,
    make_team,
    make_user,
    organization_actor,
    owners_of,
)

PASSWORD = "correct horse battery staple"


@pytest.fixture
async def organization(session: AsyncSession) -> Organization:
    return await make_organization(session)


@pytest.fixture
async def owner(session: AsyncSession, organization: Organization) -> Actor:
    return await make_owner(session, organization)


async def manager_of(session: AsyncSession, organization: Organization) -> Actor:
    user = await make_user(session)
    switches = ["manage-membership"]
    await make_team(session, organization, organization_access=switches, members=[user])
    return actor_of(user)


async def accept(session: AsyncSession, secret: str, username: str = "bob") -> User:
    return await invitations.accept(session, secret, username=username, password=PASSWORD)


async def test_who_has_the_link_makes_an_account_and_is_a_member_in_the_teams(
    session: AsyncSession, organization: Organization, owner: Actor
) -> None:
    team = await make_team(session, organization, "crew")
    row, secret = await invitations.invite(
        session, owner, organization.id, invitee=" bob@example.com ", into=[team]
    )
    assert secret not in str(row.__dict__)
    assert row.invitee == "bob@example.com"
    user = await accept(session, secret)
    assert await directory.members_of(session, team) == [user]
    assert (await users.sign_in(session, "bob", PASSWORD)).id == user.id
    assert not user.must_change_password
    names = await session.scalars(select(EventRow.name).where(EventRow.subject_id == row.id))
    assert sorted(names) == ["InvitationAccepted", "MemberInvited"]
    payloads = await session.scalars(select(EventRow.payload))
    assert secret not in str(payloads.all())


async def test_a_link_works_once_and_not_when_it_was_withdrawn_or_has_ended(
    session: AsyncSession,
    organization: Organization,
    owner: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, once = await invitations.invite(session, owner, organization.id, invitee="one")
    await accept(session, once, "one")
    withdrawn, gone = await invitations.invite(session, owner, organization.id, invitee="two")
    await invitations.revoke(session, owner, withdrawn)
    _, late = await invitations.invite(session, owner, organization.id, invitee="three")
    await session.execute(
        text("UPDATE organization_invitations SET expires_at = now() - interval '1 second'")
    )
    for secret in (once, gone, late, "lfi_guess", "", "x" * 5000, "\0", "\ud800"):
        with pytest.raises(NotFoundError, match="Ask for another"):
            await accept(session, secret, "mallory")
        with pytest.raises(NotFoundError, match="Ask for another"):
            await invitations.opened(session, secret)
    assert await users.by_username(session, "mallory") is None


@pytest.mark.parametrize(
    ("username", "password"), [("x", PASSWORD), ("bob", "short"), ("taken", PASSWORD)]
)
async def test_a_bad_name_or_password_does_not_use_it_up(
    session: AsyncSession, organization: Organization, owner: Actor, username: str, password: str
) -> None:
    await make_user(session, "taken")
    _, secret = await invitations.invite(session, owner, organization.id, invitee="bob")
    with pytest.raises(InvalidError):
        async with session.begin_nested():
            await invitations.accept(session, secret, username=username, password=password)
    await accept(session, secret)


async def test_only_who_may_let_somebody_in_invites_lists_and_withdraws(
    session: AsyncSession, organization: Organization, owner: Actor
) -> None:
    row, _ = await invitations.invite(session, owner, organization.id, invitee="bob")
    member = await make_user(session)
    await make_team(session, organization, members=[member])
    stranger = await make_owner(session, await make_organization(session))
    for actor, refusal in ((actor_of(member), ForbiddenError), (stranger, NotFoundError)):
        with pytest.raises(refusal):
            await invitations.invite(session, actor, organization.id, invitee="eve")
        with pytest.raises(refusal):
            await invitations.list_(session, actor, organization.id)
        with pytest.raises(NotFoundError):
            await invitations.get(session, actor, row.id)


async def test_nobody_is_invited_into_a_team_that_the_inviter_may_not_fill(
    session: AsyncSession, organization: Organization
) -> None:
    manager, other = await manager_of(session, organization), await make_organization(session)
    for team, refusal in (
        (await owners_of(session, organization), ForbiddenError),
        (await make_team(session, organization, "secret"), ForbiddenError),
        (await make_team(session, other, "elsewhere"), InvalidError),
    ):
        with pytest.raises(refusal):
            await invitations.invite(session, manager, organization.id, invitee="bob", into=[team])


async def test_a_link_of_who_may_let_nobody_in_any_more_is_worthless(
    session: AsyncSession, organization: Organization, owner: Actor
) -> None:
    manager = await manager_of(session, organization)
    _, secret = await invitations.invite(session, manager, organization.id, invitee="bob")
    query = select(Membership).where(Membership.user_id == manager.id)
    membership = (await session.scalars(query)).one()
    await memberships.remove_member(session, owner, membership)
    with pytest.raises(NotFoundError, match="Ask for another"):
        async with session.begin_nested():
            await accept(session, secret)
    assert await users.by_username(session, "bob") is None


async def test_a_token_of_the_organization_invites_where_it_may_add(
    session: AsyncSession, organization: Organization
) -> None:
    machine = organization_actor(organization)
    team = await make_team(session, organization, "crew")
    _, secret = await invitations.invite(
        session, machine, organization.id, invitee="bob", into=[team]
    )
    user = await accept(session, secret)
    assert await directory.members_of(session, team) == [user]


async def test_only_a_site_admin_gives_an_account_an_address(
    session: AsyncSession, organization: Organization, owner: Actor
) -> None:
    _, secret = await invitations.invite(session, owner, organization.id, invitee="ceo@example.com")
    assert (await accept(session, secret, "mallory")).email == ""
    admin = actor_of(await make_user(session, is_site_admin=True))
    _, secret = await invitations.invite(session, admin, organization.id, invitee="bob@example.com")
    assert (await accept(session, secret)).email == "bob@example.com"


async def test_who_has_an_account_is_added_and_not_invited(
    session: AsyncSession, organization: Organization, owner: Actor
) -> None:
    await make_user(session, email="Bob@Example.com")
    with pytest.raises(InvalidError, match="add them as a member"):
        await invitations.invite(session, owner, organization.id, invitee="bob@example.com")
    for nobody in ("", " ", "a\0b", "x" * 255):
        with pytest.raises(InvalidError):
            await invitations.invite(session, owner, organization.id, invitee=nobody)


async def test_where_nobody_signs_in_by_password_nobody_is_invited(
    session: AsyncSession, organization: Organization, owner: Actor
) -> None:
    _, secret = await invitations.invite(session, owner, organization.id, invitee="bob")
    session.add(SignInPolicy(id=1, local_sign_in=False))
    await session.flush()
    with pytest.raises(ConflictError, match="identity provider"):
        await invitations.invite(session, owner, organization.id, invitee="eve")
    with pytest.raises(ConflictError, match="identity provider"):
        await accept(session, secret)


async def test_invitations_that_wait_are_bounded_and_old_ones_make_room(
    session: AsyncSession, organization: Organization, owner: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "PER_ORGANIZATION", 2)
    for name in ("one", "two"):
        await invitations.invite(session, owner, organization.id, invitee=name)
    with pytest.raises(ConflictError, match="withdraw"):
        await invitations.invite(session, owner, organization.id, invitee="three")
    long_ago = clock.now() - invitations.LIFE - timedelta(minutes=1)
    for row in await invitations.list_(session, owner, organization.id):
        row.expires_at = long_ago
    await session.flush()
    await invitations.invite(session, owner, organization.id, invitee="three")
    [left] = await session.scalars(select(Invitation.invitee))
    assert left == "three"
