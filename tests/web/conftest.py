"""The pages on one world."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI
from pydantic import SecretStr

from landform.settings import Settings
from landform.vcs.reach import Reach
from landform.wiring import make_reach
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.web.pages import Site, open_site
from tests.world import World


@pytest.fixture
async def site(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Site]:
    async with open_site(app, world, database_url) as site:
        yield site


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path / "azure") as service:
        yield service


@pytest.fixture
async def outbound(app: FastAPI, site: Site, database_url: str) -> AsyncIterator[Reach]:
    """A way out that leads to loopback, for the site."""
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    platform = site.world.platform
    reach = make_reach(settings, platform.sessions, platform.keyring)
    app.state.process = replace(app.state.process, reach=reach)
    yield reach
    await reach.close()


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """A failure of ours is written as a plain traceback; drawing it with colours takes minutes."""
    structlog.configure([structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    yield
    structlog.reset_defaults()
