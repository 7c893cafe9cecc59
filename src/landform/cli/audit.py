"""`landform audit`: check and export the trail, for whoever may read the platform's database."""

import json
import sys
from datetime import datetime
from typing import Final

from sqlalchemy import select

from landform.audit import chain
from landform.audit.documents import documents
from landform.bootstrap import configure_logs
from landform.cli.database import database_of, require_current_schema
from landform.kit.db import Sessions, transaction
from landform.kit.errors import InvalidError
from landform.kit.events import EventRow
from landform.settings import Settings
from landform.wiring import open_platform

_BATCH: Final = 500


async def verify(settings: Settings, noted: str) -> bool:
    """Print what the check found and return whether nothing was altered.

    Args:
        noted: `POSITION:DIGEST` as an earlier check printed it, or empty.

    Raises:
        InvalidError: `noted` is not of that form.
        ConflictError: there is no chain yet.
    """
    redactor = configure_logs(_quiet(settings), process="audit")
    async with database_of(settings) as found:
        await require_current_schema(found)
        async with open_platform(found, redactor) as platform:
            verdict = await chain.verify(platform.sessions, platform.keyring, noted=_noted(noted))
    for fault in verdict.faults:
        print(fault)
    position, digest = verdict.head
    print(f"{verdict.checked} events checked, {verdict.waiting} not sealed yet.")
    print(f"Note this to check against later: {position}:{digest}")
    return not verdict.faults


async def export(settings: Settings, organization: str, since: datetime | None) -> None:
    """Print events as JSON lines, oldest first.

    Args:
        organization: only of the one with this id; empty: of all, and of the site.
    """
    redactor = configure_logs(_quiet(settings), process="audit")
    async with database_of(settings) as found:
        await require_current_schema(found)
        async with open_platform(found, redactor) as platform:
            await _print(platform.sessions, organization, since)


async def _print(sessions: Sessions, organization: str, since: datetime | None) -> None:
    last = 0
    while True:
        query = select(EventRow).where(EventRow.id > last).order_by(EventRow.id).limit(_BATCH)
        if organization:
            query = query.where(EventRow.organization_id == organization)
        if since is not None:
            query = query.where(EventRow.at >= since)
        async with transaction(sessions) as session:
            rows = (await session.scalars(query)).all()
            lines = await documents(session, rows)
        for line in lines:
            sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        if len(rows) < _BATCH:
            return
        last = rows[-1].id


def _noted(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    position, _, digest = text.partition(":")
    if not position.isdigit() or not digest:
        raise InvalidError("--noted is POSITION:DIGEST, as `landform audit verify` prints it.")
    return int(position), digest


def _quiet(settings: Settings) -> Settings:
    return settings.model_copy(update={"log_level": "WARNING"})
