"""Rotation of the encryption key, while servers and workers run.

1. Every process learns the new key, so that it can open what others will seal with it.
2. The new key becomes current, and every process seals with it.
3. What older keys sealed is sealed anew: rows a few at a time, objects one by one.

Each value says in its header which key it needs, so there is no position to lose: whoever is
killed in between is followed by a rotation that goes on with what is left. Older keys stay in the
ring, for back-ups; an operator removes them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import structlog
from sqlalchemy import func, select, tuple_, update

from landform.fleet import queries as fleet
from landform.identity.actor import SYSTEM
from landform.keys.events import KeyRotationFinished, KeyRotationStarted
from landform.keys.source import KeySource
from landform.kit import events
from landform.kit.clock import now
from landform.kit.crypto import Keyring, SealError, key_id, new_key, used_key_id
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError, UnavailableError
from landform.kit.key_check import KeyCheck, locked_key_check
from landform.kit.sealed import SealedColumn
from landform.kit.storage import Store, Stored

log = structlog.get_logger()

_ROWS: Final = 200
_AT_ONCE: Final = 8
_LARGE_BYTES: Final = 8 << 20  # objects of this size are taken one at a time
_ADOPTION_S: Final = 60.0
_LOOK_S: Final = 0.2
_PASSES: Final = 5
_LOCK: Final = 0x4C46_4B45_5953  # any number, as long as it is nobody else's


@dataclass
class Found:
    """How many values are sealed with which key; the empty name stands for what has no header."""

    rows: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)


@dataclass
class Report:
    """What a rotation did.

    Attributes:
        unreadable: names of what no key of the ring opens; it was left as it is.
    """

    key_id: str
    rows: int = 0
    objects: int = 0
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Vault:
    """All that is encrypted, and the keys it is encrypted with."""

    sessions: Sessions
    store: Store
    keyring: Keyring
    source: KeySource
    columns: list[SealedColumn]
    database_url: str


async def count(vault: Vault) -> Found:
    """Look at the header of every sealed value.

    Raises:
        UnavailableError: database or store did not answer.
    """
    found = Found()
    for each in vault.columns:
        header = func.substring(each.column, 1, 7)
        query = select(header, func.count()).where(each.column.is_not(None)).group_by(header)
        async with transaction(vault.sessions) as session:
            for head, number in await session.execute(query):
                found.rows[used_key_id(head)] += number
    async for page in vault.store.pages():
        for ids in _batches(page):
            for name in await asyncio.gather(*(vault.store.key_id_of(one.path) for one in ids)):
                if name is not None:
                    found.objects[name] += 1
    return found


async def rotate(vault: Vault, *, say: Callable[[str], None]) -> Report:
    """Make a new key current, or go on where a rotation was cut off, and encrypt all anew.

    Args:
        say: told for people what is being done.

    Raises:
        ConflictError: another rotation is under way, or a process does not take the new key.
        MissingKeyError: the keys cannot be read or written.
        UnavailableError: database or store did not answer; run it again.
    """
    async with _alone(vault.database_url):
        target = await _begin(vault, say)
        await _adopted(vault, "does not know", lambda ids: target in ids)
        await _make_current(vault, target)
        await _adopted(vault, "still encrypts with another key than", lambda ids: ids[0] == target)
        report = Report(target)
        await _seal_anew(vault, report, say)
        await _end(vault, report)
    return report


async def _begin(vault: Vault, say: Callable[[str], None]) -> str:
    """Return the name of the key that is to become current, which is in the ring from here on."""
    await asyncio.to_thread(vault.keyring.refresh)
    async with transaction(vault.sessions) as session:
        row = await _row(session)
        current = used_key_id(row.sealed)
        target = row.rotating_to
    if target is not None and target in vault.keyring.ids:
        say(f"Going on with the rotation to key {target}.")
    elif vault.keyring.ids[0] != current:
        target = vault.keyring.ids[0]  # the operator has put it first
        say(f"Rotating from key {current} to key {target}, the first of {vault.source.name}.")
    elif vault.source.is_file:
        made = new_key(beside=vault.keyring.keys)
        vault.source.write([*vault.keyring.keys, made])
        vault.keyring.refresh()
        target = key_id(made).hex()
        say(f"Rotating from key {current} to key {target}, new in {vault.source.name}.")
    else:
        raise ConflictError(
            f"Key {current} is the current one already. Put a new key into {vault.source.name}:"
            " last at first, and first once all processes have been started with it; then run"
            " this again."
        )
    async with transaction(vault.sessions) as session:
        row = await _row(session)
        if row.rotating_to != target:
            started = KeyRotationStarted(
                actor_id=SYSTEM.id, organization_id=None, subject_id=target, from_key_id=current
            )
            events.publish(session, started)
        row.rotating_to = target
        row.generation += 1
    return target


async def _make_current(vault: Vault, target: str) -> None:
    keys = sorted(vault.keyring.keys, key=lambda key: key_id(key).hex() != target)
    if vault.keyring.ids[0] != target:
        vault.source.write(keys)
        vault.keyring.refresh()
    async with transaction(vault.sessions) as session:
        row = await _row(session)
        row.seal(vault.keyring)
        row.generation += 1


async def _adopted(vault: Vault, what: str, has: Callable[[list[str]], bool]) -> None:
    """Wait until every process that lives holds its keys as it should."""
    deadline = time.monotonic() + _ADOPTION_S
    while True:
        async with transaction(vault.sessions) as session:
            late = [one for one in await fleet.present(session) if not has(one.key_ids)]
        if not late:
            return
        if time.monotonic() > deadline:
            one = late[0]
            raise ConflictError(
                f"The {one.kind} with pid {one.pid} on {one.host} {what} the new key. Give it the"
                " same keys as here and start it again, then run this again: it goes on from here."
            )
        await asyncio.sleep(_LOOK_S)


async def _seal_anew(vault: Vault, report: Report, say: Callable[[str], None]) -> None:
    """Go over everything until a pass finds nothing; the first finds all but stragglers."""
    for _ in range(_PASSES):
        before = report.rows + report.objects
        report.unreadable.clear()
        for each in vault.columns:
            await _rows_anew(vault, each, report)
        say(f"{report.rows} rows are encrypted anew.")
        async for page in vault.store.pages():
            await _objects_anew(vault, page, report)
        say(f"{report.objects} objects are encrypted anew.")
        if report.rows + report.objects == before:
            return
    raise ConflictError(
        "Something keeps encrypting with an older key: see `landform keys list`, stop it and run"
        " this again."
    )


async def _rows_anew(vault: Vault, each: SealedColumn, report: Report) -> None:
    table, last = each.table, None
    keys = list(table.primary_key.columns)
    named = {column.name: column for column in (*keys, *(table.c[n] for n in each.kind.columns))}
    wrong = func.substring(each.column, 4, 4) != bytes.fromhex(report.key_id)
    while True:
        query = select(*named.values(), each.column).where(each.column.is_not(None), wrong)
        if last is not None:
            query = query.where(tuple_(*keys) > tuple_(*last))
        async with transaction(vault.sessions) as session:
            query = query.order_by(*keys).limit(_ROWS).with_for_update()
            rows = (await session.execute(query)).mappings().all()
            for row in rows:
                which = [column == row[column.name] for column in keys]
                if (sealed := _anew(vault.keyring, each, row, report)) is not None:
                    change = update(table).where(*which).values({each.column: sealed})
                    await session.execute(change)
                    report.rows += 1
        if len(rows) < _ROWS:
            return
        last = [rows[-1][column.name] for column in keys]


def _anew(keyring: Keyring, each: SealedColumn, row: Any, report: Report) -> bytes | None:
    place = each.kind.place_of(row)
    try:
        return keyring.seal(keyring.open(row[each.column.name], place=place), place=place)
    except SealError:
        report.unreadable.append(f"{each.name} of {place}")
        return None


async def _objects_anew(vault: Vault, page: list[Stored], report: Report) -> None:
    async def one(stored: Stored) -> None:
        if await vault.store.key_id_of(stored.path) in {None, report.key_id}:
            return
        try:
            if await vault.store.reseal(stored.path):
                report.objects += 1
        except SealError:
            report.unreadable.append(stored.path)

    for batch in _batches(page):
        await asyncio.gather(*(one(stored) for stored in batch))


def _batches(page: list[Stored]) -> Iterable[list[Stored]]:
    small = [one for one in page if one.size_bytes < _LARGE_BYTES]
    yield from (small[at : at + _AT_ONCE] for at in range(0, len(small), _AT_ONCE))
    yield from ([one] for one in page if one.size_bytes >= _LARGE_BYTES)


async def _end(vault: Vault, report: Report) -> None:
    async with transaction(vault.sessions) as session:
        row = await _row(session)
        row.rotating_to, row.rotated_at = None, now()
        ended = KeyRotationFinished(
            actor_id=SYSTEM.id,
            organization_id=None,
            subject_id=report.key_id,
            rows=report.rows,
            objects=report.objects,
            unreadable=len(report.unreadable),
        )
        events.publish(session, ended)


async def _row(session: Any) -> KeyCheck:
    row = await locked_key_check(session)
    if row is None:
        raise UnavailableError("Nothing has been encrypted yet: start the platform once.")
    return row


@asynccontextmanager
async def _alone(database_url: str) -> AsyncIterator[None]:
    """Keep every other rotation out; the database lets go when this process ends.

    Raises:
        ConflictError: another one is under way.
    """
    try:
        connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    except psycopg.OperationalError as failure:
        raise UnavailableError("The database does not answer; try again.") from failure
    async with connection:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
        if await cursor.fetchone() != (True,):
            raise ConflictError("Another rotation of keys is under way.")
        try:
            yield
        finally:
            # Closing alone would leave the lock for as long as the server takes to notice.
            with suppress(psycopg.OperationalError):
                await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
