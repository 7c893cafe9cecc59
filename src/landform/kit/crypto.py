"""Encryption at rest: AES-256-GCM, bound to the place the ciphertext belongs to.

Layout of a sealed value: `LF1` | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from landform.kit.errors import LandformError

_MAGIC: Final = b"LF1"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32


class SealError(LandformError):
    """A sealed value that cannot be opened: another key, another place, or altered."""


class MissingKeyError(LandformError):
    """The key that a home's data was encrypted with is not there."""


@dataclass(frozen=True)
class Keyring:
    """Keys by id; the current one seals, any of them opens."""

    current: bytes = field(repr=False)
    older: tuple[bytes, ...] = field(default=(), repr=False)

    def seal(self, plaintext: bytes, *, place: str) -> bytes:
        """Encrypt `plaintext` so that it opens only as the value of `place`."""
        nonce = os.urandom(_NONCE_BYTES)
        header = _MAGIC + key_id(self.current)
        sealed = AESGCM(self.current).encrypt(nonce, plaintext, header + place.encode())
        return header + nonce + sealed

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Decrypt what `seal` made for the same `place`.

        Raises:
            SealError: the key is not in this ring, the place is another, or a byte was altered.
        """
        header_size = len(_MAGIC) + _KEY_ID_BYTES
        header, nonce = sealed[:header_size], sealed[header_size : header_size + _NONCE_BYTES]
        key = self._by_id().get(header[len(_MAGIC) :])
        if header[: len(_MAGIC)] != _MAGIC or key is None:
            raise SealError(f"{place} was not encrypted with a key this process has.")
        try:
            return AESGCM(key).decrypt(
                nonce, sealed[header_size + _NONCE_BYTES :], header + place.encode()
            )
        except InvalidTag:
            raise SealError(f"{place} does not open: it was altered or moved.") from None

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for signing `purpose`; stable as long as the current key is."""
        return hashlib.blake2b(self.current, digest_size=32, person=purpose.encode()[:16]).digest()

    def _by_id(self) -> Mapping[bytes, bytes]:
        return {key_id(key): key for key in (*self.older, self.current)}


def key_id(key: bytes) -> bytes:
    """Return the 4 bytes that name `key` in a header; they say nothing about it."""
    return hashlib.blake2b(key, digest_size=_KEY_ID_BYTES, person=b"landform-key-id").digest()


def parse_key(text: str) -> bytes:
    """Read a key written as 64 hexadecimal digits.

    Raises:
        MissingKeyError: `text` is not such a key.
    """
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MissingKeyError("An encryption key is 64 hexadecimal digits (32 bytes).")
    return key


def create_key_file(path: Path) -> bytes:
    """Write a fresh key to `path`, readable by its owner alone, and return it.

    Raises:
        FileExistsError: there is a key already; it is never written over.
    """
    key = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
