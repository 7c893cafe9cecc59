"""Who is told of runs, on pages."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from landform.app import make_process
from landform.notifications.courier import deliver_due
from landform.settings import Settings
from tests.notifications.conftest import hook, mailbox
from tests.standins.receiver import MailBox
from tests.standins.serving import Answer, Server
from tests.web.listening import following
from tests.web.pages import Site

__all__ = ["hook", "mailbox"]  # fixtures

FIELDS = {
    "name": "ops <chat>",
    "destination": "slack",
    "triggers": "run:created",
    "enabled": "yes",
}


@pytest.fixture
async def place(
    app: FastAPI, site: Site, database_url: str, mailbox: MailBox
) -> AsyncIterator[str]:
    """The address of the page, on a server that may call loopback and sends mail."""
    settings = Settings(
        database_url=SecretStr(database_url),
        egress_allow="127.0.0.1",
        smtp_url=SecretStr(mailbox.url),
        mail_from="landform@example.com",
    )
    made = make_process(settings, site.world.platform)
    before = app.state.process
    app.state.process = replace(before, reach=made.reach, mail=made.mail)
    yield f"{await site.place()}/settings/notifications"
    app.state.process = before
    await made.reach.close()


def one_of(path: str, shown: str) -> str:
    found = re.search(rf'href="({re.escape(path)}/nc-\w+)"', shown)
    assert found is not None
    return found[1]


async def test_a_chat_is_told_tested_switched_off_and_taken_away(
    site: Site, place: str, hook: Server, app: FastAPI
) -> None:
    assert place in await site.owner.get(place.removesuffix("/notifications"))
    shown = await site.owner.get(place)
    assert "Nobody is told yet" in shown
    assert "Workflows" in shown
    secret = f"{hook.url}/services/secret-word"
    shown = await site.owner.post(place, {**FIELDS, "url": secret})
    for said in ("ops &lt;chat&gt;", "Slack", "127.0.0.1", "A run arrives", "Taken (200)"):
        assert said in shown
    assert "secret-word" not in shown
    run_id = await site.world.create()
    assert await deliver_due(app.state.process.post) == 1
    one = one_of(place, shown)
    shown = await site.owner.get(one)
    assert "Run Created" in shown
    assert run_id in shown
    hook.plan("/", answer=Answer(410, b"gone <away>"))
    shown = await site.owner.post(one, {"deed": "test"})
    assert "The test was not taken. 127.0.0.1 answered 410 Gone." in shown
    assert "gone &lt;away&gt;" in shown
    assert "The test was taken." in await site.owner.post(one, {"deed": "test"})
    assert "is off" in await site.owner.post(one, {"deed": "off"})
    assert "can be saved" in await site.owner.post(one, {"deed": "x"})
    assert "secret-word" not in await site.owner.get(one)
    shown = await site.owner.post(one, {**FIELDS, "deed": "save", "name": "renamed"})
    assert "renamed is on" in shown
    assert hook.requests[-1].path == "/services/secret-word"
    assert "Nobody is told yet" in await site.owner.post(one, {"deed": "remove"})
    await site.owner.get(one, status=404)


async def test_who_looks_sees_what_is_told_as_it_is_told(
    site: Site, place: str, hook: Server, app: FastAPI
) -> None:
    one = one_of(place, await site.owner.post(place, {**FIELDS, "url": hook.url}))
    async with following(site, site.owner, place) as listed, following(site, site.owner, one) as it:
        await site.world.create()
        await deliver_due(app.state.process.post)
        await listed.says("Run Created")
        await it.says("Run Created")


async def test_what_cannot_be_saved_is_said_and_what_was_typed_is_still_there(
    site: Site, place: str, hook: Server
) -> None:
    shown = await site.owner.post(place, {**FIELDS, "url": "http://10.0.0.1/x"}, status=422)
    assert "called without TLS" in shown
    for kept in ('value="ops &lt;chat&gt;"', "Was not kept", "Nobody is told yet"):
        assert kept in shown
    assert 'value="http://10.0.0.1/x"' not in shown
    hook.plan("/", answer=Answer(503))
    shown = await site.owner.post(place, {**FIELDS, "url": hook.url}, status=422)
    assert "Nothing was saved" in shown
    mail = {**FIELDS, "destination": "email", "people": "nobody-here"}
    shown = await site.owner.post(place, mail, status=422)
    assert "has no member nobody-here" in shown


async def test_mail_goes_to_members_by_name_and_to_addresses(
    site: Site, place: str, mailbox: MailBox
) -> None:
    people = f"{site.world.owner.name}\r\nops@example.com"
    shown = await site.owner.post(place, {**FIELDS, "destination": "email", "people": people})
    assert "2 people" in shown
    one = one_of(place, shown)
    assert people.replace("\r", "") in await site.owner.get(one)
    await site.owner.post(one, {"deed": "test"})
    assert "ops@example.com" in mailbox.mails[0].to


async def test_a_token_is_kept_changed_and_taken_away_without_being_shown(
    site: Site, place: str, hook: Server
) -> None:
    program = {**FIELDS, "destination": "generic", "url": hook.url, "token": "hush-hush"}
    one = one_of(place, await site.owner.post(place, program))
    kept = {**FIELDS, "deed": "save"}
    shown = await site.owner.post(one, kept)
    assert "hush-hush" not in shown
    await site.owner.post(one, {**kept, "no_token": "yes"})
    signed = ["x-tfe-notification-signature" in request.headers for request in hook.requests]
    assert signed == [True, True, False]


async def test_who_may_not_change_the_workspace_is_shown_nothing_of_it(
    site: Site, place: str, hook: Server
) -> None:
    one = one_of(place, await site.owner.post(place, {**FIELDS, "url": hook.url}))
    for level in ("read", "plan", "write"):
        member = await site.member(level)
        settings = await member.get(place.removesuffix("/notifications"))
        assert place not in settings, level
        for path in (place, one):
            assert "ops" not in await member.get(path, status=403)
    elsewhere = await site.world.beside()
    workspace = await elsewhere.workspace()
    other = one.replace((await site.world.workspace()).name, workspace.name)
    await site.owner.get(other, status=404)
