"""Terrakube's dialect of JSON:API: camelCase, singular types, everything below its organization.

Facts: terrakube_backend.md §1.1, terrakube_user.md §5.1. An organization is found by its id or its
name. Lists take a filter in RSQL, as `filter` or as `filter[TYPE]`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from landform.api.jsonapi import Dialect, DocumentedRoute, ListQuery, QueryError, camel
from landform.api.jsonapi.rsql import Field, parse
from landform.edge.deps import (
    CurrentActor,
    CurrentProcess,
    Session,
    authenticated,
    base_url,
    process_of,
)
from landform.edge.process import Process
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.selection import All, Selection
from landform.organizations.models import Organization
from landform.runs.models import Run
from landform.triggers.models import Webhook
from landform.vcs.models import Connection
from landform.workspaces import organizations
from landform.workspaces import queries as workspaces
from landform.workspaces.models import Workspace, WorkspaceRepository

PREFIX: Final = "/api/v1"
# What the domain calls otherwise than Terrakube does, where an error points to it.
_ATTRIBUTES: Final = {
    "auto_apply": "defaultTemplate",
    "default_execution_mode": "executionMode",
    "kind": "sshType",
    "ssh_key_id": "moduleSshKey",
    "run_kind": "templateReference",
    "tool": "iacType",
    "tool_version": "terraformVersion",
    "working_directory": "folder",
    "plans_by_comment": "prWorkflowEnabled",
    "applies_by_comment": "prApplyEnabled",
}


@dataclass
class Context:
    """What readers and loaders of the dialect may use, for one request."""

    session: AsyncSession
    actor: Actor
    process: Process
    base: str
    repositories: dict[str, WorkspaceRepository] = field(default_factory=dict)
    by_ssh: dict[str, Connection] = field(default_factory=dict)
    newest_runs: dict[str, Run] = field(default_factory=dict)
    consumers: dict[str, list[str]] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, int | None] = field(default_factory=dict)
    jobs: dict[str, Run] = field(default_factory=dict)
    organization_ids: dict[str, str] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    remote_hooks: dict[str, str] = field(default_factory=dict)
    team_names: dict[str, str] = field(default_factory=dict)


def _context(
    request: Request, session: Session, actor: CurrentActor, process: CurrentProcess
) -> Context:
    return Context(session, actor, process, base_url(request))


CurrentContext = Annotated[Context, Depends(_context)]

TERRAKUBE: Final[Dialect[Context]] = Dialect(
    "terrakube", wire=camel, page_size=500, page_size_max=500, page_limits=True, origin=base_url
)


@asynccontextmanager
async def brief_context(request: Request, actor: Actor) -> AsyncIterator[Context]:
    """Yield a context with a transaction of its own, for a route that waits for other servers."""
    process = process_of(request)
    async with transaction(process.platform.sessions) as session:
        yield Context(session, actor, process, base_url(request))


async def _organization(organization_id: str, context: CurrentContext) -> Organization:
    return await organizations.by_id_or_name(context.session, context.actor, organization_id)


CurrentOrganization = Annotated[Organization, Depends(_organization)]


async def find_workspace(
    context: Context, organization: Organization, workspace_id: str
) -> Workspace:
    """Return a workspace of the organization.

    Raises:
        NotFoundError: it has none of that id that the actor may know of.
    """
    workspace = await workspaces.get(context.session, context.actor, workspace_id)
    if workspace.organization_id != organization.id:
        raise NotFoundError(f"There is no workspace {workspace_id} in {organization.name}.")
    return workspace


async def _workspace(
    organization: CurrentOrganization, workspace_id: str, context: CurrentContext
) -> Workspace:
    return await find_workspace(context, organization, workspace_id)


CurrentWorkspace = Annotated[Workspace, Depends(_workspace)]


# Of a route whose address names the organization and is taken without it too.
BELOW_ORGANIZATION: Final = Depends(_organization)


BELOW_WORKSPACE: Final = Depends(_workspace)


async def _workspace_anywhere(
    request: Request, workspace_id: str, context: CurrentContext
) -> Workspace:
    named = request.path_params.get("organization_id")
    if named is None:
        return await workspaces.get(context.session, context.actor, workspace_id)
    return await find_workspace(context, await _organization(named, context), workspace_id)


WorkspaceAnywhere = Annotated[Workspace, Depends(_workspace_anywhere)]


def selection_of(query: ListQuery, kind: str, fields: Mapping[str, Field]) -> Selection:
    """Return what a list of `kind` is asked for, by the names of the domain.

    Raises:
        QueryError: a filter cannot be read, or is of another type than the list's.
    """
    conditions = []
    for name, text in query.parameters:
        if name in ("filter", f"filter[{kind}]"):
            conditions.append(parse(text, fields, parameter=name))
        elif name.startswith("filter["):
            raise QueryError(f"This list is filtered by filter[{kind}].", parameter=name)
    order = tuple(f"{'-' * key.descending}{fields[camel(key.name)].name}" for key in query.sort)
    return Selection(All(tuple(conditions)) if conditions else None, order)


def refuse_set(words: Mapping[str, str], sent: Mapping[str, object]) -> None:
    """Refuse what would be taken and forgotten; empty texts, false and null say nothing.

    Args:
        words: why not, by attribute in snake_case.

    Raises:
        InvalidError: one of them is set.
    """
    for name, reason in words.items():
        if sent.get(name):
            raise InvalidError(reason, pointer=name)


def attribute(name: str) -> str:
    """Return how the dialect spells the attribute that a domain's error points to."""
    return _ATTRIBUTES.get(name) or camel(name)


def new_router() -> APIRouter:
    """Return a router whose routes are documented from what they take and give.

    Who asks is known before anything else of a request is looked at.
    """
    return APIRouter(
        prefix=PREFIX, route_class=DocumentedRoute, dependencies=[Depends(authenticated)]
    )
