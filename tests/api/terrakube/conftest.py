"""Fixtures of the tests of Terrakube's API."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from landform.settings import Settings
from landform.wiring import make_reach
from tests.api.terrakube.client import GoClient, client_of
from tests.api.terrakube.founding import Founding, browser_of
from tests.api.tfe.server import Server, open_server
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.world import World


@pytest.fixture
async def server(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Server]:
    """The application on a workspace with an uploaded configuration."""
    async with open_server(app, world, database_url) as opened:
        yield opened


@pytest.fixture
def owner(server: Server) -> GoClient:
    """The owner of the organization, with a Go client."""
    return client_of(server)


@pytest.fixture
def path(server: Server) -> str:
    """Where the organization is."""
    return f"organization/{server.world.organization_id}"


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path / "azure") as service:
        yield service


@pytest.fixture
async def founding(
    app: FastAPI, world: World, database_url: str, azure: AzureDevOps
) -> AsyncIterator[Founding]:
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    platform = world.platform
    async with open_server(app, world, database_url) as server:
        reach = make_reach(settings, platform.sessions, platform.keyring)
        app.state.process = replace(server.process, reach=reach)
        acme = azure.organization("Acme")
        ann = acme.identity("Ann")
        azure.people.push(acme.repository("Cloud Team", "infra"), ann, {"main.tf": ""})
        application = azure.oauth.register("not yet")
        async with await browser_of(server, world.owner) as browser:
            yield Founding(server, azure, ann, application, browser)
        await reach.close()
