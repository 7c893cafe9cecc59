"""The pages of VCS connections: choosing, connecting, and what arrived."""

import json
import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from landform.kit.db import transaction
from landform.kit.ids import new_id
from landform.vcs import deliveries
from landform.vcs.kinds import WAYS, Kind, SignIn
from landform.vcs.models import Connection, ConnectionStatus, DeliveryRow, Hook
from landform.vcs.providers import KINDS
from landform.vcs.reach import Reach
from landform.vcs.sealing import seal_hook_secrets
from landform.vcs.settings import NEEDS
from landform.web.present import vcs as present
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING, Identity
from tests.standins.git_server import git_server
from tests.standins.github import github
from tests.standins.serving import json_answer
from tests.web.listening import following
from tests.web.pages import BASE, Browser, Site, text_of


@dataclass
class Place:
    """The pages, and an Azure DevOps that Ann is signed in to."""

    site: Site
    azure: AzureDevOps
    ann: Identity

    @property
    def path(self) -> str:
        return f"/organizations/{self.site.world.organization}/vcs"

    async def by_token(self, **fields: str) -> str:
        """Connect by a personal token; return the connection's page's address."""
        given = {
            "kind": "ado_services",
            "way": "token",
            "name": "Azure",
            "account": "Acme",
            "client_secret": self.azure.tokens.issue(self.ann, EVERYTHING),
            "secret_expires_at": "",
            "api_url": self.azure.url,
            "endpoint": "",
            **fields,
        }
        of = f"{self.path}/new?kind=ado_services&way=token"
        await self.site.owner.post(f"{self.path}/new", given, of=of)
        return f"{self.path}/{(await self.row()).id}"

    async def row(self) -> Connection:
        async with transaction(self.site.world.platform.sessions) as session:
            return (await session.scalars(select(Connection))).one()


@pytest.fixture
async def place(site: Site, outbound: Reach, azure: AzureDevOps) -> Place:
    return Place(site, azure, azure.organization("Acme").identity("Ann"))


def test_every_way_in_has_a_guide_that_asks_for_what_it_needs() -> None:
    assert set(KINDS) == set(Kind)
    for kind in Kind:
        for way, _, guide in present.ways_of(kind, WAYS[kind]):
            asked = {each.name for each in guide.every}
            assert set(NEEDS[way]) <= asked, (kind, way)
        assert len(present.ways_of(kind, WAYS[kind])) == len(WAYS[kind])


async def test_an_organization_without_a_connection_is_led_to_one(place: Place) -> None:
    page = await place.site.owner.get(place.path)
    assert "No provider is connected yet" in page
    page = await place.site.owner.get(f"{place.path}/new")
    for kind in KINDS:
        assert present.PROVIDERS[kind][0] in page
    page = text_of(await place.site.owner.get(f"{place.path}/new?kind=ado_services"))
    assert page.index("Microsoft Entra OAuth") < page.index("OAuth application")
    assert "Microsoft takes no new applications" in page


async def test_of_gitlab_it_is_said_which_scope_and_role_and_where_to_send_people(
    place: Place,
) -> None:
    choice = text_of(await place.site.owner.get(f"{place.path}/new?kind=gitlab_hosted"))
    assert choice.index("Access token") < choice.index("OAuth application")
    form = f"{place.path}/new?kind=gitlab_enterprise_edition"
    by_token = text_of(await place.site.owner.get(f"{form}&way=token"))
    assert "role Maintainer, scope api" in by_token
    assert "Callback address" not in by_token
    by_person = await place.site.owner.get(f"{form}&way=oauth")
    assert "Redirect URI as the callback address below" in text_of(by_person)
    assert len(set(re.findall(rf"{BASE}/callback/v1/vcs/[\w-]+", by_person))) == 1


async def test_a_person_is_led_from_the_values_to_connected(place: Place) -> None:
    of = f"{place.path}/new?kind=ado_services&way=oauth"
    page = await place.site.owner.get(of)
    (callback,) = set(re.findall(rf"{BASE}/callback/v1/vcs/[\w-]+", page))
    application = place.azure.oauth.register(callback)
    given = {
        "kind": "ado_services",
        "way": "oauth",
        "name": "Azure",
        "callback": callback.rpartition("/")[2],
        "account": "Acme",
        "client_id": application.client_id,
        "client_secret": application.secret,
        "api_url": place.azure.url,
        "endpoint": place.azure.vssps_url,
    }
    page = await place.site.owner.post(f"{place.path}/new", given, of=of)
    assert application.secret not in page
    assert callback in page
    assert "Not connected yet" in page
    here = f"{place.path}/{(await place.row()).id}"
    sent = await _press(place.site.owner, f"{here}/connect", of=here)
    place.azure.browser = place.ann
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as there:
        answer = await there.get(sent)
    back = answer.headers["location"].removeprefix(BASE)
    answer = await place.site.owner.http.get(back, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, here)
    page = await place.site.owner.get(here)
    assert "Connected. The provider knows us as Ann." in page
    assert "Connect again" in page
    assert "List repositories" in page
    assert f"workspaces/new/repository?connection={(await place.row()).id}" in page


