"""A18: signing in by SAML through a provider that lies, or with a stranger's answer."""

import base64
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from lxml import etree

from landform.identity.throttle import ADDRESS
from landform.web.pages import COOKIE
from landform.web.sign_in import DEPARTURE
from tests.attacks.saml import must_be_refused, part
from tests.conftest import platform
from tests.federation.conftest import saml, saml_door, site
from tests.federation.saml_door import SamlDoor
from tests.standins.saml_provider import SAML, SAMLP, Element, Form, SamlProvider

__all__ = ["platform", "saml", "saml_door", "site"]  # fixtures; no real platform is needed

TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


def moment(**by: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**by):%Y-%m-%dT%H:%M:%SZ}"


def set_(name: str, attribute: str, value: str | None) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        where = part(assertion, name)
        if value is None:
            del where.attrib[attribute]
        else:
            where.set(attribute, value)

    return change


def say(name: str, value: str) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        part(assertion, name).text = value

    return change


def drop(name: str) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        where = part(assertion, name)
        where.getparent().remove(where)

    return change


def twice(name: str) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        where = part(assertion, name)
        where.addnext(deepcopy(where))

    return change


def another_audience_too(assertion: Element) -> None:
    other = etree.SubElement(part(assertion, "Conditions"), f"{{{SAML}}}AudienceRestriction")
    etree.SubElement(other, f"{{{SAML}}}Audience").text = "https://another.example"


def unknown_condition(assertion: Element) -> None:
    etree.SubElement(part(assertion, "Conditions"), f"{{{SAML}}}Condition")


