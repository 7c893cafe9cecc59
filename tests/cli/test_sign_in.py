"""`landform sign-in`, as a process, against a server on loopback."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import uvicorn
from fastapi import FastAPI

from landform.identity.passwords import hash_password
from landform.identity.users import actor_of
from landform.kit.db import transaction
from tests import factories
from tests.api.tfe.server import Server, mint, open_server
from tests.cli.command import environment
from tests.matrix.places import METADATA
from tests.world import World


@dataclass
class Terminal:
    """Where a site admin types."""

    server: Server
    url: str
    token: str

    async def type(self, *arguments: str, secret: str = "", status: int = 0) -> str:
        """Run `landform sign-in …`; return what it prints."""
        env = environment(
            LANDFORM_TOKEN=self.token,
            LANDFORM_ADDRESS=self.url,
            **({"LANDFORM_SIGN_IN_SECRET": secret} if secret else {}),
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "landform", "sign-in", *arguments),
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == status, said.decode()
        assert self.token not in said.decode()
        return said.decode()


@pytest.fixture
async def terminal(app: FastAPI, world: World, database_url: str) -> AsyncIterator[Terminal]:
    async with open_server(app, world, database_url) as server:
        async with transaction(world.platform.sessions) as session:
            root = await factories.make_user(
                session, "root", is_site_admin=True, password_hash=await hash_password("x" * 12)
            )
        bound = socket.create_server(("127.0.0.1", 0))
        http = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(http.serve(sockets=[bound]))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        yield Terminal(server, url, await mint(world, actor_of(root)))
        http.should_exit = True
        await serving
        bound.close()


async def test_a_provider_is_made_changed_and_removed_in_a_terminal(terminal: Terminal) -> None:
    said = await terminal.type(
        *("create", "--kind", "keycloak", "--issuer", "https://id.acme.example/realms/acme"),
        *("--client-id", "landform", "--name", "Acme", "--no-creates-users"),
        *("--required-group", "a", "--required-group", "b"),
        secret="hunter2-of-keycloak",
    )
    found = re.search(r"Made the identity provider (idp-\w+) \(Acme\)", said)
    assert found
    assert f"{terminal.url}/login/callback/{found[1]}" in said
    shown = await terminal.type("update", "Acme", "--group-prefix", "acme:", "--no-enabled")
    assert re.search(r"^group-prefix +acme:$", shown, re.MULTILINE)
    assert re.search(r"^required-groups +a, b$", shown, re.MULTILINE)
    assert re.search(r"^creates-users +no$", shown, re.MULTILINE)
    said = await terminal.type("passwords", "off", "--break-glass", "root", status=1)
    assert "no identity provider to sign in through" in said
    await terminal.type("update", found[1], "--enabled")
    assert "is off" in await terminal.type("passwords", "off", "--break-glass", "root")
    listed = await terminal.type("list")
    assert re.search(rf"^{found[1]} +Acme +keycloak +yes +https://id", listed, re.MULTILINE)
    assert "but for the break-glass admin" in listed
    assert "only other way" in await terminal.type("delete", "Acme", status=1)
    await terminal.type("passwords", "on")
    assert "Removed" in await terminal.type("delete", "Acme")
    assert "no identity provider 'Acme'" in await terminal.type("show", "Acme", status=1)


async def test_a_secret_is_never_an_argument(terminal: Terminal) -> None:
    create = ("create", "--kind", "okta", "--issuer", "https://a.okta.com", "--client-id", "a")
    assert "LANDFORM_SIGN_IN_SECRET" in await terminal.type(*create, status=1)


async def test_a_provider_of_saml_is_made_off_told_of_and_switched_on_by_its_metadata(
    terminal: Terminal,
) -> None:
    said = await terminal.type("create", "--kind", "saml", "--name", "Acme")
    found = re.search(r"Made the identity provider (idp-\w+) \(Acme\)", said)
    assert found
    for own in ("callback", "saml"):
        assert f"{terminal.url}/login/{own}/{found[1]}\n" in said
    assert f"landform sign-in update {found[1]} --enabled" in said
    said = await terminal.type("update", "Acme", "--enabled", status=1)
    assert "Give the provider's metadata" in said
    path = str(METADATA)
    shown = await terminal.type("update", "Acme", "--enabled", "--metadata-file", path)
    assert re.search(r"^issuer +https://idp.example/metadata$", shown, re.MULTILINE)
    assert re.search(r"^enabled +yes$", shown, re.MULTILINE)
    assert "MII" not in shown, "certificates are not for reading"
