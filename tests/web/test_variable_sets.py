"""Variable sets on pages: made, filled, applied, and seen on the page of a workspace."""

import re

from tests.web.pages import Site, text_of


async def _new(site: Site, home: str, **fields: str) -> str:
    """Make a set and return the address of its page."""
    page = await site.owner.post(f"{home}/variable-sets", fields)
    found = re.search(r"(/organizations/[^/\"]+/variable-sets/varset-\w+)", page)
    assert found is not None
    assert "was created." in page
    return found[1]


async def test_a_set_is_made_filled_changed_and_deleted(site: Site) -> None:
    place = await site.place()
    home = f"/organizations/{place.split('/')[2]}"
    here = await _new(site, home, name="aws", description="Keys of the account")
    fields = {"key": "TOKEN", "value": "hush-hush", "category": "env", "sensitive": "yes"}
    page = await site.owner.post(f"{here}/variables", fields, of=here)
    assert "TOKEN was added." in page
    assert "hush" not in page
    variable = re.search(r'id="(var-\w+)"', page)
    assert variable is not None
    one = f"{here}/variables/{variable[1]}"
    page = await site.owner.post(one, {"description": "for the cloud"}, of=here)
    assert "for the cloud" in page
    refused = await site.owner.post(f"{here}/variables", fields, of=here, status=422)
    assert "has already been taken" in refused
    assert "hush" not in refused
    page = await site.owner.post(one, {"deed": "delete"}, of=here)
    assert variable[1] not in page
    page = await site.owner.post(here, {"name": "cloud", "is_priority": "yes"}, of=here)
    assert "Saved." in page
    assert "priority" in text_of(await site.owner.get(f"{home}/variable-sets"))
    page = await site.owner.post(here, {"deed": "delete"}, of=here)
    assert "cloud was deleted." in page
    await site.owner.get(here, status=404)


async def test_a_set_is_applied_to_a_workspace_and_withdrawn(site: Site) -> None:
    place = await site.place()
    home = f"/organizations/{place.split('/')[2]}"
    here = await _new(site, home, name="aws")
    await site.owner.post(
        f"{here}/variables", {"key": "zone", "value": "z1", "category": "terraform"}, of=here
    )
    assert "zone" not in await site.owner.get(f"{place}/variables")
    page = await site.owner.post(f"{here}/places", {"workspace": place.split("/")[3]}, of=here)
    assert "Applied." in page
    assert "applied to this workspace" in await site.owner.get(f"{place}/variables")
    refused = await site.owner.post(f"{here}/places", {}, of=here)
    assert "Name a workspace, or choose a project." in refused
    found = re.search(r'name="workspace_id" value="(ws-\w+)"', page)
    assert found is not None
    gone = {"deed": "withdraw", "workspace_id": found[1]}
    page = await site.owner.post(f"{here}/places", gone, of=here)
    assert "It applies there no more." in page
    assert "zone" not in await site.owner.get(f"{place}/variables")


async def test_a_workspace_shows_where_a_variable_comes_from_and_what_goes_before_it(
    site: Site,
) -> None:
    place = await site.place()
    home = f"/organizations/{place.split('/')[2]}"
    weak = await _new(site, home, name="weak", is_global="yes")
    strong = await _new(site, home, name="strong", is_global="yes", is_priority="yes")
    for at, key in ((weak, "region"), (weak, "alone"), (strong, "size")):
        fields = {"key": key, "value": "set", "category": "terraform"}
        await site.owner.post(f"{at}/variables", fields, of=at)
    here = f"{place}/variables"
    for key in ("region", "size"):
        await site.owner.post(here, {"key": key, "value": "own", "category": "terraform"})
    shown = text_of(await site.owner.get(here))
    assert "From variable sets" in shown
    assert "Not used: overridden by the workspace's own variable" in shown
    assert "overridden by the variable set strong" in shown
    assert "applies to every workspace, with priority" in shown
