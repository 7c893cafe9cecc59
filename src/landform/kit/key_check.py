"""A row that only the right encryption key opens: a process with another one must not start.

It also says which key is current for all processes, and how far a change of it has come.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.crypto import Keyring, MissingKeyError, SealError
from landform.kit.db import Base, Sessions, transaction
from landform.kit.sealed import Sealed

_PLACE: Final = "key-check"
_CANARY: Final = b"landform"


class KeyCheck(Base):
    """The one row: a known text, sealed with the key that is current.

    Attributes:
        generation: grows whenever processes are to read their keys anew.
        rotating_to: the key that all is being encrypted with anew; None when it is done.
    """

    __tablename__ = "key_checks"

    place: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(Sealed("{place}"))
    generation: Mapped[int] = mapped_column(default=0)
    rotating_to: Mapped[str | None]
    rotated_at: Mapped[datetime | None]

    def seal(self, keyring: Keyring) -> None:
        """Seal the text with the ring's current key."""
        self.sealed = keyring.seal(_CANARY, place=_PLACE)


async def require_right_key(sessions: Sessions, keyring: Keyring) -> None:
    """Write the row on the first start, and read it on every other.

    Raises:
        MissingKeyError: the database was made with another key.
    """
    async with transaction(sessions) as session:
        # Whichever process of a first start comes first writes it, the others read what it wrote.
        first = insert(KeyCheck).values(
            place=_PLACE, sealed=keyring.seal(_CANARY, place=_PLACE), generation=0
        )
        await session.execute(first.on_conflict_do_nothing())
        sealed = (await session.scalars(select(KeyCheck.sealed))).one()
    try:
        keyring.open(sealed, place=_PLACE)
    except SealError:
        raise MissingKeyError(
            "The encryption key is not the one this database was made with. Put the right key"
            " back: without it, states and variables cannot be read."
        ) from None


async def locked_key_check(session: AsyncSession) -> KeyCheck | None:
    """Return the row, which nobody else changes before the transaction ends."""
    return (await session.scalars(select(KeyCheck).with_for_update())).one_or_none()
