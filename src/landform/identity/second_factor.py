"""A second factor for those who want one: codes of an authenticator (TOTP, RFC 6238).

Ten recovery codes stand in for a lost authenticator, each once. A code that was used does not work
again, not even in its own half minute.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyotp
import segno
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.identity.actor import Actor, ActorKind
from landform.identity.credentials import digest
from landform.identity.events import (
    RecoveryCodeUsed,
    SecondFactorRemoved,
    SecondFactorSet,
)
from landform.identity.models import SecondFactor, User
from landform.kit import events
from landform.kit.clock import now
from landform.kit.crypto import Keyring
from landform.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)

STEP_S: Final = 30
_TOLERATED: Final = 1  # steps that a clock may be off, either way
_RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 10
_LONGEST: Final = 64  # characters of a code that are worth a look
_WRONG: Final = "The code is wrong, was used already, or its time is over."


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator is given.

    Attributes:
        secret: for typing it in, in base32.
        picture: the same for its camera, an address of the form `data:image/svg+xml…`.
    """

    secret: str
    picture: str


async def is_on(session: AsyncSession, user_id: str) -> bool:
    """Tell whether the user has to give a code to sign in."""
    factor = await session.get(SecondFactor, user_id)
    return factor is not None and factor.confirmed_at is not None


async def whose(session: AsyncSession, user_ids: Sequence[str]) -> set[str]:
    """Return those of the users who have to give a code, for a caller who may know of them."""
    query = select(SecondFactor.user_id).where(
        SecondFactor.user_id.in_(user_ids), SecondFactor.confirmed_at.is_not(None)
    )
    return set(await session.scalars(query))


async def begin(session: AsyncSession, keyring: Keyring, actor: Actor, issuer: str) -> Enrolment:
    """Make a secret, in place of one that was never confirmed; nothing is asked for yet.

    Args:
        issuer: how the authenticator names us.

    Raises:
        ForbiddenError: `actor` is not a user in a browser.
        ConflictError: there is a second factor already.
    """
    _require_browser(actor)
    user = await session.get_one(User, actor.id, with_for_update=True)
    factor = await session.get(SecondFactor, user.id)
    if factor is not None and factor.confirmed_at is not None:
        raise ConflictError("You have a second factor. Remove it before you set up another.")
    secret = pyotp.random_base32()
    sealed = keyring.seal(secret.encode(), place=_place(user.id))
    if factor is None:
        session.add(SecondFactor(user_id=user.id, sealed_secret=sealed))
    else:
        factor.sealed_secret = sealed
    return _enrolment(secret, user.username, issuer)


async def begun(
    session: AsyncSession, keyring: Keyring, actor: Actor, issuer: str
) -> Enrolment | None:
    """Return again what was begun and is not confirmed yet, for whoever mistyped the code.

    Raises:
        ForbiddenError: `actor` is not a user in a browser.
    """
    _require_browser(actor)
    factor = await session.get(SecondFactor, actor.id)
    if factor is None or factor.confirmed_at is not None:
        return None
    user = await session.get_one(User, actor.id)
    return _enrolment(_opened(keyring, factor), user.username, issuer)


async def confirm(session: AsyncSession, keyring: Keyring, actor: Actor, code: str) -> list[str]:
    """Ask for codes from now on; return the recovery codes, which cannot be had again.

    Raises:
        ForbiddenError: `actor` is not a user in a browser.
        ConflictError: nothing was begun, or it is confirmed already.
        InvalidError: the code is not the authenticator's.
    """
    _require_browser(actor)
    factor = await session.get(SecondFactor, actor.id, with_for_update=True)
    if factor is None or factor.confirmed_at is not None:
        raise ConflictError("There is no second factor to confirm.")
    step = _step_of(keyring, factor, code)
    if step is None:
        raise InvalidError("This is not the code. Is the clock of the phone right?", pointer="code")
    codes = [_recovery_code() for _ in range(_RECOVERY_CODES)]
    factor.confirmed_at, factor.last_step = now(), step
    factor.recovery_digests = [digest(_plain(each)).hex() for each in codes]
    events.publish(
        session, SecondFactorSet(actor_id=actor.id, organization_id=None, subject_id=actor.id)
    )
    return codes


