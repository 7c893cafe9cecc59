"""What the last commits would have started, live while somebody types."""

from fastapi import FastAPI
from playwright.async_api import expect

from landform.kit.db import transaction
from landform.triggers import linking
from landform.vcs.kinds import Kind, SignIn
from landform.workspaces.repositories import RepositorySettings
from tests.browser.conftest import Desk
from tests.browser.test_pages import faults
from tests.browser.test_vcs import azure, desk
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING
from tests.vcs.scene import Scene

__all__ = ["azure", "desk"]  # fixtures


async def test_the_preview_follows_what_is_typed(
    desk: Desk, azure: AzureDevOps, app: FastAPI
) -> None:
    acme = azure.organization("Acme")
    ann = acme.identity("Ann")
    infra = acme.repository("Cloud Team", "infra")
    for path in ("live/main.tf", "docs/a.md", "live/b.tf"):
        azure.people.push(infra, ann, {path: "#"})
    world, reach = desk.world, app.state.process.reach
    scene = Scene(reach, azure, None, world.organization_id, world.owner, acme, ann, infra, "")  # type: ignore[arg-type] # no Entra here
    token = azure.tokens.issue(ann, EVERYTHING)
    connection = await scene.connect(SignIn.TOKEN, Kind.AZURE_DEVOPS, client_secret=token)
    found = await linking.look_up(
        reach,
        world.owner,
        world.organization_id,
        None,
        connection_id=connection.id,
        reference=infra.id,
    )
    given = RepositorySettings(
        connection_id=connection.id, repository=found.repository, head=found.head, branch=""
    )
    async with transaction(world.platform.sessions) as session:
        workspace = await session.merge(await world.workspace(), load=True)
        await linking.link(session, world.platform.keyring, world.owner, workspace, given)
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/repository")
    await page.get_by_label("Working directory", exact=True).fill("live")
    preview = page.locator("#preview")
    await expect(preview).to_contain_text("2 of the last 3 commits of main", timeout=20_000)
    assert await faults(page) == []
    await page.get_by_label("Only by tags").check()
    await page.get_by_label("Regular expression of tags").fill("(")
    await expect(preview).to_contain_text("is not a regular expression")
    assert (await world.workspace()).working_directory == ""
