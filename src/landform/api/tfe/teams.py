"""TFE teams and who is in them."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Depends, Response

from landform.access import directory, teams
from landform.access.models import Team
from landform.access.permissions import ORGANIZATION_ACCESS, Permission
from landform.access.teams import TeamSettings
from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListInput,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.memberships import MEMBERSHIPS, Member, members
from landform.api.tfe.people import (
    Person,
    learn_organizations,
    member_ids,
    memberships_of,
    person,
)
from landform.kit.errors import NotFoundError
from landform.workspaces import organizations

router = new_router()


class Permissions(Kebab):
    """What the present user may do to the team."""

    can_update_membership: bool
    can_destroy: bool
    can_update_organization_access: bool
    can_update_api_token: bool
    can_update_visibility: bool
    can_update_name: bool
    can_update_sso_team_id: bool
    can_update_member_token_management: bool
    can_view_api_token: bool


def _permissions(team: Team, context: Context) -> Permissions:
    held = context.held[team.organization_id]
    may_manage = Permission.MANAGE_TEAMS in held
    needed = Permission.MANAGE_OWNERS if team.is_owners else Permission.MANAGE_TEAMS
    joining = Permission.MANAGE_OWNERS if team.is_owners else Permission.MANAGE_MEMBERSHIP
    return Permissions(
        can_update_membership=joining in held,
        can_destroy=may_manage and not team.is_owners,
        can_update_organization_access=Permission.MANAGE_ORGANIZATION_ACCESS in held
        and not team.is_owners,
        can_update_api_token=needed in held,
        can_update_visibility=may_manage,
        can_update_name=may_manage and not team.is_owners,
        can_update_sso_team_id=may_manage and joining in held,
        can_update_member_token_management=False,
        can_view_api_token=needed in held,
    )


def _organization_access(team: Team) -> dict[str, bool]:
    return {
        switch: team.is_owners or switch in team.organization_access
        for switch in ORGANIZATION_ACCESS
    }


class TeamAttributes(Attributes[Team]):
    """Users who were given the same permissions."""

    allow_member_token_management: bool = reads(lambda _: False)
    is_unified: bool = reads(lambda _: False)
    name: str
    organization_access: dict[str, bool] = reads(_organization_access)
    permissions: Permissions = reads(_permissions)
    sso_team_id: str | None
    users_count: int = reads(lambda team, context: context.resource_counts[team.id])
    visibility: str


async def _by_ids(ids: Sequence[str], context: Context) -> list[Team]:
    found = [await _known(team_id, context) for team_id in ids]
    return [team for team in found if team]


async def _known(team_id: str, context: Context) -> Team | None:
    try:
        return await directory.get_team(context.session, context.actor, team_id)
    except NotFoundError:
        return None


async def _prepare(rows: Sequence[Team], context: Context) -> None:
    context.resource_counts.update(await directory.member_counts(context.session, rows))
    await learn_organizations(context, (team.organization_id for team in rows))


async def _users(rows: Sequence[Team], context: Context) -> dict[str, list[Person]]:
    return {
        team.id: [
            person(user, context.actor)
            for user in await directory.members_of(context.session, team)
        ]
        for team in rows
    }


async def _memberships(rows: Sequence[Team], context: Context) -> dict[str, list[Member]]:
    return {team.id: await _members(team, context) for team in rows}


async def _members(team: Team, context: Context) -> list[Member]:
    users = await directory.members_of(context.session, team)
    rows = await memberships_of(context, team.organization_id, (user.id for user in users))
    return await members(context, rows)


TEAMS = Resource[Team, Context](
    TFE,
    "teams",
    TeamAttributes,
    relationships=[
        ToOne(
            "organization",
            "organizations",
            id=lambda team, context: context.organization_names[team.organization_id],
        ),
        ToMany("users", "users", load=_users, eager=False),
        ToMany(
            "organization_memberships",
            "organization-memberships",
            load=_memberships,
            eager=False,
            related="/api/v2/teams/{id}/relationships/organization-memberships",
        ),
        ToOne(
            "authentication_token",
            "authentication-tokens",
            id=None,
            related="/api/v2/teams/{id}/authentication-token",
        ),
    ],
    url="/api/v2/teams/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    filters=("q", "filter[names]"),
)


class TeamInput(Kebab):
    """What a client gives of a team; a switch that is null or left out stays as it is."""

    name: str | None = None
    visibility: str | None = None
    organization_access: dict[str, bool | None] | None = None
    sso_team_id: str | None = None


class Nobody(Kebab):
    """A linkage says who by its id alone."""


TEAM = Input(TFE, "teams", TeamInput)
USER_LIST = ListInput(TFE, "users", Nobody)
MEMBERSHIP_LIST = ListInput(TFE, "organization-memberships", Nobody)
One = Annotated[Query, Depends(TEAMS.query)]
Sent = Annotated[Body[TeamInput], Depends(TEAM)]
SentUsers = Annotated[tuple[Body[Nobody], ...], Depends(USER_LIST)]
SentMemberships = Annotated[tuple[Body[Nobody], ...], Depends(MEMBERSHIP_LIST)]


@router.get("/organizations/{organization}/teams")
async def list_of_organization(
    organization: str,
    query: Annotated[ListQuery, Depends(TEAMS.list_query)],
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    names, search = query.values("filter[names]"), query.text("q")
    found = await directory.list_teams(
        session, actor, owner.id, query.page, names=names, search=search
    )
    return await TEAMS.many(found.items, query, context, total=found.total)


@router.post("/organizations/{organization}/teams", status_code=201)
async def create(organization: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    team = await teams.create_team(session, actor, owner.id, _settings(body))
    return await TEAMS.one(team, query, context)


@router.get("/teams/{team_id}")
async def read(team_id: str, query: One, context: CurrentContext) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    return await TEAMS.one(team, query, context)


@router.patch("/teams/{team_id}")
async def update(team_id: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    team = await directory.get_team(session, actor, team_id)
    team = await teams.update_team(session, actor, team, _settings(body, of=team))
    return await TEAMS.one(team, query, context)


@router.delete("/teams/{team_id}", status_code=204)
async def delete(team_id: str, context: CurrentContext) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    await teams.delete_team(context.session, context.actor, team)
    return Response(status_code=204)


@router.post("/teams/{team_id}/relationships/users", status_code=204)
async def add_users(team_id: str, body: SentUsers, context: CurrentContext) -> Response:
    """Add members of the organization, each named by username, as TFE has it, or by id."""
    team = await directory.get_team(context.session, context.actor, team_id)
    ids = await member_ids(context, team.organization_id, [each.id for each in body])
    await teams.add_members(context.session, context.actor, team, ids)
    return Response(status_code=204)


@router.delete("/teams/{team_id}/relationships/users", status_code=204)
async def remove_users(team_id: str, body: SentUsers, context: CurrentContext) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    ids = await member_ids(context, team.organization_id, [each.id for each in body])
    await teams.remove_members(context.session, context.actor, team, ids)
    return Response(status_code=204)


@router.get("/teams/{team_id}/relationships/organization-memberships")
async def list_memberships(
    team_id: str,
    query: Annotated[ListQuery, Depends(MEMBERSHIPS.list_query)],
    context: CurrentContext,
) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    return await MEMBERSHIPS.many(await _members(team, context), query, context)


@router.post("/teams/{team_id}/relationships/organization-memberships", status_code=204)
async def add_memberships(team_id: str, body: SentMemberships, context: CurrentContext) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    await teams.add_members(context.session, context.actor, team, await _user_ids(body, context))
    return Response(status_code=204)


@router.delete("/teams/{team_id}/relationships/organization-memberships", status_code=204)
async def remove_memberships(
    team_id: str, body: SentMemberships, context: CurrentContext
) -> Response:
    team = await directory.get_team(context.session, context.actor, team_id)
    ids = await _user_ids(body, context)
    await teams.remove_members(context.session, context.actor, team, ids)
    return Response(status_code=204)


async def _user_ids(body: Sequence[Body[Nobody]], context: Context) -> list[str]:
    session, actor = context.session, context.actor
    rows = [await directory.get_membership(session, actor, each.id) for each in body]
    return [row.user_id for row in rows]


def _settings(body: Body[TeamInput], *, of: Team | None = None) -> TeamSettings:
    sent = body.attributes
    present = of.organization_access if of else ()
    return TeamSettings(
        name=None if of is not None and sent.name == of.name else sent.name,
        visibility=sent.visibility,
        sso_team_id=sent.sso_team_id,
        organization_access=None
        if sent.organization_access is None
        else _switched(present, sent.organization_access),
    )


def _switched(present: Sequence[str], sent: Mapping[str, bool | None]) -> list[str]:
    on = {switch for switch, value in sent.items() if value}
    off = {switch for switch, value in sent.items() if value is False}
    return sorted((set(present) - off) | on)
