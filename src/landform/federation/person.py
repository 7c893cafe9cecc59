"""Who a provider says that somebody is: read from claims, whatever those are. Pure.

Facts: OpenID Connect Core 1.0 §5.1; Microsoft Entra leaves `groups` out and says so in
`_claim_names` when there are more than 200; Google vouches for addresses of gmail.com and of those
who have `hd`, and for no others (their own documents).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from landform.federation.errors import NotVouchedForError, NotWelcomeError
from landform.federation.kinds import Kind

ABOUT_EMAIL: Final = ("email", "email_verified", "xms_edov")
_LONGEST: Final = 255  # characters of a subject, as OpenID Connect has it
_EMAIL_LIMIT: Final = 254
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
_GROUP_LIMIT: Final = 256
_MOST_GROUPS: Final = 2000
_NAMES: Final = ("preferred_username", "nickname", "login", "email", "name")
_OUTSIDE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_USERNAME_LIMIT: Final = 40
_SHORTEST: Final = 2


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account at a provider.

    Attributes:
        email: empty where it is not told, or is none.
        username: what a new user could be called.
        groups: without the provider's prefix.
        hosted_domain: of Google, whose company's account it is; empty: a person's own.
        once: what the provider calls its saying so, where that must not be taken twice.
    """

    subject: str
    email: str
    is_email_verified: bool
    username: str
    groups: tuple[str, ...] = ()
    hosted_domain: str = ""
    once: str = ""


def read_person(
    claims: Mapping[str, Any],
    kind: Kind,
    *,
    groups_claim: str = "",
    trusts_email: bool = False,
    once: str = "",
) -> Person:
    """Read claims that were verified.

    Args:
        trusts_email: an address counts as verified unless it is said not to be.
        once: what may not be said a second time.

    Raises:
        NotVouchedForError: there is no usable subject.
        NotWelcomeError: there are more groups than were told.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or len(subject) > _LONGEST or "\0" in subject:
        raise NotVouchedForError("The provider does not say who it is (`sub`).")
    email = claims.get("email")
    if not (isinstance(email, str) and len(email) <= _EMAIL_LIMIT and _EMAIL.fullmatch(email)):
        email = ""
    hosted = claims.get("hd") if kind is Kind.GOOGLE else ""
    hosted = hosted.lower() if isinstance(hosted, str) else ""
    is_verified = bool(email) and _is_verified(claims, trusts_email=trusts_email)
    if kind is Kind.GOOGLE and not hosted and not email.lower().endswith("@gmail.com"):
        # Who has left a company keeps a personal account with its address there.
        is_verified = False
    return Person(
        subject=subject,
        email=email,
        is_email_verified=is_verified,
        username=_username(claims),
        groups=_groups(claims, groups_claim),
        hosted_domain=hosted,
        once=once,
    )


def _is_verified(claims: Mapping[str, Any], *, trusts_email: bool) -> bool:
    # Some write it as text; `xms_edov` is Entra's word for it. Anything else is no yes.
    said = claims.get("email_verified", claims.get("xms_edov"))
    if said is None:
        return trusts_email
    return said is True or said in ("true", "1") or (said == 1 and not isinstance(said, float))


def _username(claims: Mapping[str, Any]) -> str:
    for name in _NAMES:
        value = claims.get(name)
        if not isinstance(value, str):
            continue
        plain = _OUTSIDE.sub("-", value.partition("@")[0][:200]).strip("._-")[:_USERNAME_LIMIT]
        if len(plain) >= _SHORTEST:
            return plain
    return "user"


def _groups(claims: Mapping[str, Any], groups_claim: str) -> tuple[str, ...]:
    if not groups_claim:
        return ()
    elsewhere = claims.get("_claim_names")
    if groups_claim not in claims and isinstance(elsewhere, dict) and groups_claim in elsewhere:
        raise NotWelcomeError(
            "You are in more groups than your provider tells of. Its administrator can have it"
            " tell only of the groups assigned to this application."
        )
    found = claims.get(groups_claim)
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return ()
    named = {each for each in found if isinstance(each, str) and 0 < len(each) <= _GROUP_LIMIT}
    if len(named) > _MOST_GROUPS:
        raise NotWelcomeError(f"Your provider names more than {_MOST_GROUPS} groups.")
    return tuple(sorted(each for each in named if "\0" not in each))
