"""A row that only the right encryption key opens: a process with another one must not start."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.crypto import Keyring, MissingKeyError, SealError
from landform.kit.db import Base, Sessions, transaction

_PLACE: Final = "key-check"
_CANARY: Final = b"landform"


class KeyCheck(Base):
    """The one row: a known text, sealed by the first process that ever started."""

    __tablename__ = "key_checks"

    place: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]


async def require_right_key(sessions: Sessions, keyring: Keyring) -> None:
    """Write the row on the first start, and read it on every other.

    Raises:
        MissingKeyError: the database was made with another key.
    """
    async with transaction(sessions) as session:
        row = (await session.scalars(select(KeyCheck).with_for_update())).one_or_none()
        if row is None:
            session.add(KeyCheck(place=_PLACE, sealed=keyring.seal(_CANARY, place=_PLACE)))
            return
    try:
        keyring.open(row.sealed, place=_PLACE)
    except SealError:
        raise MissingKeyError(
            "The encryption key is not the one this database was made with. Put the right key"
            " back: without it, states and variables cannot be read."
        ) from None
