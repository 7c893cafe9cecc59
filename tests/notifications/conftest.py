"""A world whose runs are told of, and those who are told."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import func, update

from landform.identity.actor import Actor
from landform.kit.db import transaction
from landform.kit.egress import Outbound
from landform.kit.egress_allow import Allow
from landform.notifications import queries, service
from landform.notifications.courier import deliver_due
from landform.notifications.drafting import Given
from landform.notifications.mail import MailServer
from landform.notifications.models import NotificationConfiguration, NotificationDelivery
from landform.notifications.post import Post
from landform.notifications.triggers import Trigger
from tests.standins.receiver import MailBox, mail_server, receiver
from tests.standins.serving import Server
from tests.world import World

ALL = [trigger.value for trigger in Trigger]
PUBLIC = "https://landform.example"


@dataclass
class Scene:
    """A world, and how it tells."""

    world: World
    post: Post
    hook: Server

    async def add(self, actor: Actor | None = None, **given: Any) -> NotificationConfiguration:
        """Make a configuration that tells the receiver of everything, unless told otherwise."""
        given = {
            "name": "ops",
            "destination": "generic",
            "enabled": True,
            "triggers": ALL,
            "url": f"{self.hook.url}/hook?secret=word",
            **given,
        }
        who = actor or self.world.owner
        return await service.create(self.post, who, self.world.workspace_id, Given(**given))

    async def change(self, row: NotificationConfiguration, **given: Any) -> None:
        await service.change(self.post, self.world.owner, row.id, Given(**given))

    async def deliver(self) -> int:
        """Send what is due; return how many attempts that were."""
        return await deliver_due(self.post)

    async def deliveries(self, row: NotificationConfiguration) -> list[NotificationDelivery]:
        """Return what was told of, or is to be, in order."""
        async with transaction(self.post.sessions) as session:
            found = await queries.last_deliveries(session, [row], most=1000)
            return list(reversed(found[row.id]))

    async def hurry(self) -> None:
        """Make due what is to be tried again."""
        async with transaction(self.post.sessions) as session:
            row = NotificationDelivery
            await session.execute(
                update(row).where(row.next_at.is_not(None)).values(next_at=func.clock_timestamp())
            )

    def told(self) -> list[Any]:
        """Return the bodies that were posted, verifications aside."""
        bodies = [request.json() for request in self.hook.requests]
        return [
            body
            for body in bodies
            if body.get("notifications", [{}])[0].get("trigger") != "verification"
        ]


@pytest.fixture
def hook() -> Iterator[Server]:
    with receiver() as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[MailBox]:
    with mail_server() as box:
        yield box


@pytest.fixture
async def scene(world: World, hook: Server) -> AsyncIterator[Scene]:
    platform = world.platform
    async with Outbound(Allow.parse("127.0.0.1")) as http:
        post = Post(platform.sessions, platform.keyring, http, None, PUBLIC)
        yield Scene(world, post, hook)


@pytest.fixture
def mailing(scene: Scene, mailbox: MailBox) -> Scene:
    """The scene with a mail server."""
    mail = MailServer.parse(mailbox.url, "Landform <landform@example.com>")
    return replace(scene, post=replace(scene.post, mail=mail))
