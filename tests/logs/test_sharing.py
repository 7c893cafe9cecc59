"""Many readers of one log: one read for all of them, and each has every byte once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from landform.contract import LogStream, PhaseJob
from landform.kit.errors import NotFoundError
from landform.kit.notify import Listener, wait
from landform.logs import sharing
from landform.logs.service import CHANNEL, ETX, STX, Stretch
from landform.logs.sharing import SharedReads
from tests.world import World

_READERS = 30
_WAIT_S = 60.0


class Readers:
    """The readers of one process."""

    def __init__(self, world: World, job: PhaseJob, listener: Listener) -> None:
        self.listener = listener
        self._world = world
        self._job = job
        self._reads = SharedReads()

    async def read(self, offset: int, limit: int = 1 << 20) -> bytes:
        return (await self._read(offset, limit)).data

    async def follow(self, limit: int) -> bytes:
        """Read to the end as the server does for a client."""
        seen = b""
        while not seen.endswith(ETX):
            with self.listener.expect(CHANNEL, self._job.phase_id) as changed:
                found = await self._read(len(seen), limit)
                seen += found.data
                if not found.data:
                    assert await wait(changed, _WAIT_S), "nobody woke a reader"
        return seen

    async def _read(self, offset: int, limit: int) -> Stretch:
        platform = self._world.platform
        return await self._reads.read(
            platform.sessions,
            platform.store,
            self.listener,
            phase_id=self._job.phase_id,
            stream=LogStream.TEXT,
            offset=offset,
            limit=limit,
        )


@pytest.fixture
async def job(world: World) -> PhaseJob:
    return await world.must_begin(await world.create())


@pytest.fixture
async def readers(world: World, job: PhaseJob, database_url: str) -> AsyncIterator[Readers]:
    listener = Listener(database_url, [CHANNEL])
    await listener.start()
    with listener.expect(CHANNEL, job.phase_id) as ready:
        assert await wait(ready, _WAIT_S), "it says when it listens"
    yield Readers(world, job, listener)
    await listener.stop()


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """Note the statements that are sent to the database."""
    engine = world.platform.sessions.kw["bind"].sync_engine
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_who_asks_for_the_same_at_once_or_a_moment_later_costs_one_read(
    world: World, job: PhaseJob, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_FRESH_S", 60.0)  # however long this machine stands still
    with readers.listener.expect(CHANNEL, job.phase_id) as told:
        await world.append(job, 0, b"abc")
        assert await wait(told, _WAIT_S)  # what is told of later is read anew
    with counted(world) as one:
        await readers.read(1)
    with counted(world) as all_of_them:
        found = await asyncio.gather(*(readers.read(0) for _ in range(_READERS)))
        found.append(await readers.read(0))
    assert set(found) == {STX + b"abc"}
    assert len(all_of_them) == len(one)


async def test_what_was_told_of_is_read_anew(world: World, job: PhaseJob, readers: Readers) -> None:
    await world.append(job, 0, b"abc")
    assert await readers.read(0) == STX + b"abc"
    with readers.listener.expect(CHANNEL, job.phase_id) as changed:
        await world.append(job, 3, b"def")
        assert await wait(changed, _WAIT_S)
    assert await readers.read(0) == STX + b"abcdef"
    assert await readers.read(0, 3) == STX + b"ab"


async def test_many_readers_of_a_log_that_grows_have_every_byte_once(
    world: World, job: PhaseJob, readers: Readers
) -> None:
    pieces = [f"line {number}\n".encode() * (number % 7 + 1) for number in range(60)]
    limits = [7, 64, 1 << 20]

    async def write() -> None:
        offset = 0
        for piece in pieces:
            await world.append(job, offset, piece)
            offset += len(piece)
        await world.finish(job)

    following = [readers.follow(limits[number % 3]) for number in range(_READERS)]
    _, *seen = await asyncio.gather(write(), *following)
    assert set(seen) == {STX + b"".join(pieces) + ETX}


async def test_a_reader_who_leaves_takes_nothing_from_the_others(
    world: World, job: PhaseJob, readers: Readers
) -> None:
    await world.append(job, 0, b"abc")
    first = asyncio.create_task(readers.read(0))
    others = [asyncio.create_task(readers.read(0)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == [STX + b"abc"] * 3


async def test_a_read_that_failed_is_tried_again_by_the_next(
    world: World, job: PhaseJob, readers: Readers
) -> None:
    await world.append(job, 0, b"abc")
    store = world.platform.store
    (path,) = [each.path async for page in store.pages() for each in page if "logs/" in each.path]
    kept = await store.get(path)
    await store.delete([path])
    with pytest.raises(NotFoundError):
        await readers.read(0)
    await store.put(path, kept)
    assert await readers.read(0) == STX + b"abc"


async def test_a_listener_that_hears_nothing_costs_a_reader_a_second(
    world: World, job: PhaseJob, database_url: str
) -> None:
    readers = Readers(world, job, Listener(database_url, [CHANNEL]))  # it was never started
    await world.append(job, 0, b"abc")
    assert await readers.read(0) == STX + b"abc"
    await world.append(job, 3, b"def")
    found = b""
    async with asyncio.timeout(_WAIT_S):
        while found != STX + b"abcdef":
            await asyncio.sleep(0.05)
            found = await readers.read(0)
