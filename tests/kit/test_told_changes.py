"""What happens wakes who waits for it: the database tells, at the commit."""

from dataclasses import dataclass

import psycopg
import pytest

from landform import schema
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.events import CHANNEL, Event, publish


@dataclass(frozen=True, kw_only=True)
class Painted(Event):
    workspace_id: str


@pytest.mark.parametrize("is_migrated", [True, False])
async def test_an_event_wakes_who_waits_for_its_organization_subject_workspace_or_kind(
    is_migrated: bool, empty_url: str, database_url: str
) -> None:
    url = empty_url if is_migrated else database_url
    if is_migrated:
        await schema.migrate(url)
    engine = make_engine(url)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as listening:
        await listening.execute(f"LISTEN {CHANNEL}")
        async with transaction(make_sessions(engine)) as session:
            of_site = Painted(
                actor_id="u", organization_id=None, subject_id="s-0", workspace_id="w"
            )
            long = Painted(
                actor_id="u", organization_id="org-1", subject_id="s" * 9000, workspace_id="ws-1"
            )
            publish(session, of_site)
            publish(session, long)
        told = [note.payload async for note in listening.notifies(timeout=60, stop_after=10)]
    await engine.dispose()
    of_both = [
        *("s-0", "s-0/Painted", "w", "w/Painted", "Painted"),
        *("org-1", "org-1/Painted", "s" * 200, "ws-1", "ws-1/Painted"),
    ]
    assert told == of_both
