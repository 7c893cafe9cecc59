"""The way to SAML, whose libraries are an extra: none is imported before somebody asks for it.

`docs/sign-in.md` says how it is installed, `docs/decisions` why it is not part of the rest.
"""
# ruff: noqa: PLC0415 - the reason is above

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from landform.federation.departure import Away, Reach, Return
from landform.federation.errors import ProviderAwayError
from landform.federation.models import IdentityProvider
from landform.federation.own_secrets import open_secret
from landform.federation.person import Person
from landform.federation.saml.facts import Certificate, Published, entity_id
from landform.kit import clock
from landform.kit.crypto import Keyring
from landform.kit.errors import InvalidError, UnavailableError

LACKS: Final = (
    "What signing in by SAML needs is not installed here: `make saml`, or `pip install"
    " --require-hashes -r requirements/saml.txt`, and start Landform again."
)
_METADATA_LIMIT: Final = 512 * 1024  # bytes


def is_installed() -> bool:
    """Tell whether people can sign in by SAML here."""
    return find_spec("signxml") is not None


def require_installed() -> None:
    """Let pass where people can sign in by SAML.

    Raises:
        InvalidError: what that needs is not installed.
    """
    if not is_installed():
        raise InvalidError(LACKS, pointer="kind")


def read_metadata(text: str) -> Published:
    """Read the metadata of a provider that somebody pasted.

    Raises:
        InvalidError: they are none, or too large, or lack something.
    """
    require_installed()
    document = text.strip().encode(errors="replace")
    if len(document) > _METADATA_LIMIT:
        raise InvalidError(
            f"The metadata have {len(document)} bytes; at most {_METADATA_LIMIT} are taken. Give"
            " their address (metadata_url).",
            pointer="metadata",
        )
    from landform.federation.saml import metadata

    return metadata.read_metadata(document)


def describe_certificates(row: IdentityProvider) -> Sequence[Certificate]:
    """Return the keys that the provider signs with, by the metadata that were given."""
    if not is_installed():
        return []
    from landform.federation.saml import metadata

    return metadata.describe_certificates(row.certificates)


def new_key(name: str) -> str:
    """Return a new key to sign requests with, and its certificate, as PEM."""
    from landform.federation.saml import questions

    return questions.new_key(name, clock.now())


def own_metadata(keyring: Keyring, row: IdentityProvider, *, base: str, callback: str) -> str:
    """Return our metadata for the provider, as XML.

    Raises:
        UnavailableError: what SAML needs is not installed.
    """
    if not is_installed():
        raise UnavailableError(LACKS)
    from landform.federation.saml import metadata, questions

    key = open_secret(keyring, row) if row.signs_requests else ""
    return metadata.own_metadata(
        entity_id=entity_id(row.id, row.client_id, base),
        callback=callback,
        certificate=questions.certificate_of(key) if key else "",
    )


async def address_of(reach: Reach, row: IdentityProvider, away: Away) -> str:
    """Return where a browser goes; raises as `landform.federation.saml.way.address_of`."""
    if not is_installed():
        raise ProviderAwayError(LACKS)
    from landform.federation.saml import way

    return await way.address_of(reach, row, away)


async def ask(reach: Reach, row: IdentityProvider, away: Away, back: Return) -> Person:
    """Return who comes back; raises as `landform.federation.saml.way.ask`."""
    if not is_installed():
        raise ProviderAwayError(LACKS)
    from landform.federation.saml import way

    return await way.ask(reach, row, away, back)
