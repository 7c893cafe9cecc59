"""Reading for an include what the actor may see of it."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from landform.kit.errors import ForbiddenError, NotFoundError

T = TypeVar("T")


async def seen(read: Callable[[str], Awaitable[T]], ids: Iterable[str]) -> list[T]:
    """Return what `read` gives for each id, without what the actor may not see.

    For `by_ids` of a resource: who may read a thing need not be able to read what it links to.
    """
    found = []
    for each in ids:
        with contextlib.suppress(NotFoundError, ForbiddenError):
            found.append(await read(each))
    return found
