"""Composition root of a server: the API and the pages on one ASGI application."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from landform import __version__
from landform.api.jsonapi.errors import install_handlers
from landform.api.tfe import router as tfe
from landform.edge.process import Process
from landform.edge.signed_urls import UrlSigner
from landform.kit.notify import Listener
from landform.logs.service import CHANNEL as LOGS
from landform.runs.attempts import Platform
from landform.runs.moves import CHANNEL as RUNS
from landform.settings import Settings
from landform.web import router as web


def build(process: Process) -> FastAPI:
    """Wire the app; nothing below this line reads the environment."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await process.listener.start()
        try:
            yield
        finally:
            await process.listener.stop()

    app = FastAPI(
        title="Landform", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.process = process
    install_handlers(app)
    app.include_router(tfe)
    app.include_router(web)
    return app


def make_process(settings: Settings, platform: Platform) -> Process:
    """Return what a server process holds."""
    return Process(
        platform=platform,
        listener=Listener(settings.database_url.get_secret_value(), [LOGS, RUNS]),
        signer=UrlSigner(platform.keyring.derive("signed-urls")),
        public_url=settings.public_url.rstrip("/"),
        max_configuration_bytes=settings.max_configuration_mb * 2**20,
        max_state_bytes=settings.max_state_mb * 2**20,
    )
