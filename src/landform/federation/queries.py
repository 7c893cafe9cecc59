"""Reads of identity providers and identities."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.federation.kinds import Kind
from landform.federation.models import Identity, IdentityProvider
from landform.identity.actor import Actor, ActorKind
from landform.kit.errors import ForbiddenError, NotFoundError
from landform.kit.pagination import Page, Paged, fetch_page


def require_site_admin(actor: Actor) -> None:
    """Let a site admin pass.

    Raises:
        ForbiddenError: `actor` is none.
    """
    if not (actor.is_site_admin or actor.kind is ActorKind.SYSTEM):
        raise ForbiddenError("Only a site admin can do this.")


def require_browser(actor: Actor) -> None:
    """Let a user in a browser pass: a leaked token must not open a second door for good.

    Raises:
        ForbiddenError: `actor` is none.
    """
    if actor.kind is not ActorKind.USER or actor.token_id is not None:
        raise ForbiddenError("Only a signed-in user can do this, and only for themselves.")


async def get_provider(session: AsyncSession, actor: Actor, provider_id: str) -> IdentityProvider:
    """Return the provider, for a site admin.

    Raises:
        ForbiddenError: `actor` is none.
        NotFoundError: there is no such provider.
    """
    require_site_admin(actor)
    row = await session.get(IdentityProvider, provider_id)
    if row is None:
        raise NotFoundError(f"There is no identity provider {provider_id}.")
    return row


async def list_providers(
    session: AsyncSession, actor: Actor, page: Page
) -> Paged[IdentityProvider]:
    """Return the providers by name, for a site admin.

    Raises:
        ForbiddenError: `actor` is none.
    """
    require_site_admin(actor)
    return await fetch_page(
        session, select(IdentityProvider), page, func.lower(IdentityProvider.name)
    )


async def open_doors(session: AsyncSession) -> Sequence[tuple[str, str]]:
    """Return id and name of each provider that people can sign in through; no secret to anybody."""
    query = (
        select(IdentityProvider.id, IdentityProvider.name)
        .where(IdentityProvider.is_enabled)
        .order_by(func.lower(IdentityProvider.name))
    )
    return [(row.id, row.name) for row in await session.execute(query)]


async def find_door(session: AsyncSession, provider_id: str) -> IdentityProvider:
    """Return the provider that somebody comes through. For services, not surfaces.

    Raises:
        NotFoundError: there is none that people can sign in through.
    """
    row = await session.get(IdentityProvider, provider_id)
    if row is None or not row.is_enabled:
        raise NotFoundError("Nobody can sign in this way any more.")
    return row


async def find_saml(session: AsyncSession, provider_id: str) -> IdentityProvider:
    """Return a provider that speaks SAML, on or off: it is told of us before it is on.

    Raises:
        NotFoundError: there is none.
    """
    row = await session.get(IdentityProvider, provider_id)
    if row is None or row.kind is not Kind.SAML:
        raise NotFoundError("There is no such provider of SAML.")
    return row


async def own_identities(
    session: AsyncSession, actor: Actor
) -> Sequence[tuple[Identity, IdentityProvider]]:
    """Return the accounts at providers that are the acting user's."""
    query = (
        select(Identity, IdentityProvider)
        .join(IdentityProvider, IdentityProvider.id == Identity.provider_id)
        .where(Identity.user_id == actor.id)
        .order_by(func.lower(IdentityProvider.name))
    )
    return [(row[0], row[1]) for row in await session.execute(query)]
