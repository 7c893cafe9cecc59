"""XML of strangers: read without entities, without a document type, and within bounds."""

from typing import Any, Final

from lxml import etree

from landform.federation.errors import NotVouchedForError

ASSERTION: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
PROTOCOL: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
METADATA: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_DECLARES: Final = (b"<!DOCTYPE", b"<!ENTITY")
Element = Any  # lxml has no types


class UnreadableXmlError(NotVouchedForError):
    """It is no XML, or XML that does what no message of SAML needs to."""


def read(document: bytes) -> Element:
    """Return the root of a document in UTF-8.

    Raises:
        UnreadableXmlError: it is none, or declares a document type or entities.
    """
    try:
        document.decode()
    except UnicodeDecodeError:
        raise UnreadableXmlError("The XML is not in UTF-8.") from None
    if any(each in document.upper() for each in _DECLARES):
        raise UnreadableXmlError("XML with a document type or entities is not read.")
    # Bounds on depth, names and amplification are libxml2's own; `huge_tree` would lift them.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding="utf-8"
    )
    try:
        root = etree.fromstring(document, parser=parser)
    except (etree.XMLSyntaxError, ValueError):
        raise UnreadableXmlError("It is no XML.") from None
    info = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None or info.externalDTD is not None:
        raise UnreadableXmlError("XML with a document type or entities is not read.")
    return root


def text_of(element: Element) -> str:
    """Return the text of an element that has nothing else in it, without space around it."""
    return "" if len(element) else (element.text or "").strip()
