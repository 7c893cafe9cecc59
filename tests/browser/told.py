"""Those who are told of a workspace's runs, one of whom does not answer any more."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from landform.kit import clock
from landform.kit.crypto import Keyring
from landform.kit.ids import new_id
from landform.notifications.models import (
    Destination,
    NotificationConfiguration,
    NotificationDelivery,
)
from landform.notifications.recording import record
from landform.notifications.sending import Heard
from landform.notifications.triggers import Trigger
from landform.workspaces.models import Workspace


async def tell(
    session: AsyncSession, keyring: Keyring, workspace: Workspace, user_id: str, run_id: str
) -> str:
    """Have a chat, a program and people told; return the id of the program's configuration."""
    chat = _made(workspace, user_id, "#platform", Destination.SLACK)
    chat.keep_secrets(keyring, url="https://hooks.slack.com/services/T/B/x", token="")
    program = _made(workspace, user_id, "Change calendar", Destination.GENERIC)
    program.keep_secrets(keyring, url="https://changes.example.com/landform", token="hush")
    mail = _made(workspace, user_id, "On call", Destination.EMAIL)
    mail.email_addresses, mail.enabled = ["oncall@example.com"], False
    session.add_all([chat, program, mail])
    await session.flush()
    taken = Heard(is_delivered=True, code=200, body="ok")
    away = Heard(
        is_delivered=False,
        code=503,
        body="no upstream",
        problem="changes.example.com answered 503 Service Unavailable.",
        may_pass=True,
    )
    told = (
        (chat, Trigger.NEEDS_ATTENTION, "planned", taken, 1),
        (program, "verification", "", taken, 1),
        (program, Trigger.NEEDS_ATTENTION, "planned", taken, 1),
        (program, Trigger.COMPLETED, "applied", away, 3),
    )
    for row, trigger, status, heard, attempts in told:
        delivery = NotificationDelivery(
            configuration_id=row.id,
            trigger=trigger,
            run_id=run_id if status else None,
            status=status,
            attempts=attempts,
            happened_at=clock.now() - timedelta(minutes=12),
            next_at=None if heard.is_delivered else clock.now() + timedelta(minutes=2),
        )
        session.add(delivery)
        await session.flush()
        await record(session, keyring, delivery, heard)
    return program.id


def _made(
    workspace: Workspace, user_id: str, name: str, destination: Destination
) -> NotificationConfiguration:
    wanted = (Trigger.NEEDS_ATTENTION, Trigger.COMPLETED, Trigger.ERRORED)
    return NotificationConfiguration(
        id=new_id("nc"),
        workspace_id=workspace.id,
        name=name,
        destination=destination,
        enabled=True,
        triggers=[each.value for each in wanted],
        created_by=user_id,
        updated_by=user_id,
    )
