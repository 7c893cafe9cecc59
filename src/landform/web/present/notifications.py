"""Notification configurations as pages show them: of an address, no more than its host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from landform.kit.crypto import Keyring
from landform.notifications.models import (
    Destination,
    NotificationConfiguration,
    NotificationDelivery,
)
from landform.notifications.recording import read_answer
from landform.notifications.triggers import Trigger, message_of

DESTINATIONS: Final[Mapping[Destination, str]] = {
    Destination.SLACK: "Slack",
    Destination.MICROSOFT_TEAMS: "Microsoft Teams",
    Destination.GENERIC: "A program of yours",
    Destination.EMAIL: "Mail",
}
TRIGGERS: Final[Mapping[Trigger, str]] = {
    Trigger.CREATED: "A run arrives",
    Trigger.PLANNING: "A plan begins",
    Trigger.NEEDS_ATTENTION: "A plan waits for somebody",
    Trigger.APPLYING: "An apply begins",
    Trigger.COMPLETED: "A run is done",
    Trigger.ERRORED: "A run fails or is canceled",
    Trigger.DRIFTED: "A plan finds drift",
    Trigger.ASSESSMENT_FAILED: "A scheduled plan fails",
}
_ANSWER_SHOWN: Final = 300  # characters


@dataclass(frozen=True, kw_only=True)
class ShownDelivery:
    """One thing that was told, or is to be.

    Attributes:
        look: of its status: good, bad, wait.
        answer: the beginning of what was answered.
    """

    what: str
    run_id: str
    happened_at: datetime
    sent_at: datetime | None
    look: str
    label: str
    problem: str
    attempts: int
    answer: str


@dataclass(frozen=True, kw_only=True)
class ShownConfiguration:
    """Who is told of what.

    Attributes:
        where: the host of an address, or how many people.
        is_signed: there is a token.
    """

    id: str
    name: str
    destination: str
    is_mail: bool
    takes_token: bool
    is_signed: bool
    enabled: bool
    where: str
    triggers: Sequence[str]
    deliveries: Sequence[ShownDelivery]


def shown_of(
    row: NotificationConfiguration, told: Sequence[NotificationDelivery], keyring: Keyring
) -> ShownConfiguration:
    """Return a configuration as a page shows it, with its newest deliveries."""
    people = len(row.email_addresses) + len(row.user_ids)
    is_mail = row.destination is Destination.EMAIL
    host = urlsplit(row.url(keyring)).hostname or ""
    return ShownConfiguration(
        id=row.id,
        name=row.name,
        destination=DESTINATIONS[row.destination],
        is_mail=is_mail,
        takes_token=row.destination is Destination.GENERIC,
        is_signed=row.sealed_token is not None,
        enabled=row.enabled,
        where=f"{people} {'person' if people == 1 else 'people'}" if is_mail else host,
        triggers=[TRIGGERS[Trigger(each)] for each in row.triggers],
        deliveries=[_delivery(each, keyring) for each in told],
    )


def _delivery(row: NotificationDelivery, keyring: Keyring) -> ShownDelivery:
    look, label = _outcome(row)
    heard = read_answer(keyring, row)
    return ShownDelivery(
        what="Test" if row.run_id is None else message_of(row.trigger, row.status),
        run_id=row.run_id or "",
        happened_at=row.happened_at,
        sent_at=row.sent_at,
        look=look,
        label=label,
        problem=row.problem,
        attempts=row.attempts,
        answer=heard.body[:_ANSWER_SHOWN] if heard else "",
    )


def _outcome(row: NotificationDelivery) -> tuple[str, str]:
    code = f" ({row.code})" if row.code else ""
    if row.is_delivered:
        return "good", f"Taken{code}"
    if row.next_at is not None:
        return "wait", f"To be tried again{code}" if row.problem else "To be sent"
    return "bad", f"Not taken{code}" if row.attempts else "Not sent"
