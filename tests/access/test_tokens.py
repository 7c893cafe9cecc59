import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import tokens
from landform.identity import tokens as user_tokens
from landform.identity.actor import Actor, ActorKind
from landform.identity.users import actor_of
from landform.kit.errors import ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError
from landform.organizations.models import Organization
from tests.factories import (
    make_organization,
    make_owner,
    make_team,
    make_user,
    organization_actor,
    owners_of,
)


async def _manager(session: AsyncSession, organization: Organization) -> Actor:
    user = await make_user(session)
    switches = ["manage-teams", "access-secret-teams"]
    await make_team(session, organization, organization_access=switches, members=[user])
    return actor_of(user)


async def test_a_team_token_is_made_by_who_manages_teams(session: AsyncSession) -> None:
    organization = await make_organization(session)
    team, manager = await make_team(session, organization), await _manager(session, organization)
    token, secret = await tokens.issue_for_team(session, manager, team, description="ci")
    actor = await user_tokens.authenticate(session, secret)
    assert (actor.kind, actor.id, actor.organization_id) == (
        ActorKind.TEAM,
        team.id,
        organization.id,
    )
    assert await tokens.list_of_team(session, manager, team) == [token]


async def test_a_team_has_one_token_without_a_description_and_one_for_each(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    team, owner = await make_team(session, organization), await make_owner(session, organization)
    _, first = await tokens.issue_for_team(session, owner, team)
    _, second = await tokens.issue_for_team(session, owner, team)
    with pytest.raises(UnauthenticatedError):
        await user_tokens.authenticate(session, first)
    await user_tokens.authenticate(session, second)
    await tokens.issue_for_team(session, owner, team, description="ci")
    with pytest.raises(ConflictError, match="'ci' already"):
        await tokens.issue_for_team(session, owner, team, description="ci")
    assert len(await tokens.list_of_team(session, owner, team)) == 2


async def test_a_token_of_the_owners_is_for_owners_to_make_and_see(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owners, manager = await owners_of(session, organization), await _manager(session, organization)
    owner = await make_owner(session, organization)
    for actor in (manager, organization_actor(organization)):
        with pytest.raises(ForbiddenError, match="manage the owners team"):
            await tokens.issue_for_team(session, actor, owners)
    token, _ = await tokens.issue_for_team(session, owner, owners)
    with pytest.raises(ForbiddenError):
        await tokens.get(session, manager, token.id)


async def test_a_plain_member_manages_no_team_s_tokens(session: AsyncSession) -> None:
    organization = await make_organization(session)
    user = await make_user(session)
    team = await make_team(session, organization, members=[user])
    with pytest.raises(ForbiddenError, match="manage teams"):
        await tokens.issue_for_team(session, actor_of(user), team)


async def test_an_organization_has_one_token_which_owners_replace(
    session: AsyncSession,
) -> None:
    organization = await make_organization(session)
    owner = await make_owner(session, organization)
    assert await tokens.of_organization(session, owner, organization.id) is None
    _, first = await tokens.issue_for_organization(session, owner, organization.id)
    token, second = await tokens.issue_for_organization(session, owner, organization.id)
    with pytest.raises(UnauthenticatedError):
        await user_tokens.authenticate(session, first)
    actor = await user_tokens.authenticate(session, second)
    assert (actor.kind, actor.id) == (ActorKind.ORGANIZATION, organization.id)
    assert await tokens.of_organization(session, owner, organization.id) is token
    for other in (actor, await _manager(session, organization)):
        with pytest.raises(ForbiddenError, match="manage the organization's token"):
            await tokens.issue_for_organization(session, other, organization.id)


async def test_any_token_is_revoked_by_who_may_manage_it(session: AsyncSession) -> None:
    organization = await make_organization(session)
    owner, team = await make_owner(session, organization), await make_team(session, organization)
    made = [
        await tokens.issue_for_team(session, owner, team),
        await tokens.issue_for_organization(session, owner, organization.id),
        await user_tokens.issue(session, owner, owner_kind=ActorKind.USER, owner_id=owner.id),
    ]
    stranger = await make_owner(session, await make_organization(session))
    for token, secret in made:
        with pytest.raises(NotFoundError):
            await tokens.revoke(session, stranger, token.id)
        await tokens.revoke(session, owner, token.id)
        with pytest.raises(UnauthenticatedError):
            await user_tokens.authenticate(session, secret)
    with pytest.raises(NotFoundError):
        await tokens.revoke(session, owner, "at-none")
