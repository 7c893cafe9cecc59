"""TFE organization memberships: who belongs to an organization."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Response

from landform.access import directory, memberships
from landform.access.models import Membership
from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    QueryError,
    Resource,
    ToMany,
    ToOne,
    reads,
)
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.people import learn_organizations, user_with_email, users_by_id
from landform.identity.models import User
from landform.kit.errors import NotFoundError
from landform.workspaces import organizations

router = new_router()

_STATUS = "active"  # of every membership: there are no invitations
_STATUSES = (_STATUS, "invited", "inactive")


@dataclass(frozen=True)
class Member:
    """A membership with its user and the teams they are in, as far as the actor may know."""

    row: Membership
    user: User
    team_ids: Sequence[str]


class MembershipAttributes(Attributes[Member]):
    """A user belongs to an organization."""

    created_at: datetime = reads("row.created_at")
    email: str = reads("user.email")
    status: str = reads(lambda _: _STATUS)


async def members(context: Context, rows: Sequence[Membership]) -> list[Member]:
    """Return memberships that the actor may see, ready to be shown."""
    found = await users_by_id(context, (row.user_id for row in rows))
    shown = []
    for organization_id in {row.organization_id for row in rows}:
        here = [row for row in rows if row.organization_id == organization_id]
        teams = await directory.teams_of_members(
            context.session, context.actor, organization_id, [row.user_id for row in here]
        )
        shown += [Member(row, found[row.user_id], teams[row.user_id]) for row in here]
    return sorted(shown, key=lambda member: rows.index(member.row))


async def _by_ids(ids: Sequence[str], context: Context) -> list[Member]:
    found = [await _known(membership_id, context) for membership_id in ids]
    return await members(context, [row for row in found if row])


async def _known(membership_id: str, context: Context) -> Membership | None:
    try:
        return await directory.get_membership(context.session, context.actor, membership_id)
    except NotFoundError:
        return None


async def _prepare(rows: Sequence[Member], context: Context) -> None:
    await learn_organizations(context, (member.row.organization_id for member in rows))


MEMBERSHIPS = Resource[Member, Context](
    TFE,
    "organization-memberships",
    MembershipAttributes,
    key="row.id",
    relationships=[
        ToOne("user", "users", id="row.user_id"),
        ToOne(
            "organization",
            "organizations",
            id=lambda m, context: context.organization_names[m.row.organization_id],
        ),
        ToMany("teams", "teams", ids="team_ids"),
    ],
    url="/api/v2/organization-memberships/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    filters=("q", "filter[status]", "filter[email]"),
)


class NewMembership(Kebab):
    """Who is to belong to the organization."""

    email: str | None = None


NEW_MEMBERSHIP = Input(TFE, "organization-memberships", NewMembership, many={"teams": "teams"})
One = Annotated[Query, Depends(MEMBERSHIPS.query)]
Listed = Annotated[ListQuery, Depends(MEMBERSHIPS.list_query)]


@router.get("/organization-memberships")
async def list_own(query: Listed, context: CurrentContext) -> Response:
    rows = await directory.own_memberships(context.session, context.actor)
    return await MEMBERSHIPS.many(await members(context, rows), query, context)


@router.get("/organizations/{organization}/organization-memberships")
async def list_of_organization(
    organization: str, query: Listed, context: CurrentContext
) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    emails, search = query.values("filter[email]"), query.text("q")
    found = await directory.list_memberships(
        session, actor, owner.id, query.page, emails=emails, search=search
    )
    rows = [row for row, _ in found.items]
    if not _asks_for_active(query):
        return await MEMBERSHIPS.many([], query, context, total=0)
    return await MEMBERSHIPS.many(await members(context, rows), query, context, total=found.total)


@router.post("/organizations/{organization}/organization-memberships", status_code=201)
async def create(
    organization: str,
    body: Annotated[Body[NewMembership], Depends(NEW_MEMBERSHIP)],
    query: One,
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    # Before the address is looked up, else the answer would tell anyone who has one here.
    place = Place(organization_id=owner.id)
    await require(session, actor, Permission.MANAGE_MEMBERSHIP, place)
    user = await user_with_email(context, (body.attributes.email or "").strip())
    into = [await directory.get_team(session, actor, each.id) for each in body.many("teams")]
    row = await memberships.add_member(session, actor, owner.id, user, into=into)
    [member] = await members(context, [row])
    return await MEMBERSHIPS.one(member, query, context)


@router.get("/organization-memberships/{membership_id}")
async def read(membership_id: str, query: One, context: CurrentContext) -> Response:
    row = await directory.get_membership(context.session, context.actor, membership_id)
    [member] = await members(context, [row])
    return await MEMBERSHIPS.one(member, query, context)


@router.delete("/organization-memberships/{membership_id}", status_code=204)
async def delete(membership_id: str, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    row = await directory.get_membership(session, actor, membership_id)
    await memberships.remove_member(session, actor, row)
    return Response(status_code=204)


def _asks_for_active(query: ListQuery) -> bool:
    wanted = query.values("filter[status]")
    if unknown := sorted(set(wanted) - set(_STATUSES)):
        raise QueryError(
            f"There is no status {', '.join(unknown)}; there are {', '.join(_STATUSES)}.",
            parameter="filter[status]",
        )
    return not wanted or _STATUS in wanted