CONFIRMATION = "SubjectConfirmationData"
BAD = {
    "another audience": say("Audience", "https://another.example"),
    "two audiences of which one is not ours": another_audience_too,
    "no audience": drop("AudienceRestriction"),
    "no conditions": drop("Conditions"),
    "conditions twice": twice("Conditions"),
    "a condition that nobody knows": unknown_condition,
    "another recipient": set_(CONFIRMATION, "Recipient", "http://another.example/acs"),
    "no recipient": set_(CONFIRMATION, "Recipient", None),
    "another question": set_(CONFIRMATION, "InResponseTo", "_another"),
    "no question": set_(CONFIRMATION, "InResponseTo", None),
    "a confirmation that is too old": set_(CONFIRMATION, "NotOnOrAfter", moment(minutes=-2)),
    "a confirmation without an end": set_(CONFIRMATION, "NotOnOrAfter", None),
    "an end that is no moment": set_(CONFIRMATION, "NotOnOrAfter", "tomorrow"),
    "another method": set_("SubjectConfirmation", "Method", "urn:x:sender-vouches"),
    "no confirmation": drop("SubjectConfirmation"),
    "not good yet": set_("Conditions", "NotBefore", moment(days=1)),
    "no longer good": set_("Conditions", "NotOnOrAfter", moment(minutes=-2)),
    "a bound that is no moment": set_("Conditions", "NotOnOrAfter", "9999-99-99"),
    "a session that is over": set_("AuthnStatement", "SessionNotOnOrAfter", moment(minutes=-2)),
    "nobody signed in": drop("AuthnStatement"),
    "another issuer": say("Issuer", "https://another.example"),
    "no issuer": drop("Issuer"),
    "no name": drop("NameID"),
    "two names": twice("NameID"),
    "an empty name": say("NameID", " "),
    "a name that is too long": say("NameID", "x" * 300),
    "a name for once": set_("NameID", "Format", TRANSIENT),
    "no subject": drop("Subject"),
    "two subjects": twice("Subject"),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
async def test_an_assertion_that_is_not_for_this_sign_in_opens_nothing(
    saml_door: SamlDoor, saml: SamlProvider, change: Callable[[Element], None]
) -> None:
    saml.change = change
    await must_be_refused(saml_door, await saml_door.sign_in())


async def test_clocks_may_differ_by_less_than_a_minute(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    def change(assertion: Element) -> None:
        set_("Conditions", "NotBefore", moment(seconds=40))(assertion)
        set_("AuthnStatement", "SessionNotOnOrAfter", moment(seconds=-40))(assertion)
        set_(CONFIRMATION, "NotOnOrAfter", moment(seconds=-40))(assertion)

    saml.change = change
    await saml_door.must_sign_in()


# ── XML ─────────────────────────────────────────────────────────────────────────────────────────


def declaring(text: bytes) -> Callable[[bytes], bytes]:
    def write(document: bytes) -> bytes:
        head, _, rest = document.partition(b"?>")
        return head + b"?>" + text + rest.replace(b"ann@example.com", b"&x;")

    return write


LAUGHS = b"".join(b'<!ENTITY x%d "%s">' % (n, b"&x%d;" % (n - 1) * 10) for n in range(1, 12))


@pytest.mark.parametrize(
    "write",
    [
        declaring(b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        declaring(b'<!DOCTYPE r [<!ENTITY x SYSTEM "http://127.0.0.1:1/">]>'),
        declaring(b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/r.dtd">'),
        declaring(b'<!DOCTYPE r [<!ENTITY x0 "ha">' + LAUGHS + b'<!ENTITY x "&x11;">]>'),
        declaring(b"<!doctype r>"),
        lambda document: document.decode().encode("utf-16"),
        lambda _: b"<a>" * 100_000,
        lambda _: b"<a " + b"b='' " * 100_000,
        lambda document: document[:-20],
        lambda document: b"\0" + document,
        lambda _: b"",
        lambda _: b"<Response/>",
    ],
    ids=[
        *("a file", "an address", "a DTD", "a billion laughs", "lower case"),
        *("UTF-16", "deep", "wide", "cut", "NUL", "empty", "no response"),
    ],
)
async def test_xml_that_reaches_out_or_swells_is_not_read(
    saml_door: SamlDoor, saml: SamlProvider, write: Callable[[bytes], bytes]
) -> None:
    saml.write = write
    answer = await saml_door.sign_in()
    await must_be_refused(saml_door, answer)
    assert "root:" not in answer.text


async def test_metadata_that_reach_out_or_swell_are_not_read(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    declaration = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    saml.write_metadata = lambda text: declaration + text.partition("\n")[2]
    saml_door.provider_id = await saml_door.add_saml(
        "Other", metadata_url=saml.entity_id, issuer=saml.entity_id
    )
    answer = await saml_door.site.nobody().get(f"/login/with/{saml_door.provider_id}")
    assert (answer.status_code, "document type" in answer.text) == (503, True)


async def test_metadata_on_this_network_are_not_fetched(saml_door: SamlDoor) -> None:
    for url in ("https://169.254.169.254/m", "https://[::1]:1/m", "http://2852039166/m"):
        saml_door.provider_id = await saml_door.add_saml(
            url[8:30], metadata_url=url, issuer="urn:x"
        )
        answer = await saml_door.site.nobody().get(f"/login/with/{saml_door.provider_id}")
        assert answer.status_code == 503, answer.text
        assert "not public" in answer.text or "without TLS" in answer.text


async def test_an_answer_past_the_bounds_is_not_looked_at(saml_door: SamlDoor) -> None:
    http = saml_door.site.nobody()
    form = await saml_door.set_out(http)
    path = urlsplit(form.action).path
    large = form.fields | {"SAMLResponse": "A" * (600 * 1024), "again": "yes"}
    await must_be_refused(saml_door, await http.post(path, data=large))
    huge = {"SAMLResponse": "A" * (3 * 2**20)}
    assert (await http.post(path, data=huge)).status_code == 413
    many = "&".join(f"a{n}=" for n in range(6000))
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert (await http.post(path, content=many, headers=kind)).status_code == 400
    assert (await http.post(path, files={"SAMLResponse": b"x"})).status_code == 400
    for text in ("", "x", "!!!", "PGE+"):
        form = await saml_door.set_out(http)
        answer = await http.post(path, data=form.fields | {"SAMLResponse": text, "again": "yes"})
        await must_be_refused(saml_door, answer)


# ── browsers ────────────────────────────────────────────────────────────────────────────────────


async def test_what_the_provider_begins_by_itself_is_not_taken(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    form = await saml_door.set_out(saml_door.site.nobody())
    victim = saml_door.site.nobody()
    await must_be_refused(saml_door, await saml_door.send(victim, form))


async def test_an_answer_is_for_the_browser_that_asked(saml_door: SamlDoor) -> None:
    victim, attacker = saml_door.site.nobody(), saml_door.site.nobody()
    theirs = await saml_door.set_out(attacker)
    await saml_door.set_out(victim)
    await must_be_refused(saml_door, await saml_door.send(victim, theirs))
    mine = await saml_door.set_out(victim)
    mixed = {**theirs.fields, "RelayState": mine.fields["RelayState"]}
    answer = await saml_door.send(victim, Form(mine.action, mixed))
    await must_be_refused(saml_door, answer)
    assert "another question" in answer.text


async def test_an_answer_is_taken_once(saml_door: SamlDoor, saml: SamlProvider) -> None:
    http = saml_door.site.nobody()
    form = await saml_door.set_out(http)
    kept = http.cookies[DEPARTURE]
    assert (await saml_door.send(http, form)).status_code == 303
    thief = saml_door.site.nobody()
    thief.cookies.set(DEPARTURE, kept)
    answer = await saml_door.send(thief, form)
    assert (answer.status_code, await saml_door.who(thief)) == (401, None)


async def test_an_assertion_s_id_is_taken_once_whatever_it_answers(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    saml.assertion_id = "_the-same"
    await saml_door.must_sign_in()
    answer = await saml_door.sign_in()
    assert (answer.status_code, "said this before" in answer.text) == (401, True)


async def test_the_answer_of_one_provider_is_not_another_s(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    http = saml_door.site.nobody()
    form = await saml_door.set_out(http)
    other = await saml_door.add_saml("Other", metadata=saml.metadata())
    moved = Form(form.action.replace(saml_door.provider_id, other), form.fields)
    await must_be_refused(saml_door, await saml_door.send(http, moved))


@pytest.mark.parametrize(
    "then", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_neither_the_address_nor_the_relay_state_leads_to_another_site(
    saml_door: SamlDoor, then: str
) -> None:
    answer = await saml_door.sign_in(then=then)
    assert answer.status_code == 303
    to = answer.headers["location"]
    assert httpx2.URL("http://landform.test").join(to).host == "landform.test"
    http = saml_door.site.nobody()
    form = await saml_door.set_out(http)
    answer = await saml_door.send(http, Form(form.action, {**form.fields, "RelayState": then}))
    assert (answer.status_code, "location" in answer.headers) == (401, False)


async def test_markup_in_an_answer_is_text_on_the_page_that_hands_it_over(
    saml_door: SamlDoor,
) -> None:
    http = saml_door.site.nobody()
    evil = '"><script>alert(1)</script>'
    sent = {"SAMLResponse": evil, "RelayState": evil}
    page = await http.post(f"/login/callback/{saml_door.provider_id}", data=sent)
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "set-cookie" not in page.headers


async def test_a_refusal_of_the_provider_is_told_as_text(
    saml_door: SamlDoor, saml: SamlProvider
) -> None:
    def wrap(response: Element) -> Element:
        code = response.find(f".//{{{SAMLP}}}StatusCode")
        code.set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
        message = etree.SubElement(code.getparent(), f"{{{SAMLP}}}StatusMessage")
        message.text = "<b>You are not assigned</b>"
        return response

    saml.wrap = wrap
    answer = await saml_door.sign_in()
    await must_be_refused(saml_door, answer)
    assert "It says: &lt;b&gt;You are not assigned" in answer.text


async def test_no_site_admin_is_linked_by_an_address_of_saml(saml_door: SamlDoor) -> None:
    await saml_door.user("root", email="ann@example.com", is_site_admin=True)
    await must_be_refused(saml_door, await saml_door.sign_in(), 403)


async def test_a_session_by_saml_is_new(saml_door: SamlDoor) -> None:
    http = saml_door.site.nobody()
    http.cookies.set(COOKIE, "chosen-by-an-attacker")
    answer = await saml_door.sign_in(http)
    assert answer.cookies[COOKIE] != "chosen-by-an-attacker"


async def test_guessing_answers_slows_down(saml_door: SamlDoor) -> None:
    http = saml_door.site.nobody()
    path = f"/login/callback/{saml_door.provider_id}"
    sent: dict[str, Any] = {"SAMLResponse": "PGE+", "RelayState": "x", "again": "yes"}
    answers = [await http.post(path, data=sent) for _ in range(ADDRESS.free + 3)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429


async def test_what_is_asked_holds_no_secret_and_is_another_each_time(saml_door: SamlDoor) -> None:
    http = saml_door.site.nobody()
    asked = []
    for _ in range(2):
        answer = await http.get(f"/login/with/{saml_door.provider_id}")
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        assert len(query["RelayState"][0]) >= 40
        assert len(base64.b64decode(query["SAMLRequest"][0])) > 100
        asked.append((query["RelayState"], query["SAMLRequest"]))
    assert asked[0][0] != asked[1][0]
    assert asked[0][1] != asked[1][1]
