"""Machines that act for a team by an issuer's word: jobs of GitHub, GitLab and Azure pipelines.

Such a job has a token of its pipeline's service, signed, that says which job it is. It shows that
here and gets a token of the team for an hour at most (RFC 8693), so no secret of ours has to be
kept there. The claims are Terrakube's `federated` ones, with `*` for a part of a value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.directory import get_team
from landform.access.models import Team
from landform.access.permissions import Permission, Place
from landform.access.service import require
from landform.access.tokens import require_for_team
from landform.federation import id_tokens
from landform.federation.departure import Reach
from landform.federation.errors import NotVouchedForError
from landform.federation.events import (
    FederatedCredentialCreated,
    FederatedCredentialDeleted,
    WorkloadRefused,
    WorkloadSignedIn,
)
from landform.federation.models import FederatedCredential
from landform.identity import throttle, tokens
from landform.identity.actor import SYSTEM, Actor, ActorKind
from landform.identity.models import ApiToken
from landform.kit import clock, events
from landform.kit.db import transaction
from landform.kit.errors import InvalidError, NotFoundError
from landform.kit.ids import is_id
from landform.kit.text import check_text
from landform.kit.unique import unique

LIFE: Final = timedelta(hours=1)
_GRACE: Final = timedelta(minutes=1)  # of clocks that differ
_SHOWN: Final = 250  # characters of a name, an audience and a description
_MOST: Final = 200  # credentials of an organization
_MOST_CLAIMS: Final = 20
_MOST_TOKENS: Final = 1000  # that are good at once, by one credential
_LONGEST: Final = 512  # characters of a claim's value, and of what is shown of it
_CLAIM: Final = re.compile(r"[A-Za-z0-9_./:-]{1,200}")
_UNKNOWN: Final = "There is no such federated credential, or the token is not one that it takes."
_UNIQUE: Final = "uq_federated_credentials_organization_id_name"


@dataclass(frozen=True, kw_only=True)
class CredentialSettings:
    """What a client gives of a credential."""

    name: str
    issuer: str
    audience: str
    claims: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Exchanged:
    """A team's token for a machine, and for how many seconds it is good."""

    secret: str = field(repr=False)
    expires_in: int


async def create_credential(
    session: AsyncSession, actor: Actor, team: Team, new: CredentialSettings
) -> FederatedCredential:
    """Let machines that the issuer vouches for act for the team.

    Raises:
        ForbiddenError: `actor` may not make tokens of the team.
        InvalidError: a setting cannot be.
    """
    await require_for_team(session, actor, team)
    _check(new)
    of_organization = FederatedCredential.organization_id == team.organization_id
    query = select(func.count()).select_from(FederatedCredential).where(of_organization)
    if (await session.scalar(query) or 0) >= _MOST:
        raise InvalidError(f"An organization has at most {_MOST} federated credentials.")
    row = FederatedCredential(
        organization_id=team.organization_id,
        team_id=team.id,
        name=new.name,
        issuer=new.issuer,
        audience=new.audience,
        claims=dict(new.claims),
        created_by=actor.id,
    )
    taken = InvalidError(f"There is a credential called {new.name!r} already.", pointer="name")
    async with unique(session, _UNIQUE, taken):
        session.add(row)
    events.publish(
        session,
        FederatedCredentialCreated(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
            team_id=team.id,
            issuer=row.issuer,
        ),
    )
    return row


async def list_credentials(
    session: AsyncSession, actor: Actor, organization_id: str
) -> Sequence[FederatedCredential]:
    """Return the organization's credentials by name.

    Raises:
        ForbiddenError: `actor` may not manage teams.
    """
    await require(session, actor, Permission.MANAGE_TEAMS, Place(organization_id=organization_id))
    of_organization = FederatedCredential.organization_id == organization_id
    rows = await session.scalars(
        select(FederatedCredential).where(of_organization).order_by(FederatedCredential.name)
    )
    return rows.all()


async def get_credential(
    session: AsyncSession, actor: Actor, credential_id: str
) -> FederatedCredential:
    """Return a credential of a team whose tokens `actor` may make.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may know of its team, but not manage its tokens.
    """
    missing = NotFoundError(f"There is no federated credential {credential_id}.")
    row = await session.get(FederatedCredential, credential_id)
    if row is None:
        raise missing
    try:
        team = await get_team(session, actor, row.team_id)
    except NotFoundError:
        raise missing from None
    await require_for_team(session, actor, team)
    return row


async def delete_credential(session: AsyncSession, actor: Actor, credential_id: str) -> None:
    """Withdraw the credential, and every token that was given for it.

    Raises:
        NotFoundError: there is none, or `actor` may not know of it.
        ForbiddenError: `actor` may know of its team, but not manage its tokens.
    """
    row = await get_credential(session, actor, credential_id)
    await session.delete(row)
    await session.flush()
    events.publish(
        session,
        FederatedCredentialDeleted(
            actor_id=actor.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
            team_id=row.team_id,
        ),
    )


