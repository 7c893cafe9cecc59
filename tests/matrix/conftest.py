"""The realm whose routes are walked."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI

from landform.kit.crypto import KEY_BYTES, Keyring
from landform.kit.db import make_engine, make_sessions
from landform.kit.storage import open_store
from landform.runs.attempts import Limits, Platform
from landform.web import streams
from tests.conftest import own_database
from tests.matrix.realm import Realm, open_realm


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def realm(app: FastAPI, postgres_server: str) -> AsyncIterator[Realm]:
    keyring = Keyring(os.urandom(KEY_BYTES))
    with own_database(postgres_server) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "LIFE_S", 0.0)  # whether one may watch is all that is asked
        engine = make_engine(url)
        platform = Platform(
            sessions=make_sessions(engine),
            store=open_store("memory://", keyring),
            keyring=keyring,
            limits=Limits(),
        )
        async with open_realm(app, platform, url) as opened:
            yield opened
        await engine.dispose()
