"""Extend the chain, cut its beginning off by age, and check it link by link."""

import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from landform.audit.models import CHAIN, KEY_PLACE, AuditChain
from landform.kit.clock import rfc3339
from landform.kit.crypto import KEY_BYTES, Keyring, SealError
from landform.kit.db import Sessions, transaction
from landform.kit.errors import ConflictError
from landform.kit.events import EventRow

BATCH: Final = 1000  # links of one transaction
_START: Final = b""
_ENOUGH: Final = 20  # faults told at most


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check of the whole chain found.

    Attributes:
        faults: what is wrong, one sentence each; empty: nothing was altered.
        checked: links that were checked.
        head: the last position and its digest in hexadecimal, to be noted outside and given to
            a later check: with it, even a chain put back whole from an older copy shows.
        waiting: events that are not in the chain yet.
    """

    faults: Sequence[str]
    checked: int
    head: tuple[int, str]
    waiting: int


async def extend(sessions: Sessions, keyring: Keyring, *, limit: int = BATCH) -> int:
    """Add up to `limit` events to the chain and return how many there were.

    Any number of processes may call this at once; one works, the others find nothing to do.
    """
    async with transaction(sessions) as session:
        await _make_chain(session, keyring)
        chain = await _free(session)
        if chain is None:
            return 0
        key = _key(chain, keyring)
        query = (
            select(EventRow).where(EventRow.position.is_(None)).order_by(EventRow.id).limit(limit)
        )
        rows = (await session.scalars(query)).all()
        for row in rows:
            row.position = chain.head_position + 1
            row.digest = link(key, chain.head_digest, row)
            chain.head_position, chain.head_digest = row.position, row.digest
        if rows:
            chain.mac = _mac(key, chain)
        return len(rows)


async def forget_before(sessions: Sessions, keyring: Keyring, moment: datetime) -> int:
    """Delete events of before `moment` from the chain's beginning; return how many.

    At most one batch: call again while it returns as many. What is left still verifies.
    """
    async with transaction(sessions) as session:
        chain = await _free(session)
        if chain is None:
            return 0
        query = (
            select(EventRow)
            .where(EventRow.position.is_not(None))
            .order_by(EventRow.position)
            .limit(BATCH)
        )
        rows = (await session.scalars(query)).all()
        old: list[EventRow] = []
        for row in rows:
            if row.at >= moment:
                break
            old.append(row)
        if not old or old[-1].position is None or old[-1].digest is None:
            return 0
        chain.base_position, chain.base_digest = old[-1].position, old[-1].digest
        chain.mac = _mac(_key(chain, keyring), chain)
        await session.execute(delete(EventRow).where(EventRow.id.in_([row.id for row in old])))
        return len(old)


async def verify(
    sessions: Sessions, keyring: Keyring, *, noted: tuple[int, str] | None = None
) -> Verdict:
    """Check every link from the chain's beginning to its end.

    Args:
        noted: a `Verdict.head` of an earlier check.

    Raises:
        ConflictError: there is no chain yet.
    """
    async with transaction(sessions) as session:
        chain = await session.get(AuditChain, CHAIN)
        unsealed = select(func.count()).where(EventRow.position.is_(None))
        waiting = await session.scalar(unsealed) or 0
    if chain is None:
        raise ConflictError("There is no audit chain yet: start a server, it makes one.")
    head = (chain.head_position, chain.head_digest.hex())
    try:
        walk = _Walk(chain, _key(chain, keyring), noted)
    except SealError as failure:
        return Verdict(faults=[str(failure)], checked=0, head=head, waiting=waiting)
    async for row in _links(sessions, chain):
        walk.step(row)
        if len(walk.faults) >= _ENOUGH:
            walk.faults.append("And perhaps more; the check stopped here.")
            break
    else:
        walk.arrive()
    checked = walk.position - chain.base_position
    return Verdict(faults=walk.faults, checked=checked, head=head, waiting=waiting)


class _Walk:
    """One check from the chain's beginning to its end."""

    def __init__(self, chain: AuditChain, key: bytes, noted: tuple[int, str] | None) -> None:
        self._chain = chain
        self._key = key
        # What retention has removed since can no longer be missed.
        self._missed = noted if noted is None or noted[0] > chain.base_position else None
        self.position = chain.base_position
        self.faults: list[str] = []
        self._digest = chain.base_digest
        if not hmac.compare_digest(chain.mac, _mac(key, chain)):
            self.faults.append("The record of where the chain begins and ends was altered.")

    def step(self, row: EventRow) -> None:
        expected, found = self.position + 1, row.digest or b""
        if row.position != expected:
            self.faults.append(f"Event {expected} is missing.")
        elif not hmac.compare_digest(link(self._key, self._digest, row), found):
            self.faults.append(f"Event {row.position} ({row.name}) was altered.")
        self.position, self._digest = row.position or expected, found
        if self._missed == (self.position, found.hex()):
            self._missed = None

    def arrive(self) -> None:
        if (self.position, self._digest) != (self._chain.head_position, self._chain.head_digest):
            last = self._chain.head_position
            self.faults.append(
                f"The chain was to end at event {last}, and ends at {self.position}."
            )
        if self._missed is not None:
            position, digest = self._missed
            self.faults.append(f"The chain no longer holds the noted link {position}:{digest}.")


def link(key: bytes, before: bytes, row: EventRow) -> bytes:
    """Return the digest that seals `row` behind the link `before`."""
    content = json.dumps(
        [
            *(row.position, row.id, row.name, row.actor_id, row.organization_id, row.subject_id),
            *(rfc3339(row.at), row.at.microsecond, row.address, row.request_id, row.payload),
        ],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )
    return hmac.digest(key, before + content.encode(), hashlib.sha256)


async def _links(sessions: Sessions, chain: AuditChain) -> AsyncIterator[EventRow]:
    position = chain.base_position
    while True:
        query = (
            select(EventRow)
            .where(EventRow.position > position, EventRow.position <= chain.head_position)
            .order_by(EventRow.position)
            .limit(BATCH)
        )
        async with transaction(sessions) as session:
            rows = (await session.scalars(query)).all()
        for row in rows:
            yield row
        if len(rows) < BATCH:
            return
        position = rows[-1].position or position


async def _make_chain(session: AsyncSession, keyring: Keyring) -> None:
    if await session.get(AuditChain, CHAIN) is not None:
        return
    key = os.urandom(KEY_BYTES)
    chain: dict[str, Any] = {
        "base_position": 0,
        "base_digest": _START,
        "head_position": 0,
        "head_digest": _START,
    }
    values = {
        "name": CHAIN,
        "sealed_key": keyring.seal(key, place=KEY_PLACE),
        "mac": _mac(key, AuditChain(**chain)),
        **chain,
    }
    await session.execute(insert(AuditChain).values(values).on_conflict_do_nothing())


async def _free(session: AsyncSession) -> AuditChain | None:
    """Lock the chain; None while another process has it."""
    query = (
        select(AuditChain)
        .where(AuditChain.name == CHAIN)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).one_or_none()


def _key(chain: AuditChain, keyring: Keyring) -> bytes:
    return keyring.open(chain.sealed_key, place=KEY_PLACE)


def _mac(key: bytes, chain: AuditChain) -> bytes:
    content = json.dumps(
        [
            *("head", chain.base_position, chain.base_digest.hex()),
            *(chain.head_position, chain.head_digest.hex()),
        ]
    )
    return hmac.digest(key, content.encode(), hashlib.sha256)
