"""Which user an account at a provider is: the one it is linked to, a new one, or nobody.

A user that is there already is never taken for the account's owner by a name, nor by an address
that the provider does not vouch for; and a site admin never by an address at all.
"""

import secrets
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.federation.errors import NotWelcomeError
from landform.federation.events import IdentityLinked, IdentityUnlinked
from landform.federation.kinds import Kind
from landform.federation.models import Identity, IdentityProvider
from landform.federation.person import Person
from landform.federation.queries import require_browser
from landform.identity import users
from landform.identity.actor import SYSTEM, Actor
from landform.identity.models import User
from landform.kit import events
from landform.kit.errors import ConflictError, InvalidError, NotFoundError

_ONE_AT_A_TIME: Final = 0x1D2B0001  # an advisory lock's number: who makes users for accounts
_ATTEMPTS: Final = 20
_USERNAME_LIMIT: Final = 40
_BY_HAND: Final = (
    " Sign in to it as you do otherwise, and link your account there: Account, Linked accounts."
)


async def user_for(
    session: AsyncSession, provider: IdentityProvider, person: Person
) -> tuple[Identity, User]:
    """Return whose account this is, linking or making the user the first time.

    Raises:
        NotWelcomeError: it is nobody who may come in.
    """
    _require_welcome(provider, person)
    # Two first sign-ins at once, be it at two providers, must not make two users.
    await session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    known = await _known(session, provider, person.subject)
    if known is not None:
        identity, user = known
    else:
        user, how = await _choose(session, provider, person)
        identity = await _link(session, provider, person, user, how=how)
    if user.is_suspended:
        raise NotWelcomeError("This account is suspended.")
    identity.email = person.email
    return identity, user


async def link_to(
    session: AsyncSession, provider: IdentityProvider, person: Person, actor: Actor
) -> Identity:
    """Link an account to the user who is signed in and asked for it.

    Raises:
        ForbiddenError: `actor` is no user in a browser.
        NotWelcomeError: the provider lets nobody like that in.
        ConflictError: it is linked to somebody else, or they have another of this provider.
    """
    require_browser(actor)
    _require_welcome(provider, person)
    await session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    user = await session.get_one(User, actor.id)
    known = await _known(session, provider, person.subject)
    if known is not None:
        if known[1].id != user.id:
            raise ConflictError(f"This account of {provider.name} is another user's here.")
        return known[0]
    if await _has_one(session, provider, user):
        raise ConflictError(f"You have an account of {provider.name} here; unlink that one first.")
    return await _link(session, provider, person, user, how="explicit")


async def unlink(session: AsyncSession, actor: Actor, identity_id: str) -> None:
    """Forget that an account at a provider is the acting user's.

    Raises:
        ForbiddenError: `actor` is no user in a browser.
        NotFoundError: there is no such account of theirs.
        ConflictError: they could not sign in any more.
    """
    require_browser(actor)
    row = await session.get(Identity, identity_id, with_for_update=True)
    if row is None or row.user_id != actor.id:
        raise NotFoundError("There is no such linked account.")
    user = await session.get_one(User, actor.id)
    others = select(Identity.id).where(Identity.user_id == user.id, Identity.id != row.id).limit(1)
    if user.password_hash is None and await session.scalar(others) is None:
        raise ConflictError("You have no password, and this is your only way to sign in.")
    await session.delete(row)
    events.publish(
        session,
        IdentityUnlinked(
            actor_id=actor.id,
            organization_id=None,
            subject_id=user.id,
            provider_id=row.provider_id,
            identity_id=row.id,
        ),
    )


def _require_welcome(provider: IdentityProvider, person: Person) -> None:
    if provider.allowed_domains:
        domain = person.email.rpartition("@")[2].lower()
        if provider.kind is Kind.GOOGLE:
            domain = person.hosted_domain
        if not person.is_email_verified or domain not in provider.allowed_domains:
            raise NotWelcomeError(
                "Only people with a verified address of certain domains can sign in this way."
            )
    if provider.required_groups and not set(provider.required_groups) & set(person.groups):
        raise NotWelcomeError("Only people of certain groups can sign in this way.")


async def _known(
    session: AsyncSession, provider: IdentityProvider, subject: str
) -> tuple[Identity, User] | None:
    query = (
        select(Identity, User)
        .join(User, User.id == Identity.user_id)
        .where(Identity.provider_id == provider.id, Identity.subject == subject)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def _choose(
    session: AsyncSession, provider: IdentityProvider, person: Person
) -> tuple[User, str]:
    there = await _with_email(session, person.email)
    if there:
        return await _claim(session, provider, person, there), "email"
    if not provider.creates_users:
        raise NotWelcomeError("You have no account here. Ask a site admin for one.")
    return await _make(session, person), "new"


async def _claim(
    session: AsyncSession, provider: IdentityProvider, person: Person, there: list[User]
) -> User:
    if not person.is_email_verified or not provider.links_by_email:
        raise NotWelcomeError(
            f"There is an account with the address {person.email} here, and {provider.name} does"
            f" not prove that it is yours.{_BY_HAND}"
        )
    if len(there) > 1:
        raise NotWelcomeError(f"There are several accounts with your address here.{_BY_HAND}")
    user = there[0]
    if user.is_site_admin or await _has_one(session, provider, user):
        raise NotWelcomeError(f"This account is not linked by its address.{_BY_HAND}")
    return user


async def _make(session: AsyncSession, person: Person) -> User:
    for attempt in range(_ATTEMPTS):
        tail = f"-{secrets.token_hex(3)}" if attempt else ""
        try:
            return await users.create_user(
                session,
                SYSTEM,
                username=person.username[: _USERNAME_LIMIT - len(tail)] + tail,
                email=person.email if person.is_email_verified else "",
            )
        except InvalidError:
            continue
    raise NotWelcomeError("No name was found for your account here. Ask a site admin to make it.")


async def _link(
    session: AsyncSession, provider: IdentityProvider, person: Person, user: User, *, how: str
) -> Identity:
    row = Identity(
        provider_id=provider.id, subject=person.subject, user_id=user.id, email=person.email
    )
    session.add(row)
    await session.flush()
    events.publish(
        session,
        IdentityLinked(
            actor_id=user.id,
            organization_id=None,
            subject_id=user.id,
            provider_id=provider.id,
            identity_id=row.id,
            how=how,
        ),
    )
    return row


async def _with_email(session: AsyncSession, email: str) -> list[User]:
    if not email:
        return []
    query = select(User).where(func.lower(User.email) == email.lower()).limit(2)
    return list(await session.scalars(query))


async def _has_one(session: AsyncSession, provider: IdentityProvider, user: User) -> bool:
    query = select(Identity.id).where(
        Identity.provider_id == provider.id, Identity.user_id == user.id
    )
    return await session.scalar(query) is not None
