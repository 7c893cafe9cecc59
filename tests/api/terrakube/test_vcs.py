"""VCS connections in Terrakube's API, and the flow that its documentation shows."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from landform.identity import sessions
from landform.identity.actor import Actor
from landform.identity.models import User
from landform.identity.users import actor_of
from landform.kit import clock
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.settings import Settings
from landform.vcs.models import Connection
from landform.wiring import make_reach
from tests import factories
from tests.api.tfe.server import BASE, Server, open_server
from tests.standins.azure_devops import AzureDevOps, azure_devops
from tests.standins.azure_oauth import Application
from tests.standins.azure_world import Identity
from tests.standins.serving import json_answer
from tests.world import World

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
        async with httpx2.AsyncClient(trust_env=False) as there:
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


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureDevOps]:
    with azure_devops(tmp_path / "azure") as service:
        yield service


@pytest.fixture
async def founding(
    app: FastAPI, world: World, database_url: str, azure: AzureDevOps
) -> AsyncIterator[Founding]:
    settings = Settings(database_url=SecretStr(database_url), egress_allow="127.0.0.1")
    platform = world.platform
    async with open_server(app, world, database_url) as server:
        reach = make_reach(settings, platform.sessions, platform.keyring)
        app.state.process = replace(server.process, reach=reach)
        acme = azure.organization("Acme")
        ann = acme.identity("Ann")
        azure.people.push(acme.repository("Cloud Team", "infra"), ann, {"main.tf": ""})
        application = azure.oauth.register("not yet")
        async with await browser_of(server, world.owner) as browser:
            yield Founding(server, azure, ann, application, browser)
        await reach.close()


def state_of(path: str) -> str:
    return parse_qs(urlsplit(path).query)["state"][0]


# ── the flow ────────────────────────────────────────────────────────────────────────────────────


async def test_the_documented_flow_ends_in_connected_and_a_connection_that_works(
    founding: Founding,
) -> None:
    made = await founding.create()
    vcs_id = made["id"]
    shown = made["attributes"]
    assert shown["callbackUrl"] == f"{BASE}/callback/v1/vcs/{vcs_id}"
    assert shown["status"] == "PENDING"
    assert founding.application.secret not in str(made)
    authorize = (
        f"{founding.azure.vssps_url}/oauth2/authorize?client_id={founding.application.client_id}"
        f"&redirect_uri={shown['callbackUrl']}&response_type=Assertion"
        "&scope=vso.code+vso.code_status"
    )
    answer = await founding.browser.get(await founding.sign_in_at_azure(authorize))
    assert (answer.status_code, answer.text) == (200, "Connected")
    assert await founding.status(vcs_id) == "COMPLETED"
    tested = await founding.ask("POST", f"{founding.path}/{vcs_id}/test", 200)
    assert tested["data"]["attributes"]["status"] == "COMPLETED"


async def test_connecting_by_a_state_works_as_well(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    way = await founding.connect(vcs_id)
    assert "state=" not in way["documentedUrl"]
    back = await founding.sign_in_at_azure(way["url"])
    answer = await founding.browser.get(back)
    assert answer.text == "Connected"


async def test_a_callback_of_ones_own_name_and_a_redirect_are_kept(founding: Founding) -> None:
    made = await founding.create(callback="ado", redirectUrl="https://ui.example/done")
    assert made["attributes"]["callbackUrl"] == f"{BASE}/callback/v1/vcs/ado"
    way = await founding.connect(made["id"])
    answer = await founding.browser.get(await founding.sign_in_at_azure(way["url"]))
    assert answer.status_code == 302
    assert answer.headers["location"] == "https://ui.example/done"


async def test_a_person_who_declines_sees_a_page_and_nothing_is_connected(
    founding: Founding,
) -> None:
    vcs_id = (await founding.create())["id"]
    way = await founding.connect(vcs_id)
    back = f"/callback/v1/vcs/{vcs_id}?error=access_denied&state={state_of(way['url'])}"
    answer = await founding.browser.get(back)
    assert answer.status_code == 422
    assert "did not grant access" in answer.text
    assert "text/html" in answer.headers["content-type"]
    assert await founding.status(vcs_id) == "PENDING"


async def test_a_return_without_a_code_is_a_denial(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    answer = await founding.browser.get(f"/callback/v1/vcs/{vcs_id}")
    assert answer.status_code == 422
    assert "did not grant access" in answer.text


async def test_a_wrong_redirect_ends_at_azure(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    way = await founding.connect(vcs_id)
    founding.application.redirect_uri = f"{BASE}/somewhere-else"
    founding.azure.browser = founding.ann
    async with httpx2.AsyncClient(trust_env=False) as there:
        answer = await there.get(way["url"])
    assert answer.status_code == 400
    assert await founding.status(vcs_id) == "PENDING"


async def test_an_expired_secret_says_what_to_do(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    way = await founding.connect(vcs_id)
    back = await founding.sign_in_at_azure(way["url"])
    founding.azure.clock.advance(days=61)
    answer = await founding.browser.get(back)
    assert answer.status_code == 422
    assert "expires after 60 days" in answer.text
    assert founding.application.secret not in answer.text


async def test_a_code_that_was_used_connects_nothing_again(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    way = await founding.connect(vcs_id)
    back = await founding.sign_in_at_azure(way["url"])
    assert (await founding.browser.get(back)).text == "Connected"
    again = await founding.browser.get(back)
    assert again.status_code == 422
    assert "used already" in again.text
    code = parse_qs(urlsplit(back).query)["code"][0]
    without = await founding.browser.get(f"/callback/v1/vcs/{vcs_id}?code={code}")
    assert without.status_code == 409
    assert "not waiting" in without.text


async def test_an_error_with_status_200_is_not_connected(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    way = await founding.connect(vcs_id)
    back = await founding.sign_in_at_azure(way["url"])
    said = {"Error": "server_error", "ErrorDescription": "TF500: broken"}
    founding.azure.vssps.plan("oauth2/token", answer=json_answer(said, 200))
    answer = await founding.browser.get(back)
    assert answer.status_code == 422
    assert "TF500: broken" in answer.text
    assert await founding.status(vcs_id) == "PENDING"


# ── who may come back, and with what ────────────────────────────────────────────────────────────


async def test_a_state_is_of_one_connection_and_of_nobody_elses_making(
    founding: Founding,
) -> None:
    one, other = (await founding.create())["id"], (await founding.create(name="b"))["id"]
    state = state_of((await founding.connect(one))["url"])
    code = founding.azure.oauth.code(founding.application, founding.ann)
    for name, said in ((other, state), (one, state[:-1] + "x"), (one, "forged"), (one, "é.ü")):
        answer = await founding.browser.get(
            f"/callback/v1/vcs/{name}", params={"code": code, "state": said}
        )
        assert answer.status_code == 422, said
        assert "never ours" in answer.text
    assert founding.azure.vssps.asked("POST", "token") == []


async def test_a_state_lasts_ten_minutes(
    founding: Founding, monkeypatch: pytest.MonkeyPatch
) -> None:
    vcs_id = (await founding.create())["id"]
    way = await founding.connect(vcs_id)
    back = await founding.sign_in_at_azure(way["url"])
    later = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr("landform.kit.clock.now", lambda: later)
    answer = await founding.browser.get(back)
    assert answer.status_code == 422
    assert "is too old" in answer.text


async def test_only_the_one_who_set_out_may_come_back(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    back = await founding.sign_in_at_azure((await founding.connect(vcs_id))["url"])
    server = founding.server
    async with transaction(server.world.platform.sessions) as session:
        organization = await session.get_one(Organization, server.world.organization_id)
        colleague = await factories.make_owner(session, organization)
    async with await browser_of(server, colleague) as browser:
        answer = await browser.get(back)
    assert answer.status_code == 403
    assert await founding.status(vcs_id) == "PENDING"


async def test_who_is_not_signed_in_signs_in_first_and_then_goes_on(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    back = await founding.sign_in_at_azure((await founding.connect(vcs_id))["url"])
    answer = await founding.server.http.get(back)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?then=")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["then"] == [back]
    assert (await founding.browser.get(back)).text == "Connected"


async def test_somebody_else_cannot_bind_an_account_to_a_connection(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    code = founding.azure.oauth.code(founding.application, founding.ann)
    server = founding.server
    async with transaction(server.world.platform.sessions) as session:
        stranger = await factories.make_owner(session, await factories.make_organization(session))
    async with await browser_of(server, stranger) as browser:
        answer = await browser.get(f"/callback/v1/vcs/{vcs_id}?code={code}")
    assert answer.status_code == 404
    assert await founding.status(vcs_id) == "PENDING"


async def test_without_a_state_the_connection_must_have_been_opened_just_now(
    founding: Founding,
) -> None:
    vcs_id = (await founding.create())["id"]
    async with transaction(founding.server.world.platform.sessions) as session:
        row = await session.get_one(Connection, vcs_id)
        row.opened_at = clock.now() - timedelta(minutes=16)
    code = founding.azure.oauth.code(founding.application, founding.ann)
    answer = await founding.browser.get(f"/callback/v1/vcs/{vcs_id}?code={code}")
    assert answer.status_code == 409
    assert "too long ago" in answer.text
    await founding.connect(vcs_id)
    answer = await founding.browser.get(f"/callback/v1/vcs/{vcs_id}?code={code}")
    assert answer.text == "Connected"


# ── the resource ────────────────────────────────────────────────────────────────────────────────


async def test_a_connection_is_listed_read_changed_and_deleted(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    one = f"{founding.path}/{vcs_id}"
    assert [each["id"] for each in (await founding.ask("GET", founding.path, 200))["data"]] == [
        vcs_id
    ]
    changed = await founding.ask("PATCH", one, 200, description="new")
    assert changed["data"]["attributes"]["description"] == "new"
    await founding.ask("DELETE", one, 204)
    await founding.ask("GET", one, 404)


async def test_an_organization_is_found_by_its_name_too(founding: Founding) -> None:
    await founding.create()
    path = f"/api/v1/organization/{founding.server.world.organization}/vcs"
    assert len((await founding.ask("GET", path, 200))["data"]) == 1


async def test_no_answer_holds_a_secret(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    await founding.browser.get(
        await founding.sign_in_at_azure((await founding.connect(vcs_id))["url"])
    )
    one = f"{founding.path}/{vcs_id}"
    for said in (
        await founding.ask("GET", one, 200),
        await founding.ask("GET", founding.path, 200),
        await founding.ask("PATCH", one, 200, clientSecret="another-secret"),
    ):
        for secret in (founding.application.secret, "another-secret", 'Secret":'):
            assert secret not in str(said)


async def test_another_application_needs_another_sign_in(founding: Founding) -> None:
    vcs_id = (await founding.create())["id"]
    await founding.browser.get(
        await founding.sign_in_at_azure((await founding.connect(vcs_id))["url"])
    )
    await founding.ask("PATCH", f"{founding.path}/{vcs_id}", 200, clientSecret="a-new-one")
    assert await founding.status(vcs_id) == "COMPLETED"
    await founding.ask("PATCH", f"{founding.path}/{vcs_id}", 200, clientId="another")
    assert await founding.status(vcs_id) == "PENDING"


@pytest.mark.parametrize(
    ("attributes", "pointer", "words"),
    [
        ({"vcsType": "SUBVERSION"}, "vcsType", "is no VCS type"),
        ({"clientSecret": None}, "clientSecret", "give a client_secret"),
        ({"name": " "}, "name", "needs a name"),
        ({"signIn": "github-app"}, "signIn", "is not signed in to by"),
        ({"signIn": "magic"}, "signIn", "no way to sign in"),
        ({"endpoint": "ftp://x"}, "endpoint", "is not an address"),
        ({"endpoint": "https://u:p@x"}, "endpoint", "is not an address"),
        ({"redirectUrl": "javascript:alert(1)"}, "redirectUrl", "is not an address"),
        ({"callback": "a/b"}, "callback", "one segment"),
        ({"signIn": "token"}, "account", "Name the Azure DevOps organization"),
        ({"description": "x" * 2000}, "description", "at most 1024"),
        (
            {
                "signIn": "service-principal-certificate",
                "account": "a",
                "tenant": "t",
                "certificate": "x",
                "privateKey": "y",
            },
            "certificate",
            "not PEM",
        ),
    ],
)
async def test_what_cannot_be_is_refused_with_what_would_be_right(
    founding: Founding, attributes: dict[str, Any], pointer: str, words: str
) -> None:
    given = {
        "name": "ado",
        "vcsType": "AZURE_DEVOPS",
        "clientId": "id",
        "clientSecret": "secret",
        **attributes,
    }
    said = await founding.ask("POST", founding.path, 422, **given)
    (error,) = said["errors"]
    assert words in error["detail"]
    assert error["source"]["pointer"] == f"/data/attributes/{pointer}"


async def test_two_connections_cannot_have_one_callback(founding: Founding) -> None:
    await founding.create(callback="ado")
    said = await founding.ask(
        "POST",
        founding.path,
        422,
        name="b",
        vcsType="AZURE_DEVOPS",
        clientId="a",
        clientSecret="b",
        callback="ado",
    )
    assert "another connection's" in said["errors"][0]["detail"]


async def test_a_private_address_is_not_called_unless_the_operator_allows_it(
    founding: Founding,
) -> None:
    settings = Settings(database_url=SecretStr("postgresql://x"))
    platform = founding.server.world.platform
    shut = make_reach(settings, platform.sessions, platform.keyring)
    state = founding.server.app.state
    state.process = replace(state.process, reach=shut)
    made = await founding.create(signIn="token", account="Acme", endpoint=None)
    said = await founding.ask("POST", f"{founding.path}/{made['id']}/test", 422)
    assert "LANDFORM_EGRESS_ALLOW" in said["errors"][0]["detail"]
    assert founding.azure.server.requests == []


# ── who may ─────────────────────────────────────────────────────────────────────────────────────


async def test_only_who_manages_vcs_settings_may_change_and_use_connections(
    founding: Founding,
) -> None:
    vcs_id = (await founding.create())["id"]
    server = founding.server
    one = f"{founding.path}/{vcs_id}"
    async with transaction(server.world.platform.sessions) as session:
        organization = await session.get_one(Organization, server.world.organization_id)
        people = {}
        for switch in ("manage-vcs-settings", "manage-workspaces", "manage-teams"):
            user = await factories.make_user(session)
            await factories.make_member(session, organization.id, user)
            await factories.make_team(
                session, organization, organization_access=[switch], members=[user]
            )
            people[switch] = user
    token = {
        switch: (await server.caller_of(actor_of(user))).token for switch, user in people.items()
    }
    stranger = (await server.stranger()).token
    manager, worker, other = token.values()
    await founding.ask("PATCH", one, 200, token=manager, description="x")
    await founding.ask("GET", one, 200, token=worker)
    await founding.ask("PATCH", one, 403, token=worker, description="x")
    await founding.ask("POST", f"{one}/connect", 403, token=worker)
    await founding.ask("POST", f"{one}/test", 403, token=worker)
    await founding.ask("DELETE", one, 403, token=worker)
    for who in (other, stranger):
        for method, path in (("GET", one), ("DELETE", one), ("POST", f"{one}/test")):
            await founding.ask(method, path, 404, token=who)
        await founding.ask("PATCH", one, 404, token=who, description="x")
    await founding.ask("GET", founding.path, 403, token=other)
    await founding.ask("GET", founding.path, 404, token=stranger)
    await founding.ask("GET", founding.path, 401, token="nobody")


@pytest.mark.parametrize(
    ("endpoint", "provider"),
    [
        (None, "gitlab_hosted"),
        ("https://gitlab.com", "gitlab_hosted"),
        ("https://git.acme.com/gitlab", "gitlab_enterprise_edition"),
    ],
)
async def test_gitlab_is_one_type_wherever_it_is(
    founding: Founding, endpoint: str | None, provider: str
) -> None:
    made = await founding.create(vcsType="GITLAB", endpoint=endpoint, apiUrl=None)
    assert (made["attributes"]["vcsType"], made["attributes"]["signIn"]) == ("GITLAB", "oauth")
    shown = await founding.server.owner.get(f"oauth-clients/{made['id']}")
    assert shown["data"]["attributes"]["service-provider"] == provider


@pytest.mark.parametrize(
    ("vcs_type", "endpoint", "provider", "sign_in"),
    [
        ("BITBUCKET", None, "bitbucket_hosted", "oauth"),
        ("BITBUCKET", "https://bitbucket.org", "bitbucket_hosted", "oauth"),
        ("BITBUCKET", "https://git.acme.com/ctx", "bitbucket_data_center", "token"),
        ("BITBUCKET_DATA_CENTER", "https://git.acme.com", "bitbucket_data_center", "token"),
        ("GITEA", "https://codeberg.org", "gitea", "oauth"),
    ],
)
async def test_bitbucket_and_gitea_are_signed_in_to_as_each_can_be(
    founding: Founding, vcs_type: str, endpoint: str | None, provider: str, sign_in: str
) -> None:
    made = await founding.create(vcsType=vcs_type, endpoint=endpoint, apiUrl=None)
    assert made["attributes"]["signIn"] == sign_in
    shown = await founding.server.owner.get(f"oauth-clients/{made['id']}")
    assert shown["data"]["attributes"]["service-provider"] == provider
