"""Logs: appended by offset, framed for those who read them, read while they grow."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landform.contract import LogStream, LostLeaseError, Phase, PhaseJob
from landform.kit.crypto import Keyring
from landform.kit.db import make_engine, make_sessions, transaction
from landform.kit.errors import ConflictError
from landform.kit.notify import Listener, wait
from landform.kit.storage import Store
from landform.logs import service
from landform.logs.service import CHANNEL, ETX, STX
from landform.runs.attempts import Limits, Platform
from tests.world import World

WAIT_S = 60.0


async def read(
    world: World,
    job: PhaseJob,
    offset: int,
    limit: int = 1 << 20,
    stream: LogStream = LogStream.TEXT,
) -> bytes:
    platform = world.platform
    return await service.read_framed(
        platform.sessions,
        platform.store,
        phase_id=job.phase_id,
        stream=stream,
        offset=offset,
        limit=limit,
    )


async def read_all(world: World, job: PhaseJob, limits: Sequence[int]) -> bytes:
    """Read as clients do, each piece from where the last one ended."""
    found = b""
    for limit in limits:
        found += await read(world, job, len(found), limit)
    return found


async def is_read(world: World, job: PhaseJob, offset: int) -> bool:
    platform = world.platform
    stretch = await service.read_stretch(
        platform.sessions,
        platform.store,
        phase_id=job.phase_id,
        stream=LogStream.TEXT,
        offset=offset,
        limit=1 << 20,
    )
    return stretch.is_over


@pytest.fixture
async def job(world: World) -> PhaseJob:
    return await world.must_begin(await world.create())


async def test_a_log_nobody_has_written_to_is_empty(world: World, job: PhaseJob) -> None:
    assert await read(world, job, 0) == b""
    assert not await is_read(world, job, 0)


async def test_the_frame_counts_in_the_offset(world: World, job: PhaseJob) -> None:
    await world.append(job, 0, b"abc")
    assert await read(world, job, 0) == STX + b"abc"
    assert await read(world, job, 1) == b"abc"
    assert await read(world, job, 3) == b"c"
    assert await read(world, job, 4) == b""
    assert not await is_read(world, job, 4)
    await world.finish(job)
    assert await read(world, job, 0) == STX + b"abc" + ETX
    assert await read(world, job, 4) == ETX
    assert await read(world, job, 5) == b""
    assert await read(world, job, 99) == b""
    assert not await is_read(world, job, 4)
    assert await is_read(world, job, 5)


@pytest.mark.parametrize(
    ("offset", "limit", "found"),
    [
        (0, 0, b""),
        (0, 1, STX),
        (0, 2, STX + b"a"),
        (0, 4, STX + b"abc"),
        (0, 5, STX + b"abc" + ETX),
        (1, 3, b"abc"),
        (1, 4, b"abc" + ETX),
        (4, 1, ETX),
        (2, 1, b"b"),
    ],
)
async def test_no_answer_is_longer_than_asked(
    world: World, job: PhaseJob, offset: int, limit: int, found: bytes
) -> None:
    await world.append(job, 0, b"ab")
    await world.append(job, 2, b"c")
    await world.finish(job)
    assert await read(world, job, offset, limit) == found


async def test_an_empty_log_that_is_over_is_its_frame(world: World, job: PhaseJob) -> None:
    await world.finish(job)
    assert await read(world, job, 0) == STX + ETX
    assert await is_read(world, job, 2)


async def test_the_two_logs_of_a_phase_are_apart(world: World, job: PhaseJob) -> None:
    await world.append(job, 0, b"for people", LogStream.TEXT)
    await world.append(job, 0, b'{"for": "programs"}', LogStream.JSON)
    assert await read(world, job, 1) == b"for people"
    assert await read(world, job, 1, stream=LogStream.JSON) == b'{"for": "programs"}'


async def test_a_gap_is_refused(world: World, job: PhaseJob) -> None:
    await world.append(job, 0, b"abc")
    before = await world.snapshot()
    with pytest.raises(ConflictError, match="has 3 bytes, not 5"):
        await world.append(job, 5, b"xyz")
    assert await world.snapshot() == before
    await world.append(job, 3, b"def")
    assert await read(world, job, 1) == b"abcdef"


@pytest.mark.parametrize(
    ("offset", "data", "is_refused"),
    [(0, b"abcXYZ", True), (1, b"bcd", True), (0, b"XYZ", False), (0, b"ab", False)],
)
async def test_what_was_told_once_is_not_told_otherwise(
    world: World, job: PhaseJob, offset: int, data: bytes, *, is_refused: bool
) -> None:
    await world.append(job, 0, b"abc")
    await world.append(job, 3, b"def") if not is_refused else None
    if is_refused:
        with pytest.raises(ConflictError):
            await world.append(job, offset, data)
        await world.append(job, 3, b"def")
    else:
        await world.append(job, offset, data)
    assert await read(world, job, 1) == b"abcdef"


async def test_a_second_try_appends_after_the_first(world: World, job: PhaseJob) -> None:
    await world.append(job, 0, b"one\n")
    await world.expire(job)
    await world.sweep()
    again = await world.must_begin(job.run_id)
    await world.append(again, 0, b"two\n")
    await world.append(again, 0, b"two\n")
    await world.append(again, 4, b"three\n")
    with pytest.raises(LostLeaseError):
        await world.append(job, 4, b"stale\n")
    said = b"The worker stopped answering; planning again.\n"
    assert await world.log(job.run_id) == b"one\n" + said + b"two\nthree\n"


async def test_a_sealed_log_takes_nothing_more(world: World, job: PhaseJob) -> None:
    await world.append(job, 0, b"abc")
    await world.finish(job)
    with pytest.raises(LostLeaseError):
        await world.append(job, 3, b"def")
    async with transaction(world.platform.sessions) as session:
        await service.say(session, job.phase_id, "too late")
    assert await world.log(job.run_id) == b"abc"


async def test_pieces_told_at_once_are_kept_once(world: World, job: PhaseJob) -> None:
    await asyncio.gather(*(world.append(job, 0, b"abc") for _ in range(4)))
    assert await world.log(job.run_id) == b"abc"


async def test_a_long_log_is_read_in_order(world: World, job: PhaseJob) -> None:
    lines = [f"line {n}\n".encode() * 50 for n in range(40)]
    offset = 0
    for line in lines:
        await world.append(job, offset, line)
        offset += len(line)
    assert await world.log(job.run_id) == b"".join(lines)


@pytest.mark.parametrize("event", ["append", "say", "seal"])
async def test_a_reader_who_waits_is_woken(
    world: World, job: PhaseJob, event: str, database_url: str
) -> None:
    listener = Listener(database_url, [CHANNEL])
    await listener.start()
    try:
        with listener.expect(CHANNEL, job.phase_id) as ready:
            assert await wait(ready, WAIT_S), "it says when it listens"
        other = listener.expect(CHANNEL, "plan-of-others")
        with listener.expect(CHANNEL, job.phase_id) as changed, other as untouched:
            if event == "append":
                await world.append(job, 0, b"abc")
            elif event == "seal":
                await world.finish(job)
            else:
                async with transaction(world.platform.sessions) as session:
                    await service.say(session, job.phase_id, "abc")
            assert await wait(changed, WAIT_S)
            assert not untouched.is_set()
    finally:
        await listener.stop()


async def test_the_log_outlives_the_process_that_wrote_it(world: World, job: PhaseJob) -> None:
    await world.append(job, 0, b"abc")
    await world.finish(job)
    engine = world.platform.sessions.kw["bind"]
    again = make_engine(engine.url.render_as_string(hide_password=False))
    try:
        found = await service.read(
            make_sessions(again),
            world.platform.store,
            phase_id=job.phase_id,
            stream=LogStream.TEXT,
        )
    finally:
        await again.dispose()
    assert found == b"abc"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture
def shared(
    runner: asyncio.Runner, database_url: str, store: Store, keyring: Keyring
) -> Iterator[World]:
    """A world for all examples of a test, in a loop that outlives each."""
    engine = make_engine(database_url)
    sessions = make_sessions(engine)
    platform = Platform(sessions=sessions, store=store, keyring=keyring, limits=Limits())
    yield runner.run(World.make(platform))
    runner.run(engine.dispose())


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=12), max_size=6),
    first=st.integers(0, 6),
    limits=st.lists(st.integers(0, 9), max_size=12),
    is_over=st.booleans(),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_however_it_is_written_and_read_the_bytes_are_the_same(
    runner: asyncio.Runner,
    shared: World,
    pieces: list[bytes],
    first: int,
    limits: list[int],
    *,
    is_over: bool,
) -> None:
    """Written in any pieces, by one attempt or two; read in any steps, while it grows or after."""
    runner.run(_check(shared, pieces, first, limits, is_over=is_over))


async def _check(
    world: World, pieces: list[bytes], first: int, limits: list[int], *, is_over: bool
) -> None:
    job = await world.must_begin(await world.create(plan_only=True))
    whole = await _write(world, job, pieces[:first])
    seen = await read_all(world, job, limits[::2])
    if pieces[first:]:
        await world.expire(job)
        await world.sweep()
        job = await world.must_begin(job.run_id)
        whole += b"The worker stopped answering; planning again.\n"
        whole += await _write(world, job, pieces[first:])
    if is_over:
        await world.finish(job)
    for limit in [*limits[1::2], 1 << 20, 1 << 20]:
        seen += await read(world, job, len(seen), limit)
    is_begun = bool(whole) or is_over
    assert seen == (STX if is_begun else b"") + whole + (ETX if is_over else b"")
    assert await is_read(world, job, len(seen)) == is_over
    assert await world.log(job.run_id) == whole


async def _write(world: World, job: PhaseJob, pieces: list[bytes]) -> bytes:
    whole = b""
    for piece in pieces:
        await world.append(job, len(whole), piece)
        whole += piece
    return whole


async def test_an_apply_has_logs_of_its_own(world: World) -> None:
    run_id = await world.create(auto_apply=True)
    plan = await world.must_begin(run_id)
    await world.append(plan, 0, b"plan")
    await world.finish(plan)
    apply = await world.must_begin(run_id, Phase.APPLY)
    await world.append(apply, 0, b"apply")
    assert await world.log(run_id) == b"plan"
    assert await world.log(run_id, Phase.APPLY) == b"apply"
