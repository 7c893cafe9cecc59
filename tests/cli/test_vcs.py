"""`landform vcs`, as a process, against a server and an Azure DevOps on loopback."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from landform.identity import sessions
from landform.identity.models import User
from landform.kit.db import transaction
from landform.settings import Settings
from landform.wiring import make_reach
from tests.api.tfe.server import Server, open_server
from tests.cli.command import environment
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.standins.git_server import git_server
from tests.standins.github import github
from tests.world import World


@dataclass
class Terminal:
    """Where an administrator types."""

    server: Server
    azure: AzureDevOps
    url: str

    async def type(self, *arguments: str, secret: str = "", status: int = 0) -> str:
        """Run `landform vcs …`; return what it prints."""
        env = environment(
            LANDFORM_TOKEN=self.server.owner.token,
            LANDFORM_ADDRESS=self.url,
            LANDFORM_ORGANIZATION=self.server.world.organization,
            **({"LANDFORM_VCS_SECRET": secret} if secret else {}),
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "landform", "vcs", *arguments),
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == status, said.decode()
        assert self.server.owner.token not in said.decode()
        return said.decode()

    async def browser(self) -> httpx2.AsyncClient:
        """Return a browser in which the owner is signed in."""
        async with transaction(self.server.world.platform.sessions) as session:
            user = await session.get_one(User, self.server.world.owner.id)
            cookie = await sessions.open_session(session, user)
        return httpx2.AsyncClient(
            trust_env=False, cookies={"landform_session": cookie}, timeout=30.0
        )


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path / "azure") as service:
        yield service


@pytest.fixture
async def terminal(
    app: FastAPI, world: World, database_url: str, azure: AzureDevOps
) -> AsyncIterator[Terminal]:
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    async with open_server(app, world, database_url) as server:
        reach = make_reach(settings, world.platform.sessions, world.platform.keyring)
        app.state.process = replace(server.process, reach=reach)
        bound = socket.create_server(("127.0.0.1", 0))
        http = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(http.serve(sockets=[bound]))
        yield Terminal(server, azure, f"http://127.0.0.1:{bound.getsockname()[1]}")
        http.should_exit = True
        await serving
        bound.close()
        await reach.close()


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


async def test_a_connection_goes_from_nothing_to_connected_by_the_terminal(
    terminal: Terminal,
) -> None:
    acme = terminal.azure.organization("Acme")
    ann = acme.identity("Ann")
    terminal.azure.browser = ann
    application = terminal.azure.oauth.register("not yet")
    said = await terminal.type(
        *("create", "--name", "ado", "--client-id", application.client_id),
        *("--endpoint", terminal.azure.vssps_url, "--api-url", terminal.azure.url),
        *("--account", "Acme"),
        secret=application.secret,
    )
    vcs_id = found(r"Made the VCS connection (oc-\w+)", said)
    application.redirect_uri = found(r"(http\S+/callback/v1/vcs/\S+)", said)
    assert application.redirect_uri == f"{terminal.url}/callback/v1/vcs/{vcs_id}"
    assert application.secret not in said

    way = found(r"(http\S+oauth2/authorize\S+)", await terminal.type("connect", "ado"))
    assert "state=" in way
    async with await terminal.browser() as browser:
        answer = await browser.get(way, follow_redirects=True)
    assert answer.text == "Connected"

    shown = await terminal.type("test", vcs_id)
    assert re.search(r"^status +COMPLETED$", shown, re.MULTILINE)
    assert re.search(r"^identity +Ann$", shown, re.MULTILINE)
    assert "lacks comments" in shown
    assert "has no service hook" in await terminal.type("rotate", "ado", status=1)
    kept = await terminal.type("show", "ado")
    assert re.search(rf"^callbackUrl +{re.escape(application.redirect_uri)}$", kept, re.MULTILINE)
    assert application.secret not in kept
    listed = await terminal.type("list")
    assert re.search(rf"^{vcs_id} +ado +AZURE_DEVOPS +oauth +COMPLETED$", listed, re.MULTILINE)
    assert "Removed" in await terminal.type("delete", "ado")
    assert vcs_id not in await terminal.type("list")


async def test_a_github_app_is_registered_by_what_the_terminal_prints(
    terminal: Terminal, tmp_path: Path
) -> None:
    with github(tmp_path / "github") as hub:
        hub.browser = hub.account("ann")
        said = await terminal.type(
            *("create", "--name", "hub", "--type", "GITHUB", "--sign-in", "github-app"),
            *("--endpoint", hub.url),
        )
        vcs_id = found(r"landform vcs connect (oc-\w+)", said)
        way = found(r"(http\S+/register\?state=\S+)", await terminal.type("connect", vcs_id))
        async with await terminal.browser() as browser:
            page = (await browser.get(way)).text
            action = unescape(found(r'action="(http[^"]+apps/new[^"]+)"', page))
            manifest = unescape(found(r'name="manifest" value="([^"]+)"', page))
            asked = (await browser.post(action, data={"manifest": manifest})).text
            fields = dict(re.findall(r'name="(\w+)" value="(.*?)"', asked))
            fields = {name: unescape(value) for name, value in fields.items()}
            made = await browser.post(f"{hub.url}/settings/apps/manifest", data=fields)
            answer = await browser.get(made.headers["location"])
            assert "/installations/new" in answer.headers["location"]
        way = found(r"(http\S+/installations/new\S+)", await terminal.type("connect", "hub"))
        async with await terminal.browser() as browser:
            installed = await browser.post(way)
            answer = await browser.get(installed.headers["location"])
        assert answer.text == "Connected"
        shown = await terminal.type("test", vcs_id)
        assert re.search(r"^status +COMPLETED$", shown, re.MULTILINE)
        assert re.search(r"^identity +ann$", shown, re.MULTILINE)


async def test_what_the_server_refuses_is_said_in_its_words(terminal: Terminal) -> None:
    create = ("create", "--name", "a", "--sign-in", "token")
    said = await terminal.type(*create, secret="pat", status=1)
    assert "Name the Azure DevOps organization" in said
    said = await terminal.type(*create, "--account", "acme", status=1)
    assert "LANDFORM_VCS_SECRET" in said
    assert "There is no VCS connection 'b'" in await terminal.type("show", "b", status=1)


async def test_a_federated_connection_says_what_to_register(terminal: Terminal) -> None:
    said = await terminal.type(
        *("create", "--name", "f", "--sign-in", "service-principal-federated"),
        *("--client-id", "app", "--tenant", "t", "--account", "Acme"),
    )
    subject = f"organization:{terminal.server.world.organization_id}:vcs:"
    assert found(rf"subject +({subject}oc-\w+)", said)
    assert found(r"issuer +(\S+)", said) == terminal.url


async def test_a_git_server_s_keys_are_compared_and_pinned_by_the_terminal(
    terminal: Terminal, tmp_path: Path
) -> None:
    with git_server(tmp_path / "git") as server:
        said = await terminal.type(
            *("create", "--name", "git", "--type", "GIT", "--sign-in", "ssh-key"),
            *("--endpoint", server.ssh_url, "--username", server.user),
        )
        server.authorize(found(r"(ssh-ed25519 \S+)", said))
        vcs_id = found(r"landform vcs host-keys (oc-\w+)", said)
        asked = await terminal.type("host-keys", vcs_id, status=1)
        assert server.fingerprint() in asked
        assert "Pinned" not in asked, "nobody said yes"
        wrong = await terminal.type("host-keys", vcs_id, "--fingerprint", "SHA256:x", status=1)
        assert "shows no key SHA256:x" in wrong
        said = await terminal.type("host-keys", "git", "--fingerprint", server.fingerprint())
        assert "Pinned" in said
        assert re.search(r"^status +COMPLETED$", await terminal.type("test", vcs_id), re.MULTILINE)
