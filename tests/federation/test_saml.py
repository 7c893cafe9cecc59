"""Signing in by SAML: who comes in, as whom, and what providers are told of us."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import text

from landform.federation import discovery, saml_extra
from landform.kit.db import transaction
from landform.kit.errors import InvalidError
from tests.federation.saml_door import SamlDoor
from tests.federation.test_sign_in import make_team, teams_of
from tests.standins.saml_provider import SAML, Key, SamlProvider, Someone
from tests.web.pages import Site

OWN = {"m": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"


async def test_somebody_new_becomes_a_user_and_is_the_same_one_by_their_name_id(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    saml.someone.attributes["username"] = ["Ann.Lee@example.com"]
    user = await saml_door.must_sign_in()
    assert (user.username, user.email, user.password_hash) == ("Ann.Lee", "ann@example.com", None)
    saml.someone.attributes = {"email": ["smith@example.com"], "username": ["smith"]}
    assert (await saml_door.must_sign_in()).id == user.id
    assert [each.subject for each in await saml_door.identities()] == ["person-1"]
    assert len(await saml_door.told("SignedInThrough")) == 2


async def test_an_attribute_of_groups_is_teams_and_is_looked_at_anew_each_time(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    await make_team(saml_door, "builders", "eng")
    await make_team(saml_door, "readers", "everyone")
    saml.someone.attributes["groups"] = ["eng", "everyone", "unknown"]
    user = await saml_door.must_sign_in()
    assert await teams_of(saml_door, user) == {"builders", "readers"}
    saml.someone.attributes["groups"] = ["everyone"]
    await saml_door.must_sign_in()
    assert await teams_of(saml_door, user) == {"readers"}
    del saml.someone.attributes["groups"]
    await saml_door.must_sign_in()
    assert await teams_of(saml_door, user) == set()
    microsoft = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
    await saml_door.change(groups_claim=microsoft, required_groups=["eng"])
    saml.someone.attributes[microsoft] = ["eng"]
    await saml_door.must_sign_in()
    assert await teams_of(saml_door, user) == {"builders"}
    del saml.someone.attributes[microsoft]
    saml.someone.attributes["http://schemas.microsoft.com/claims/groups.link"] = ["https://x"]
    answer = await saml_door.sign_in()
    assert (answer.status_code, "more groups than" in answer.text) == (403, True)
    assert await teams_of(saml_door, user) == {"builders"}


async def test_an_address_that_the_provider_does_not_vouch_for_links_nobody(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    ann = await saml_door.user("ann", email="ann@example.com")
    del saml.someone.attributes["email_verified"]
    answer = await saml_door.sign_in()
    assert (answer.status_code, "not prove" in answer.text) == (403, True)
    await saml_door.change(trusts_email=True)
    assert (await saml_door.must_sign_in()).id == ann.id
    # The name itself may be an address.
    saml.someone = Someone("bob@example.com", EMAIL)
    assert (await saml_door.must_sign_in()).email == "bob@example.com"


async def test_a_signed_in_user_links_an_account(saml_door: SamlDoor, saml: SamlProvider) -> None:
    saml.someone.attributes = {}
    browser = await saml_door.site.browser(saml_door.site.world.owner)
    answer = await saml_door.link(browser)
    assert answer.headers["location"] == "/account/identities"
    assert "Linked." in await browser.get("/account/identities")
    assert (await saml_door.must_sign_in()).id == saml_door.site.world.owner.id


async def test_metadata_at_an_address_are_looked_at_again_and_followed(
    site: Site, saml: SamlProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = await SamlDoor.open(site, saml, metadata_url=saml.entity_id, issuer=saml.entity_id)
    await door.must_sign_in()
    await door.must_sign_in()
    assert len(saml.server.asked("GET", "/metadata")) == 1
    saml.key = Key.make()
    saml.published = [Key.make(), saml.key]
    assert (await door.sign_in()).status_code == 401
    monkeypatch.setattr(discovery, "KEPT_S", 0.0)
    await door.must_sign_in()
    saml.entity_id = f"{saml.url}/other"
    answer = await door.site.nobody().get(f"/login/with/{door.provider_id}")
    assert (answer.status_code, "exactly as the provider writes it" in answer.text) == (503, True)


async def test_what_is_asked_is_signed_where_that_is_wanted_by_a_key_that_our_metadata_have(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    http = saml_door.site.nobody()
    where = f"/login/saml/{saml_door.provider_id}"
    document = etree.fromstring((await http.get(where)).content)
    assert document.get("entityID") == f"http://landform.test{where}"
    assert document.find(".//m:KeyDescriptor", OWN) is None
    service = document.find(".//m:AssertionConsumerService", OWN)
    callback = f"http://landform.test/login/callback/{saml_door.provider_id}"
    assert service.get("Location") == callback
    await saml_door.change(signs_requests=True)
    document = etree.fromstring((await http.get(where)).content)
    saml.own_certificate = document.findtext(".//ds:X509Certificate", None, OWN)
    await saml_door.must_sign_in()
    async with transaction(saml_door.site.world.platform.sessions) as session:
        dump = (await session.execute(text("SELECT * FROM identity_providers"))).all()
    assert "PRIVATE" not in str(dump)
    await saml_door.change(client_id="urn:acme:landform")
    document = etree.fromstring((await http.get(where)).content)
    assert document.get("entityID") == "urn:acme:landform"
    await saml_door.must_sign_in()
    assert (await http.get("/login/saml/idp-0000000000000000")).status_code == 404


async def test_metadata_that_want_signed_requests_get_them(site: Site, saml: SamlProvider) -> None:
    saml.wants_signed = True
    door = await SamlDoor.open(site, saml)
    with pytest.raises(InvalidError, match="signed requests only"):
        await door.change(metadata=saml.metadata(), signs_requests=False)
    answer = await door.site.nobody().get(f"/login/with/{door.provider_id}")
    assert "&Signature=" in answer.headers["location"]


def spoiled(saml: SamlProvider, old: str, new: str) -> str:
    assert old in saml.metadata()
    return saml.metadata().replace(old, new)


async def test_metadata_that_cannot_work_are_refused_with_the_reason(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    async def refused(why: str, **settings: Any) -> None:
        with pytest.raises(InvalidError, match=why):
            await saml_door.add_saml("Other", **settings)

    await refused("no XML", metadata="<a")
    await refused("no identity provider", metadata="<a/>")
    await refused(
        "no identity provider", metadata=spoiled(saml, "IDPSSODescriptor", "SPDescriptor")
    )
    await refused("HTTP-Redirect", metadata=spoiled(saml, "HTTP-Redirect", "SOAP"))
    await refused("HTTP-Redirect", metadata=spoiled(saml, f'"{saml.url}/sso', '"javascript:a'))
    await refused("cannot be read", metadata=spoiled(saml, saml.key.der, "AAAA"))
    await refused("no certificate", metadata=spoiled(saml, 'use="signing"', 'use="encryption"'))
    gone = f'entityID="{saml.entity_id}" validUntil="2020-01-01T00:00:00Z"'
    was = f'entityID="{saml.entity_id}"'
    await refused("valid until 2020", metadata=spoiled(saml, was, gone))
    await refused("bytes", metadata="x" * (600 * 1024))
    await refused("are of", metadata=saml.metadata(), issuer="https://other.example")
    await refused("not both", metadata=saml.metadata(), metadata_url="https://a.example/m")
    await refused("say whose", metadata_url="https://a.example/m")
    await refused("no address", metadata_url="ftp://a.example/m", issuer="a")
    await refused("switched off", is_enabled=True)
    saml.published = [Key.make(bits=1024)]
    await refused("2048 bits", metadata=saml.metadata())


async def test_a_provider_is_made_before_it_can_be_told_of_us_and_then_switched_on(
    site: Site, saml: SamlProvider
) -> None:
    until = datetime.now(UTC) + timedelta(days=30)
    saml.key = Key.make(until=until)
    saml.published = [saml.key]
    door = await SamlDoor.open(site, saml, is_enabled=False)
    browser = await site.browser(door.admin)
    here = f"/site/sign-in/{door.provider_id}"
    page = await browser.get(here)
    for own in ("callback", "saml"):
        assert f"http://landform.test/login/{own}/{door.provider_id}</code>" in page
    fields = {"name": "Acme", "client_id": "", "groups_claim": "groups", "creates_users": "yes"}
    page = await browser.post(here, fields | {"is_enabled": "yes"}, of=here, status=422)
    assert "switched off" in page
    sent = fields | {"is_enabled": "yes", "metadata": saml.metadata()}
    page = await browser.post(here, sent, of=here)
    assert "Saved." in page
    assert saml.entity_id in page
    assert f"good until {until:%Y-%m-%d}" in page
    await door.must_sign_in()
    saml.entity_id = "https://other.example"
    with pytest.raises(InvalidError, match="make another provider"):
        await door.change(metadata=saml.metadata())


async def test_the_form_of_a_new_provider_says_what_is_wrong_and_keeps_what_was_typed(
    site: Site, saml: SamlProvider
) -> None:
    door = await SamlDoor.open(site, saml)
    browser = await site.browser(door.admin)
    new = "/site/sign-in/new?kind=saml"
    fields = {"kind": "saml", "name": "Other", "metadata": "<typed", "is_enabled": "yes"}
    page = await browser.post("/site/sign-in/new", fields, of=new, status=422)
    assert "It is no XML" in page
    assert "&lt;typed" in page
    page = await browser.post("/site/sign-in/new", fields | {"metadata": ""}, of=new)
    assert "Other was saved." in page
    assert 'id="f-is_enabled" name="is_enabled" value="yes">' in page, "it is off"


async def test_a_provider_whose_only_certificate_is_over_is_told_of(
    site: Site, saml: SamlProvider
) -> None:
    saml.key = Key.make(until=datetime.now(UTC) - timedelta(days=1))
    saml.published = [saml.key]
    door = await SamlDoor.open(site, saml)
    answer = await door.sign_in()
    assert (answer.status_code, "certificate of the provider is over" in answer.text) == (401, True)
    browser = await site.browser(door.admin)
    assert "over since" in await browser.get(f"/site/sign-in/{door.provider_id}")


async def test_where_saml_is_not_installed_it_is_said_how_and_all_else_works(
    saml_door: SamlDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saml_extra, "find_spec", lambda _: None)
    with pytest.raises(InvalidError, match="make saml"):
        await saml_door.add_saml("Other", is_enabled=False)
    http = saml_door.site.nobody()
    for path in (f"/login/with/{saml_door.provider_id}", f"/login/saml/{saml_door.provider_id}"):
        answer = await http.get(path)
        assert (answer.status_code, "make saml" in answer.text) == (503, True)
    browser = await saml_door.site.browser(saml_door.admin)
    assert "make saml" in await browser.get("/site/sign-in/new?kind=saml")
    assert "make saml" not in await browser.get("/site/sign-in/new?kind=okta")
    await browser.get(f"/site/sign-in/{saml_door.provider_id}")


def test_nothing_of_saml_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import landform.app, landform.worker, sys\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('lxml', 'signxml')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


async def test_an_attribute_with_markup_in_it_is_no_value(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    def change(assertion: Any) -> None:
        value = assertion.find(f".//{{{SAML}}}AttributeValue")
        value.text = None
        etree.SubElement(value, "b").text = "ann@example.com"

    saml.change = change
    assert (await saml_door.must_sign_in()).email == ""
