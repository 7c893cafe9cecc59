"""Asking a platform that does not answer again, for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from landform.kit.errors import UnavailableError

T = TypeVar("T")

_FIRST_S: Final = 0.05
_LONGEST_S: Final = 2.0


async def insist(call: Callable[[], Awaitable[T]], *, patience_s: float) -> T:
    """Return what `call` returns, calling it again while it raises UnavailableError.

    Raises:
        UnavailableError: it still did after `patience_s` seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    wait_s = _FIRST_S
    while True:
        try:
            return await call()
        except UnavailableError:
            if loop.time() + wait_s > deadline:
                raise
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, _LONGEST_S)
