"""A site whose way out leads to a stand-in provider on loopback."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from landform.settings import Settings
from landform.wiring import make_federation, make_reach
from tests.federation.door import Door
from tests.federation.saml_door import SamlDoor
from tests.standins.identity_provider import IdentityProvider, identity_provider
from tests.standins.saml_provider import SamlProvider, saml_provider
from tests.web.pages import Site, open_site
from tests.world import World


@pytest.fixture
def idp() -> Iterator[IdentityProvider]:
    with identity_provider() as provider:
        yield provider


@pytest.fixture
async def site(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Site]:
    async with open_site(app, world, database_url) as site:
        settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
        reach = make_reach(settings, world.platform.sessions, world.platform.keyring)
        app.state.process = replace(
            app.state.process, reach=reach, federation=make_federation(reach)
        )
        yield site
        await reach.close()


@pytest.fixture
async def door(site: Site, idp: IdentityProvider) -> Door:
    return await Door.make(site, idp)


@pytest.fixture
def saml() -> Iterator[SamlProvider]:
    with saml_provider() as provider:
        yield provider


@pytest.fixture
async def saml_door(site: Site, saml: SamlProvider) -> SamlDoor:
    return await SamlDoor.open(site, saml)
