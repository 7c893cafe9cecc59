"""Tables of notifications: who is to be told of what, and what was told."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from landform.kit.clock import now
from landform.kit.crypto import Keyring
from landform.kit.db import Base
from landform.kit.ids import new_id
from landform.kit.sealed import Sealed

_URL: Final = "notification-configurations/{id}/url"
_TOKEN: Final = "notification-configurations/{id}/token"  # noqa: S105 - a place
_ANSWER: Final = "notification-deliveries/{id}/answer"


class Destination(StrEnum):
    """How it is told; the values are TFE's."""

    GENERIC = "generic"
    SLACK = "slack"
    MICROSOFT_TEAMS = "microsoft-teams"
    EMAIL = "email"


class NotificationConfiguration(Base):
    """Who is to be told of which steps of a workspace's runs.

    Attributes:
        triggers: values of `Trigger`.
        sealed_url: where it is posted to; chats ask for no other secret than that.
        sealed_token: what requests to a generic destination are signed with.
        email_addresses: people who need not be users.
        user_ids: users, told at the address they have when it is sent, while they may see runs.
        updated_at: tells who verified it, and saves it a moment later, that it is still the same.
    """

    __tablename__ = "notification_configurations"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("nc"))
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    destination: Mapped[Destination]
    enabled: Mapped[bool] = mapped_column(default=False)
    triggers: Mapped[list[str]] = mapped_column(default=list)
    sealed_url: Mapped[bytes | None] = mapped_column(Sealed(_URL))
    sealed_token: Mapped[bytes | None] = mapped_column(Sealed(_TOKEN))
    email_addresses: Mapped[list[str]] = mapped_column(default=list)
    user_ids: Mapped[list[str]] = mapped_column(default=list)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=now)

    def url(self, keyring: Keyring) -> str:
        """Return where it is posted to; empty for mail."""
        return _opened(keyring, self.sealed_url, _URL.format(id=self.id))

    def token(self, keyring: Keyring) -> str:
        """Return what it is signed with; empty when it is not."""
        return _opened(keyring, self.sealed_token, _TOKEN.format(id=self.id))

    def keep_secrets(self, keyring: Keyring, *, url: str, token: str) -> None:
        """Seal both for this row, which has its id."""
        self.sealed_url = _sealed(keyring, url, _URL.format(id=self.id))
        self.sealed_token = _sealed(keyring, token, _TOKEN.format(id=self.id))


class NotificationDelivery(Base):
    """One thing to tell one destination, and what came of it.

    Attributes:
        id: the order in which they are told.
        trigger: a value of `Trigger`, or `verification`.
        status: of the run, when it happened.
        actor_id: who made it happen.
        attempts: how often it was taken up to be sent; also tells a sender whose turn is over.
        next_at: not to be taken up before; None when it is over.
        code: the HTTP status of the last answer.
        problem: why the last attempt failed, or why none is made any more.
        sealed_answer: what was last answered, as JSON (`sending.Heard`).
    """

    __tablename__ = "notification_deliveries"
    __table_args__ = (
        Index("ix_notification_deliveries_configuration_id", "configuration_id", "id"),
        Index(
            "ix_notification_deliveries_next_at",
            "next_at",
            postgresql_where=text("next_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    configuration_id: Mapped[str] = mapped_column(
        ForeignKey(
            "notification_configurations.id",
            name="fk_notification_deliveries_configuration",  # else it is longer than names may be
            ondelete="CASCADE",
        )
    )
    trigger: Mapped[str]
    run_id: Mapped[str | None] = mapped_column(
        ForeignKey("runs.id", ondelete="CASCADE"), index=True
    )
    status: Mapped[str] = mapped_column(default="")
    actor_id: Mapped[str] = mapped_column(default="")
    happened_at: Mapped[datetime] = mapped_column(default=now)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    is_delivered: Mapped[bool] = mapped_column(default=False)
    code: Mapped[int | None]
    problem: Mapped[str] = mapped_column(default="")
    sealed_answer: Mapped[bytes | None] = mapped_column(Sealed(_ANSWER))

    def answer(self, keyring: Keyring) -> str:
        """Return what was last answered, as JSON; empty when nothing was."""
        return _opened(keyring, self.sealed_answer, _ANSWER.format(id=self.id))

    def keep_answer(self, keyring: Keyring, answer: str) -> None:
        """Seal it for this row, which has its id."""
        self.sealed_answer = _sealed(keyring, answer, _ANSWER.format(id=self.id))


def _sealed(keyring: Keyring, value: str, place: str) -> bytes | None:
    return keyring.seal(value.encode(), place=place) if value else None


def _opened(keyring: Keyring, sealed: bytes | None, place: str) -> str:
    return keyring.open(sealed, place=place).decode() if sealed else ""