async def test_the_callback_that_was_copied_holds_when_the_page_is_loaded_again(
    place: Place,
) -> None:
    ways = unescape(await place.site.owner.get(f"{place.path}/new?kind=ado_services"))
    (here,) = re.findall(r'href="(\S+way=entra-oauth\S*)"', ways)
    shown = [
        set(re.findall(rf"{BASE}/callback/v1/vcs/[\w-]+", await place.site.owner.get(here)))
        for _ in range(2)
    ]
    assert shown[0] == shown[1]
    foreign = await place.site.owner.get(f"{place.path}/new?kind=ado_services&way=oauth&callback=x")
    assert "/callback/v1/vcs/x" not in foreign


async def test_who_comes_back_refused_is_told_why_on_the_connection_s_page(place: Place) -> None:
    owner = place.site.owner
    of = f"{place.path}/new?kind=ado_services&way=oauth"
    given = {"kind": "ado_services", "way": "oauth", "name": "Azure", "account": "Acme"}
    given |= {"client_id": "id", "client_secret": "wrong", "callback": "azure"}
    given |= {"api_url": place.azure.url, "endpoint": place.azure.vssps_url}
    await owner.post(f"{place.path}/new", given, of=of)
    row = await place.row()
    for brought in ("error=access_denied&error_description=Declined", "code=unknown", "state=used"):
        answer = await owner.http.get(
            f"/callback/v1/vcs/azure?{brought}", headers={"Accept": "text/html"}
        )
        assert answer.headers["location"] == f"{place.path}/{row.id}", answer.text
        page = await owner.get(answer.headers["location"])
        assert 'role="alert"' in page, brought
    stranger = await place.site.stranger()
    answer = await stranger.http.get("/callback/v1/vcs/azure", headers={"Accept": "text/html"})
    assert answer.status_code == 404


async def test_a_refused_form_keeps_what_was_typed_and_says_which_field_is_wrong(
    place: Place,
) -> None:
    owner = place.site.owner
    of = f"{place.path}/new?kind=ado_services&way=token"
    given = {"kind": "ado_services", "way": "token", "name": "Mine", "account": "Acme"}
    given |= {"client_secret": "s3cret", "api_url": "nowhere", "secret_expires_at": ""}
    page = await owner.post(f"{place.path}/new", given, of=of, status=422)
    assert "&#39;nowhere&#39; is not an address" in re.findall(r'id="e-api_url">(.*?)</p>', page)[0]
    assert 'value="nowhere" aria-invalid="true" autofocus' in page
    assert 'value="Mine"' in page
    assert "s3cret" not in page
    given |= {"api_url": "", "secret_expires_at": "31.05.2027"}
    page = await owner.post(f"{place.path}/new", given, of=of, status=422)
    assert "is no date" in re.findall(r'id="e-secret_expires_at">(.*?)</p>', page)[0]
    assert 'value="Mine"' in page


async def test_the_settings_of_a_connection_keep_what_was_typed_when_they_are_refused(
    place: Place,
) -> None:
    here = await place.by_token(secret_expires_at="2030-05-31")
    page = await place.site.owner.get(here)
    assert 'type="date" value="2030-05-31"' in page
    given = {"name": "Other", "description": "D", "account": "Acme", "api_url": "nowhere"}
    given |= {"secret_expires_at": "2030-06-01"}
    page = await place.site.owner.post(here, given, of=here, status=422)
    assert 'id="e-api_url"' in page
    for kept in ("Other", "D", "nowhere", "2030-06-01"):
        assert f'value="{kept}"' in page
    assert (await place.row()).name == "Azure"
    page = await place.site.owner.post(here, given | {"api_url": place.azure.url}, of=here)
    assert "Saved." in page


async def test_a_test_that_fails_is_no_connection_that_was_not_tested(place: Place) -> None:
    here = await place.by_token(account="Elsewhere")
    page = text_of(await place.site.owner.post(f"{here}/test", of=here))
    assert "Azure DevOps has no organization Elsewhere" in page
    assert "Not tested yet" not in page
    assert "Does not work" in page


