"""The signature of an assertion: on it, of all of it, by a key of the provider's.

What is read afterwards is what was signed, and nothing else (`signxml` gives it back): an assertion
that was moved, copied or wrapped into another document (XSW1 to XSW8 of Somorovsky et al., "On
Breaking SAML", 2012) is refused for its shape before any signature is looked at.
"""

import base64
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from landform.federation.errors import NotVouchedForError
from landform.federation.saml.xml import ASSERTION, PROTOCOL, SIGNATURE, Element, read
from landform.kit import clock

_METHODS: Final = frozenset(
    {
        *(SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512),
        *(SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512),
    }
)
_DIGESTS: Final = frozenset(
    {DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}
)
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_CONFIGURATION: Final = SignatureConfiguration(
    location="./", signature_methods=_METHODS, digest_algorithms=_DIGESTS, expect_references=1
)
_IDS: Final = frozenset({"id"})


def signed_assertion(response: Element, certificates: Sequence[str]) -> Element:
    """Return the one assertion of a response as it was signed.

    Raises:
        NotVouchedForError: there is not exactly one, or no key of the provider's signed it.
    """
    assertion = _only_assertion(response)
    _require_plain_signature(assertion)
    signed = _verified(etree.tostring(assertion, with_tail=False), certificates)
    if signed is None or signed.tag != assertion.tag or signed.get("ID") != assertion.get("ID"):
        raise NotVouchedForError("What is signed is not the assertion.")
    return signed


def _only_assertion(response: Element) -> Element:
    if any(not isinstance(each.tag, str) for each in response.iter()):
        raise NotVouchedForError("The answer has comments or instructions in it.")
    named: set[str] = set()
    for each in response.iter():
        for name, value in each.attrib.items():
            if etree.QName(name).localname.lower() in _IDS:
                if value in named:
                    raise NotVouchedForError("Two parts of the answer have one id.")
                named.add(value)
    if next(response.iter(f"{ASSERTION}EncryptedAssertion"), None) is not None:
        raise NotVouchedForError(
            "The assertion is encrypted, which is not supported: switch that off at the provider."
        )
    found = list(response.iter(f"{ASSERTION}Assertion"))
    if len(found) != 1 or found[0].getparent() is not response or not found[0].get("ID"):
        raise NotVouchedForError("The answer does not hold exactly one assertion.")
    if response.tag != f"{PROTOCOL}Response":  # pragma: no cover - its reader has looked
        raise NotVouchedForError("The answer is no response.")
    return found[0]


def _require_plain_signature(assertion: Element) -> None:
    """Refuse a signature that is elsewhere, of something else, or of a part."""
    found = assertion.findall(f"{SIGNATURE}Signature")
    if not found:
        raise NotVouchedForError(
            "The assertion is not signed. Have the provider sign assertions, not only responses."
        )
    references = list(assertion.iter(f"{SIGNATURE}Reference"))
    transforms = [each.get("Algorithm") for each in assertion.iter(f"{SIGNATURE}Transform")]
    methods = [
        each.get("Algorithm") for each in assertion.iter(f"{SIGNATURE}CanonicalizationMethod")
    ]
    if (
        len(list(assertion.iter(f"{SIGNATURE}Signature"))) != 1
        or len(references) != 1
        or references[0].get("URI") != f"#{assertion.get('ID')}"
        or sorted(str(each) for each in transforms) != sorted([_ENVELOPED, _EXCLUSIVE])
        or methods != [_EXCLUSIVE]
        or next(assertion.iter(f"{SIGNATURE}Object"), None) is not None
    ):
        raise NotVouchedForError("The signature is not one of the whole assertion and no more.")


def _verified(assertion: bytes, certificates: Sequence[str]) -> Element:
    present = [each for each in map(_certificate, certificates) if not _is_over(each)]
    if not present:
        raise NotVouchedForError(
            "Every certificate of the provider is over. Give its new metadata to Landform."
        )
    for each in present:
        try:
            found = XMLVerifier().verify(
                read(assertion), x509_cert=each, id_attribute="ID", expect_config=_CONFIGURATION
            )
        except (SignXMLException, InvalidSignature, ValueError, TypeError, AttributeError):
            continue  # of another key; or of none
        except etree.LxmlError:
            continue  # a signature that is not written as one
        if isinstance(found, VerifyResult):  # one reference, as the configuration asks
            return found.signed_xml
    raise NotVouchedForError(
        "The signature is not right, is by a key that the provider does not publish, or is made"
        " in a way that is no longer safe, such as SHA-1."
    )


def _certificate(text: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(text))


def _is_over(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc < clock.now()