async def check(session: AsyncSession, keyring: Keyring, user_id: str, code: str) -> None:
    """Pass if the user's authenticator shows this code, or it is a recovery code of theirs.

    The code does not work again. For services, not surfaces: attempts must be counted.

    Raises:
        UnauthenticatedError: it is neither.
    """
    factor = await session.get(SecondFactor, user_id, with_for_update=True)
    if factor is None or factor.confirmed_at is None:
        raise UnauthenticatedError(_WRONG)
    step = _step_of(keyring, factor, code)
    if step is not None and step > factor.last_step:
        factor.last_step = step
        return
    used = digest(_plain(code[:_LONGEST])).hex()
    if used not in factor.recovery_digests:
        raise UnauthenticatedError(_WRONG)
    left = [each for each in factor.recovery_digests if each != used]
    factor.recovery_digests = left
    events.publish(
        session,
        RecoveryCodeUsed(
            actor_id=user_id, organization_id=None, subject_id=user_id, left=len(left)
        ),
    )


async def remove(session: AsyncSession, actor: Actor, user: User) -> None:
    """Ask the user for no code any more: oneself, who must have given one just now, or by an admin.

    Raises:
        ForbiddenError: `actor` is neither a site admin nor the user in a browser.
        NotFoundError: there is none.
    """
    if not actor.is_site_admin:
        _require_browser(actor)
        if actor.id != user.id:
            raise ForbiddenError("Only a site admin can remove another's second factor.")
    factor = await session.get(SecondFactor, user.id, with_for_update=True)
    if factor is None or factor.confirmed_at is None:
        raise NotFoundError(f"{user.username} has no second factor.")
    await session.delete(factor)
    events.publish(
        session, SecondFactorRemoved(actor_id=actor.id, organization_id=None, subject_id=user.id)
    )


async def recovery_codes_left(session: AsyncSession, actor: Actor) -> int:
    """Return how many recovery codes `actor` has not used."""
    factor = await session.get(SecondFactor, actor.id)
    return 0 if factor is None else len(factor.recovery_digests)


def _opened(keyring: Keyring, factor: SecondFactor) -> str:
    return keyring.open(factor.sealed_secret, place=_place(factor.user_id)).decode()


def _step_of(keyring: Keyring, factor: SecondFactor, code: str) -> int | None:
    """Return the half minute whose code this is, of those that count now."""
    given = _plain(code[:_LONGEST])
    if not (given.isascii() and given.isdigit()):
        return None
    totp = pyotp.TOTP(_opened(keyring, factor))
    present = int(now().timestamp()) // STEP_S
    steps: Sequence[int] = range(present - _TOLERATED, present + _TOLERATED + 1)
    matching = [step for step in steps if secrets.compare_digest(totp.generate_otp(step), given)]
    return max(matching, default=None)


def _enrolment(secret: str, username: str, issuer: str) -> Enrolment:
    address = pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)
    picture = segno.make(address, micro=False).svg_data_uri(scale=5, border=3, light="#fff")
    return Enrolment(secret, picture)


def _recovery_code() -> str:
    text = secrets.token_hex(_RECOVERY_BYTES)
    return "-".join(text[start : start + 5] for start in range(0, len(text), 5))


def _plain(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isalnum())


def _place(user_id: str) -> str:
    return f"second-factors/{user_id}"


def _require_browser(actor: Actor) -> None:
    # A leaked token must not be enough to shut its owner out, or to let somebody else in.
    if actor.kind is not ActorKind.USER or actor.token_id is not None:
        raise ForbiddenError("Only a signed-in user has a second factor, and only their own.")
