"""A real browser on a real server; skipped, loudly, where there is no Chromium."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from playwright.async_api import Error as PlaywrightError
from pydantic import SecretStr

from landform.app import make_process
from landform.identity import sessions
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit.db import transaction
from landform.settings import Settings
from landform.web.pages import COOKIE
from tests.evidence import TRACED, has_failed, place_for
from tests.world import World

PATIENCE_MS = 45_000
"""How long a step may take on a busy machine; less than a whole test (`timeout`)."""
expect.set_options(timeout=PATIENCE_MS)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass(frozen=True)
class Desk:
    """A browser in front of a server on one world."""

    url: str
    world: World
    browser: Browser

    async def sit(self, actor: Actor | None = None, **options: object) -> Page:
        """Open a window in which `actor`, the owner unless told, is signed in."""
        async with transaction(self.world.platform.sessions) as session:
            user = await session.get_one(User, (actor or self.world.owner).id)
            secret = await sessions.open_session(session, user)
        context = await self.stranger(**options)
        await context.add_cookies([{"name": COOKIE, "value": secret, "url": self.url}])
        return await context.new_page()

    async def stranger(self, **options: object) -> BrowserContext:
        """Return a browser's profile in which nobody is signed in."""
        # Nothing is still moving, or changing its colour, when a test looks at it.
        given: Any = {"base_url": self.url, "reduced_motion": "reduce", **options}
        context = await self.browser.new_context(**given)
        context.set_default_timeout(PATIENCE_MS)
        await context.tracing.start(**TRACED)
        return context

    async def place(self) -> str:
        """Return the address of the world's workspace."""
        return f"/app/{self.world.organization}/{(await self.world.workspace()).name}"


async def _keep(browser: Browser, place: Path) -> None:
    for number, context in enumerate(browser.contexts, start=1):
        for other, page in enumerate(context.pages, start=1):
            with suppress(PlaywrightError):  # a page that hangs has no picture, and that is not why
                await page.screenshot(path=place / f"{number}-{other}.png", full_page=True)
        await context.tracing.stop(path=place / f"{number}.zip")


@pytest.fixture
async def desk(
    app: FastAPI, world: World, database_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Desk]:
    if CHROMIUM is None:
        pytest.skip("NO BROWSER TESTS: there is no chromium (apt-get install chromium)")
    process = make_process(Settings(database_url=SecretStr(database_url)), world.platform)
    app.state.process = process
    await process.listener.start()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox"], timeout=2 * PATIENCE_MS
            )
            yield Desk(f"http://127.0.0.1:{port}", world, browser)
            if has_failed(request.node):
                await _keep(browser, place_for(request.node))
            await browser.close()
    finally:
        server.should_exit = True
        await serving
        await process.listener.stop()
