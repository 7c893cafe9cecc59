"""SSH keys that a connection shows to a server: made here, or read from what was pasted. Pure."""

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from landform.kit.errors import InvalidError

_SMALLEST_RSA: Final = 2048  # bits
_COMMENT: Final = "landform"
_POINTER: Final = "private_key"


def new_private_key() -> str:
    """Return a fresh ed25519 key, as OpenSSH keeps them."""
    return _text(Ed25519PrivateKey.generate())


def read_private_key(text: str) -> str:
    """Return a pasted key as OpenSSH keeps them, which every ssh can read.

    Raises:
        InvalidError: it is no ed25519 or RSA key, or a passphrase keeps it closed.
    """
    return _text(_loaded(text))


def public_half(text: str) -> str:
    """Return the line that goes to the server of a key that was made or read here."""
    public = _loaded(text).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{line} {_COMMENT}"


def _text(key: Ed25519PrivateKey | RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _loaded(text: str) -> Ed25519PrivateKey | RSAPrivateKey:
    data = text.strip().encode() + b"\n"
    load = load_ssh_private_key if b"BEGIN OPENSSH" in data else load_pem_private_key
    try:
        key = load(data, password=None)
    except TypeError:
        raise InvalidError(
            "The private key is closed by a passphrase, which nobody is there to type; give one"
            " without.",
            pointer=_POINTER,
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidError(
            "This is no private key: one begins with -----BEGIN OPENSSH PRIVATE KEY-----.",
            pointer=_POINTER,
        ) from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey) and key.key_size >= _SMALLEST_RSA:
        return key
    raise InvalidError(
        f"The private key must be ed25519, or RSA of {_SMALLEST_RSA} bits at least.",
        pointer=_POINTER,
    )
