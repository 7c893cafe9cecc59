"""Doing together what comes together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
DoAll: TypeAlias = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]


class Gathering(Generic[Item, Result]):
    """Has everything that came while something was done, done at once: in one transaction, say.

    What comes while nothing is done is done right away, and alone.
    """

    def __init__(self, *, most: int) -> None:
        """Set how many are done at once at most."""
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._doing: asyncio.Task[None] | None = None

    async def do(self, item: Item, do_all: DoAll[Item, Result]) -> Result:
        """Have `do_all` do `item`, beside others; return its result, or raise what it is.

        Args:
            do_all: the same at each call. It returns a result or an exception for each item, in
                order; what it raises is raised for all of them.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._doing is None or self._doing.done():
            self._doing = asyncio.create_task(self._do(do_all))
        return await future

    async def _do(self, do_all: DoAll[Item, Result]) -> None:
        while self._waiting:
            count = min(self._most, len(self._waiting))
            taken = [self._waiting.popleft() for _ in range(count)]
            try:
                results = await do_all([item for item, _ in taken])
            except Exception as failure:  # noqa: BLE001 - it is for those who wait
                results = [failure] * count
            except BaseException:
                for _, future in [*taken, *self._waiting]:
                    future.cancel()
                self._waiting.clear()
                raise
            for (_, future), result in zip(taken, results, strict=True):
                if future.done():  # who asked has gone
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
