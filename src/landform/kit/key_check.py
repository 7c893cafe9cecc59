"""A row that only the right encryption key opens: a process with another one must not start.

It also says which key is current for all processes, and how far a change of it has come.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit import key_canary
from landform.kit.crypto import Keyring
from landform.kit.db import Base, Sessions, transaction
from landform.kit.sealed import Sealed


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
        self.sealed = key_canary.seal(keyring)


async def require_right_key(sessions: Sessions, keyring: Keyring) -> None:
    """Write the row on the first start, and read it on every other.

    Raises:
        MissingKeyError: the database was made with another key.
    """
    async with transaction(sessions) as session:
        # Whichever process of a first start comes first writes it, the others read what it wrote.
        first = insert(KeyCheck).values(
            place=key_canary.PLACE, sealed=key_canary.seal(keyring), generation=0
        )
        await session.execute(first.on_conflict_do_nothing())
        sealed = (await session.scalars(select(KeyCheck.sealed))).one()
    key_canary.open_with(keyring, sealed)


async def locked_key_check(session: AsyncSession) -> KeyCheck | None:
    """Return the row, which nobody else changes before the transaction ends."""
    return (await session.scalars(select(KeyCheck).with_for_update())).one_or_none()
