"""What we ask of a provider, and the key that we sign it with.

Facts: saml-core-2.0-os §3.4.1, saml-bindings-2.0-os §3.4.4 (the signature is of the query, as it
is written there).
"""

import base64
import zlib
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

_RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_BITS: Final = 3072
_LIFE: Final = timedelta(days=3650)  # who it is, the provider knows by our metadata
_SKEW: Final = timedelta(minutes=5)


def request_url(
    sso_url: str,
    *,
    request_id: str,
    entity_id: str,
    callback: str,
    state: str,
    moment: datetime,
    key: str = "",
) -> str:
    """Return where a browser goes, with the question.

    Args:
        state: comes back as it is (RelayState).
        key: ours, as `new_key` gives it; empty: the question is not signed.
    """
    request = (
        '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
        ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
        f' ID={quoteattr(request_id)} Version="2.0"'
        f' IssueInstant="{moment:%Y-%m-%dT%H:%M:%SZ}" Destination={quoteattr(sso_url)}'
        f' ProtocolBinding="{_POST}" AssertionConsumerServiceURL={quoteattr(callback)}>'
        f"<saml:Issuer>{escape(entity_id)}</saml:Issuer>"
        '<samlp:NameIDPolicy AllowCreate="true"/></samlp:AuthnRequest>'
    )
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(request.encode()) + packer.flush()
    query = {"SAMLRequest": base64.b64encode(packed).decode(), "RelayState": state}
    if key:
        query["SigAlg"] = _RSA_SHA256
        query["Signature"] = _sign(key, urlencode(query))
    return f"{sso_url}{'&' if '?' in sso_url else '?'}{urlencode(query)}"


def new_key(name: str, moment: datetime) -> str:
    """Return a new key and a certificate of it, as PEM.

    Args:
        name: whom the certificate names.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _SKEW)
        .not_valid_after(moment + _LIFE)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (pem + certificate.public_bytes(Encoding.PEM)).decode()


def certificate_of(key: str) -> str:
    """Return the certificate of a key of `new_key`'s, as base64 of DER."""
    certificate = x509.load_pem_x509_certificate(key.encode())
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _sign(key: str, query: str) -> str:
    private = load_pem_private_key(key.encode(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):  # pragma: no cover - `new_key` makes RSA only
        raise TypeError
    return base64.b64encode(private.sign(query.encode(), padding.PKCS1v15(), SHA256())).decode()
