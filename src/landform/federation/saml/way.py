"""A sign-in by SAML: what a browser is sent away with, and who it comes back as."""

import asyncio
from functools import partial
from typing import Any, Final

from landform.federation.departure import Away, Reach, Return
from landform.federation.errors import NotVouchedForError, ProviderAwayError
from landform.federation.models import IdentityProvider
from landform.federation.own_secrets import open_secret
from landform.federation.person import Person, read_person
from landform.federation.saml.answers import read_answer
from landform.federation.saml.facts import Assertion, Expected, Published, entity_id
from landform.federation.saml.metadata import read_metadata
from landform.federation.saml.questions import request_url
from landform.kit import clock

_ACCEPT: Final = "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.8"
_EMAIL_FORMAT: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
_SOAP: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
# By what attributes directories tell of these: their own names, LDAP's, and Microsoft's.
_EMAILS: Final = (
    *("email", "mail", "Email", "emailAddress", f"{_SOAP}/emailaddress"),
    "urn:oid:0.9.2342.19200300.100.1.3",
)
_NAMES: Final = (
    *("preferred_username", "username", "Username", "uid", f"{_SOAP}/name"),
    "urn:oid:0.9.2342.19200300.100.1.1",
)
_VERIFIED: Final = "email_verified"
# Entra's word for more groups than it tells of.
_ELSEWHERE: Final = "http://schemas.microsoft.com/claims/groups.link"


async def address_of(reach: Reach, row: IdentityProvider, away: Away) -> str:
    """Return where a browser goes that sets out.

    Raises:
        ProviderAwayError: the provider's metadata are not to be had.
        BlockedAddressError: the operator does not allow fetching them.
    """
    published = await _published(reach, row)
    return request_url(
        published.sso_url,
        request_id=_request_id(away),
        entity_id=entity_id(row.id, row.client_id, away.base),
        callback=away.redirect_uri,
        state=away.state,
        moment=clock.now(),
        key=open_secret(reach.keyring, row) if row.signs_requests else "",
    )


async def ask(reach: Reach, row: IdentityProvider, away: Away, back: Return) -> Person:
    """Return who it is by what came back; no transaction is open.

    Raises:
        NotVouchedForError: it proves nothing.
        NotWelcomeError: it does not tell of all groups.
        ProviderAwayError: the provider's metadata are not to be had.
        BlockedAddressError: the operator does not allow fetching them.
    """
    if not back.response:
        raise NotVouchedForError(f"{row.name} did not let you in.")
    published = await _published(reach, row)
    expected = Expected(
        issuer=row.issuer,
        audience=entity_id(row.id, row.client_id, away.base),
        recipient=away.redirect_uri,
        request_id=_request_id(away),
    )
    # Large ones take a while, in which others are to be served.
    assertion = await asyncio.to_thread(
        read_answer, back.response, published.certificates, expected
    )
    return read_person(
        _claims(assertion, row.groups_claim),
        row.kind,
        groups_claim=row.groups_claim,
        trusts_email=row.trusts_email,
        once=assertion.id,
    )


async def _published(reach: Reach, row: IdentityProvider) -> Published:
    if row.metadata_url:
        read = partial(read_metadata, issuer=row.issuer)
        return await reach.directory.published(row.issuer, row.metadata_url, read, accept=_ACCEPT)
    if not row.sso_url:
        raise ProviderAwayError(f"The metadata of {row.name} were not given yet.")
    return Published(issuer=row.issuer, sso_url=row.sso_url, certificates=tuple(row.certificates))


def _request_id(away: Away) -> str:
    return f"_{away.nonce}"  # an XML name may not begin with a digit


def _claims(assertion: Assertion, groups_claim: str) -> dict[str, Any]:
    """Return what is said as the claims of an ID token would."""
    said = assertion.attributes
    claims: dict[str, Any] = {"sub": assertion.name_id}
    by_name = assertion.name_id if assertion.name_format == _EMAIL_FORMAT else ""
    email = _first(said, _EMAILS) or by_name
    if email:
        claims["email"] = email
    if _VERIFIED in said:
        claims["email_verified"] = _first(said, (_VERIFIED,))
    name = _first(said, _NAMES)
    if name:
        claims["preferred_username"] = name
    if groups_claim in said:
        claims[groups_claim] = list(said[groups_claim])
    elif _ELSEWHERE in said:
        claims["_claim_names"] = {groups_claim: _ELSEWHERE}
    return claims


def _first(said: Any, names: tuple[str, ...]) -> str:
    """Return the value of the first of the attributes that has exactly one."""
    return next((said[each][0] for each in names if len(said.get(each, ())) == 1), "")
