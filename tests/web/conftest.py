"""The pages on one world."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from fastapi import FastAPI

from tests.web.pages import Site, open_site
from tests.world import World


@pytest.fixture
async def site(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Site]:
    async with open_site(app, world, database_url) as site:
        yield site


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """A failure of ours is written as a plain traceback; drawing it with colours takes minutes."""
    structlog.configure([structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    yield
    structlog.reset_defaults()
