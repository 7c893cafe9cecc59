"""Fixtures of the TFE API's tests."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from tests.api.tfe.server import Server, open_server
from tests.world import World


@pytest.fixture
async def server(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Server]:
    """The application on a workspace with an uploaded configuration."""
    async with open_server(app, world, database_url) as opened:
        yield opened


@pytest.fixture
def listed(server: Server) -> str:
    """Where the organization's workspaces are."""
    return f"organizations/{server.world.organization}/workspaces"


@pytest.fixture
def path(server: Server) -> str:
    """Where the workspace is."""
    return f"workspaces/{server.world.workspace_id}"
