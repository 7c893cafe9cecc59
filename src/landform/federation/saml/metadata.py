"""Metadata: what a provider publishes of itself, and what we publish for it.

Facts: OASIS saml-metadata-2.0-os §2.3-2.4. A signature of metadata is not looked at: whoever pastes
them has them from their provider, and an address is trusted as its TLS is.
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from landform.federation.saml.facts import Certificate, Published
from landform.federation.saml.moments import read_moment
from landform.federation.saml.xml import METADATA, SIGNATURE, Element, UnreadableXmlError, read
from landform.kit import clock
from landform.kit.errors import InvalidError

REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
_MOST_KEYS: Final = 20
_SHORTEST_RSA: Final = 2048  # bits
_LONGEST: Final = 1024  # characters of an entity id, and of an address


def read_metadata(document: bytes, issuer: str = "") -> Published:
    """Read a provider's metadata.

    Args:
        issuer: whose, where there may be several providers; empty: there is one.

    Raises:
        InvalidError: they are none, are of another, or lack something that is needed.
    """
    try:
        root = read(document)
    except UnreadableXmlError as failure:
        raise _invalid(str(failure)) from None
    entity = _entity(root, issuer)
    _require_present(root)
    _require_present(entity)
    (role,) = _roles(entity)
    return Published(
        issuer=entity.get("entityID", ""),
        sso_url=_sso_url(role),
        certificates=_certificates(role),
        wants_signed=role.get("WantAuthnRequestsSigned") in ("true", "1"),
    )


def describe_certificates(certificates: Sequence[str]) -> list[Certificate]:
    """Return what people compare, and when each is over."""
    found = []
    for each in certificates:
        certificate = x509.load_der_x509_certificate(base64.b64decode(each))
        ends = certificate.not_valid_after_utc
        found.append(
            Certificate(
                fingerprint=certificate.fingerprint(SHA256()).hex(":").upper(),
                ends=ends.date().isoformat(),
                is_over=ends < clock.now(),
            )
        )
    return found


def own_metadata(*, entity_id: str, callback: str, certificate: str) -> str:
    """Return what a provider can be given instead of the values one by one.

    Args:
        certificate: of the key we sign with; base64 of DER; empty: we do not sign.
    """
    key = (
        '<md:KeyDescriptor use="signing"><ds:KeyInfo'
        ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>'
        f"{escape(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        if certificate
        else ""
    )
    signs = "true" if certificate else "false"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'
        f" entityID={quoteattr(entity_id)}>"
        f'<md:SPSSODescriptor AuthnRequestsSigned="{signs}" WantAssertionsSigned="true"'
        f' protocolSupportEnumeration="{_PROTOCOL}">{key}'
        "<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>"
        f'<md:AssertionConsumerService Binding="{POST}" Location={quoteattr(callback)}'
        ' index="0" isDefault="true"/>'
        "</md:SPSSODescriptor></md:EntityDescriptor>\n"
    )


def _entity(root: Element, issuer: str) -> Element:
    found = [each for each in root.iter(f"{METADATA}EntityDescriptor") if _roles(each)]
    if issuer:
        named = [each for each in found if each.get("entityID") == issuer]
        if found and not named:
            says = str(found[0].get("entityID"))[:200]
            raise _invalid(
                f"They are of {says!r}, not of {issuer!r}. The issuer must be given exactly as the"
                " provider writes it."
            )
        found = named
    if len(found) != 1:
        what = "no identity provider that speaks SAML 2.0" if not found else "several providers"
        raise _invalid(f"There is {what} in them." if not found else f"There are {what} in them.")
    name = found[0].get("entityID", "")
    if not name or len(name) > _LONGEST:
        raise _invalid("They do not say whose they are (entityID).")
    return found[0]


def _roles(entity: Element) -> list[Element]:
    return [
        each
        for each in entity.findall(f"{METADATA}IDPSSODescriptor")
        if _PROTOCOL in each.get("protocolSupportEnumeration", "").split()
    ][:1]


def _require_present(element: Element) -> None:
    until = element.get("validUntil")
    moment: datetime | None = read_moment(until) if until else None
    if moment is not None and moment < clock.now():
        raise _invalid(f"They were valid until {str(until)[:40]}.")


def _sso_url(role: Element) -> str:
    for each in role.findall(f"{METADATA}SingleSignOnService"):
        url = each.get("Location", "")
        if each.get("Binding") != REDIRECT or len(url) > _LONGEST or not url.isprintable():
            continue
        if url.startswith(("https://", "http://")) and "#" not in url and " " not in url:
            return str(url)
    raise _invalid("They have no address for signing in by HTTP-Redirect.")


def _certificates(role: Element) -> tuple[str, ...]:
    found: list[str] = []
    for key in role.findall(f"{METADATA}KeyDescriptor")[:_MOST_KEYS]:
        if key.get("use", "signing") == "signing":
            found += [_certificate(each) for each in key.iter(f"{SIGNATURE}X509Certificate")]
    if not found:
        raise _invalid("They have no certificate to know the provider's signature by.")
    return tuple(dict.fromkeys(found))[:_MOST_KEYS]


def _certificate(element: Element) -> str:
    try:
        der = base64.b64decode("".join((element.text or "").split()), validate=True)
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
    except ValueError:
        raise _invalid("A certificate in them cannot be read.") from None
    is_strong = isinstance(key, ec.EllipticCurvePublicKey) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SHORTEST_RSA
    )
    if not is_strong:
        raise _invalid("They have a key that is neither RSA of 2048 bits or more nor elliptic.")
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _invalid(why: str) -> InvalidError:
    return InvalidError(
        f"These are not the metadata of an identity provider: {why}", pointer="metadata"
    )