async def test_a_connection_that_worked_stays_connected_while_its_provider_is_away(
    place: Place,
) -> None:
    here = await place.by_token()
    await place.site.owner.post(f"{here}/test", of=here)
    place.azure.server.plan(".*", answer=json_answer({}, 503), times=20)
    page = text_of(await place.site.owner.post(f"{here}/test", of=here))
    assert "It works." not in page
    assert (await place.row()).status is ConnectionStatus.CONNECTED


async def test_what_the_provider_refuses_is_said_on_the_connection_s_page(place: Place) -> None:
    here = await place.by_token(client_secret="wrong")
    page = text_of(await place.site.owner.post(f"{here}/test", of=here))
    assert "Does not work" in page
    assert "Sign in again" not in page
    assert "It works" not in page
    assert "token" in page
    token = place.azure.tokens.issue(place.ann, EVERYTHING)
    fields = {"name": "Azure", "description": "", "account": "Acme", "client_secret": token}
    fields |= {"secret_expires_at": "", "api_url": place.azure.url, "endpoint": ""}
    assert "Saved." in await place.site.owner.post(here, fields)
    page = await place.site.owner.post(f"{here}/test", of=here)
    assert "It works. The provider knows us as Ann" in page
    assert token not in page


async def test_settings_that_cannot_be_are_said_on_the_form_without_the_secret(
    place: Place,
) -> None:
    given = {"kind": "ado_services", "way": "token", "name": "Azure", "account": ""}
    given |= {"client_secret": "hush-hush", "secret_expires_at": "", "api_url": "", "endpoint": ""}
    of = f"{place.path}/new?kind=ado_services&way=token"
    page = await place.site.owner.post(f"{place.path}/new", given, of=of, status=422)
    assert "Name the Azure DevOps organization" in page
    assert "hush-hush" not in page
    page = await place.site.owner.post(
        f"{place.path}/new",
        given | {"account": "Acme", "secret_expires_at": "soon"},
        of=of,
        status=422,
    )
    assert "'soon' is no date" in unescape(page)


async def test_a_secret_that_ends_soon_is_warned_of(place: Place) -> None:
    here = await place.by_token(secret_expires_at="2026-01-01")
    assert "The secret ended on 2026-01-01." in await place.site.owner.get(here)
    assert "The secret ended on 2026-01-01." in await place.site.owner.get(place.path)


async def test_a_delivery_shows_what_came_of_it_and_is_looked_at_again(place: Place) -> None:
    here = await place.by_token()
    row = await place.row()
    world = place.site.world
    async with transaction(world.platform.sessions) as session:
        hook = Hook(
            id=(hook_id := new_id("hook")),
            connection_id=row.id,
            repository_id="r",
            repository_name="infra",
            sealed_secrets=seal_hook_secrets(world.platform.keyring, hook_id, ["the-secret"]),
        )
        session.add(hook)
    delivery = {"id": "d-1", "eventType": "git.push", "resource": {}}
    answer = await place.site.nobody().post(
        f"/hooks/vcs/{hook_id}",
        content=json.dumps(delivery),
        headers={"Content-Type": "application/json"},
        auth=("landform", "the-secret"),
    )
    assert answer.status_code == 202, answer.text
    page = await place.site.owner.get(here)
    assert "Received" in page
    assert "infra" in page
    assert "Redeliver" not in page
    async with following(place.site, place.site.owner, here) as stream:
        async with transaction(world.platform.sessions) as session:
            delivery_id = (await session.scalars(select(DeliveryRow.id))).one()
            reason = {"change": "main", "reason": "No workspace follows this branch."}
            await deliveries.settle(session, delivery_id, [reason])
        await stream.says("main No workspace follows this branch.")
    page = text_of(await place.site.owner.get(here))
    assert "main No workspace follows this branch." in page
    again = f"{here}/deliveries/{delivery_id}/redeliver"
    page = text_of(await place.site.owner.post(again, of=here))
    assert "It will be looked at again." in page
    assert "No workspace follows" not in page


async def test_a_connection_is_deleted_by_its_name(place: Place) -> None:
    here = await place.by_token()
    page = await place.site.owner.post(
        f"{here}/delete", {"of": "delete", "name": "other"}, of=here, status=422
    )
    assert "Type the connection's name" in unescape(page)
    page = await place.site.owner.post(f"{here}/delete", {"name": "Azure"}, of=here)
    assert "The connection was deleted." in page


async def test_who_may_only_use_connections_sees_no_form(place: Place) -> None:
    here = await place.by_token()
    stranger = await place.site.stranger()
    await stranger.get(here, status=404)
    reader = await place.site.member("read")
    await reader.get(here, status=404)
    await reader.get(f"{place.path}/new", status=403)


