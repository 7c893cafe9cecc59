"""Invitations: links by which somebody without an account makes one and becomes a member.

A link works once, for a week, and only as long as whoever made it could let somebody in without
it. Only its SHA-256 is kept.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access import memberships, teams
from landform.access.events import InvitationAccepted, InvitationRevoked, MemberInvited
from landform.access.models import Invitation, Team
from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.identity import policy, users
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.credentials import LONGEST, digest, new_secret
from landform.identity.models import User
from landform.kit import events
from landform.kit.clock import now
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.kit.text import check_text

LIFE: Final = timedelta(days=7)
PER_ORGANIZATION: Final = 100
_INVITEE_LIMIT: Final = 254
_PREFIX: Final = "lfi_"
_GONE: Final = "This invitation was used, withdrawn, or has ended. Ask for another."


async def invite(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    *,
    invitee: str,
    into: Sequence[Team] = (),
) -> tuple[Invitation, str]:
    """Make an invitation; return it with the secret of its link, which cannot be had again.

    Args:
        invitee: an address or a name: whom the link is for, as lists show it.
        into: the teams they will be in.

    Raises:
        ForbiddenError: `actor` may not manage members, or not those of one of the teams.
        InvalidError: there is somebody with that address already.
        ConflictError: nobody signs in by password here, or too many invitations wait.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.MANAGE_MEMBERSHIP, place)
    await _require_passwords(session)
    invitee = check_text(
        invitee.strip(), what="The invitee", limit=_INVITEE_LIMIT, pointer="invitee"
    )
    await _require_nobody(session, invitee)
    for team in into:
        if team.organization_id != organization_id:
            raise InvalidError(f"Team {team.id} is of another organization.", pointer="teams")
        await teams.require_membership(session, actor, team)
    await _require_room(session, organization_id)
    secret = new_secret(_PREFIX)
    row = Invitation(
        organization_id=organization_id,
        invitee=invitee,
        team_ids=[team.id for team in into],
        secret_hash=digest(secret),
        created_by_kind=actor.kind,
        created_by=actor.id,
        expires_at=now() + LIFE,
    )
    session.add(row)
    await session.flush()
    events.publish(
        session,
        MemberInvited(
            actor_id=actor.id,
            organization_id=organization_id,
            subject_id=row.id,
            invitee=invitee,
            team_ids=tuple(row.team_ids),
        ),
    )
    return row, secret


async def list_(session: AsyncSession, actor: Actor, organization_id: str) -> Sequence[Invitation]:
    """Return the invitations that nobody has used, the newest first; those that ended too.

    Raises:
        ForbiddenError: `actor` may not manage members.
    """
    place = Place(organization_id=organization_id)
    await require(session, actor, Permission.MANAGE_MEMBERSHIP, place)
    query = select(Invitation).where(Invitation.organization_id == organization_id)
    return (await session.scalars(query.order_by(Invitation.created_at.desc()))).all()


async def get(session: AsyncSession, actor: Actor, invitation_id: str) -> Invitation:
    """Return an invitation.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
    """
    row = await session.get(Invitation, invitation_id)
    missing = NotFoundError(f"There is no invitation {invitation_id}.")
    if row is None:
        raise missing
    try:
        place = Place(organization_id=row.organization_id)
        await require(session, actor, Permission.MANAGE_MEMBERSHIP, place)
    except (ForbiddenError, NotFoundError):
        raise missing from None
    return row


async def revoke(session: AsyncSession, actor: Actor, invitation: Invitation) -> None:
    """Withdraw an invitation that `get` gave; its link works no more."""
    await session.delete(invitation)
    await session.flush()
    events.publish(
        session,
        InvitationRevoked(
            actor_id=actor.id,
            organization_id=invitation.organization_id,
            subject_id=invitation.id,
            invitee=invitation.invitee,
        ),
    )


async def opened(session: AsyncSession, secret: str, *, lock: bool = False) -> Invitation:
    """Return the invitation whose link somebody has. For who has it, that is permission enough.

    Args:
        lock: of two who use it at once, one waits for the other.

    Raises:
        NotFoundError: there is none (any more).
    """
    query = select(Invitation).where(
        Invitation.secret_hash == digest(secret[:LONGEST]), Invitation.expires_at > now()
    )
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFoundError(_GONE)
    return row


async def accept(session: AsyncSession, secret: str, *, username: str, password: str) -> User:
    """Make an account for whoever has the link, and a member of them. The link is used then.

    The account has the invitation's address only where a site admin gave it: whoever invites
    could otherwise have an account of somebody else's address, to which a provider links them.

    Raises:
        NotFoundError: there is no such invitation, or who made it could not let anybody in now.
        InvalidError: the name is taken or malformed, or the password is too weak.
        ConflictError: nobody signs in by password here.
    """
    row = await opened(session, secret, lock=True)
    await _require_passwords(session)
    inviter = await _inviter(session, row)
    is_address = "@" in row.invitee and inviter.is_site_admin
    user = await users.create_user(
        session,
        SYSTEM,
        username=username.strip(),
        password=password,
        email=row.invitee if is_address else "",
    )
    found = await session.scalars(
        select(Team).where(Team.id.in_(row.team_ids), Team.organization_id == row.organization_id)
    )
    try:
        await memberships.add_member(session, inviter, row.organization_id, user, into=found.all())
    except (ForbiddenError, NotFoundError):
        raise NotFoundError(_GONE) from None
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        InvitationAccepted(
            actor_id=user.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            invitee=row.invitee,
            user_id=user.id,
        ),
    )
    return user


async def _inviter(session: AsyncSession, row: Invitation) -> Actor:
    """Return who made the invitation, with what they may do now."""
    if row.created_by_kind is not ActorKind.USER:
        kind, organization_id = row.created_by_kind, row.organization_id
        return Actor(kind=kind, id=row.created_by, organization_id=organization_id)
    user = await session.get(User, row.created_by)
    if user is None or user.is_suspended:
        raise NotFoundError(_GONE)
    return users.actor_of(user)


async def _require_passwords(session: AsyncSession) -> None:
    if not (await policy.get_policy(session)).local_sign_in:
        raise ConflictError(
            "Nobody signs in by password here: have people sign in through the identity provider,"
            " and add them as members then."
        )


async def _require_nobody(session: AsyncSession, invitee: str) -> None:
    if not invitee:
        raise InvalidError("Say whom it is for: an address or a name.", pointer="invitee")
    query = select(User.id).where(func.lower(User.email) == invitee.lower()).limit(1)
    if "@" in invitee and await session.scalar(query) is not None:
        raise InvalidError(
            f"Somebody has an account with the address {invitee}: add them as a member.",
            pointer="invitee",
        )


async def _require_room(session: AsyncSession, organization_id: str) -> None:
    here = Invitation.organization_id == organization_id
    await session.execute(delete(Invitation).where(here, Invitation.expires_at < now() - LIFE))
    query = select(func.count()).select_from(Invitation).where(here)
    if (await session.scalar(query) or 0) >= PER_ORGANIZATION:
        raise ConflictError(
            f"{PER_ORGANIZATION} invitations wait already; withdraw some of them first."
        )
