"""Whether the work of a run was done more than once, from what each attempt leaves behind."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from landform.cli.database import embedded
from landform.contract import Phase
from landform.kit.db import make_engine, make_sessions, transaction
from landform.runs.models import RunPhase
from landform.states.models import StateVersion


def doubled_in(home: Path, runs: Sequence[str]) -> list[str]:
    """Return what `doubled` does, of the platform that runs on `home`."""
    return asyncio.run(_doubled_in(home, runs))


async def _doubled_in(home: Path, runs: Sequence[str]) -> list[str]:
    engine = make_engine(await embedded(home).start())
    async with transaction(make_sessions(engine)) as session:
        found = await doubled(session, runs)
    await engine.dispose()
    return found


async def doubled(session: AsyncSession, runs: Sequence[str]) -> list[str]:
    """Return those of the applied `runs` whose apply began, or left a state, not exactly once.

    Each attempt counts itself as it begins; a state is counted however its writer came to it.
    """
    states = (
        select(func.count())
        .where(StateVersion.run_id == RunPhase.run_id, ~StateVersion.is_intermediate)
        .scalar_subquery()
    )
    found = await session.scalars(
        select(RunPhase.run_id)
        .where(RunPhase.run_id.in_(runs), RunPhase.phase == Phase.APPLY)
        .where(or_(RunPhase.attempts != 1, states != 1))
        .order_by(RunPhase.run_id)
    )
    return list(found)
