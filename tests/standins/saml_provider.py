"""An identity provider on loopback that speaks SAML 2.0, signs for real, and can misbehave.

Written from saml-core, saml-bindings, saml-profiles and saml-metadata (OASIS, 2005). It reads what
it is asked as a provider does, and answers with a form. What it does wrong is said by `change`
(before the assertion is signed), `wrap` (afterwards) and `write` (of the bytes).
"""

import base64
import html
import secrets
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from lxml.builder import ElementMaker
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from tests.standins.serving import Answer, Request, Server, html_answer

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_PASSWORD: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
_LIFE: Final = timedelta(minutes=5)
_S = ElementMaker(namespace=SAML, nsmap={"saml": SAML})
_P = ElementMaker(namespace=SAMLP, nsmap={"samlp": SAMLP, "saml": SAML})
Element = Any  # lxml has no types


@dataclass
class Key:
    """A key and a certificate of it."""

    private: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, *, bits: int = 2048, until: datetime | None = None) -> "Key":
        private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example")])
        until = until or datetime.now(UTC) + timedelta(days=30)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - timedelta(days=60))
            .not_valid_after(until)
            .sign(private, SHA256())
        )
        return cls(private, certificate)

    @property
    def der(self) -> str:
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()


@dataclass(frozen=True)
class Form:
    """What a browser is told to send, and where."""

    action: str
    fields: dict[str, str]


@dataclass
class Someone:
    """Who sits before the browser; `attributes` are told as they are."""

    name_id: str = "person-1"
    name_format: str = PERSISTENT
    attributes: dict[str, list[str]] = field(default_factory=dict)


class _Signer(XMLSigner):
    def check_deprecated_methods(self) -> None:
        """Sign by SHA-1 too, as some still do."""


