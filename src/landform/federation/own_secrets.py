"""What is kept sealed of a provider: our client secret there, or, of SAML, our key."""

from landform.federation.models import IdentityProvider
from landform.kit.crypto import Keyring


def seal_secret(keyring: Keyring, provider_id: str, secret: str) -> bytes:
    """Encrypt a secret for the provider of that id."""
    return keyring.seal(secret.encode(), place=_place(provider_id))


def open_secret(keyring: Keyring, row: IdentityProvider) -> str:
    """Decrypt the provider's secret."""
    return keyring.open(row.sealed_secret, place=_place(row.id)).decode()


def _place(provider_id: str) -> str:
    return f"identity-providers/{provider_id}"
