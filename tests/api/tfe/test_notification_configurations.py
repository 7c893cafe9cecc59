"""Notification configurations as go-tfe and the tfe provider speak of them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from landform.app import make_process
from landform.kit.db import transaction
from landform.kit.events import EventRow
from landform.notifications.mail import MailServer
from landform.settings import Settings
from tests.api.tfe.golden import compare
from tests.api.tfe.people import Caller, detail
from tests.api.tfe.server import Server
from tests.standins.receiver import receiver
from tests.standins.serving import Answer
from tests.standins.serving import Server as Receiver

KIND = "notification-configurations"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


@pytest.fixture
async def owner(server: Server) -> AsyncIterator[Caller]:
    """The owner of a server that may call loopback."""
    settings = Settings(database_url=SecretStr("postgresql://nowhere"), egress_allow="127.0.0.1")
    reach = make_process(settings, server.world.platform).reach
    server.app.state.process = replace(server.process, reach=reach)
    yield server.owner
    await reach.close()


@pytest.fixture
def path(server: Server) -> str:
    return f"workspaces/{server.world.workspace_id}/{KIND}"


def given(hook: Receiver, **more: Any) -> dict[str, Any]:
    return {
        "destination-type": "generic",
        "enabled": True,
        "name": "ops",
        "token": "hush",
        "triggers": ["run:created", "run:errored"],
        "url": f"{hook.url}/hook?secret=word",
        **more,
    }


async def test_one_is_verified_made_listed_changed_and_taken_away(
    owner: Caller, path: str, hook: Receiver
) -> None:
    made = (await owner.post(path, KIND, **given(hook)))["data"]
    one = f"{KIND}/{made['id']}"
    sent = hook.requests[0]
    assert sent.json()["notifications"][0]["trigger"] == "verification"
    assert sent.json()["notification_configuration_id"] == made["id"]
    assert sent.headers["x-tfe-notification-signature"]
    shown = made["attributes"]
    assert (shown["token"], shown["url"]) == (None, f"{hook.url}/hook?secret=word")
    (response,) = shown["delivery-responses"]
    assert (response["code"], response["body"], response["successful"]) == ("200", "ok", "true")
    assert response["headers"]["content-type"] == ["text/plain"]
    listed = await owner.get(path)
    assert [each["id"] for each in listed["data"]] == [made["id"]]
    changed = await owner.patch(one, KIND, name="others", triggers=["run:completed"])
    assert changed["data"]["attributes"]["triggers"] == ["run:completed"]
    assert len(hook.requests) == 2
    await owner.patch(one, KIND, enabled=False)
    assert len(hook.requests) == 2
    assert (await owner.get(one))["data"]["attributes"]["enabled"] is False
    await owner.post(f"{one}/actions/enable", status=200)
    await owner.delete(one)
    await owner.get(one, 404)


async def test_its_document_is_as_it_is_checked_in(
    owner: Caller, path: str, hook: Receiver, server: Server
) -> None:
    made = await owner.post(path, KIND, **given(hook, url="http://127.0.0.1:1/", enabled=False))
    wrong = compare("made-notification-configuration", made)
    assert not wrong, "\n".join(wrong)


async def test_what_does_not_take_a_verification_is_not_saved_and_400(
    owner: Caller, path: str, hook: Receiver
) -> None:
    hook.plan("/", answer=Answer(500, b"away"), times=1)
    refused = await owner.post(path, KIND, 400, **given(hook))
    assert "127.0.0.1 answered 500" in detail(refused)
    assert (await owner.get(path))["data"] == []
    made = (await owner.post(path, KIND, **given(hook, enabled=False)))["data"]
    assert len(hook.requests) == 1
    one = f"{KIND}/{made['id']}"
    hook.plan("/", answer=Answer(404, b"none"), times=2)
    await owner.patch(one, KIND, 400, enabled=True)
    assert (await owner.get(one))["data"]["attributes"]["enabled"] is False
    await owner.post(f"{one}/actions/verify", status=400)
    (response,) = (await owner.get(one))["data"]["attributes"]["delivery-responses"]
    assert (response["code"], response["successful"]) == ("404", "false")
    await owner.post(f"{one}/actions/verify", status=200)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"triggers": ["assessment:check_failure"]}, "cannot be notified of"),
        ({"triggers": ["run:exploded"]}, "is no trigger"),
        ({"destination-type": "pager"}, "destination-type"),
        ({"name": " "}, "needs a name"),
        ({"url": ""}, "Say where"),
        ({"url": "ftp://example.com"}, "http or https"),
        ({"url": "https://me:word@example.com"}, "user or password"),
        ({"url": "https://[::1"}, "http or https"),
        ({"destination-type": "slack"}, "token signs"),
        ({"email-addresses": ["a@example.com"]}, "told by email"),
        ({"destination-type": "email"}, "Mail has no url"),
    ],
)
async def test_what_cannot_be_is_refused_with_words(
    owner: Caller, path: str, hook: Receiver, wrong: dict[str, Any], said: str
) -> None:
    assert said in detail(await owner.post(path, KIND, 422, **given(hook, **wrong)))
    assert hook.requests == []


async def test_mail_is_for_members_and_addresses_and_needs_a_server(
    owner: Caller, path: str, server: Server
) -> None:
    mail = {"destination-type": "email", "enabled": True, "name": "mail"}
    people = {"users": {"data": [{"type": "users", "id": owner.id}]}}
    body = {"type": KIND, "attributes": mail, "relationships": people}
    assert "sends no mail" in detail(await owner.post(path, data=body, status=422))
    process = server.app.state.process
    mail_server = MailServer.parse("smtp://127.0.0.1:1", "us@example.com")
    server.app.state.process = replace(process, mail=mail_server)
    made = (await owner.post(path, data=body))["data"]
    assert made["relationships"]["users"]["data"] == people["users"]["data"]
    assert made["attributes"]["url"] is None
    assert "Say who" in detail(await owner.post(path, KIND, 422, **mail))
    wrong = {**mail, "email-addresses": ["a@b, c@d"]}
    assert "is not an address" in detail(await owner.post(path, KIND, 422, **wrong))
    stranger = {"users": {"data": [{"type": "users", "id": (await server.stranger()).id}]}}
    said = await owner.post(path, data={**body, "relationships": stranger}, status=422)
    assert "no member" in detail(said)


async def test_another_workspace_or_a_project_is_not_told_of_by_this_one(
    owner: Caller, path: str, hook: Receiver
) -> None:
    for kind, words in (("workspaces", "says another"), ("projects", "workspaces")):
        linked = {"subscribable": {"data": {"type": kind, "id": "ws-other"}}}
        body = {"type": KIND, "attributes": given(hook), "relationships": linked}
        answer = await owner.http.post(
            f"/api/v2/{path}",
            json={"data": body},
            headers={"Authorization": f"Bearer {owner.token}"},
        )
        assert answer.status_code in (400, 422)
        assert words in answer.text


async def test_readers_and_writers_see_no_address_and_the_token_is_nowhere(
    owner: Caller, path: str, hook: Receiver, server: Server
) -> None:
    made = (await owner.post(path, KIND, **given(hook)))["data"]
    for level in ("read", "plan", "write"):
        caller = await server.caller(level)
        for each in (path, f"{KIND}/{made['id']}"):
            assert "secret=word" not in str(await caller.get(each, 403))
    admin = await server.caller("admin")
    assert (await admin.get(path))["data"][0]["attributes"]["url"].endswith("secret=word")
    async with transaction(server.world.platform.sessions) as session:
        told = [str(row.payload) for row in await session.scalars(select(EventRow))]
    assert any("ops" in each for each in told)
    assert not any("secret=word" in each or "hush" in each for each in told)


async def test_there_are_at_most_twenty_of_a_workspace(
    owner: Caller, path: str, hook: Receiver
) -> None:
    for number in range(20):
        await owner.post(path, KIND, **given(hook, enabled=False, name=f"n{number}"))
    assert "at most 20" in detail(await owner.post(path, KIND, 409, **given(hook)))
