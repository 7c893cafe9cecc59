"""Row 8: a page of workspaces in organizations of three sizes: time and SQL statements."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.figures import Figure, percentile
from bench.platform import Platform
from bench.seed import Seeded, seed
from landform.app import build, make_process
from landform.cli.database import embedded
from landform.kit.crypto import KEY_BYTES, Keyring
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.storage import open_store
from landform.runs.attempts import Limits
from landform.runs.attempts import Platform as Parts
from landform.settings import Settings

SIZES: Final = (100, 1_000, 10_000)
_REQUESTS: Final = 80
_WARMING: Final = 5
_AIM: Final = 1.3

# The token of each organization's reader beside what it reads.
Readers = Sequence[tuple[Seeded, str]]


class Statements:
    """Counts what an engine is asked; without what opens and ends a transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.count = 0
        event.listen(engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, *_: object) -> None:
        self.count += 1


def lists(platform: Platform, *, quick: bool) -> list[Figure]:
    """Measure as an administrator and as a member of one team in two hundred."""
    return asyncio.run(_lists(platform, requests=_REQUESTS // 4 if quick else _REQUESTS))


async def _lists(platform: Platform, *, requests: int) -> list[Figure]:
    database_url = await embedded(platform.started.home).start()
    engine = make_engine(database_url)
    statements = Statements(engine)
    sessions = make_sessions(engine)
    async with transaction(sessions) as session:
        seeded = [await seed(session, f"bench-{size}", workspaces=size) for size in SIZES]
    async with transaction(sessions) as session:
        await (await session.connection()).exec_driver_sql("ANALYZE")
    figures = []
    async with (
        httpx2.AsyncClient(base_url=platform.started.url, timeout=60) as client,
        in_process(engine, database_url) as inner,
    ):
        for who in ("admin", "member"):
            readers = [
                (one, platform.started.token if who == "admin" else one.member_token)
                for one in seeded
            ]
            times = await _timed(client, readers, requests)
            counts = [await _counted(inner, statements, *reader) for reader in readers]
            figures += _figures(who, times, counts)
    await engine.dispose()
    return figures


@asynccontextmanager
async def in_process(engine: AsyncEngine, url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of a server in this process, whose statements can be counted."""
    keyring = Keyring(os.urandom(KEY_BYTES))
    store = open_store("memory://", keyring)
    parts = Parts(make_sessions(engine), store, keyring, Limits())
    transport = httpx2.ASGITransport(
        app=build(
            make_process(Settings(database_url=SecretStr(url), api_requests_per_second=0), parts)
        )
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://inside") as client:
        yield client


async def _timed(client: httpx2.AsyncClient, readers: Readers, requests: int) -> list[list[float]]:
    """Return the milliseconds of each request, by size; the sizes take turns."""
    times: list[list[float]] = [[] for _ in readers]
    for number in range(requests + _WARMING):
        for (seeded, token), measured in zip(readers, times, strict=True):
            began = time.perf_counter()
            await read_page(client, seeded, token)
            if number >= _WARMING:
                measured.append((time.perf_counter() - began) * 1000)
    return times


async def _counted(
    client: httpx2.AsyncClient, statements: Statements, seeded: Seeded, token: str
) -> int:
    before = statements.count
    await read_page(client, seeded, token)
    return statements.count - before


async def read_page(client: httpx2.AsyncClient, seeded: Seeded, token: str) -> Any:
    """Return the first hundred workspaces that the token's user may see."""
    answer = await client.get(
        f"/api/v2/organizations/{seeded.name}/workspaces",
        params={"page[size]": 100},
        headers={"Authorization": f"Bearer {token}"},
    )
    answer.raise_for_status()
    return answer.json()


def _figures(who: str, times: list[list[float]], counts: list[int]) -> list[Figure]:
    smallest, largest = percentile(times[0], 95), percentile(times[-1], 95)
    raw = {
        str(size): {"p50_ms": percentile(each, 50), "p95_ms": percentile(each, 95), "sql": sql}
        for size, each, sql in zip(SIZES, times, counts, strict=True)
    }
    return [
        Figure(
            row=8,
            measure=f"page of workspaces, {who}: p95 at 10k to 100",
            floor=f"{smallest:.1f} ms",
            landform=f"{largest:.1f} ms",
            value=largest / smallest,
            aim=_AIM,
            raw=raw,
        ),
        Figure(
            row=8,
            measure=f"  … SQL statements more at 10k ({counts[0]} at 100)",
            landform=str(counts[-1]),
            value=float(max(counts) - min(counts)),
            aim=0,
        ),
    ]
