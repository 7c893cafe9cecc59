"""Fixtures of the tests of Terrakube's API."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from tests.api.terrakube.client import GoClient, client_of
from tests.api.tfe.server import Server, open_server
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
