"""A GitHub App registered from a manifest and installed, by whoever manages connections."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from landform.kit.db import transaction
from landform.kit.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from landform.organizations.models import Organization
from landform.vcs import app_registration, callback, connections
from landform.vcs.app_registration import Form
from landform.vcs.callback import Return
from landform.vcs.credentials import open_provider
from landform.vcs.errors import ProviderRefusedError, SignInNeededError
from landform.vcs.kinds import SignIn
from landform.vcs.models import Connection, ConnectionStatus
from landform.vcs.sealing import open_secrets
from landform.vcs.settings import ConnectionSettings
from tests import factories
from tests.standins.github_apps import App, Apps
from tests.vcs.github.conftest import Place

BASE = "https://landform.test"


@dataclass
class Walk:
    """An administrator between Landform and GitHub, and the connection they are at."""

    place: Place
    connection_id: str
    http: httpx2.Client

    @property
    def apps(self) -> Apps:
        return self.place.hub.apps

    @property
    def app(self) -> App:
        [found] = self.apps.all.values()
        return found

    async def row(self) -> Connection:
        async with transaction(self.place.reach.sessions) as session:
            return await session.get_one(Connection, self.connection_id)

    async def set_out(self) -> str:
        """Press Connect; return where to go."""
        async with transaction(self.place.reach.sessions) as session:
            row = await session.get_one(Connection, self.connection_id)
            way = await callback.begin(session, self.place.reach, self.place.owner, row, base=BASE)
            return way.url

    async def form(self, url: str) -> Form:
        """Open the page of ours that registers the app."""
        async with transaction(self.place.reach.sessions) as session:
            return await app_registration.read_form(
                session, self.place.reach, self.place.owner, self.connection_id, state_of(url)
            )

    def agree(self, form: Form, *, name: str = "") -> Return:
        """Post the form to GitHub, name the app, create it, and come back."""
        page = self.http.post(form.url, data={"manifest": form.manifest})
        assert page.status_code == 200, page.text
        fields = {
            key: unescape(value)
            for key, value in re.findall(r'name="(\w+)" value="(.*?)"', page.text)
        }
        action = f"{self.place.hub.url}/settings/apps/manifest"
        return self.back(self.http.post(action, data=fields | ({"name": name} if name else {})))

    def install(self, url: str) -> Return:
        """Install the app where its owner is, and come back."""
        assert self.http.get(url).status_code == 200
        return self.back(self.http.post(url))

    def back(self, answer: httpx2.Response) -> Return:
        assert answer.status_code == 302, answer.text
        address = urlsplit(answer.headers["location"])
        assert address.path == f"/callback/v1/vcs/{self.connection_id}"
        sent = {name: values[0] for name, values in parse_qs(address.query).items()}
        return Return(
            name=self.connection_id,
            code=sent.get("code", ""),
            state=sent.get("state", ""),
            installation_id=sent.get("installation_id", ""),
        )

    async def come_back(self, back: Return) -> str:
        return await callback.finish(self.place.reach, self.place.owner, back)

    async def register(self) -> str:
        """Register the app; return where it is installed."""
        back = self.agree(await self.form(await self.set_out()))
        return await self.come_back(back)


def state_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


def changed(back: Return, **other: str) -> Return:
    fields: Mapping[str, Any] = {**back.__dict__, **other}
    return Return(**fields)


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False) as browser:
        yield browser


@pytest.fixture
async def walk(place: Place, http: httpx2.Client) -> Walk:
    place.hub.organization("acme")
    place.hub.browser = place.ann
    made = await place.connect(SignIn.GITHUB_APP, account="acme")
    return Walk(place, made, http)


async def test_an_app_is_registered_and_installed_and_the_connection_works(walk: Walk) -> None:
    url = await walk.register()
    assert url.startswith(f"{walk.place.hub.url}/github-apps/landform-")
    assert (await walk.row()).status is ConnectionStatus.PENDING
    assert await walk.come_back(walk.install(url)) == ""
    row = await walk.row()
    assert (row.status, row.client_id) == (ConnectionStatus.CONNECTED, walk.app.client_id)
    assert row.installation is not None
    assert (row.installation["account"], row.installation["type"]) == ("acme", "Organization")
    provider = await open_provider(walk.place.reach, row.id)
    assert (await walk.place.repository(provider)).id == str(walk.place.repo.id)
    found = await connections.test_connection(walk.place.reach, walk.place.owner, row.id)
    assert (found.hooks, found.statuses, found.comments, found.lacking) == (True, True, True, {})


async def test_the_manifest_asks_for_no_more_than_is_used_and_for_no_webhook(walk: Walk) -> None:
    said = json.loads((await walk.form(await walk.set_out())).manifest)
    assert said["redirect_url"] == said["setup_url"] == (await walk.row()).callback_url
    assert (said["url"], said["public"], "hook_attributes" in said) == (BASE, False, False)
    assert said["default_permissions"]["contents"] == "read"
    assert "administration" not in said["default_permissions"]
    assert len(said["name"]) <= 34


async def test_without_an_organization_the_app_is_of_whoever_registers_it(
    place: Place, http: httpx2.Client
) -> None:
    place.hub.browser = place.ann
    walk = Walk(place, await place.connect(SignIn.GITHUB_APP), http)
    await walk.come_back(walk.install(await walk.register()))
    assert walk.app.owner is place.ann
    assert (await walk.row()).account == "ann"


async def test_the_key_and_the_secrets_are_kept_encrypted(walk: Walk) -> None:
    await walk.register()
    row = await walk.row()
    kept = open_secrets(walk.place.reach.keyring, row)
    assert (kept["private_key"], kept["app_id"]) == (walk.app.pem, str(walk.app.id))
    assert kept["client_secret"]
    for value in kept.values():
        assert not value or value.encode() not in row.sealed_secrets


async def test_a_code_is_traded_once(walk: Walk) -> None:
    back = walk.agree(await walk.form(await walk.set_out()))
    await walk.come_back(back)
    with pytest.raises(InvalidError, match="used already"):
        await walk.come_back(back)
    assert len(walk.place.hub.server.asked("POST", "conversions")) == 1


async def test_a_code_of_two_hours_ago_is_refused_with_words_and_another_try_works(
    walk: Walk,
) -> None:
    back = walk.agree(await walk.form(await walk.set_out()), name="late")
    walk.place.hub.clock.advance(hours=2)
    with pytest.raises(ProviderRefusedError, match="delete it at GitHub"):
        await walk.come_back(back)
    assert (await walk.row()).lacks_app
    assert "installations/new" in await walk.register()


async def test_two_who_register_at_once_end_with_the_first_ones_app(walk: Walk) -> None:
    one = walk.agree(await walk.form(await walk.set_out()), name="one")
    two = walk.agree(await walk.form(await walk.set_out()), name="two")
    await walk.come_back(one)
    with pytest.raises(InvalidError, match="without an installation"):
        await walk.come_back(two)
    first = next(iter(walk.apps.all.values()))
    assert (await walk.row()).client_id == first.client_id


async def test_nobody_s_app_is_pressed_on_a_connection(walk: Walk) -> None:
    back = walk.agree(await walk.form(await walk.set_out()))
    for state in ("", "made.up", f"{back.state}0"):
        with pytest.raises((InvalidError, ConflictError)):
            await walk.come_back(changed(back, state=state))
    async with transaction(walk.place.reach.sessions) as session:
        other = await factories.make_owner(session, await _organization(walk))
        stranger = await factories.make_owner(session, await factories.make_organization(session))
    with pytest.raises(ForbiddenError, match="Somebody else set out"):
        await callback.finish(walk.place.reach, other, back)
    with pytest.raises(NotFoundError):
        await callback.finish(walk.place.reach, stranger, back)
    assert (await walk.row()).lacks_app


async def test_an_installation_of_another_app_is_refused(walk: Walk) -> None:
    url = await walk.register()
    theirs = walk.apps.register(walk.place.hub.account("eve"), name="theirs")
    foreign = walk.apps.install(theirs, theirs.owner)
    back = Return(name=walk.connection_id, state=state_of(url), installation_id=str(foreign.id))
    with pytest.raises(ProviderRefusedError, match="not installed there"):
        await walk.come_back(back)
    assert (await walk.row()).status is ConnectionStatus.PENDING
    again = state_of(await walk.set_out())
    with pytest.raises(InvalidError, match="numbered"):
        await walk.come_back(changed(back, state=again, installation_id="1/../2"))


async def test_where_an_owner_approves_later_the_connection_is_tested_then(walk: Walk) -> None:
    url = await walk.register()
    walk.apps.needs_approval = True
    with pytest.raises(InvalidError, match="an owner has to approve"):
        await walk.come_back(walk.install(url))
    walk.apps.install(walk.app, walk.app.owner)
    await connections.test_connection(walk.place.reach, walk.place.owner, walk.connection_id)
    row = await walk.row()
    assert row.status is ConnectionStatus.CONNECTED
    assert row.installation is not None


async def test_before_the_app_is_registered_nothing_works_and_it_says_why(walk: Walk) -> None:
    provider = await open_provider(walk.place.reach, walk.connection_id)
    with pytest.raises(SignInNeededError, match="not registered yet"):
        await walk.place.repository(provider)
    assert (await walk.row()).status is ConnectionStatus.PENDING


async def test_another_application_forgets_what_came_with_the_app(walk: Walk) -> None:
    await walk.come_back(walk.install(await walk.register()))
    own = walk.apps.register(walk.place.repo.owner, name="own")
    walk.apps.install(own, walk.place.repo.owner)
    async with transaction(walk.place.reach.sessions) as session:
        row = await session.get_one(Connection, walk.connection_id)
        await connections.update_connection(
            session,
            walk.place.reach.keyring,
            walk.place.owner,
            row,
            ConnectionSettings(client_id=own.client_id, private_key=own.pem),
        )
    row = await walk.row()
    assert (row.app_url, row.installation, row.status) == ("", None, ConnectionStatus.PENDING)
    assert open_secrets(walk.place.reach.keyring, row)["app_id"] == ""
    assert await walk.place.repository(await open_provider(walk.place.reach, row.id))


async def test_half_an_app_is_refused(place: Place) -> None:
    for given in ({"client_id": "app"}, {"private_key": "key"}):
        with pytest.raises(InvalidError, match="with neither, the app is registered"):
            await place.connect(SignIn.GITHUB_APP, **given)


async def _organization(walk: Walk) -> Organization:
    async with transaction(walk.place.reach.sessions) as session:
        return await session.get_one(Organization, (await walk.row()).organization_id)
