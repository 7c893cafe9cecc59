"""TFE agent pools, their agents and their tokens (go-tfe agent_pool.go, agent.go, agent_token.go).

An agent pool is made open to every workspace of its organization unless it says otherwise.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Response
from msgspec import UNSET, UnsetType

from landform.access import tokens as access_tokens
from landform.agents import queries, service
from landform.agents.models import AgentPool
from landform.agents.queries import ShownAgent
from landform.agents.service import PoolSettings
from landform.api.jsonapi import (
    Attributes,
    Body,
    Input,
    Kebab,
    ListQuery,
    Query,
    Resource,
    ToMany,
    ToOne,
    reads,
)
from landform.api.jsonapi.seen import seen
from landform.api.tfe.dialect import TFE, Context, CurrentContext, new_router
from landform.api.tfe.people import learn_organizations
from landform.api.tfe.tokens import NEW_TOKEN, TOKENS, NewToken, ShownToken
from landform.kit.errors import InvalidError
from landform.runs import pools
from landform.workspaces import organizations

router = new_router()

_PLACES: Final = ("allowed_workspaces", "allowed_projects", "excluded_workspaces")


class PoolAttributes(Attributes[AgentPool]):
    """Agents that stand for each other."""

    agent_count: int = reads(lambda row, context: context.agent_counts.get(row.id, 0))
    created_at: datetime
    name: str
    organization_scoped: bool


async def _prepare(rows: Sequence[AgentPool], context: Context) -> None:
    ids = [row.id for row in rows]
    await learn_organizations(context, (row.organization_id for row in rows))
    context.agent_counts.update(await queries.present(context.session, ids))
    context.pool_places.update(await queries.places_of(context.session, ids))
    context.pool_users.update(await queries.users_of(context.session, ids))


async def _by_ids(ids: Sequence[str], context: Context) -> list[AgentPool]:
    return await seen(lambda each: queries.get_pool(context.session, context.actor, each), ids)


def _named(name: str) -> Any:
    return lambda row, context: getattr(context.pool_places[row.id], name)


POOLS = Resource[AgentPool, Context](
    TFE,
    "agent-pools",
    PoolAttributes,
    relationships=[
        ToOne(
            "organization",
            "organizations",
            id=lambda row, context: context.organization_names[row.organization_id],
        ),
        ToMany("workspaces", "workspaces", ids=lambda row, context: context.pool_users[row.id]),
        ToMany("allowed_workspaces", "workspaces", ids=_named("allowed_workspaces")),
        ToMany("allowed_projects", "projects", ids=_named("allowed_projects")),
        ToMany("excluded_workspaces", "workspaces", ids=_named("excluded_workspaces")),
        ToMany("agents", "agents", related="/api/v2/agent-pools/{id}/agents"),
        ToMany(
            "authentication_tokens",
            "authentication-tokens",
            related="/api/v2/agent-pools/{id}/authentication-tokens",
        ),
    ],
    url="/api/v2/agent-pools/{id}",
    by_ids=_by_ids,
    prepare=_prepare,
    sorts=("name", "created_at"),
    filters=(
        "q",
        "filter[allowed_workspaces][name]",
        "filter[allowed_projects][name]",
    ),
)


class AgentAttributes(Attributes[ShownAgent]):
    """A process that takes phases of its pool."""

    name: str = reads("row.name")
    status: str
    ip_address: str = reads("row.address")
    last_ping_at: datetime = reads("row.seen_at")
    created_at: datetime = reads("row.created_at")


AGENTS = Resource[ShownAgent, Context](
    TFE, "agents", AgentAttributes, key="row.id", filters=("filter[last-ping-since]",)
)


class PoolInput(Kebab):
    """What a client gives of a pool."""

    name: str | UnsetType | None = UNSET
    organization_scoped: bool | UnsetType | None = UNSET


POOL = Input(
    TFE,
    "agent-pools",
    PoolInput,
    many={
        "allowed_workspaces": "workspaces",
        "allowed_projects": "projects",
        "excluded_workspaces": "workspaces",
    },
)
One = Annotated[Query, Depends(POOLS.query)]
Sent = Annotated[Body[PoolInput], Depends(POOL)]


@router.get("/organizations/{organization}/agent-pools")
async def list_of_organization(
    organization: str,
    query: Annotated[ListQuery, Depends(POOLS.list_query)],
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    by_age = next((key for key in query.sort if key.name == "created_at"), None)
    found = await queries.list_pools(
        session,
        actor,
        owner.id,
        query.page,
        search=query.text("q"),
        allowed_workspace=query.text("filter[allowed_workspaces][name]"),
        allowed_project=query.text("filter[allowed_projects][name]"),
        newest_first=None if by_age is None else by_age.descending,
    )
    return await POOLS.many(found.items, query, context, total=found.total)


@router.post("/organizations/{organization}/agent-pools", status_code=201)
async def create(organization: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    owner = await organizations.by_name(session, actor, organization)
    pool = await service.create_pool(session, actor, owner, _settings(body))
    return await POOLS.one(pool, query, context)


@router.get("/agent-pools/{pool_id}")
async def read(pool_id: str, query: One, context: CurrentContext) -> Response:
    pool = await queries.get_pool(context.session, context.actor, pool_id)
    return await POOLS.one(pool, query, context)


@router.patch("/agent-pools/{pool_id}")
async def update(pool_id: str, body: Sent, query: One, context: CurrentContext) -> Response:
    session, actor = context.session, context.actor
    pool = await queries.get_pool(session, actor, pool_id)
    pool = await service.update_pool(session, actor, pool, _settings(body))
    return await POOLS.one(pool, query, context)


@router.delete("/agent-pools/{pool_id}", status_code=204)
async def delete(pool_id: str, context: CurrentContext) -> Response:
    pool = await queries.get_pool(context.session, context.actor, pool_id)
    await pools.delete_pool(context.session, context.actor, pool)
    return Response(status_code=204)


@router.get("/agent-pools/{pool_id}/agents")
async def list_agents(
    pool_id: str,
    query: Annotated[ListQuery, Depends(AGENTS.list_query)],
    context: CurrentContext,
) -> Response:
    session, actor = context.session, context.actor
    pool = await queries.get_pool(session, actor, pool_id)
    since = _moment(query.text("filter[last-ping-since]"))
    found = await queries.list_agents(session, actor, pool, query.page, since=since)
    return await AGENTS.many(found.items, query, context, total=found.total)


@router.get("/agents/{agent_id}")
async def read_agent(
    agent_id: str, query: Annotated[Query, Depends(AGENTS.query)], context: CurrentContext
) -> Response:
    found = await queries.get_agent(context.session, context.actor, agent_id)
    return await AGENTS.one(found, query, context)


@router.delete("/agents/{agent_id}", status_code=204)
async def delete_agent(agent_id: str, context: CurrentContext) -> Response:
    found = await queries.get_agent(context.session, context.actor, agent_id)
    await service.forget_agent(context.session, context.actor, found.row)
    return Response(status_code=204)


@router.get("/agent-pools/{pool_id}/authentication-tokens")
async def list_tokens(
    pool_id: str,
    query: Annotated[ListQuery, Depends(TOKENS.list_query)],
    context: CurrentContext,
) -> Response:
    rows = await access_tokens.list_of_pool(context.session, context.actor, pool_id)
    page = [ShownToken(row) for row in rows[query.page.offset :][: query.page.size]]
    return await TOKENS.many(page, query, context, total=len(rows))


@router.post("/agent-pools/{pool_id}/authentication-tokens", status_code=201)
async def create_token(
    pool_id: str,
    sent: Annotated[NewToken, Depends(NEW_TOKEN)],
    query: Annotated[Query, Depends(TOKENS.query)],
    context: CurrentContext,
) -> Response:
    row, secret = await access_tokens.issue_for_pool(
        context.session,
        context.actor,
        pool_id,
        description=sent.description or "",
        expires_at=sent.expired_at,
    )
    return await TOKENS.one(ShownToken(row, secret), query, context)


def _settings(body: Body[PoolInput]) -> PoolSettings:
    sent = body.attributes
    named = {name: [each.id for each in body.many(name)] for name in _PLACES if body.mentions(name)}
    return PoolSettings(
        name=sent.name if isinstance(sent.name, str) else None,
        organization_scoped=(
            sent.organization_scoped if isinstance(sent.organization_scoped, bool) else None
        ),
        **named,
    )


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidError(
            "filter[last-ping-since] is a moment such as 2026-11-26T12:00:00Z.",
            pointer="filter[last-ping-since]",
        )
    return moment
