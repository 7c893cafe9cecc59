"""The page of the audit trail."""

from landform.kit.db import transaction
from landform.workspaces import service
from landform.workspaces.settings import WorkspaceSettings
from tests.web.pages import Site, text_of


async def test_the_trail_says_who_did_what_and_is_narrowed_by_the_address(site: Site) -> None:
    world = site.world
    async with transaction(world.platform.sessions) as session:
        settings = WorkspaceSettings(description="changed for the trail")
        await service.update_workspace(session, world.owner, await world.workspace(), settings)
    run_id = await world.create()
    here = f"/organizations/{world.organization}/audit"
    page = text_of(await site.owner.get(here))
    assert page.index("Run created") < page.index("Workspace updated")
    assert "changed for the trail" in page
    assert world.owner.name in page
    page = text_of(await site.owner.get(f"{here}?event=workspace+upd"))
    assert "Workspace updated" in page
    assert run_id not in page
    page = text_of(await site.owner.get(f"{here}?subject={run_id}"))
    assert "Run created" in page
    assert "Workspace updated" not in page
    assert "Run created" in await site.owner.get(f"{here}?who={world.owner.name}")
    assert "Nothing like that happened." in await site.owner.get(f"{here}?who=nobody-at-all")
    assert "Nothing like that happened." in await site.owner.get(f"{here}?since=2999-01-01")
    assert "is no date" in await site.owner.get(f"{here}?since=soon", status=422)
    assert "Nothing like that happened." in await site.owner.get(f"{here}?event=%25")


async def test_the_trail_is_for_those_who_may_read_it(site: Site) -> None:
    here = f"/organizations/{site.world.organization}/audit"
    await (await site.member("admin")).get(here, status=403)
    await (await site.stranger()).get(here, status=404)
