"""What the last commits would have started, live while somebody types."""

from fastapi import FastAPI
from playwright.async_api import expect

from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from tests.browser import neighbours
from tests.browser.conftest import Desk
from tests.browser.test_every_page import faults_of
from tests.browser.test_pages import faults
from tests.browser.test_vcs import azure, desk
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING
from tests.vcs.scene import Scene

__all__ = ["azure", "desk"]  # fixtures


async def connected(desk: Desk, azure: AzureDevOps, app: FastAPI) -> tuple[Scene, Connection]:
    """Connect Azure DevOps, with a repository of three commits."""
    acme = azure.organization("Acme")
    ann = acme.identity("Ann")
    infra = acme.repository("Cloud Team", "infra")
    for path in ("live/main.tf", "docs/a.md", "live/b.tf"):
        azure.people.push(infra, ann, {path: "#"})
    world, reach = desk.world, app.state.process.reach
    scene = Scene(reach, azure, None, world.organization_id, world.owner, acme, ann, infra, "")  # type: ignore[arg-type] # no Entra here
    token = azure.tokens.issue(ann, EVERYTHING)
    connection = await scene.connect(SignIn.TOKEN, Kind.AZURE_DEVOPS, client_secret=token)
    return scene, connection


async def test_the_preview_follows_what_is_typed(
    desk: Desk, azure: AzureDevOps, app: FastAPI
) -> None:
    scene, connection = await connected(desk, azure, app)
    world = desk.world
    await neighbours.link(scene, world, connection)
    page = await desk.sit()
    await page.goto(f"{await desk.place()}/repository")
    await page.get_by_label("Working directory", exact=True).fill("live")
    preview = page.locator("#preview")
    await expect(preview).to_contain_text("2 of the last 3 commits of main")
    assert await faults(page) == []
    await page.get_by_label("Only by tags").check()
    await page.get_by_label("Regular expression of tags").fill("(")
    await expect(preview).to_contain_text("is not a regular expression")
    assert (await world.workspace()).working_directory == ""


async def test_a_new_workspace_shows_what_would_have_started_while_its_triggers_change(
    desk: Desk, azure: AzureDevOps, app: FastAPI
) -> None:
    await connected(desk, azure, app)
    page = await desk.sit()
    await page.goto(f"/organizations/{desk.world.organization}/workspaces/new")
    await page.get_by_role("link", name="Choose a repository").press("Enter")
    await page.get_by_role("link", name="Azure DevOps").press("Enter")
    assert await faults_of(page) == []
    await page.get_by_role("link", name="infra").press("Enter")
    preview = page.locator("#preview")
    await expect(preview).to_contain_text("3 of the last 3 commits of main")
    await page.get_by_label("When it changes the working directory").check()
    await page.get_by_label("Working directory", exact=True).fill("live")
    await expect(preview).to_contain_text("2 of the last 3 commits of main")
    assert await faults_of(page) == []
    await page.get_by_label("Name").fill("network")
    await page.get_by_label("Name").press("Enter")
    await expect(page.get_by_text("network was created, and follows")).to_be_visible()
