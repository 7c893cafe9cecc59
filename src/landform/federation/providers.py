"""Identity providers: made, changed and removed, by site admins."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.federation import saml_extra, settings
from landform.federation.events import (
    IdentityProviderCreated,
    IdentityProviderDeleted,
    IdentityProviderUpdated,
)
from landform.federation.kinds import Kind
from landform.federation.models import IdentityProvider
from landform.federation.own_secrets import seal_secret
from landform.federation.queries import require_site_admin
from landform.federation.settings import ProviderSettings
from landform.identity import policy
from landform.identity.actor import Actor
from landform.identity.models import SignInPolicy
from landform.kit import events
from landform.kit.crypto import Keyring
from landform.kit.errors import ConflictError, InvalidError
from landform.kit.ids import new_id
from landform.kit.unique import unique

CALLBACK: Final = "/login/callback"
_MOST: Final = 50
_UNIQUE: Final = "uq_identity_providers_lower_name"


async def create_provider(
    session: AsyncSession, keyring: Keyring, actor: Actor, kind: Kind, new: ProviderSettings
) -> IdentityProvider:
    """Let people sign in through another provider.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: a setting cannot be.
        ConflictError: there are as many as there may be.
    """
    require_site_admin(actor)
    every = settings.defaults(kind) | settings.given(new)
    secret = new.client_secret or ""
    settings.check(kind, every, secret)
    if kind is Kind.SAML:
        every.setdefault("client_id", "")
        secret = _key(every)
    if (await session.scalar(select(func.count()).select_from(IdentityProvider)) or 0) >= _MOST:
        raise ConflictError(f"There are at most {_MOST} identity providers.")
    provider_id = new_id("idp")
    row = IdentityProvider(
        id=provider_id,
        kind=kind,
        sealed_secret=seal_secret(keyring, provider_id, secret.strip()),
        created_by=actor.id,
        **every,
    )
    async with unique(session, _UNIQUE, _taken(row.name)):
        session.add(row)
    events.publish(
        session,
        IdentityProviderCreated(
            actor_id=actor.id,
            organization_id=None,
            subject_id=row.id,
            name=row.name,
            kind=kind,
            issuer=row.issuer,
        ),
    )
    return row


async def update_provider(
    session: AsyncSession,
    keyring: Keyring,
    actor: Actor,
    row: IdentityProvider,
    change: ProviderSettings,
) -> None:
    """Apply the settings that are given; an empty secret leaves the present one.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        InvalidError: a setting cannot be. The issuer is one of those: accounts are its.
        ConflictError: nobody but the break-glass admin could sign in any more.
    """
    require_site_admin(actor)
    await session.refresh(row, with_for_update=True)
    found = settings.given(change)
    secret = (change.client_secret or "").strip() or None
    if row.kind is Kind.SAML:
        secret = None
    changed = {name: value for name, value in found.items() if value != getattr(row, name)}
    if "issuer" in changed and row.issuer:
        raise InvalidError(
            "The accounts that are linked are those of the present issuer; make another provider.",
            pointer="issuer",
        )
    known = {name: getattr(row, name) for name in (*settings.defaults(row.kind), "client_id")}
    settings.check(row.kind, known | changed, secret)
    if row.kind is Kind.SAML and "signs_requests" in changed:
        secret = _key(changed)
    if changed.get("is_enabled") is False:
        await _require_another(session, row)
    changes = events.changes_of(row, changed)
    async with unique(session, _UNIQUE, _taken(str(found.get("name", "")))):
        for name, value in changed.items():
            setattr(row, name, value)
        if secret is not None:
            row.sealed_secret = seal_secret(keyring, row.id, secret)
    if changed or secret is not None:
        names = (*changed, *(("client_secret",) if secret is not None else ()))
        events.publish(
            session,
            IdentityProviderUpdated(
                actor_id=actor.id,
                organization_id=None,
                subject_id=row.id,
                name=row.name,
                changed=names,
                changes=changes,
            ),
        )


async def delete_provider(session: AsyncSession, actor: Actor, row: IdentityProvider) -> None:
    """Remove the provider; users stay, and are in the teams that it put them into.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        ConflictError: nobody but the break-glass admin could sign in any more.
    """
    require_site_admin(actor)
    await _require_another(session, row)
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        IdentityProviderDeleted(
            actor_id=actor.id, organization_id=None, subject_id=row.id, name=row.name
        ),
    )


async def set_local_sign_in(
    session: AsyncSession, actor: Actor, *, is_on: bool, break_glass: str = ""
) -> SignInPolicy:
    """Let people sign in by password, or nobody but the user `break_glass`, a site admin.

    Raises:
        ForbiddenError: `actor` is not a site admin.
        ConflictError: there is no provider to sign in through instead.
        InvalidError: nobody who could is named for emergencies.
    """
    require_site_admin(actor)
    if not is_on and not await _enabled(session):
        raise ConflictError("There is no identity provider to sign in through instead.")
    return await policy.set_policy(session, actor, is_on=is_on, break_glass=break_glass)


async def _require_another(session: AsyncSession, row: IdentityProvider) -> None:
    found = await policy.get_policy(session)
    if not found.local_sign_in and await _enabled(session) <= {row.id}:
        raise ConflictError(
            "Signing in by password is switched off, and this is the only other way. Switch it on"
            " first."
        )


async def _enabled(session: AsyncSession) -> set[str]:
    query = select(IdentityProvider.id).where(IdentityProvider.is_enabled)
    return set(await session.scalars(query))


def _key(settings: Mapping[str, Any]) -> str:
    """Return what is sealed of a provider that speaks SAML: a new key of ours, if we sign."""
    return saml_extra.new_key("Landform") if settings["signs_requests"] else ""


def _taken(name: str) -> InvalidError:
    return InvalidError(f"The name {name} is another identity provider's.", pointer="name")