async def exchange(reach: Reach, credential_id: str, token: str, *, address: str) -> Exchanged:
    """Give a machine a token of the credential's team for its own token.

    Args:
        address: where the request comes from.

    Raises:
        NotVouchedForError: the token is not one that the credential takes; or there is none such.
        ProviderAwayError: the issuer's keys are not to be had.
        TooManyError: too many were refused from there lately.
    """
    async with transaction(reach.sessions) as session:
        await throttle.count_address(session, address)
    row = await _find(reach, credential_id)
    try:
        claims = await id_tokens.verify_workload(
            reach.directory, token, issuer=row.issuer, audience=row.audience
        )
        _require_claims(row, claims)
    except NotVouchedForError as failure:
        async with transaction(reach.sessions) as session:
            _publish_refusal(session, row, str(failure))
        raise
    return await _give(reach, row, claims, address=address)


async def _find(reach: Reach, credential_id: str) -> FederatedCredential:
    async with transaction(reach.sessions) as session:
        row = None
        if is_id(credential_id):
            row = await session.get(FederatedCredential, credential_id)
        if row is None:
            raise NotVouchedForError(_UNKNOWN)
        return row


async def _give(
    reach: Reach, known: FederatedCredential, claims: Mapping[str, Any], *, address: str
) -> Exchanged:
    moment = clock.now()
    ends = min(moment + LIFE, datetime.fromtimestamp(float(claims["exp"]), UTC) + _GRACE)
    workload = str(claims["sub"])[:_LONGEST]
    async with transaction(reach.sessions) as session:
        row = await session.get(FederatedCredential, known.id, with_for_update=True)
        if row is None:
            raise NotVouchedForError(_UNKNOWN)
        await _make_room(session, row, moment)
        row.last_used_at = moment
        _, secret = await tokens.mint(
            session,
            SYSTEM,
            owner_kind=ActorKind.TEAM,
            owner_id=row.team_id,
            description=f"{row.name}: {workload}"[:_SHOWN],
            expires_at=ends,
            organization_id=row.organization_id,
            federated_credential_id=row.id,
        )
        await throttle.forgive_address(session, address)
        events.publish(
            session,
            WorkloadSignedIn(
                actor_id=row.team_id,
                organization_id=row.organization_id,
                subject_id=row.id,
                name=row.name,
                team_id=row.team_id,
                issuer=row.issuer,
                workload=workload,
            ),
        )
    return Exchanged(secret=secret, expires_in=int((ends - moment).total_seconds()))


async def _make_room(session: AsyncSession, row: FederatedCredential, moment: datetime) -> None:
    own = ApiToken.federated_credential_id == row.id
    await session.execute(delete(ApiToken).where(own, ApiToken.expires_at < moment))
    query = select(func.count()).select_from(ApiToken).where(own)
    if (await session.scalar(query) or 0) >= _MOST_TOKENS:
        raise NotVouchedForError(f"{_MOST_TOKENS} tokens of this credential are good already.")


def _require_claims(row: FederatedCredential, claims: Mapping[str, Any]) -> None:
    for name, wanted in row.claims.items():
        said = claims.get(name)
        values = said if isinstance(said, list) else [said]
        if not any(_fits(str(wanted), value) for value in values):
            raise NotVouchedForError(f"The token's claim {name} is not what the credential takes.")


def _fits(wanted: str, value: Any) -> bool:
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str | int) or len(str(value)) > _LONGEST:
        return False
    return matches(wanted, str(value))


def matches(wanted: str, value: str) -> bool:
    """Tell whether `value` is `wanted`, in which each `*` stands for any text."""
    first, *rest = wanted.split("*")
    if not rest:
        return value == wanted
    *middle, last = rest
    if not value.startswith(first) or len(value) < len(first) + len(last):
        return False
    at, end = len(first), len(value) - len(last)
    for part in middle:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end and value.endswith(last)


def _publish_refusal(session: AsyncSession, row: FederatedCredential, reason: str) -> None:
    events.publish(
        session,
        WorkloadRefused(
            actor_id=SYSTEM.id,
            organization_id=row.organization_id,
            subject_id=row.id,
            name=row.name,
            team_id=row.team_id,
            reason=reason,
        ),
    )


def _check(new: CredentialSettings) -> None:
    for name in ("name", "audience"):
        value = getattr(new, name)
        if not value.strip():
            raise InvalidError(f"The {name} is missing.", pointer=name)
        check_text(value, what=f"The {name}", limit=_SHOWN, pointer=name)
    parts = urlsplit(new.issuer)
    if parts.scheme not in ("https", "http") or not parts.hostname or len(new.issuer) > _LONGEST:
        raise InvalidError(
            "The issuer is the address that tokens have as `iss`, such as"
            " https://token.actions.githubusercontent.com.",
            pointer="issuer",
        )
    if not 1 <= len(new.claims) <= _MOST_CLAIMS:
        raise InvalidError(
            "Say 1 to 20 claims that a token must have: an issuer such as GitHub signs the tokens"
            " of everybody's jobs.",
            pointer="claims",
        )
    for name, value in new.claims.items():
        if _CLAIM.fullmatch(name) is None or not value.strip("* ") or len(value) > _LONGEST:
            raise InvalidError(
                f"The claim {name[:50]!r} needs a value, which may have * in it but not be it.",
                pointer="claims",
            )
