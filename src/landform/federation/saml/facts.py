"""What is known of a provider by its metadata, and what its assertions say. Needs no extra."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Published:
    """A provider, by its metadata.

    Attributes:
        issuer: its entity id.
        sso_url: where a browser is sent (HTTP-Redirect).
        certificates: of the keys that it signs with; base64 of DER.
        wants_signed: it takes signed requests only.
    """

    issuer: str
    sso_url: str
    certificates: tuple[str, ...]
    wants_signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """One of the keys that a provider signs with, for people.

    Attributes:
        fingerprint: SHA-256, in hexadecimal digits with colons.
        ends: the day after which nothing that it signed is taken, YYYY-MM-DD.
    """

    fingerprint: str
    ends: str
    is_over: bool


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an assertion must be, to be for this sign-in.

    Attributes:
        audience: our entity id.
        recipient: where it was to be sent.
        request_id: of the question that it answers.
    """

    issuer: str
    audience: str
    recipient: str
    request_id: str


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """Who it is, by an assertion that is good.

    Attributes:
        name_id: and `name_format`, what that is.
        attributes: values by name, and by friendly name where no other has it.
    """

    id: str
    name_id: str
    name_format: str
    attributes: Mapping[str, tuple[str, ...]]


def entity_id(provider_id: str, chosen: str, base: str) -> str:
    """Return what a provider knows us by: what was chosen, or where our metadata are.

    Args:
        base: how whoever asks reaches us.
    """
    return chosen or f"{base}/login/saml/{provider_id}"
