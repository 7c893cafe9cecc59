"""Encryption at rest: AES-256-GCM, bound to the place the ciphertext belongs to.

Layout of a sealed value: `LF1` | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from landform.kit.errors import LandformError

Binary: TypeAlias = bytes | bytearray | memoryview

_MAGIC: Final = b"LF1"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
HEADER_BYTES: Final = len(_MAGIC) + _KEY_ID_BYTES
HEAD_BYTES: Final = HEADER_BYTES + _NONCE_BYTES
KEY_BYTES: Final = 32
_MOST_KEYS: Final = 100


class SealError(LandformError):
    """A sealed value that cannot be opened: another key, another place, or altered."""


class MissingKeyError(LandformError):
    """The key that a home's data was encrypted with is not there."""


class Keyring:
    """Keys by id; the current one seals, any of them opens.

    Processes share one ring, so that a `refresh` is seen by all that seals and opens.

    Args:
        source: reads the keys anew, the current one first; may block and raise MissingKeyError.
    """

    def __init__(
        self,
        current: bytes,
        older: Sequence[bytes] = (),
        *,
        source: Callable[[], Sequence[bytes]] | None = None,
    ) -> None:
        self._source = source
        self._keys: tuple[bytes, ...] = (current, *older)

    @property
    def current(self) -> bytes:
        """The key that seals."""
        return self._keys[0]

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All of them, the current one first."""
        return self._keys

    @property
    def ids(self) -> list[str]:
        """The keys' names, in hexadecimal, the current one's first; they say nothing of them."""
        return [key_id(key).hex() for key in self._keys]

    def refresh(self) -> None:
        """Read the keys anew from where they came from; blocks.

        Raises:
            MissingKeyError: they cannot be had; the ring stays as it was.
        """
        if self._source is not None:
            self._keys = tuple(self._source())

    def seal(self, plaintext: bytes, *, place: str) -> bytes:
        """Encrypt `plaintext` so that it opens only as the value of `place`."""
        return bytes(self.seal_large(plaintext, place=place))

    def seal_large(self, plaintext: Binary, *, place: str) -> bytearray:
        """Do what `seal` does, with one copy of the data less."""
        key = self.current
        nonce = os.urandom(_NONCE_BYTES)
        header = _MAGIC + key_id(key)
        at = HEAD_BYTES
        sealed = bytearray(at + len(plaintext) + TAG_BYTES)
        sealed[:at] = header + nonce
        with memoryview(sealed) as view:
            AESGCM(key).encrypt_into(nonce, plaintext, header + place.encode(), view[at:])
        return sealed

    def sealing(self, *, place: str) -> "Sealing":
        """Begin to do what `seal` does piece by piece; the form of the result is the same."""
        return Sealing(self.current, place)

    def opening(self, head: bytes, *, place: str) -> "Opening":
        """Begin to decrypt piece by piece; `head` is the first `HEAD_BYTES` of what is sealed.

        Raises:
            SealError: the key is not in this ring.
        """
        return Opening(self._key_for(head, place), head, place)

    def open(self, sealed: Binary, *, place: str) -> bytes:
        """Decrypt what `seal` made for the same `place`.

        Raises:
            SealError: the key is not in this ring, the place is another, or a byte was altered.
        """
        view = memoryview(sealed)
        at = HEAD_BYTES
        header, nonce = bytes(view[:HEADER_BYTES]), bytes(view[HEADER_BYTES:at])
        key = self._key_for(header, place)
        try:
            return AESGCM(key).decrypt(nonce, view[at:], header + place.encode())
        except InvalidTag:
            raise SealError(f"{place} does not open: it was altered or moved.") from None

    def _key_for(self, header: bytes, place: str) -> bytes:
        used = used_key_id(header)
        key = next((key for key in self._keys if key_id(key).hex() == used), None)
        if key is None:
            raise SealError(f"{place} was not encrypted with a key this process has.")
        return key

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """Return 32 bytes for signing `purpose` from each key, the current one's first."""
        return tuple(
            hashlib.blake2b(key, digest_size=32, person=purpose.encode()[:16]).digest()
            for key in self._keys
        )


