"""The flow that Terrakube's documentation shows: from a connection to *Connected*."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from landform.kit import clock
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.vcs.models import Connection
from tests import factories
from tests.api.terrakube.founding import Founding, browser_of, state_of
from tests.api.tfe.server import BASE
from tests.standins.serving import json_answer


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
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as there:
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
