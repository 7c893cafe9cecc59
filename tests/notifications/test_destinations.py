"""Each destination gets its own form, in which strangers' words stay words."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from landform.identity.models import User
from landform.kit.db import transaction
from landform.notifications import service
from landform.notifications.models import Destination
from landform.notifications.payloads import Story, Told, body_of
from landform.notifications.sending import SIGNATURE
from tests import factories
from tests.notifications.conftest import Scene
from tests.standins.receiver import MailBox

HOSTILE = "<!channel> [pay](https://evil.example) & *all*\r\nBcc: x@evil.example"
MOMENT = datetime(2026, 11, 26, 12, tzinfo=UTC)


def story(**more: Any) -> Story:
    run = Told(
        id="run-1",
        message=HOSTILE,
        created_at=MOMENT,
        created_by="ann",
        url="https://landform.example/app/acme/net/runs/run-1",
        counts=(1, 2, 3),
    )
    given: dict[str, Any] = {
        "configuration_id": "nc-1",
        "configuration_name": "ops",
        "configuration_url": "",
        "trigger": "run:needs_attention",
        "status": "planned",
        "happened_at": MOMENT,
        "by": "ann",
        "workspace_id": "ws-1",
        "workspace": "net",
        "organization": "acme",
        "run": run,
    }
    return Story(**{**given, **more})


def test_slack_gets_an_attachment_that_calls_nobody() -> None:
    body = msgspec.json.decode(body_of(story(), Destination.SLACK))
    (attachment,) = body["attachments"]
    assert attachment["title"] == "Run Needs Attention: acme/net"
    assert attachment["title_link"].endswith("/runs/run-1")
    assert attachment["color"] == "warning"
    fields = {each["title"]: each["value"] for each in attachment["fields"]}
    assert fields["Plan"] == "1 to add, 2 to change, 3 to destroy"
    assert fields["Message"].startswith("&lt;!channel&gt; [pay]")
    assert "<" not in str(body)


def test_teams_gets_a_card_for_workflows_in_which_nothing_is_read_as_markdown() -> None:
    body = msgspec.json.decode(body_of(story(), Destination.MICROSOFT_TEAMS))
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    texts = [run["text"] for block in card["body"] for run in block["inlines"]]
    assert texts[0] == "Run Needs Attention: acme/net"
    assert any("[pay](https://evil.example)" in each for each in texts)
    assert [action["url"] for action in card["actions"]] == [story().run.url]  # type: ignore[union-attr] # it has one


@pytest.mark.parametrize("destination", ["slack", "microsoft-teams"])
async def test_a_chat_is_verified_and_told_without_a_signature(
    scene: Scene, destination: str
) -> None:
    await scene.add(destination=destination, triggers=["run:created"])
    await scene.world.create(message="hello")
    await scene.deliver()
    assert len(scene.hook.requests) == 2
    assert "hello" in scene.hook.requests[1].body.decode()
    assert all(SIGNATURE not in request.headers for request in scene.hook.requests)


async def mailed(scene: Scene, **given: Any) -> str:
    """Make a configuration that tells by mail; return its id."""
    given = {"destination": "email", "url": None, "triggers": ["run:created"], **given}
    return (await scene.add(**given)).id


async def test_mail_goes_to_addresses_and_to_members_who_may_see_runs(
    mailing: Scene, mailbox: MailBox
) -> None:
    world = mailing.world
    workspace = await world.workspace()
    async with transaction(mailing.post.sessions) as session:
        reader = await factories.make_actor(session, workspace, "read")
        people = {}
        for name in ("reader", "outsider", "loose", "suspended"):
            user = await factories.make_user(session, email=f"{name}@example.com")
            if name != "outsider":
                await factories.make_member(session, world.organization_id, user)
            people[name] = user.id
        (await session.get_one(User, reader.id)).email = "can@example.com"
        (await session.get_one(User, people["suspended"])).is_suspended = True
    users = [reader.id, people["loose"], people["suspended"]]
    await mailed(mailing, email_addresses=["ops@example.com"], user_ids=users)
    assert mailbox.mails == []  # it is not verified by itself, as with TFE
    await world.create(message=HOSTILE)
    await mailing.deliver()
    (mail,) = mailbox.mails
    assert sorted(mail.to) == ["can@example.com", "ops@example.com"]
    assert mail.sender == "landform@example.com"
    assert mail.message["subject"].startswith("Run Created: ")
    assert mail.message["to"] == "undisclosed-recipients:;"
    assert mail.message["bcc"] is None
    assert "[pay](https://evil.example)" in mail.message.get_content()


async def test_a_test_is_sent_by_mail_when_somebody_asks_for_it(
    mailing: Scene, mailbox: MailBox
) -> None:
    row_id = await mailed(mailing, email_addresses=["ops@example.com"], enabled=False)
    await service.verify(mailing.post, mailing.world.owner, row_id)
    assert "Verification" in mailbox.mails[0].message["subject"]


async def test_a_mail_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(
    mailing: Scene, mailbox: MailBox
) -> None:
    row = await mailing.add(
        destination="email",
        url=None,
        triggers=["run:created"],
        email_addresses=["a@example.com", "b@example.com"],
    )
    await mailing.world.create()
    mailbox.answer = "451 come again"
    await mailing.deliver()
    assert "refused (451): come again" in (await mailing.deliveries(row))[-1].problem
    await mailing.hurry()
    mailbox.answer, mailbox.refuses = "", {"b@example.com"}
    await mailing.deliver()
    delivery = (await mailing.deliveries(row))[-1]
    assert (delivery.is_delivered, delivery.problem) == (True, "1 of 2 addresses were refused.")
    await mailing.world.create()
    mailbox.answer = "554 never"
    await mailing.deliver()
    assert (await mailing.deliveries(row))[-1].next_at is None
