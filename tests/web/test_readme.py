"""The README of a workspace's configuration, on its front page."""

from landform.kit.db import transaction
from landform.workspaces.models import Workspace
from tests.files import make_archive
from tests.web.pages import Site, text_of


async def test_the_readme_of_the_working_directory_is_on_the_overview(site: Site) -> None:
    world = site.world
    files = {"README.md": "# Of all", "live/README.md": "# Of live\n\n<script>x</script>"}
    await world.configure(make_archive({"main.tf": "", **files}))
    page = await site.owner.get(await site.place())
    assert "Of all" in text_of(page)
    async with transaction(world.platform.sessions) as session:
        (await session.get_one(Workspace, world.workspace_id)).working_directory = "live"
    assert "Of all" not in text_of(await site.owner.get(await site.place()))
    await world.configure(make_archive({"live/main.tf": "", **files}))
    page = await site.owner.get(await site.place())
    assert "<h1>Of live</h1>" in page
    assert "<script>x" not in page
    await world.configure(make_archive({"live/main.tf": ""}))
    assert "Of live" not in await site.owner.get(await site.place())


async def test_a_speculative_configuration_changes_no_readme(site: Site) -> None:
    await site.world.configure(make_archive({"main.tf": "", "README.md": "Of ours"}))
    theirs = make_archive({"main.tf": "", "README.md": "Of a pull request"})
    await site.world.configure(theirs, speculative=True)
    page = await site.owner.get(await site.place())
    assert "Of ours" in page
    assert "pull request" not in page