async def test_the_values_of_a_federated_credential_are_shown_to_copy(place: Place) -> None:
    given = {"kind": "ado_services", "way": "service-principal-federated", "name": "Azure"}
    given |= {"account": "Acme", "tenant": "t", "client_id": "c", "api_url": "", "endpoint": ""}
    of = f"{place.path}/new?kind=ado_services&way={SignIn.SERVICE_PRINCIPAL_FEDERATED}"
    page = await place.site.owner.post(f"{place.path}/new", given, of=of)
    row = await place.row()
    assert f"organization:{row.organization_id}:vcs:{row.id}" in page
    assert f'data-copy="{BASE}"' in page


async def test_a_git_server_is_connected_by_a_key_made_here_and_its_own_keys_compared(
    place: Place, tmp_path: Path
) -> None:
    owner = place.site.owner
    with git_server(tmp_path / "git") as server:
        given = {"kind": "git", "way": "ssh-key", "name": "Git", "endpoint": server.ssh_url}
        given |= {"username": server.user, "private_key": "", "known_hosts": ""}
        of = f"{place.path}/new?kind=git&way=ssh-key"
        page = await owner.post(f"{place.path}/new", given, of=of)
        row = await place.row()
        assert row.ssh_public_key in page
        assert "None is pinned" in page
        assert "Service hooks" not in page, "there are none"
        server.authorize(row.ssh_public_key)
        here = f"{place.path}/{row.id}"
        shown = await _press(owner, f"{here}/host-keys", of=here)
        page = await owner.get(shown)
        assert server.fingerprint() in page
        assert "Nothing proves these yet" in page
        forged = await owner.get(shown.partition("#")[0].replace("AAAA", "AAAB"))
        assert "Nothing proves these yet" not in forged, "a link can make nobody pin another's key"
        lines = unescape(re.findall(r'name="known_hosts" value="([^"]+)"', page)[0])
        page = await owner.post(f"{here}/pin", {"known_hosts": lines}, of=here)
        assert server.fingerprint() in page
        page = text_of(await owner.post(f"{here}/test", of=here))
        assert f"It works. The provider knows us as {server.user}@127.0.0.1" in page


async def test_a_github_app_is_registered_and_installed_by_way_of_its_page(
    place: Place, tmp_path: Path
) -> None:
    owner = place.site.owner
    with github(tmp_path / "github") as hub:
        hub.browser = hub.account("ann")
        of = f"{place.path}/new?kind=github_enterprise&way=github-app"
        assert "An app that you registered yourself" in await owner.get(of)
        given = {"kind": "github_enterprise", "way": "github-app", "name": "Hub"}
        given |= {"endpoint": hub.url, "account": "acme", "client_id": "", "private_key": ""}
        page = text_of(await owner.post(f"{place.path}/new", given, of=of))
        assert "Not connected yet" in page
        assert "Choose Register at GitHub" in page
        here = f"{place.path}/{(await place.row()).id}"
        ours = await _press(owner, f"{here}/connect", of=here)
        page = await owner.get(ours.removeprefix(BASE))
        assert "The app will belong to acme" in text_of(page)
        action = re.findall(r'action="(http[^"]+)"', page)[0]
        assert action.startswith(f"{hub.url}/organizations/acme/settings/apps/new?state=")
        manifest = unescape(re.findall(r'name="manifest" value="([^"]+)"', page)[0])
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as there:
            asked = (await there.post(unescape(action), data={"manifest": manifest})).text
            fields = {
                name: unescape(value)
                for name, value in re.findall(r'name="(\w+)" value="(.*?)"', asked)
            }
            made = await there.post(f"{hub.url}/settings/apps/manifest", data=fields)
            back = made.headers["location"].removeprefix(BASE)
            answer = await owner.http.get(back, headers={"Accept": "text/html"})
            assert answer.status_code == 302, answer.text
            assert answer.headers["location"].startswith(f"{hub.url}/github-apps/")
            assert "Install at GitHub" in await owner.get(here)
            installed = await there.post(answer.headers["location"])
        back = installed.headers["location"].removeprefix(BASE)
        answer = await owner.http.get(back, headers={"Accept": "text/html"})
        assert answer.headers["location"] == here
        page = await owner.get(here)
        assert "Connected." in page
        assert "Installed at acme" in text_of(page)
        assert "PRIVATE KEY" not in page
        await owner.get(ours.removeprefix(BASE), status=409)


async def _press(browser: Browser, path: str, *, of: str) -> str:
    """Send a form of the page `of`; return where it leads, out of here."""
    token = re.search(r'name="form_token" value="(\w+)"', await browser.get(of))
    assert token is not None
    answer = await browser.http.post(path, data={"form_token": token[1]})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])