class Sealing:
    """One value that is encrypted piece by piece: `head`, what `update` gives, what `end` gives."""

    def __init__(self, key: bytes, place: str) -> None:
        nonce = os.urandom(_NONCE_BYTES)
        header = _MAGIC + key_id(key)
        self.head = header + nonce
        self._context = Cipher(AES(key), GCM(nonce)).encryptor()
        self._context.authenticate_additional_data(header + place.encode())

    def update(self, piece: Binary) -> bytes:
        """Return the piece, encrypted."""
        return self._context.update(piece)

    def end(self) -> bytes:
        """Return what comes last."""
        return self._context.finalize() + self._context.tag


class Opening:
    """One value that is decrypted piece by piece.

    What `update` gives may have been altered by anybody until `end` has said that it was not:
    give nothing of it to anyone before.
    """

    def __init__(self, key: bytes, head: bytes, place: str) -> None:
        self._place = place
        self._context = Cipher(AES(key), GCM(head[HEADER_BYTES:HEAD_BYTES])).decryptor()
        self._context.authenticate_additional_data(head[:HEADER_BYTES] + place.encode())

    def update(self, piece: Binary) -> bytes:
        """Return the piece, decrypted and not yet to be trusted."""
        return self._context.update(piece)

    def end(self, tag: bytes) -> None:
        """Look whether all that came is what was sealed; `tag` is its last `TAG_BYTES`.

        Raises:
            SealError: the place is another, or a byte was altered.
        """
        try:
            self._context.finalize_with_tag(tag)
        except (InvalidTag, ValueError):
            raise SealError(f"{self._place} does not open: it was altered or moved.") from None


def fingerprint(keyring: Keyring, secret: str) -> str:
    """Return what tells whether two secrets are the same, and nothing else about them.

    Keyed, so that even a short secret cannot be found by trying; it changes with the key.
    """
    key, *_ = keyring.derive("fingerprint")
    return hashlib.blake2b(secret.encode(), digest_size=8, key=key).hexdigest()


def key_id(key: bytes) -> bytes:
    """Return the 4 bytes that name `key` in a header; they say nothing about it."""
    return hashlib.blake2b(key, digest_size=_KEY_ID_BYTES, person=b"landform-key-id").digest()


def used_key_id(sealed: bytes) -> str:
    """Return the name of the key that `sealed`, or its header, was made with; empty: no header."""
    header = sealed[:HEADER_BYTES]
    if len(header) < HEADER_BYTES or not header.startswith(_MAGIC):
        return ""
    return header[len(_MAGIC) :].hex()


def parse_key(text: str) -> bytes:
    """Read a key written as 64 hexadecimal digits.

    Raises:
        MissingKeyError: `text` is not such a key; the error does not repeat it.
    """
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MissingKeyError("An encryption key is 64 hexadecimal digits (32 bytes).")
    return key


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Read keys that are separated by space, lines or commas; the first is the current one.

    Raises:
        MissingKeyError: there is none, one of them is not a key, or there are absurdly many.
    """
    words = [word for word in re.split(r"[\s,]+", text) if word]
    if not words or len(words) > _MOST_KEYS:
        raise MissingKeyError(
            "There is no encryption key: write 64 hexadecimal digits (32 bytes), then older keys"
            f" if there are any, at most {_MOST_KEYS}, one a line."
        )
    return tuple(dict.fromkeys(parse_key(word) for word in words))


def new_key(*, beside: Sequence[bytes] = ()) -> bytes:
    """Return a fresh key that is not called like any of `beside`."""
    taken = {key_id(key) for key in beside}
    while key_id(key := secrets.token_bytes(KEY_BYTES)) in taken:
        pass
    return key


def create_key_file(path: Path) -> bytes:
    """Write a fresh key to `path`, readable by its owner alone, and return it.

    Raises:
        FileExistsError: there is a key already; it is never written over.
    """
    key = new_key()
    _write(path, [key])
    return key


def replace_key_file(path: Path, keys: Sequence[bytes]) -> None:
    """Write `keys` in place of those in `path`: after a crash the file has the old or the new ones.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    owner = path.stat()
    try:
        _write(fresh, keys)
        if os.geteuid() == 0:
            os.chown(fresh, owner.st_uid, owner.st_gid)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write(path: Path, keys: Sequence[bytes]) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{key.hex()}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
