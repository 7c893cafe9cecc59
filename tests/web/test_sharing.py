"""Whose runs may read a workspace's outputs is said on its page of settings."""

from sqlalchemy import select

from landform.identity.users import actor_of
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.workspaces.models import RemoteStateConsumer, Workspace
from tests import factories
from tests.web.pages import Site, text_of


async def readers(site: Site) -> set[str]:
    """Return the ids of the workspaces that the world's names."""
    query = select(RemoteStateConsumer.consumer_id).where(
        RemoteStateConsumer.workspace_id == site.world.workspace_id
    )
    async with transaction(site.world.platform.sessions) as session:
        return set(await session.scalars(query))


async def test_a_state_is_shared_with_workspaces_by_their_names(site: Site) -> None:
    async with transaction(site.world.platform.sessions) as session:
        owner = await session.get_one(Organization, site.world.organization_id)
        near = await factories.make_workspace(session, owner, "near")
        far = await factories.make_workspace(session, owner, "far")
        shared = await session.get_one(Workspace, site.world.workspace_id)
        user = await factories.make_user(session)
        team = await factories.make_team(session, owner, members=[user])
        await factories.grant(session, team, shared, "admin")
        await factories.grant(session, team, near, "read")
    at = f"{await site.place()}/settings"
    page = await site.owner.post(f"{at}/sharing", {"consumers": "FAR\r\nnear"}, of=at)
    assert ">far\nnear</textarea>" in page
    assert await readers(site) == {near.id, far.id}
    admin = await site.browser(actor_of(user))
    assert ">near</textarea>" in await admin.get(at)
    await admin.post(f"{at}/sharing", {"consumers": "", "project_remote_state": "yes"}, of=at)
    assert await readers(site) == {far.id}, "what one may not know of stays named"
    assert (await site.world.workspace()).project_remote_state
    refused = await site.owner.post(f"{at}/sharing", {"consumers": "near\nnowhere"}, of=at)
    assert "There is no workspace nowhere here." in text_of(refused)
    assert await readers(site) == {far.id}
    assert (await site.world.workspace()).project_remote_state, "nothing of it was done"
