"""A18: signing in through a provider that lies, or that a stranger stands before."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from joserfc.jwk import RSAKey

from landform.federation import discovery
from landform.federation.kinds import Kind
from landform.identity.throttle import ADDRESS
from landform.kit.egress import Bounds
from landform.web.pages import COOKIE
from landform.web.sign_in import DEPARTURE
from tests.conftest import platform
from tests.federation.conftest import door, idp, site
from tests.federation.door import Door
from tests.standins.identity_provider import Account, IdentityProvider
from tests.standins.serving import Answer, json_answer

__all__ = ["door", "idp", "platform", "site"]  # fixtures; no real platform is needed

Claims = dict[str, Any]
_TOMORROW = int(time.time()) + 24 * 3600  # however long the tests before this one take


def set_(**changes: Any) -> Callable[[Claims, Claims], None]:
    def spoil(claims: Claims, _: Claims) -> None:
        claims |= changes

    return spoil


def drop(name: str) -> Callable[[Claims, Claims], None]:
    def spoil(claims: Claims, _: Claims) -> None:
        del claims[name]

    return spoil


async def must_be_refused(door: Door, answer: httpx2.Response, status: int = 401) -> None:
    assert answer.status_code == status, answer.text
    assert COOKIE not in answer.cookies
    assert await door.identities() == []


@pytest.mark.parametrize(
    "spoil",
    [
        set_(nonce="another"),
        drop("nonce"),
        set_(nonce=["another"]),
        set_(aud="another-client"),
        set_(aud=["another-client", "landform"]),
        set_(aud=["another-client", "landform"], azp="another-client"),
        set_(aud="landform", azp="another-client"),
        set_(aud=[]),
        drop("aud"),
        set_(iss="https://accounts.example"),
        drop("iss"),
        set_(exp=int(time.time()) - 120),
        set_(exp="soon"),
        drop("exp"),
        set_(nbf=_TOMORROW),
        set_(iat=_TOMORROW),
        drop("iat"),
        set_(sub=""),
        set_(sub=17),
        set_(sub="x" * 300),
        set_(sub="a\0b"),
        drop("sub"),
        set_(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    ],
)
async def test_a_token_that_is_not_for_this_sign_in_opens_nothing(
    door: Door, idp: IdentityProvider, spoil: Callable[[Claims, Claims], None]
) -> None:
    idp.spoil = spoil
    await must_be_refused(door, await door.sign_in())


async def test_a_token_without_a_signature_opens_nothing(door: Door, idp: IdentityProvider) -> None:
    idp.sign = idp.unsigned
    await must_be_refused(door, await door.sign_in())
    idp.sign = lambda claims, header: idp.unsigned(claims, header) + "x"
    await must_be_refused(door, await door.sign_in())


async def test_the_public_key_is_no_secret_to_sign_with(door: Door, idp: IdentityProvider) -> None:
    idp.sign = idp.signed_with_the_public_key
    await must_be_refused(door, await door.sign_in())


async def test_another_s_key_of_the_same_name_signs_nothing(
    door: Door, idp: IdentityProvider
) -> None:
    idp.published = {idp.key_id: RSAKey.generate_key(2048)}
    await must_be_refused(door, await door.sign_in())


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "crit", "b64"])
async def test_a_token_cannot_bring_its_own_key(
    door: Door, idp: IdentityProvider, name: str
) -> None:
    own = RSAKey.generate_key(2048)
    values = {"jwk": own.as_dict(private=False), "crit": ["b64"], "b64": False}

    def spoil(_: Claims, header: Claims) -> None:
        header |= {"kid": "own", name: values.get(name, f"{idp.url}/jwks")}

    idp.spoil = spoil
    idp.sign = lambda claims, header: idp.unsigned(claims, header | {"alg": "RS256"}) + "AAAA"
    await must_be_refused(door, await door.sign_in())


async def test_a_way_back_works_once_even_where_the_provider_takes_a_code_twice(
    door: Door, idp: IdentityProvider
) -> None:
    http = door.site.nobody()
    back = await door.leave(http)
    kept = http.cookies[DEPARTURE]
    idp.reuses_codes = True
    assert (await http.get(back)).status_code == 303
    thief = door.site.nobody()
    thief.cookies.set(DEPARTURE, kept)
    answer = await thief.get(back)
    assert (answer.status_code, await door.who(thief)) == (401, None)


async def test_what_another_browser_brings_opens_nothing(door: Door) -> None:
    victim, attacker = door.site.nobody(), door.site.nobody()
    back = await door.leave(attacker)
    await must_be_refused(door, await victim.get(back))
    await door.leave(victim)
    await must_be_refused(door, await victim.get(back))
    # A state of one's own with another's code: the code is bound to another verifier.
    mine = dict(parse_qsl(urlsplit(await door.leave(victim)).query))
    theirs = dict(parse_qsl(urlsplit(back).query))
    path = urlsplit(back).path
    mixed = urlencode({"code": theirs["code"], "state": mine["state"]})
    await must_be_refused(door, await victim.get(f"{path}?{mixed}"))


@pytest.mark.parametrize("cookie", ["", "x", "A" * 5000, "TEYxAAAA", "\x7f"])
async def test_a_made_up_departure_opens_nothing(door: Door, cookie: str) -> None:
    http = door.site.nobody()
    back = await door.leave(http)
    path = f"{back}&x="
    answer = await door.site.nobody().get(path, headers={"cookie": f"{DEPARTURE}={cookie}"})
    await must_be_refused(door, answer)


async def test_the_way_back_of_one_provider_is_not_another_s(
    door: Door, idp: IdentityProvider
) -> None:
    http = door.site.nobody()
    back = await door.leave(http)
    other = await door.add("Other")
    await must_be_refused(door, await http.get(back.replace(door.provider_id, other)))


async def test_an_answer_that_names_another_issuer_opens_nothing(door: Door) -> None:
    http = door.site.nobody()
    back = await door.leave(http)
    await must_be_refused(door, await http.get(f"{back}&iss=https%3A%2F%2Fevil.example"))


@pytest.mark.parametrize("said", [False, None, "no", "false", 0, 2, [True], {"a": 1}, "TRUE "])
async def test_an_address_that_is_not_verified_is_nobody_s(
    door: Door, idp: IdentityProvider, said: Any
) -> None:
    await door.user("ann", email="ann@example.com")
    idp.account.claims["email_verified"] = said
    if said is None:
        del idp.account.claims["email_verified"]
    answer = await door.sign_in()
    await must_be_refused(door, answer, 403)
    assert "does not prove that it is yours" in answer.text.replace("&#39;", "'")


async def test_a_word_about_another_address_verifies_nothing(
    door: Door, idp: IdentityProvider
) -> None:
    await door.user("root2", email="victim@example.com")
    idp.account.claims = {"email": "victim@example.com"}
    told = {"sub": "sub-1", "email": "mine@example.com", "email_verified": True}
    idp.server.plan("/userinfo", answer=json_answer(told))
    await must_be_refused(door, await door.sign_in(), 403)
    assert idp.server.asked("GET", "/userinfo")


async def test_who_left_a_company_does_not_come_in_by_its_address_at_google(
    door: Door, idp: IdentityProvider
) -> None:
    door.provider_id = await door.add(
        "Google", Kind.GOOGLE, issuer=idp.url, allowed_domains=["example.com", "gmail.com"]
    )
    await door.user("ann", email="ann@example.com")
    for claims in ({}, {"hd": "other.example"}, {"hd": ["example.com"]}):
        idp.account.claims = {"email": "ann@example.com", "email_verified": True, **claims}
        await must_be_refused(door, await door.sign_in(), 403)
    idp.account.claims["hd"] = "Example.com"
    assert (await door.must_sign_in()).username == "ann"


async def test_no_site_admin_is_linked_by_an_address(door: Door, idp: IdentityProvider) -> None:
    await door.user("root", email="ann@example.com", is_site_admin=True)
    await must_be_refused(door, await door.sign_in(), 403)


async def test_an_account_is_not_linked_to_two_users(door: Door, idp: IdentityProvider) -> None:
    first = await door.must_sign_in()
    browser = await door.site.browser(door.site.world.owner)
    answer = await door.link(browser)
    assert answer.headers["location"] == "/account/identities"
    assert "another user" in await browser.get("/account/identities")
    assert [each.user_id for each in await door.identities()] == [first.id]


async def test_a_link_is_made_by_who_set_out_and_by_a_form_of_ours_only(door: Door) -> None:
    browser = await door.site.browser(door.site.world.owner)
    path = f"/account/identities/link/{door.provider_id}"
    answer = await browser.http.post(path, data={"form_token": "x"})
    assert answer.status_code == 403
    assert (await browser.http.get(path)).status_code == 405
    page = await browser.get("/account/identities")
    token = page.partition('name="form_token" value="')[2].partition('"')[0]
    answer = await browser.http.post(path, data={"form_token": token})
    back = door.there(answer.headers["location"])
    # Somebody else signs in in this browser meanwhile; or nobody is.
    other = await door.site.stranger()
    browser.http.cookies.set(COOKIE, other.http.cookies[COOKIE])
    await browser.http.get(back)
    assert await door.identities() == []


@pytest.mark.parametrize(
    "then",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        "javascript:alert(1)",
        "@evil.example",
        "/%0d%0aset-cookie:x=y",
        " //evil.example",
        "///evil.example",
    ],
)
async def test_nobody_is_sent_to_another_site_after_signing_in(door: Door, then: str) -> None:
    answer = await door.sign_in(then=then)
    assert answer.status_code == 303
    to = answer.headers["location"]
    assert to.startswith("/")
    assert not to.startswith(("//", "/\\", "/\t"))
    assert "x" not in answer.cookies
    assert httpx2.URL("http://landform.test").join(to).host == "landform.test"


async def test_a_session_is_new_and_no_secret_is_in_an_address(door: Door) -> None:
    http = door.site.nobody()
    http.cookies.set(COOKIE, "chosen-by-an-attacker")
    answer = await door.sign_in(http)
    secret = answer.cookies[COOKIE]
    assert secret != "chosen-by-an-attacker"
    assert secret not in answer.headers["location"]
    flags = [each for each in answer.headers.get_list("set-cookie") if each.startswith(COOKIE)]
    assert "HttpOnly" in flags[0]
    assert "samesite=lax" in flags[0].lower()


async def test_what_goes_to_the_provider_holds_no_secret_and_is_bound(door: Door) -> None:
    http = door.site.nobody()
    answer = await http.get(f"/login/with/{door.provider_id}")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    assert len(query["state"][0]) >= 40
    assert len(query["nonce"][0]) >= 40
    assert "s3cret" not in answer.headers["location"]
    again = parse_qs(
        urlsplit((await http.get(f"/login/with/{door.provider_id}")).headers["location"]).query
    )
    assert again["state"] != query["state"]
    assert again["code_challenge"] != query["code_challenge"]


@pytest.mark.parametrize("path", ["/token", "/jwks", "openid-configuration"])
@pytest.mark.parametrize(
    "answer",
    [
        json_answer({"error": "server_error"}, 500),
        Answer(200, b"<html>", {"Content-Type": "text/html"}),
        Answer(200, b"[" * 100_000),
        Answer(200, b"null"),
        Answer(200, b"{}"),
        Answer(200, b" " * (2 * 2**20)),
        Answer(302, b"", {"Location": "http://169.254.169.254/latest/meta-data"}),
    ],
    ids=["500", "html", "deep", "null", "empty", "huge", "redirect"],
)
async def test_a_provider_that_breaks_lets_nobody_in_and_breaks_nothing(
    door: Door, idp: IdentityProvider, path: str, answer: Answer
) -> None:
    idp.server.plan(path, answer=answer, times=10)
    http = door.site.nobody()
    first = await http.get(f"/login/with/{door.provider_id}")
    if path == "openid-configuration":
        assert first.status_code == 503, first.text
        return
    got = await http.get(door.there(first.headers["location"]))
    assert got.status_code in (401, 413, 503), got.text
    await must_be_refused(door, got, got.status_code)


async def test_a_provider_that_is_slow_is_given_up(
    door: Door, idp: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "_BOUNDS", Bounds(total_s=0.3, connect_s=0.3))
    idp.server.plan("/token", delay_s=1.5)
    answer = await door.sign_in()
    await must_be_refused(door, answer, 503)


async def test_a_provider_that_is_away_is_not_called_for_each_stranger(
    door: Door, idp: IdentityProvider
) -> None:
    idp.server.plan("openid-configuration", answer=json_answer({}, 500), times=100)
    for _ in range(5):
        answer = await door.site.nobody().get(f"/login/with/{door.provider_id}")
        assert answer.status_code == 503
    assert len(idp.server.asked("GET", "openid-configuration")) == 1


async def test_an_issuer_on_this_network_is_not_called(door: Door, idp: IdentityProvider) -> None:
    for issuer in (
        "https://169.254.169.254",
        "https://[::1]:1",
        "https://10.0.0.1",
        "http://2852039166",
    ):
        door.provider_id = await door.add(issuer[7:30], issuer=issuer)
        answer = await door.site.nobody().get(f"/login/with/{door.provider_id}")
        assert answer.status_code == 503, answer.text
        assert "not public" in answer.text or "without TLS" in answer.text
    assert idp.server.asked("GET", "/") == []


async def test_a_discovery_document_cannot_lead_elsewhere(
    door: Door, idp: IdentityProvider
) -> None:
    told = {
        "issuer": idp.url,
        "authorization_endpoint": "javascript:alert(1)",
        "token_endpoint": f"{idp.url}/token",
        "jwks_uri": f"{idp.url}/jwks",
    }
    idp.server.plan("openid-configuration", answer=json_answer(told))
    answer = await door.site.nobody().get(f"/login/with/{door.provider_id}")
    assert (answer.status_code, "authorization_endpoint" in answer.text) == (503, True)


async def test_two_answers_about_two_people_let_neither_in(
    door: Door, idp: IdentityProvider
) -> None:
    idp.only_userinfo = {"email"}
    idp.server.plan("/userinfo", answer=json_answer({"sub": "sub-2", "email": "b@example.com"}))
    await must_be_refused(door, await door.sign_in())


async def test_guessing_ways_back_slows_down(door: Door) -> None:
    http = door.site.nobody()
    path = f"/login/callback/{door.provider_id}?code=x&state=y"
    answers = [await http.get(path) for _ in range(ADDRESS.free + 3)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


async def test_an_address_at_github_that_is_not_verified_links_nobody(
    door: Door, idp: IdentityProvider
) -> None:
    await door.user("ann", email="ann@example.com")
    door.provider_id = await door.add("GitHub", Kind.GITHUB, required_groups=["acme"])
    idp.organizations = [{"login": "acme"}]
    idp.account = Account("7", {"login": "mallory", "email": "ann@example.com"})
    idp.addresses = [{"email": "ann@example.com", "primary": True, "verified": False}]
    await must_be_refused(door, await door.sign_in(), 403)


async def test_what_a_provider_says_is_shown_as_text(door: Door) -> None:
    http = door.site.nobody()
    back = await door.leave(http)
    state = parse_qs(urlsplit(back).query)["state"][0]
    said = urlencode({"error": "x", "error_description": "<script>alert(1)</script>"})
    answer = await http.get(f"{urlsplit(back).path}?state={state}&{said}")
    assert answer.status_code == 401
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
