"""What a client gives of a configuration, and what it comes to; refused where it cannot be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Membership
from landform.kit.crypto import Keyring
from landform.kit.errors import InvalidError
from landform.kit.text import check_text
from landform.notifications.models import Destination, NotificationConfiguration
from landform.notifications.triggers import read_triggers

T = TypeVar("T")

_NAME_LIMIT: Final = 128
_URL_LIMIT: Final = 2048
_TOKEN_LIMIT: Final = 1024
_RECIPIENTS: Final = 50
_ADDRESS_LIMIT: Final = 254
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]*[A-Za-z0-9]")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a client gives; None means as it is, or the default for a new one.

    Attributes:
        token: empty takes it away.
        email_addresses: of people who need not be users.
        user_ids: of members of the organization.
    """

    name: str | None = None
    destination: str | None = None
    enabled: bool | None = None
    triggers: Sequence[str] | None = None
    url: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    email_addresses: Sequence[str] | None = None
    user_ids: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A configuration as it would be, in clear."""

    name: str
    destination: Destination
    enabled: bool
    triggers: list[str]
    url: str = field(repr=False)
    token: str = field(repr=False)
    email_addresses: list[str]
    user_ids: list[str]


async def draft(
    session: AsyncSession,
    keyring: Keyring,
    organization_id: str,
    given: Given,
    row: NotificationConfiguration | None = None,
) -> Draft:
    """Return what `row`, or a new configuration, would be with what was given.

    Raises:
        InvalidError: a part is missing, malformed, or not one of its destination's.
    """
    destination = row.destination if row else _destination(given.destination)
    made = Draft(
        name=_name(_either(given.name, row.name if row else "")),
        destination=destination,
        enabled=_either(given.enabled, row.enabled if row else False),
        triggers=read_triggers(_either(given.triggers, row.triggers if row else [])),
        url=_either(given.url, row.url(keyring) if row else "").strip(),
        token=_either(given.token, row.token(keyring) if row else ""),
        email_addresses=_addresses(
            _either(given.email_addresses, row.email_addresses if row else [])
        ),
        user_ids=list(dict.fromkeys(_either(given.user_ids, row.user_ids if row else []))),
    )
    if destination is Destination.EMAIL:
        await _check_mail(session, organization_id, made, given)
    else:
        _check_post(made)
    return made


def _either(given: T | None, present: T) -> T:
    return present if given is None else given


def _destination(given: str | None) -> Destination:
    try:
        return Destination(given or "")
    except ValueError:
        raise InvalidError(
            f"Say how it is told, by destination-type: {', '.join(Destination)}.",
            pointer="destination_type",
        ) from None


def _name(given: str) -> str:
    name = check_text(given.strip(), what="The name", limit=_NAME_LIMIT, pointer="name")
    if not name:
        raise InvalidError("A notification configuration needs a name.", pointer="name")
    return name


def _addresses(given: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(each.strip() for each in given))
    for each in found:
        if len(each) > _ADDRESS_LIMIT or not _ADDRESS.fullmatch(each) or not each.isascii():
            raise InvalidError(
                f"{each[:64]!r} is not an address such as ops@example.com.",
                pointer="email_addresses",
            )
    return found


async def _check_mail(
    session: AsyncSession, organization_id: str, made: Draft, given: Given
) -> None:
    if given.url:
        raise InvalidError("Mail has no url: name users, or email-addresses.", pointer="url")
    _no_token(made)
    if len(made.email_addresses) + len(made.user_ids) > _RECIPIENTS:
        raise InvalidError(
            f"At most {_RECIPIENTS} people are told by one configuration.",
            pointer="email_addresses",
        )
    if made.enabled and not (made.email_addresses or made.user_ids):
        raise InvalidError(
            "Say who is to be told: users, or email-addresses.", pointer="email_addresses"
        )
    if given.user_ids is None:
        return
    query = select(Membership.user_id).where(
        Membership.organization_id == organization_id, Membership.user_id.in_(made.user_ids)
    )
    strangers = set(made.user_ids) - set(await session.scalars(query))
    if strangers:
        raise InvalidError(f"{min(strangers)} is no member of the organization.", pointer="users")


def _check_post(made: Draft) -> None:
    if made.email_addresses or made.user_ids:
        raise InvalidError(
            f"Users and email-addresses are told by email, not by {made.destination}.",
            pointer="email_addresses",
        )
    check_url(made.url)
    if made.destination is not Destination.GENERIC:
        _no_token(made)
    check_text(made.token, what="The token", limit=_TOKEN_LIMIT, pointer="token")


def _no_token(made: Draft) -> None:
    if made.token:
        raise InvalidError(
            "A token signs what is sent to a generic destination; others have none.",
            pointer="token",
        )


def check_url(url: str) -> None:
    """Refuse what is no address of a receiver; the message tells nothing of it.

    Raises:
        InvalidError: it is none.
    """
    if not url:
        raise InvalidError("Say where it is posted to: url.", pointer="url")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("https", "http") and bool(parts.hostname)
        has_user = "@" in parts.netloc
        _ = parts.port
    except ValueError:
        is_url = has_user = False
    if not is_url or len(url) > _URL_LIMIT or not _VISIBLE.fullmatch(url):
        raise InvalidError(
            f"The url is an http or https address of at most {_URL_LIMIT} characters, without"
            " spaces.",
            pointer="url",
        )
    if has_user:
        raise InvalidError("The url may not hold a user or password.", pointer="url")