class SamlProvider:
    """One provider with one application.

    Attributes:
        change: of the assertion, before it is signed.
        wrap: of the whole answer, after that.
        write: of its bytes; and `write_metadata`, of those of its metadata.
        signs_with: another key, or in another way.
        published: whose signatures its metadata say are its.
        own_certificate: of the application, whose requests must be signed by it; "": need not.
    """

    def __init__(self) -> None:
        self.server = Server(self._respond)
        self.url = self.server.url
        self.entity_id = f"{self.url}/metadata"
        self.someone = Someone(
            attributes={"email": ["ann@example.com"], "email_verified": ["true"]}
        )
        self.key = Key.make()
        self.published = [self.key]
        self.own_certificate = ""
        self.signature, self.digest = "rsa-sha256", "sha256"
        self.signs_assertion, self.signs_response = True, False
        self.assertion_id = ""
        self.wants_signed = False
        self.change: Callable[[Element], None] = lambda _: None
        self.wrap: Callable[[Element], Element] = lambda response: response
        self.signs_with: dict[str, Any] = {}
        self.write_metadata: Callable[[str], str] = lambda text: text
        self.write: Callable[[bytes], bytes] = lambda document: document

    def close(self) -> None:
        self.server.close()

    def metadata(self) -> str:
        keys = "".join(
            f'<KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data>'
            f"<ds:X509Certificate>\n{each.der}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
            "</KeyDescriptor>"
            for each in self.published
        )
        wants = f' WantAuthnRequestsSigned="{str(self.wants_signed).lower()}"'
        sso = "".join(
            f'<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}"'
            f' Location="{self.url}/sso?app=1"/>'
            for binding in ("HTTP-POST", "HTTP-Redirect")
        )
        return self.write_metadata(
            '<?xml version="1.0" encoding="UTF-8"?><!-- a provider -->\n'
            '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"'
            f' entityID="{self.entity_id}">'
            f'<IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"{wants}>{keys}{sso}'
            "</IDPSSODescriptor></EntityDescriptor>"
        )

    def visit(self, url: str) -> Form:
        """Be the browser that is sent there; return the form it is told to send."""
        parts = urlsplit(url)
        assert url.startswith(f"{self.url}/sso?app=1&"), url
        return self._answer(parse_qs(parts.query), parts.query)

    # ── what it answers ─────────────────────────────────────────────────────────────────────────

    def _respond(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/metadata":
                body = self.metadata().encode()
                return Answer(200, body, {"Content-Type": "application/samlmetadata+xml"})
            case "GET", "/sso":
                query = urlsplit(request.target).query
                form = self._answer(parse_qs(query), query)
                fields = "".join(
                    f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
                    for name, value in form.fields.items()
                )
                form_tag = f'<form method="post" action="{form.action}">'
                return html_answer(200, f"{form_tag}{fields}<button>Ann</button></form>")
        return html_answer(404, "Not found")

    def _answer(self, query: dict[str, list[str]], text: str) -> Form:
        packed = base64.b64decode(query["SAMLRequest"][0])
        request = etree.fromstring(zlib.decompress(packed, wbits=-15))
        assert request.tag == f"{{{SAMLP}}}AuthnRequest"
        assert request.get("Version") == "2.0"
        assert request.get("Destination") == f"{self.url}/sso?app=1"
        if self.own_certificate:
            self._check_signature(query, text)
        callback = request.get("AssertionConsumerServiceURL")
        response = self._response(
            request_id=request.get("ID"),
            callback=callback,
            audience=request.findtext(f"{{{SAML}}}Issuer"),
        )
        document = self.write(etree.tostring(response, xml_declaration=True, encoding="UTF-8"))
        return Form(
            callback,
            {
                "SAMLResponse": base64.b64encode(document).decode(),
                "RelayState": query["RelayState"][0],
            },
        )

    def _check_signature(self, query: dict[str, list[str]], text: str) -> None:
        assert query["SigAlg"] == ["http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"]
        start = text.index("SAMLRequest=")
        signed = text[start : text.index("&Signature=")]
        der = base64.b64decode(self.own_certificate)
        key = x509.load_der_x509_certificate(der).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        signature = base64.b64decode(query["Signature"][0])
        key.verify(signature, signed.encode(), padding.PKCS1v15(), SHA256())

    def _response(self, *, request_id: str, callback: str, audience: str) -> Element:
        moment = datetime.now(UTC)
        assertion = self._assertion(request_id, callback, audience, moment)
        self.change(assertion)
        if self.signs_assertion:
            assertion = self.sign(assertion)
        response = _P.Response(
            _S.Issuer(self.entity_id),
            _P.Status(_P.StatusCode(Value=_SUCCESS)),
            assertion,
            ID=f"_{secrets.token_hex(16)}",
            Version="2.0",
            IssueInstant=_written(moment),
            Destination=callback,
            InResponseTo=request_id,
        )
        if self.signs_response:
            response = self.sign(response)
        return self.wrap(response)

    def _assertion(
        self, request_id: str, callback: str, audience: str, moment: datetime
    ) -> Element:
        ends = _written(moment + _LIFE)
        statement = [
            _S.AttributeStatement(
                *(
                    _S.Attribute(*(_S.AttributeValue(each) for each in values), Name=name)
                    for name, values in self.someone.attributes.items()
                )
            )
        ]
        return _S.Assertion(
            _S.Issuer(self.entity_id),
            _S.Subject(
                _S.NameID(self.someone.name_id, Format=self.someone.name_format),
                _S.SubjectConfirmation(
                    _S.SubjectConfirmationData(
                        InResponseTo=request_id, Recipient=callback, NotOnOrAfter=ends
                    ),
                    Method=_BEARER,
                ),
            ),
            _S.Conditions(
                _S.AudienceRestriction(_S.Audience(audience)),
                NotBefore=_written(moment),
                NotOnOrAfter=ends,
            ),
            _S.AuthnStatement(
                _S.AuthnContext(_S.AuthnContextClassRef(_PASSWORD)),
                AuthnInstant=_written(moment),
                SessionIndex="1",
            ),
            *(statement if self.someone.attributes else []),
            ID=self.assertion_id or f"_{secrets.token_hex(16)}",
            Version="2.0",
            IssueInstant=_written(moment),
        )

    def sign(self, element: Element) -> Element:
        """Return the element with a signature behind its issuer."""
        place = etree.SubElement(element, f"{{{DS}}}Signature", Id="placeholder", nsmap={"ds": DS})
        element.insert(1, place)
        signer = _Signer(
            signature_algorithm=self.signature,
            digest_algorithm=self.digest,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        given = {
            "key": self.key.private,
            "cert": [self.key.certificate],
            "reference_uri": element.get("ID"),
            "id_attribute": "ID",
        } | self.signs_with
        return signer.sign(element, **given)


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


@contextmanager
def saml_provider() -> Iterator[SamlProvider]:
    provider = SamlProvider()
    try:
        yield provider
    finally:
        provider.close()
