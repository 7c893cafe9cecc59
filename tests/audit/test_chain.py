from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from landform.audit import chain
from landform.identity.events import PasswordChanged
from landform.kit import events
from landform.kit.clock import now
from landform.kit.crypto import KEY_BYTES, Keyring
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError
from landform.kit.events import ORIGIN, Origin


async def happen(sessions: Sessions, *users: str) -> None:
    for user in users:
        async with transaction(sessions) as session:
            events.publish(
                session, PasswordChanged(actor_id=user, organization_id=None, subject_id=user)
            )


async def tamper(sessions: Sessions, statement: str, **values: Any) -> None:
    async with transaction(sessions) as session:
        await session.execute(text(statement), values)


async def faults(sessions: Sessions, keyring: Keyring, **options: Any) -> list[str]:
    return list((await chain.verify(sessions, keyring, **options)).faults)


@pytest.fixture
async def sealed(sessions: Sessions, keyring: Keyring) -> Sessions:
    """A database with a chain of four events."""
    await happen(sessions, "ann", "bea", "cem", "dan")
    assert await chain.extend(sessions, keyring) == 4
    return sessions


async def test_an_untouched_chain_verifies_and_says_how_much_it_checked(
    sealed: Sessions, keyring: Keyring
) -> None:
    await happen(sealed, "eva")
    verdict = await chain.verify(sealed, keyring)
    assert (verdict.faults, verdict.checked, verdict.waiting) == ([], 4, 1)
    assert verdict.head[0] == 4


async def test_without_a_chain_there_is_nothing_to_verify(
    sessions: Sessions, keyring: Keyring
) -> None:
    with pytest.raises(ConflictError, match="start a server"):
        await chain.verify(sessions, keyring)


async def test_the_chain_goes_on_where_it_ended(sealed: Sessions, keyring: Keyring) -> None:
    await happen(sealed, "eva", "fay")
    assert await chain.extend(sealed, keyring, limit=1) == 1
    assert await chain.extend(sealed, keyring) == 1
    assert await chain.extend(sealed, keyring) == 0
    assert (await chain.verify(sealed, keyring)).checked == 6


@pytest.mark.parametrize(
    "change",
    [
        "actor_id = 'mallory'",
        "subject_id = 'mallory'",
        "name = 'SignedIn'",
        "organization_id = 'org-1'",
        "address = '203.0.113.9'",
        "request_id = 'another'",
        "at = at + interval '1 microsecond'",
        "payload = '{\"a\": 1}'",
    ],
)
async def test_whatever_is_altered_in_an_event_shows(
    sealed: Sessions, keyring: Keyring, change: str
) -> None:
    await tamper(sealed, f"UPDATE events SET {change} WHERE position = 2")
    (fault,) = await faults(sealed, keyring)
    assert fault.startswith("Event 2 (")
    assert fault.endswith("was altered.")


async def test_an_event_taken_out_of_the_middle_shows(sealed: Sessions, keyring: Keyring) -> None:
    await tamper(sealed, "DELETE FROM events WHERE position = 2")
    assert "Event 2 is missing." in await faults(sealed, keyring)


async def test_a_gap_that_was_closed_up_shows(sealed: Sessions, keyring: Keyring) -> None:
    await tamper(sealed, "DELETE FROM events WHERE position = 2")
    await tamper(sealed, "UPDATE events SET position = 2 WHERE position = 3")
    assert await faults(sealed, keyring)


async def test_an_end_that_was_cut_off_shows(sealed: Sessions, keyring: Keyring) -> None:
    await tamper(sealed, "DELETE FROM events WHERE position > 2")
    assert "The chain was to end at event 4, and ends at 2." in await faults(sealed, keyring)
    await tamper(
        sealed,
        "UPDATE audit_chains SET head_position = 2,"
        " head_digest = (SELECT digest FROM events WHERE position = 2)",
    )
    assert await faults(sealed, keyring) == [
        "The record of where the chain begins and ends was altered."
    ]


async def test_an_event_slipped_in_shows(sealed: Sessions, keyring: Keyring) -> None:
    await tamper(
        sealed,
        "INSERT INTO events (name, actor_id, subject_id, payload, at, position, digest)"
        " SELECT 'SignedIn', 'mallory', 'mallory', '{}', now(), 5, digest FROM events"
        " WHERE position = 4",
    )
    await tamper(sealed, "UPDATE audit_chains SET head_position = 5")
    assert "Event 5 (SignedIn) was altered." in await faults(sealed, keyring)


async def test_a_chain_put_back_from_an_older_copy_shows_against_a_noted_link(
    sealed: Sessions, keyring: Keyring
) -> None:
    async with transaction(sealed) as session:
        copy = (await session.execute(text("SELECT * FROM audit_chains"))).mappings().one()
    await happen(sealed, "eva")
    await chain.extend(sealed, keyring)
    noted = (await chain.verify(sealed, keyring)).head
    assert await faults(sealed, keyring, noted=noted) == []
    await tamper(sealed, "DELETE FROM events WHERE position = 5")
    await tamper(
        sealed,
        "UPDATE audit_chains SET head_position = :head_position, head_digest = :head_digest,"
        " mac = :mac",
        **{name: copy[name] for name in ("head_position", "head_digest", "mac")},
    )
    assert await faults(sealed, keyring) == []
    (fault,) = await faults(sealed, keyring, noted=noted)
    assert fault.startswith("The chain no longer holds the noted link 5:")


async def test_who_has_another_key_cannot_verify(sealed: Sessions) -> None:
    (fault,) = await faults(sealed, Keyring(b"x" * KEY_BYTES))
    assert "was not encrypted with a key this process has" in fault


async def test_what_retention_removes_leaves_a_chain_that_verifies(
    sealed: Sessions, keyring: Keyring
) -> None:
    noted = (await chain.verify(sealed, keyring)).head
    moment = now()
    await happen(sealed, "eva")
    await chain.extend(sealed, keyring)
    assert await chain.forget_before(sealed, keyring, moment) == 4
    assert await chain.forget_before(sealed, keyring, moment) == 0
    verdict = await chain.verify(sealed, keyring, noted=noted)
    assert (verdict.faults, verdict.checked, verdict.head[0]) == ([], 1, 5)


async def test_events_without_a_place_in_the_chain_are_not_removed(
    sealed: Sessions, keyring: Keyring
) -> None:
    await happen(sealed, "eva")
    assert await chain.forget_before(sealed, keyring, now() + timedelta(days=1)) == 4
    assert (await chain.verify(sealed, keyring)).waiting == 1


async def test_an_event_knows_where_its_request_came_from(sessions: Sessions) -> None:
    token = ORIGIN.set(Origin(address="192.0.2.7", request_id="req-1"))
    try:
        await happen(sessions, "ann")
    finally:
        ORIGIN.reset(token)
    async with transaction(sessions) as session:
        row = (await session.execute(text("SELECT address, request_id FROM events"))).one()
    assert tuple(row) == ("192.0.2.7", "req-1")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [("a", "b", ["a", "b"]), (None, ("x",), [None, ["x"]]), ({"k": True}, {}, [{"k": True}, {}])],
)
def test_a_change_is_told_as_before_and_after(before: Any, after: Any, told: list[Any]) -> None:
    assert events.changes_of(SimpleNamespace(name=before), {"name": after}) == {"name": told}
