"""SSH keys that are shown to a server: made here, or read from what was pasted. Pure."""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
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
_LONGEST: Final = 16_384  # characters; an RSA key of 16,384 bits has 12,700


class KeyKind(StrEnum):
    """What a key is made of."""

    ED25519 = "ed25519"
    RSA = "rsa"


@dataclass(frozen=True)
class KeyFacts:
    """What may be shown of a private key.

    Attributes:
        public_key: the line that goes to a server.
        fingerprint: `SHA256:…`, as `ssh-keygen -l` shows it.
    """

    kind: KeyKind
    public_key: str
    fingerprint: str


def new_private_key() -> str:
    """Return a fresh ed25519 key, as OpenSSH keeps them."""
    return _text(Ed25519PrivateKey.generate())


def read_private_key(text: str) -> str:
    """Return a pasted key as OpenSSH keeps them, which every ssh can read.

    Raises:
        InvalidError: it is no ed25519 or RSA key, or a passphrase keeps it closed.
    """
    return _text(_loaded(text))


def facts_of(text: str) -> KeyFacts:
    """Return what may be shown of a key that was made or read here."""
    key = _loaded(text)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return KeyFacts(
        kind=KeyKind.RSA if isinstance(key, RSAPrivateKey) else KeyKind.ED25519,
        public_key=f"{line} {_COMMENT}",
        fingerprint=f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}",
    )


def _text(key: Ed25519PrivateKey | RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _loaded(text: str) -> Ed25519PrivateKey | RSAPrivateKey:
    if len(text) > _LONGEST:
        raise InvalidError(f"A private key has {_LONGEST} characters at most.", pointer=_POINTER)
    data = text.strip().encode(errors="replace") + b"\n"
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
