"""Whoever sets up a connection: a terminal, a browser, and an Azure DevOps to connect to."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from landform.identity import sessions
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.kit.db import transaction
from tests.api.tfe.server import BASE, Server
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_oauth import Application
from tests.standins.azure_world import Identity

TYPE = "application/vnd.api+json"


@dataclass
class Founding:
    """A server, an Azure DevOps, and an administrator with a terminal and a browser."""

    server: Server
    azure: AzureDevOps
    ann: Identity
    application: Application
    browser: httpx2.AsyncClient

    @property
    def path(self) -> str:
        return f"/api/v1/organization/{self.server.world.organization_id}/vcs"

    async def ask(
        self, method: str, path: str, status: int, *, token: str = "", **attributes: Any
    ) -> Any:
        """Send a request as the owner, or with another token."""
        body = {"data": {"type": "vcs", "attributes": attributes}} if attributes else None
        headers = {"Authorization": f"Bearer {token or self.server.owner.token}"}
        if body:
            headers["Content-Type"] = TYPE
        answer = await self.server.http.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def create(self, **settings: Any) -> Any:
        """Create the connection that the documentation does."""
        given = {
            "name": "ado",
            "description": "Azure DevOps",
            "vcsType": "AZURE_DEVOPS",
            "clientId": self.application.client_id,
            "clientSecret": self.application.secret,
            "endpoint": self.azure.vssps_url,
            "apiUrl": self.azure.url,
            **settings,
        }
        made = (await self.ask("POST", self.path, 201, **given))["data"]
        self.application.redirect_uri = made["attributes"]["callbackUrl"]
        return made

    async def status(self, vcs_id: str) -> str:
        said = await self.ask("GET", f"{self.path}/{vcs_id}", 200)
        return str(said["data"]["attributes"]["status"])

    async def connect(self, vcs_id: str) -> dict[str, str]:
        answer: dict[str, str] = await self.ask("POST", f"{self.path}/{vcs_id}/connect", 200)
        return answer

    async def sign_in_at_azure(self, url: str) -> str:
        """Open an authorize page as Ann; return the path she is sent back to."""
        self.azure.browser = self.ann
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as there:
            answer = await there.get(url)
        assert answer.status_code == 302, answer.text
        location = answer.headers["location"]
        assert location.startswith(BASE), location
        return str(location.removeprefix(BASE))


async def browser_of(server: Server, actor: Actor) -> httpx2.AsyncClient:
    """Return a browser in which `actor` is signed in."""
    async with transaction(server.world.platform.sessions) as session:
        user = await session.get_one(User, actor.id)
        secret = await sessions.open_session(session, user)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=server.app),
        base_url=BASE,
        cookies={"landform_session": secret},
    )


def state_of(path: str) -> str:
    return parse_qs(urlsplit(path).query)["state"][0]
