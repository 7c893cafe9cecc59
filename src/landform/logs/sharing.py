"""Many readers of one log: what changed is read once for all who ask for the same."""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from landform.contract import LogStream
from landform.kit.db import Sessions
from landform.kit.notify import Listener
from landform.kit.storage import Store
from landform.logs import service
from landform.logs.service import CHANNEL, Stretch

_FRESH_S: Final = 1.0
"""A listener that has gone deaf without noticing costs a reader no more than this."""

_KEPT_BYTES: Final = 1 << 16
_KEPT: Final = 256

_Key: TypeAlias = tuple[str, LogStream, int, int]


@dataclass(eq=False)
class _Read:
    """One read, and what says that it is out of date: its log was told of since it began."""

    task: asyncio.Task[Stretch]
    told: asyncio.Event
    until: float
    listening: ExitStack


@dataclass(eq=False)
class SharedReads:
    """The reads of one process that others may use: under way, or just over.

    A read is used by whoever asks for the same before anything is told of the log. So nobody
    misses a block: one that was told of before the read began is in it, and one that is told of
    later wakes whoever listened before asking.
    """

    _reads: dict[_Key, _Read] = field(default_factory=dict)

    async def read(
        self,
        sessions: Sessions,
        store: Store,
        listener: Listener,
        *,
        phase_id: str,
        stream: LogStream,
        offset: int,
        limit: int,
    ) -> Stretch:
        """Return what `service.read_stretch` does; to be told of more, listen before."""
        key = (phase_id, stream, offset, limit)
        now = asyncio.get_running_loop().time()
        found = self._reads.get(key)
        if found is None or found.told.is_set() or now > found.until:
            reading = service.read_stretch(
                sessions, store, phase_id=phase_id, stream=stream, offset=offset, limit=limit
            )
            found = self._begin(key, reading, listener, until=now + _FRESH_S)
        # Who goes away must not take it from the others.
        return await asyncio.shield(found.task)

    def _begin(
        self,
        key: _Key,
        reading: Coroutine[None, None, Stretch],
        listener: Listener,
        *,
        until: float,
    ) -> _Read:
        self._forget(key)
        listening = ExitStack()
        told = listening.enter_context(listener.expect(CHANNEL, key[0]))
        task = asyncio.create_task(reading)
        read = self._reads[key] = _Read(task, told, until, listening)
        task.add_done_callback(lambda _: self._settle(key, read))
        return read

    def _settle(self, key: _Key, read: _Read) -> None:
        """Keep a small read for a moment, and not one that failed."""
        if self._reads.get(key) is not read:
            return
        is_bad = read.task.cancelled() or read.task.exception() is not None
        if is_bad or len(read.task.result().data) > _KEPT_BYTES or len(self._reads) > _KEPT:
            self._forget(key)
            return
        asyncio.get_running_loop().call_at(read.until, self._expire, key, read)

    def _expire(self, key: _Key, read: _Read) -> None:
        if self._reads.get(key) is read:
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        if read := self._reads.pop(key, None):
            read.listening.close()
