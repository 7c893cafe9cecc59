"""Somebody who would be told by mail, if this platform sent any."""

from landform.kit.egress import Outbound
from landform.notifications import service
from landform.notifications.drafting import Given
from landform.notifications.post import Post
from tests.world import World


async def notify(world: World) -> dict[str, str]:
    """Make a notification configuration of the workspace, switched off."""
    platform = world.platform
    post = Post(platform.sessions, platform.keyring, Outbound())
    given = Given(name="ops", destination="email", email_addresses=["ops@secret.example"])
    row = await service.create(post, world.owner, world.workspace_id, given)
    return {"notification-configurations": row.id, "notification_id": row.id}
