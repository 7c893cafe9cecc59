"""What a provider answers: a response with one assertion, held against the question. Pure.

Facts: saml-core-2.0-os §2 and §3.2.2, saml-profiles-2.0-os §4.1.4 (what whoever takes an assertion
must look at), and its errata.
"""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from landform.federation.errors import NotVouchedForError
from landform.federation.saml.facts import Assertion, Expected
from landform.federation.saml.moments import read_moment
from landform.federation.saml.signatures import signed_assertion
from landform.federation.saml.xml import ASSERTION, PROTOCOL, Element, read, text_of
from landform.kit import clock

LONGEST: Final = 512 * 1024  # characters of a response
SKEW: Final = timedelta(minutes=1)
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_CONDITIONS: Final = ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
_LONGEST_ID: Final = 1024
_MOST_ATTRIBUTES: Final = 500
_QUOTED: Final = 200


def read_answer(response: str, certificates: Sequence[str], expected: Expected) -> Assertion:
    """Return what is said of somebody, for this sign-in and now.

    Args:
        response: as a browser brought it, in base64.

    Raises:
        NotVouchedForError: it is not good, or not for us, or not for this sign-in.
    """
    root = _opened(response)
    _require_success(root)
    _require_addressed(root, expected)
    assertion = signed_assertion(root, certificates)
    moment = clock.now()
    _require_issuer(assertion, expected)
    subject = _only(assertion, "Subject")
    _require_confirmed(subject, expected, moment)
    _require_conditions(_only(assertion, "Conditions"), expected, moment)
    _require_signed_in(assertion, moment)
    name = _only(subject, "NameID")
    if name.get("Format") == _TRANSIENT:
        raise NotVouchedForError(
            "The provider's name of the person (NameID) is another each time. Have it send one"
            " that stays: persistent, or an id of the account."
        )
    return Assertion(
        id=_id(assertion),
        name_id=text_of(name),
        name_format=name.get("Format", ""),
        attributes=_attributes(assertion),
    )


def _opened(response: str) -> Element:
    if not response or len(response) > LONGEST:
        raise NotVouchedForError("The provider's answer is missing or too large.")
    try:
        document = base64.b64decode("".join(response.split()), validate=True)
    except ValueError:
        raise NotVouchedForError("The provider's answer is not in base64.") from None
    root = read(document)
    if root.tag != f"{PROTOCOL}Response" or root.get("Version") != "2.0":
        raise NotVouchedForError("The provider's answer is no response of SAML 2.0.")
    return root


def _require_success(root: Element) -> None:
    status = root.find(f"{PROTOCOL}Status")
    code = status.find(f"{PROTOCOL}StatusCode") if status is not None else None
    if code is None:
        raise NotVouchedForError("The provider's answer has no status.")
    if code.get("Value") == _SUCCESS:
        return
    inner = code.find(f"{PROTOCOL}StatusCode")
    message = status.findtext(f"{PROTOCOL}StatusMessage") or ""
    said = message or str((code if inner is None else inner).get("Value", "")).rpartition(":")[2]
    shown = " ".join(said[:_QUOTED].split())
    why = f" It says: {shown}" if shown and shown.isprintable() else ""
    raise NotVouchedForError(f"The provider did not let you in.{why}")


def _require_addressed(root: Element, expected: Expected) -> None:
    """Look at what the envelope says; nobody vouches for that, so the assertion says it again."""
    said = {
        "InResponseTo": expected.request_id,
        "Destination": expected.recipient,
    }
    if any(root.get(name) not in (None, value) for name, value in said.items()):
        raise NotVouchedForError("The answer is to another question, or for another place.")


def _require_issuer(assertion: Element, expected: Expected) -> None:
    if text_of(_only(assertion, "Issuer")) != expected.issuer:
        raise NotVouchedForError("The assertion is of another issuer.")
    if assertion.get("Version") != "2.0" or not _id(assertion):
        raise NotVouchedForError("The assertion is not one of SAML 2.0.")


def _require_confirmed(subject: Element, expected: Expected, moment: datetime) -> None:
    """Require that whoever brings it is who asked: this browser, at this place, now."""
    for each in subject.findall(f"{ASSERTION}SubjectConfirmation"):
        data = each.find(f"{ASSERTION}SubjectConfirmationData")
        if each.get("Method") != _BEARER or data is None:
            continue
        ends = read_moment(data.get("NotOnOrAfter", ""))
        if (
            data.get("Recipient") == expected.recipient
            and data.get("InResponseTo") == expected.request_id
            and data.get("NotBefore") is None
            and ends is not None
            and moment < ends + SKEW
        ):
            return
    raise NotVouchedForError(
        "The assertion is not for this sign-in: it is for another question or another address, or"
        " too old. What the provider begins by itself is not taken; sign in from here."
    )


def _require_conditions(conditions: Element, expected: Expected, moment: datetime) -> None:
    begins, ends = (_bound(conditions, name) for name in ("NotBefore", "NotOnOrAfter"))
    if (begins is not None and moment < begins - SKEW) or (
        ends is not None and moment >= ends + SKEW
    ):
        raise NotVouchedForError("The assertion is not good yet, or no longer.")
    known = {f"{ASSERTION}{each}" for each in _CONDITIONS}
    if any(each.tag not in known for each in conditions):
        raise NotVouchedForError("The assertion has a condition that is not known.")
    audiences = conditions.findall(f"{ASSERTION}AudienceRestriction")
    for each in audiences:
        named = [text_of(one) for one in each.findall(f"{ASSERTION}Audience")]
        if expected.audience not in named:
            raise NotVouchedForError(
                "The assertion is for somebody else. Its audience must be the entity id"
                f" {expected.audience}."
            )
    if not audiences:
        raise NotVouchedForError("The assertion does not say whom it is for.")


def _bound(conditions: Element, name: str) -> datetime | None:
    text = conditions.get(name)
    if text is None:
        return None
    moment = read_moment(text)
    if moment is None:
        raise NotVouchedForError("The assertion is not good yet, or no longer.")
    return moment


def _require_signed_in(assertion: Element, moment: datetime) -> None:
    statements = assertion.findall(f"{ASSERTION}AuthnStatement")
    for each in statements:
        until = _bound(each, "SessionNotOnOrAfter")
        if until is not None and moment >= until + SKEW:
            raise NotVouchedForError("The session at the provider is over.")
    if not statements:
        raise NotVouchedForError("The assertion does not say that somebody signed in.")


def _attributes(assertion: Element) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    friendly: dict[str, tuple[str, ...]] = {}
    every = list(assertion.iterfind(f"{ASSERTION}AttributeStatement/{ASSERTION}Attribute"))
    if len(every) > _MOST_ATTRIBUTES:
        raise NotVouchedForError(f"The assertion has more than {_MOST_ATTRIBUTES} attributes.")
    for each in every:
        values = tuple(
            text for text in map(text_of, each.findall(f"{ASSERTION}AttributeValue")) if text
        )
        name, other = each.get("Name", ""), each.get("FriendlyName", "")
        found[name] = (*found.get(name, ()), *values)
        if other:
            friendly[other] = (*friendly.get(other, ()), *values)
    return {**friendly, **found}


def _only(parent: Element, name: str) -> Element:
    found = parent.findall(f"{ASSERTION}{name}")
    if len(found) != 1:
        raise NotVouchedForError(f"The assertion does not have exactly one {name}.")
    return found[0]


def _id(assertion: Element) -> str:
    name = assertion.get("ID", "")
    return name if len(name) <= _LONGEST_ID else ""
