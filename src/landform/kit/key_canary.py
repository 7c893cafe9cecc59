"""The known text that only the right encryption key opens; `key_check` is where it is kept."""

from typing import Final

from landform.kit.crypto import Keyring, MissingKeyError, SealError

PLACE: Final = "key-check"

_TEXT: Final = b"landform"


def seal(keyring: Keyring) -> bytes:
    """Return the text, sealed with the ring's current key."""
    return keyring.seal(_TEXT, place=PLACE)


def open_with(keyring: Keyring, sealed: bytes) -> None:
    """See that the ring has the key.

    Raises:
        MissingKeyError: it has not.
    """
    try:
        keyring.open(sealed, place=PLACE)
    except SealError:
        raise MissingKeyError(
            "The encryption key is not the one this database was made with. Put the right key"
            " back: without it, states and variables cannot be read."
        ) from None
