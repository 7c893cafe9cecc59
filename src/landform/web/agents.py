"""Agent pools: their agents, their tokens, and who may use them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import tokens
from landform.access.permissions import Permission
from landform.agents import queries, service
from landform.agents.models import AgentPool
from landform.agents.queries import AgentStatus
from landform.agents.service import PoolSettings
from landform.edge.deps import base_url
from landform.identity.actor import Actor
from landform.kit.clock import now
from landform.kit.errors import InvalidError
from landform.kit.pagination import Page
from landform.runs import pools
from landform.web.forms import OwnForm, refusals_to
from landform.web.pages import redirect
from landform.web.visit import NAMED, Crumb, InOrganization, OrganizationVisit
from landform.workspaces import named

router = APIRouter(include_in_schema=False)

_Find = Callable[[AsyncSession, Actor, str, Sequence[str]], Awaitable[list[str]]]
_HERE: Final = "/organizations/{organization}/agent-pools"
_SHOWN: Final = Page(number=1, size=200)
_LIVES: Final = {"30": "30 days", "90": "90 days", "365": "a year", "": "until revoked"}
_LOOKS: Final[Mapping[AgentStatus, str]] = {
    AgentStatus.BUSY: "work",
    AgentStatus.IDLE: "good",
    AgentStatus.EXITED: "idle",
    AgentStatus.ERRORED: "bad",
    AgentStatus.UNKNOWN: "wait",
}


@router.get(_HERE)
async def show_pools(visit: InOrganization) -> Response:
    """List the pools, with how many agents are there."""
    found = await queries.list_pools(visit.session, visit.actor, visit.organization.id, _SHOWN)
    ids = [row.id for row in found.items]
    used = await queries.users_of(visit.session, ids)
    present = await queries.present(visit.session, ids)
    return await visit.page(
        "agents/pools.html",
        section="agents",
        follows=("agents", *NAMED),
        crumbs=[Crumb("Agent pools")],
        pools=[(row, present.get(row.id, 0), len(used[row.id])) for row in found.items],
        may_manage=visit.may(Permission.MANAGE_AGENT_POOLS),
    )


@router.post(_HERE)
async def create(visit: InOrganization, form: OwnForm) -> Response:
    """Make a pool."""
    with refusals_to(f"{visit.path}/agent-pools"):
        settings = PoolSettings(
            name=form.line("name"), organization_scoped=form.flag("organization_scoped")
        )
        pool = await service.create_pool(visit.session, visit.actor, visit.organization, settings)
    return redirect(_path(visit, pool), say="Now make a token for its agents.")


@router.get(f"{_HERE}/{{pool_id}}")
async def show(visit: InOrganization, pool_id: str) -> Response:
    """Show a pool."""
    return await _page(visit, await _pool(visit, pool_id))


@router.post(f"{_HERE}/{{pool_id}}")
async def change(visit: InOrganization, pool_id: str, form: OwnForm) -> Response:
    """Change a pool, delete it, or forget one of its agents."""
    session, actor, pool = visit.session, visit.actor, await _pool(visit, pool_id)

    async def ids(name: str, find: _Find) -> list[str]:
        with refusals_to(_path(visit, pool), at=name):
            return await find(session, actor, visit.organization.id, form.lines(name))

    with refusals_to(_path(visit, pool)):
        if form.line("deed") == "delete":
            await pools.delete_pool(session, actor, pool)
            return redirect(f"{visit.path}/agent-pools", say=f"Agent pool {pool.name} was deleted.")
        if form.line("deed") == "forget":
            agent = await queries.get_agent(session, actor, form.line("agent"))
            await service.forget_agent(session, actor, agent.row)
            return redirect(_path(visit, pool), say=f"{agent.row.name} is not listed any more.")
        settings = PoolSettings(
            name=form.line("name"),
            organization_scoped=form.flag("organization_scoped"),
            allowed_workspaces=await ids("allowed_workspaces", named.workspace_ids),
            allowed_projects=await ids("allowed_projects", named.project_ids),
            excluded_workspaces=await ids("excluded_workspaces", named.workspace_ids),
        )
        await service.update_pool(session, actor, pool, settings)
    return redirect(_path(visit, pool), say="Saved.")


@router.post(f"{_HERE}/{{pool_id}}/tokens")
async def change_tokens(visit: InOrganization, pool_id: str, form: OwnForm) -> Response:
    """Withdraw a token, or make one and show its secret, this once."""
    session, actor, pool = visit.session, visit.actor, await _pool(visit, pool_id)
    with refusals_to(_path(visit, pool), names={"expired_at": "days"}):
        if form.line("deed") == "withdraw":
            token = await tokens.get(session, actor, form.line("token"))
            if token.agent_pool_id != pool.id:
                raise InvalidError("That token is of another pool.")
            await tokens.revoke(session, actor, token.id)
            return redirect(_path(visit, pool), say="The token was withdrawn.")
        days = form.line("days")
        if days not in _LIVES:
            raise InvalidError(
                "A token lives 30, 90 or 365 days, or until it is withdrawn.", pointer="days"
            )
        _, secret = await tokens.issue_for_pool(
            session,
            actor,
            pool.id,
            description=form.line("description"),
            expires_at=now() + timedelta(days=int(days)) if days else None,
        )
    return await _page(visit, pool, secret)


async def _page(visit: OrganizationVisit, pool: AgentPool, secret: str = "") -> Response:
    session, actor = visit.session, visit.actor
    may_manage = visit.may(Permission.MANAGE_AGENT_POOLS)
    agents = await queries.list_agents(session, actor, pool, _SHOWN)
    places = (await queries.places_of(session, [pool.id]))[pool.id]
    users = (await queries.users_of(session, [pool.id]))[pool.id]
    workspaces = await named.workspace_names(
        session,
        actor,
        visit.organization.id,
        {*places.allowed_workspaces, *places.excluded_workspaces, *users},
    )
    projects = await named.project_names(
        session, actor, visit.organization.id, places.allowed_projects
    )
    return await visit.page(
        "agents/pool.html",
        section="agents",
        follows=(
            *(f"{pool.id}/{noun}" for noun in ("agents", "identity")),
            *("agents", *NAMED),
        ),
        crumbs=[Crumb("Agent pools", f"{visit.path}/agent-pools"), Crumb(pool.name)],
        pool=pool,
        agents=[(each.row, each.status, _LOOKS[each.status]) for each in agents.items],
        tokens=await tokens.list_of_pool(session, actor, pool.id) if may_manage else [],
        users=_lines(users, workspaces),
        allowed_workspaces=_lines(places.allowed_workspaces, workspaces),
        allowed_projects=_lines(places.allowed_projects, projects),
        excluded_workspaces=_lines(places.excluded_workspaces, workspaces),
        lives=list(_LIVES.items()),
        may_manage=may_manage,
        secret=secret,
        address=base_url(visit.request),
    )


async def _pool(visit: OrganizationVisit, pool_id: str) -> AgentPool:
    return await queries.get_pool_of(visit.session, visit.actor, visit.organization.id, pool_id)


def _path(visit: OrganizationVisit, pool: AgentPool) -> str:
    return f"{visit.path}/agent-pools/{pool.id}"


def _lines(ids: Iterable[str], names: Mapping[str, str]) -> list[str]:
    return sorted(names[each] for each in ids if each in names)
