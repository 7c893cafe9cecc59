"""An event as others read it: the form of HCP Terraform's audit trail, with what we know more.

The form is that of the page "Audit Trails API" of HCP Terraform's documentation and of go-tfe's
`AuditTrail`; `meta` is free, and holds the event's own fields, changes and origin.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.access.models import Team
from landform.identity.models import User
from landform.kit.clock import rfc3339
from landform.kit.events import EventRow
from landform.organizations.models import Organization

_WORDS: Final = re.compile(r"[A-Z][a-z0-9]*")
_ACTIONS: Final = {
    "Added": "add",
    "Approved": "approve",
    "Changed": "update",
    "Created": "create",
    "Deleted": "destroy",
    "Denied": "deny",
    "Granted": "grant",
    "Issued": "create",
    "Removed": "remove",
    "Revoked": "destroy",
    "Updated": "update",
    "Withdrawn": "revoke",
}


async def documents(session: AsyncSession, rows: Sequence[EventRow]) -> list[dict[str, Any]]:
    """Return each row as a document, in order, with the names of those who acted."""
    names = await names_of(session, {row.actor_id for row in rows})
    return [_document(row, names.get(row.actor_id, row.actor_id)) for row in rows]


def _document(row: EventRow, name: str) -> dict[str, Any]:
    kind, action = _kind_and_action(row.name)
    return {
        "id": f"evt-{row.id}",
        "version": "0",
        "type": "Resource",
        "timestamp": rfc3339(row.at),
        "auth": {
            "accessor_id": row.actor_id,
            "description": name,
            "type": "Client" if row.address else "System",
            "impersonator_id": None,
            "organization_id": row.organization_id,
        },
        "request": {"id": row.request_id or None},
        "resource": {
            "id": row.subject_id,
            "type": kind,
            "action": action,
            "meta": {
                **row.payload,
                "event": row.name,
                "address": row.address or None,
                "position": row.position,
            },
        },
    }


def _kind_and_action(name: str) -> tuple[str, str]:
    """Split `TeamMembersAdded` into `team_members` and `add`."""
    words = _WORDS.findall(name)
    *kind, deed = words
    action = _ACTIONS.get(deed, deed.lower())
    return "_".join(kind).lower() or "event", action


def words_of(name: str) -> str:
    """Return an event's name as words: `TeamMembersAdded` as `Team members added`."""
    return " ".join(_WORDS.findall(name)).capitalize()


async def names_of(session: AsyncSession, actor_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of users, teams and organizations that acted, by id."""
    found: dict[str, str] = {"landform": "Landform"}
    wanted = set(actor_ids)
    for table, column in (
        (User, User.username),
        (Team, Team.name),
        (Organization, Organization.name),
    ):
        query = select(table.id, column).where(table.id.in_(wanted))
        found.update({row[0]: row[1] for row in await session.execute(query)})
    return found
