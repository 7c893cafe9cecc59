"""One provider's host on its own, for tests of what is that provider's alone."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from landform.kit.db import transaction
from landform.vcs.reach import Reach
from tests import factories
from tests.vcs.contract.host import Host, Ours

H = TypeVar("H", bound=Host)


@asynccontextmanager
async def host_of(
    make: Callable[[Path, Ours], H], reach: Reach, directory: Path
) -> AsyncIterator[H]:
    """Serve it, with an organization of ours, for as long as the context lasts."""
    async with transaction(reach.sessions) as session:
        organization = await factories.make_organization(session)
        owner = await factories.make_owner(session, organization)
    made = make(directory, Ours(reach, organization.id, owner))
    try:
        yield made
    finally:
        made.close()
