"""A browser that is signed in as the first admin."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from landform.identity import sessions, users
from landform.identity.first_admin import FIRST_ADMIN
from landform.kit.db import make_engine, make_sessions, transaction
from landform.web.pages import COOKIE
from tests.faults.platform import Platform


@contextmanager
def signed_in(platform: Platform) -> Iterator[httpx2.Client]:
    """Yield a client with the cookie of a session of its own."""
    secret = asyncio.run(_sign_in(platform))
    with httpx2.Client(
        base_url=platform.url, cookies={COOKIE: secret}, trust_env=False, timeout=30.0
    ) as browser:
        yield browser


async def _sign_in(platform: Platform) -> str:
    engine = make_engine(platform.database_url, pool_size=1)
    async with transaction(make_sessions(engine)) as session:
        admin = await users.by_username(session, FIRST_ADMIN)
        assert admin is not None
        admin.must_change_password = False
        secret = await sessions.open_session(session, admin)
    await engine.dispose()
    return secret
