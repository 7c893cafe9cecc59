"""What an apply that died may have made without it being in the state.

Nobody asks the worker: it is gone. What terraform said reached its log, and which states reached
us we know ourselves.
"""

from collections.abc import Awaitable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.contract import Created, LogStream
from landform.kit.db import Sessions, transaction
from landform.kit.errors import LandformError, UnavailableError
from landform.kit.storage import Store
from landform.logs import service as logs
from landform.runs.models import RunPhase
from landform.states.document import object_ids
from landform.states.models import StateStatus, StateVersion

log = structlog.get_logger()


@dataclass(frozen=True)
class Aftermath:
    """What was found out about an apply, and what that rests on.

    Attributes:
        log_bytes: how long its log was then; None when it could not be read.
        state_id: the newest state it had written.
    """

    phase_id: str
    run_id: str
    log_bytes: int | None
    state_id: str | None
    maybe_not_in_state: tuple[Created, ...]


async def find_out(sessions: Sessions, store: Store, *, phase_id: str, run_id: str) -> Aftermath:
    """Read log and newest state of an apply; outside of a transaction, as both are in the store.

    Raises:
        UnavailableError: database or store do not answer.
    """
    async with transaction(sessions) as session:
        phase = await session.get_one(RunPhase, phase_id)
        state = await _newest_state(session, run_id)
    known: dict[str, frozenset[str]] = {}
    if state is not None:
        known = object_ids(await _read(store.get(state.path)) or b"{}")
    said = await _read(logs.read(sessions, store, phase_id=phase_id, stream=LogStream.JSON))
    made = {one.address: one for one in map(Created.model_validate, phase.maybe_not_in_state)}
    made |= made_in(said or b"")
    return Aftermath(
        phase_id=phase_id,
        run_id=run_id,
        log_bytes=None if said is None else len(said),
        state_id=state.id if state else None,
        maybe_not_in_state=tuple(_missing(made.values(), known)),
    )


async def still_holds(session: AsyncSession, found: Aftermath) -> bool:
    """Tell whether nothing came since; once the attempt is fenced, nothing will."""
    state = await _newest_state(session, found.run_id)
    if (state.id if state else None) != found.state_id:
        return False
    size = await logs.size(session, found.phase_id, LogStream.JSON)
    return found.log_bytes is None or found.log_bytes == size


def made_in(said: bytes) -> dict[str, Created]:
    """Return the objects that terraform's JSON lines say were, or were being, made; by address.

    One whose making failed or was not heard the end of may exist all the same.
    """
    made: dict[str, Created] = {}
    for hook in _hooks(said):
        address = str((hook.get("resource") or {}).get("addr") or "")
        if address and hook.get("action") == "create":
            made[address] = Created(address=address, id_value=str(hook.get("id_value") or ""))
    return made


def _hooks(said: bytes) -> Iterator[Mapping[str, Any]]:
    for line in said.splitlines():
        if b'"apply_' not in line:
            continue
        try:
            message = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError:
            continue  # output of a provisioner may look like anything
        hook = message.get("hook")
        if str(message.get("type")).startswith("apply_") and isinstance(hook, dict):
            yield hook


def _missing(made: Iterable[Created], known: Mapping[str, frozenset[str]]) -> Iterator[Created]:
    for one in made:
        ids = known.get(one.address)
        # A state may still hold what the object replaced, under the same address.
        if ids is None or (one.id_value and ids and one.id_value not in ids):
            yield one


async def _newest_state(session: AsyncSession, run_id: str) -> StateVersion | None:
    query = (
        select(StateVersion)
        .where(StateVersion.run_id == run_id, StateVersion.status == StateStatus.FINALIZED)
        .order_by(StateVersion.serial.desc())
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()


async def _read(reading: Awaitable[bytes]) -> bytes | None:
    """Return what is read; None, and a word in our log, when it is lost for good."""
    try:
        return await reading
    except UnavailableError:
        raise
    except LandformError as failure:
        log.error("What an apply left cannot be read", error=str(failure))  # noqa: TRY400 - its text is all there is to it
        return None
