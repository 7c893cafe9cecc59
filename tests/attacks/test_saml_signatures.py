"""A18: signing in by SAML with a signature that is missing, another's, weak, or of something else.

XSW1 to XSW8 are the wrappings of "On Breaking SAML: Be Whoever You Want to Be" (Somorovsky et al.,
2012), as testing tools number them: a signature that is right, beside an assertion that is not what
was signed.
"""

from collections.abc import Callable
from copy import deepcopy

import pytest
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from tests.attacks.saml import must_be_refused, part
from tests.conftest import platform
from tests.federation.conftest import saml, saml_door, site
from tests.federation.saml_door import SamlDoor
from tests.standins.saml_provider import DS, SAML, SAMLP, Element, Key, SamlProvider

__all__ = ["platform", "saml", "saml_door", "site"]  # fixtures; no real platform is needed

EVIL = "somebody-else"
ASSERTION, SIGNATURE = f"{{{SAML}}}Assertion", f"{{{DS}}}Signature"


async def test_an_assertion_without_a_signature_opens_nothing(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    saml.signs_assertion = False
    answer = await saml_door.sign_in()
    await must_be_refused(saml_door, answer)
    assert "not signed" in answer.text
    saml.signs_response = True
    answer = await saml_door.sign_in()
    await must_be_refused(saml_door, answer)
    assert "not only responses" in answer.text
    saml.signs_assertion = True
    await saml_door.must_sign_in()


async def test_another_s_key_signs_nothing(saml_door: SamlDoor, saml: SamlProvider) -> None:
    saml.key = Key.make()  # which the answer brings along, as a certificate
    await must_be_refused(saml_door, await saml_door.sign_in())


@pytest.mark.parametrize(
    ("signature", "digest"),
    [("rsa-sha1", "sha256"), ("rsa-sha256", "sha1"), ("rsa-sha1", "sha1")],
)
async def test_what_sha_1_had_a_part_in_opens_nothing(
    saml_door: SamlDoor, saml: SamlProvider, signature: str, digest: str
) -> None:
    saml.signature, saml.digest = signature, digest
    answer = await saml_door.sign_in()
    await must_be_refused(saml_door, answer)
    assert "SHA-1" in answer.text


async def test_the_public_certificate_is_no_secret_to_sign_with(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    saml.signature = "hmac-sha256"
    saml.signs_with = {"key": saml.key.der.encode(), "cert": None}
    await must_be_refused(saml_door, await saml_door.sign_in())


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: text.replace(b"person-1", b"person-2"),
        lambda text: text.replace(b"ann@example.com", b"eve@example.com"),
        lambda text: text.replace(b"person-1", b"person-1<!-- -->"),
        lambda text: text.replace(b"person-1", b"person<!-- -->-1"),
        lambda text: text.replace(b"person-1", b"person-1<?x y?>"),
        lambda text: text.replace(b"</ds:SignatureValue>", b"AAAA</ds:SignatureValue>"),
        lambda text: text.replace(b"</ds:SignedInfo>", b"<ds:Reference/></ds:SignedInfo>"),
        lambda text: text.replace(b"xml-exc-c14n#", b"xml-exc-c14n#WithComments"),
        lambda text: text.replace(b"#enveloped-signature", b"#base64"),
        lambda text: text.replace(
            b"http://www.w3.org/2000/09/xmldsig#enveloped-signature",
            b"http://www.w3.org/TR/1999/REC-xslt-19991116",
        ),
        lambda text: text.replace(b'URI="#_', b'URI="" X="#_'),
        lambda text: text.replace(b'URI="#_', b'URI="http://127.0.0.1/_'),
        lambda text: text.replace(b"<ds:SignatureValue>", b"<ds:SignatureValue><b/>"),
        lambda text: text.replace(b"<ds:KeyInfo>", b"<ds:Object/><ds:KeyInfo>"),
    ],
)
async def test_what_was_altered_after_it_was_signed_opens_nothing(
    saml_door: SamlDoor, saml: SamlProvider, alter: Callable[[bytes], bytes]
) -> None:
    def write(document: bytes) -> bytes:
        altered = alter(document)
        assert altered != document
        return altered

    saml.write = write
    await must_be_refused(saml_door, await saml_door.sign_in())


def without_signature(element: Element) -> Element:
    bare = deepcopy(element)
    for each in bare.findall(SIGNATURE):
        bare.remove(each)
    return bare


def pieces(response: Element) -> tuple[Element, Element, Element, Element]:
    """Return the assertion, one that says something else, a bare copy, and the signature."""
    original = response.find(ASSERTION)
    signature = original.find(SIGNATURE)
    bare = without_signature(original)
    evil = deepcopy(bare)
    evil.set("ID", "_evil")
    part(evil, "NameID").text = EVIL
    return original, evil, bare, signature


