"""VCS connections as go-tfe and the tfe provider speak of them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from landform.settings import Settings
from landform.wiring import make_reach
from tests.api.tfe.server import Server, open_server
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.world import World


@dataclass
class Clients:
    """A server whose connections lead to an Azure DevOps on loopback."""

    server: Server
    azure: AzureDevOps
    pat: str

    @property
    def path(self) -> str:
        return f"organizations/{self.server.world.organization}"

    async def create(self, **settings: Any) -> Any:
        given = {
            "service-provider": "ado_services",
            "name": "ado",
            "http-url": f"{self.azure.url}/Acme",
            "api-url": f"{self.azure.url}/Acme",
            "oauth-token-string": self.pat,
            **settings,
        }
        said = await self.server.owner.post(f"{self.path}/oauth-clients", "oauth-clients", **given)
        return said["data"]


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path / "azure") as service:
        yield service


@pytest.fixture
async def clients(
    app: FastAPI, world: World, database_url: str, azure: AzureDevOps
) -> AsyncIterator[Clients]:
    acme = azure.organization("Acme")
    pat = azure.tokens.issue(acme.identity("Ann"))
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    async with open_server(app, world, database_url) as server:
        reach = make_reach(settings, world.platform.sessions, world.platform.keyring)
        app.state.process = replace(server.process, reach=reach)
        yield Clients(server, azure, pat)
        await reach.close()


async def test_a_client_with_a_token_has_its_oauth_token_at_once(clients: Clients) -> None:
    made = await clients.create()
    shown = made["attributes"]
    assert shown["service-provider"] == "ado_services"
    assert shown["service-provider-display-name"] == "Azure DevOps Services"
    assert clients.pat not in str(made)
    (token,) = made["relationships"]["oauth-tokens"]["data"]
    assert token == {"id": f"ot-{made['id'].removeprefix('oc-')}", "type": "oauth-tokens"}
    said = await clients.server.owner.get(f"oauth-tokens/{token['id']}")
    assert said["data"]["relationships"]["oauth-client"]["data"]["id"] == made["id"]
    assert not said["data"]["attributes"]["has-ssh-key"]


async def test_the_organization_is_read_from_the_address(clients: Clients) -> None:
    made = await clients.create()
    path = f"/api/v1/organization/{clients.server.world.organization}/vcs/{made['id']}/test"
    headers = {"Authorization": f"Bearer {clients.server.owner.token}"}
    answer = await clients.server.http.post(path, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["attributes"]["account"] == "Acme"


async def test_a_client_that_a_person_signs_in_for_has_no_token_yet(clients: Clients) -> None:
    made = await clients.create(**{"oauth-token-string": None, "key": "id", "secret": "s"})
    assert made["relationships"]["oauth-tokens"]["data"] == []
    assert made["attributes"]["callback-url"].endswith(f"/callback/v1/vcs/{made['id']}")
    await clients.server.owner.get(f"oauth-tokens/ot-{made['id'][3:]}", 404)
    listed = await clients.server.owner.get(f"{clients.path}/oauth-tokens")
    assert listed["data"] == []


async def test_clients_and_tokens_are_listed_changed_and_deleted(clients: Clients) -> None:
    owner, made = clients.server.owner, await clients.create()
    one, token = f"oauth-clients/{made['id']}", f"ot-{made['id'].removeprefix('oc-')}"
    assert [each["id"] for each in (await owner.get(f"{clients.path}/oauth-clients"))["data"]] == [
        made["id"]
    ]
    for path in (f"{clients.path}/oauth-tokens", f"{one}/oauth-tokens"):
        assert [each["id"] for each in (await owner.get(path))["data"]] == [token]
    changed = await owner.patch(one, "oauth-clients", name="renamed")
    assert changed["data"]["attributes"]["name"] == "renamed"
    key: dict[str, Any] = {"ssh-key": "-----BEGIN KEY-----"}
    kept = await owner.patch(f"oauth-tokens/{token}", "oauth-tokens", **key)
    assert kept["data"]["attributes"]["has-ssh-key"]
    await owner.delete(f"oauth-tokens/{token}")
    await owner.delete(one)
    await owner.get(one, 404)


async def test_a_service_provider_nobody_knows_is_refused(clients: Clients) -> None:
    said = await clients.server.owner.post(
        f"{clients.path}/oauth-clients",
        "oauth-clients",
        422,
        **{"service-provider": "sourceforge", "oauth-token-string": "x"},
    )
    assert "ado_services" in said["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("given", "http_url", "api_url"),
    [
        ({"service-provider": "gitlab_hosted"}, "https://gitlab.com", "https://gitlab.com/api/v4"),
        (
            {
                "service-provider": "gitlab_enterprise_edition",
                "http-url": "https://git.acme.com",
                "api-url": "https://git.acme.com/api/v4",
            },
            "https://git.acme.com",
            "https://git.acme.com/api/v4",
        ),
        (
            {"service-provider": "gitlab_enterprise_edition", "http-url": "https://acme.com/lab"},
            "https://acme.com/lab",
            "https://acme.com/lab/api/v4",
        ),
    ],
)
async def test_a_gitlab_shows_where_its_pages_and_its_api_are(
    clients: Clients, given: dict[str, str], http_url: str, api_url: str
) -> None:
    settings: dict[str, Any] = {"oauth-token-string": "glpat-x", **given}
    said = await clients.server.owner.post(
        f"{clients.path}/oauth-clients", "oauth-clients", **settings
    )
    shown = said["data"]["attributes"]
    assert (shown["http-url"], shown["api-url"]) == (http_url, api_url)
    assert shown["service-provider"] == given["service-provider"]
    assert shown["service-provider-display-name"].startswith("GitLab")
