"""Terrakube's dialect of JSON:API: camelCase, singular types, everything below its organization.

Facts: terrakube_backend.md §1.1. An organization is found by its id or its name.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from landform.api.jsonapi import Dialect, DocumentedRoute, camel
from landform.edge.deps import CurrentActor, CurrentProcess, Session, base_url, process_of
from landform.edge.process import Process
from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.workspaces import organizations

PREFIX: Final = "/api/v1"


@dataclass
class Context:
    """What readers and loaders of the dialect may use, for one request."""

    session: AsyncSession
    actor: Actor
    process: Process
    base: str


def _context(
    request: Request, session: Session, actor: CurrentActor, process: CurrentProcess
) -> Context:
    return Context(session, actor, process, base_url(request))


CurrentContext = Annotated[Context, Depends(_context)]

TERRAKUBE: Final[Dialect[Context]] = Dialect(
    "terrakube", wire=camel, page_size=100, page_size_max=500, origin=base_url
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


def new_router() -> APIRouter:
    """Return a router whose routes are documented from what they take and give."""
    return APIRouter(prefix=PREFIX, route_class=DocumentedRoute)