def evil_response(response: Element, evil: Element) -> Element:
    made = deepcopy(response)
    made.set("ID", "_evil_response")
    for each in (*made.findall(ASSERTION), *made.findall(SIGNATURE)):
        made.remove(each)
    made.append(evil)
    return made


def xsw1(response: Element) -> Element:
    """The signed response within the signature of another one."""
    _, evil, _, _ = pieces(response)
    made = evil_response(response, evil)
    signature = deepcopy(response.find(SIGNATURE))
    signature.append(without_signature(response))
    made.insert(1, signature)
    return made


def xsw2(response: Element) -> Element:
    """The signed response before the signature of another one."""
    _, evil, _, _ = pieces(response)
    made = evil_response(response, evil)
    made.insert(1, deepcopy(response.find(SIGNATURE)))
    made.insert(1, without_signature(response))
    return made


def xsw3(response: Element) -> Element:
    """Another assertion before the signed one."""
    original, evil, _, _ = pieces(response)
    original.addprevious(evil)
    return response


def xsw4(response: Element) -> Element:
    """The signed assertion within another one."""
    original, evil, _, _ = pieces(response)
    original.addprevious(evil)
    evil.append(original)
    return response


def xsw5(response: Element) -> Element:
    """The signature in another assertion, and what it is of at the end."""
    original, evil, bare, signature = pieces(response)
    evil.insert(1, signature)
    response.replace(original, evil)
    response.append(bare)
    return response


def xsw6(response: Element) -> Element:
    """The same, and what it is of within the signature."""
    original, evil, bare, signature = pieces(response)
    evil.insert(1, signature)
    signature.append(bare)
    response.replace(original, evil)
    return response


def xsw7(response: Element) -> Element:
    """Another assertion among the extensions."""
    original, evil, _, _ = pieces(response)
    extensions = etree.Element(f"{{{SAMLP}}}Extensions")
    extensions.append(evil)
    original.addprevious(extensions)
    return response


def xsw8(response: Element) -> Element:
    """The signature in another assertion, with an object that is what it is of."""
    original, evil, bare, signature = pieces(response)
    evil.insert(1, signature)
    etree.SubElement(signature, f"{{{DS}}}Object").append(bare)
    response.replace(original, evil)
    return response


def xsw_same_id(response: Element) -> Element:
    """Another assertion that is called like the signed one."""
    original, evil, _, _ = pieces(response)
    evil.set("ID", original.get("ID"))
    original.addprevious(evil)
    return response


def is_still_signed(document: bytes, saml: SamlProvider) -> bool:
    """Tell whether who looks for a signature anywhere, and no further, takes the document."""
    configuration = SignatureConfiguration(
        signature_methods=frozenset(SignatureMethod), digest_algorithms=frozenset(DigestAlgorithm)
    )
    XMLVerifier().verify(
        document,
        x509_cert=saml.key.certificate,
        id_attribute="ID",
        expect_config=configuration,
        validate_schema=False,
    )
    return True


WRAPPINGS = (xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8)


@pytest.mark.parametrize("wrap", WRAPPINGS)
async def test_a_signature_that_is_right_vouches_for_no_other_assertion_beside_it(
    saml_door: SamlDoor, saml: SamlProvider, wrap: Callable[[Element], Element]
) -> None:
    if wrap in (xsw1, xsw2):
        saml.signs_assertion, saml.signs_response = False, True
    saml.wrap = wrap

    def write(document: bytes) -> bytes:
        assert EVIL.encode() in document
        assert is_still_signed(document, saml)
        return document

    saml.write = write
    await must_be_refused(saml_door, await saml_door.sign_in())


@pytest.mark.parametrize("wrap", WRAPPINGS[:2])
async def test_a_wrapped_response_opens_nothing_where_assertions_are_signed_too(
    saml_door: SamlDoor, saml: SamlProvider, wrap: Callable[[Element], Element]
) -> None:
    saml.signs_response = True
    saml.wrap = wrap
    await must_be_refused(saml_door, await saml_door.sign_in())


async def test_two_assertions_of_one_id_open_nothing(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    saml.wrap = xsw_same_id
    await must_be_refused(saml_door, await saml_door.sign_in())


async def test_an_encrypted_assertion_is_refused_with_what_to_do(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    def wrap(response: Element) -> Element:
        found = response.find(ASSERTION)
        response.replace(found, etree.Element(f"{{{SAML}}}EncryptedAssertion"))
        return response

    saml.wrap = wrap
    answer = await saml_door.sign_in()
    await must_be_refused(saml_door, answer)
    assert "switch that off" in answer.text
