"""The page of an organization's projects."""

from landform.contract import Outcome
from tests.web.pages import Site, text_of


async def test_each_project_says_how_many_of_its_workspaces_need_somebody(site: Site) -> None:
    await site.world.plan(await site.world.create())
    other = await site.world.beside()
    await other.finish(await other.must_begin(await other.create()), Outcome.ERRORED, error="No.")
    path = f"/organizations/{site.world.organization}/projects"
    page = await site.owner.get(path)
    assert "1 needs confirmation" in text_of(page)
    assert "1 errored" in text_of(page)
    project = (await site.world.workspace()).project_id
    where = f"/app/{site.world.organization}?project={project}&amp;status=attention"
    assert f'href="{where}"' in page
    narrowed = await site.owner.get(where.replace("&amp;", "&"))
    name, errored = (await site.world.workspace()).name, (await other.workspace()).name
    assert f'id="row-{name}"' in narrowed
    assert f'id="row-{errored}"' not in narrowed
