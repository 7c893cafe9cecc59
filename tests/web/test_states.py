"""Pages of states."""

from landform.contract import Phase
from landform.kit.db import transaction
from landform.organizations.models import Organization
from landform.runs import attempts, locks
from tests import factories
from tests.files import make_state, output, resource
from tests.web.pages import Site, text_of


async def test_a_graph_tells_what_depends_on_what_and_no_value(site: Site) -> None:
    one = resource("one")
    one["instances"][0] |= {"attributes": {"id": "hush-hush"}, "dependencies": ["x.y"]}
    two = {**resource("two"), "module": "module.net"}
    two["instances"][0]["dependencies"] = ["terraform_data.one"]
    raw = make_state(resources=[one, two], outputs={"key": output("hush-too", sensitive=True)})
    await site.world.on_workspace(locks.lock, reason="")
    state_id = await site.world.save_state(raw, serial=1)
    here = f"{await site.place()}/states/{state_id}/graph"
    page = await site.owner.get(here)
    assert "terraform_data.two needs terraform_data.one" in text_of(page)
    assert "hush" not in page
    data = (await site.owner.http.get(f"{here}.json")).json()
    assert [node["address"] for node in data["nodes"]] == [
        "terraform_data.one",
        "module.net.terraform_data.two",
    ]
    assert "hush" not in str(data)
    for tail in ("", ".json"):
        await (await site.stranger()).get(f"{here}{tail}", 404)


async def test_a_state_that_a_run_saved_tells_the_run_and_who_made_it(site: Site) -> None:
    run_id = await site.world.create()
    await site.world.finish(await site.world.must_begin(run_id))
    await site.world.confirm(run_id)
    job = await site.world.must_begin(run_id, Phase.APPLY)
    await attempts.put_state(site.world.platform, job, make_state(1), final=True)
    await site.world.finish(job)
    here = f"{await site.place()}/states"
    state_id = (await site.world.current_state()).id
    for path in (here, f"{here}/{state_id}"):
        page = await site.owner.get(path)
        assert run_id in page
        assert f"by {site.world.owner.name}" in text_of(page)


async def two_states(site: Site) -> tuple[str, str]:
    """Save two states; return the ids of the older and the newer."""
    await site.world.on_workspace(locks.lock, reason="")
    kept, gone = resource("kept"), resource("gone")
    secret = {"key": output("hush-hush", sensitive=True)}
    older = await site.world.save_state(make_state(1, resources=[kept, gone]), serial=1)
    newer = await site.world.save_state(
        make_state(2, resources=[kept, resource("new")], outputs=secret), serial=2
    )
    await site.world.on_workspace(locks.unlock)
    return older, newer


async def test_going_back_says_first_from_which_serial_to_which_and_what_would_differ(
    site: Site,
) -> None:
    older, newer = await two_states(site)
    here = f"{await site.place()}/states/{older}"
    assert f'href="{here}/rollback"' in await site.owner.get(here)
    page = await site.owner.get(f"{here}/rollback")
    text = text_of(page)
    assert "What serial 1 says becomes serial 3, the newest state" in text
    assert "2 forgotten." in text  # a resource and an output
    assert "1 remembered." in text
    assert "other values" not in text
    assert "terraform_data.new" in text
    assert "terraform_data.gone" in text
    assert "terraform_data.kept" not in text
    assert "hush-hush" not in page
    assert "Create, change or destroy anything outside of Landform." in text
    said = await site.owner.post(f"{here}/rollback", {"newest": newer}, of=f"{here}/rollback")
    assert "Serial 1 is the newest state again." in said
    current = await site.world.current_state()
    assert (current.serial, [each["name"] for each in current.resources]) == (3, ["kept", "gone"])
    assert (await site.world.workspace()).lock_holder_id is None


async def test_nobody_goes_back_over_a_state_that_they_were_not_shown(site: Site) -> None:
    older, newer = await two_states(site)
    rollback = f"{await site.place()}/states/{older}/rollback"
    await site.world.on_workspace(locks.lock, reason="")
    await site.world.save_state(make_state(3), serial=3)
    await site.world.on_workspace(locks.unlock)
    for form in ({"newest": newer}, {}):
        said = await site.owner.post(rollback, form, of=rollback)
        assert "The state has changed meanwhile: serial 3 is the newest. Look again." in said
    assert (await site.world.current_state()).serial == 3
    assert (await site.world.workspace()).lock_holder_id is None


async def test_a_locked_workspace_and_the_newest_state_say_why_nobody_goes_back(
    site: Site,
) -> None:
    older, newer = await two_states(site)
    states = f"{await site.place()}/states"
    assert "Serial 2 is the newest state." in await site.owner.get(f"{states}/{newer}/rollback")
    async with transaction(site.world.platform.sessions) as session:
        organization = await session.get_one(Organization, site.world.organization_id)
        other = await factories.make_owner(session, organization)
    await site.world.on_workspace(locks.lock, other, reason="moving house")
    page = await site.owner.get(f"{states}/{older}/rollback")
    assert "moving house. Nobody can go back until it is unlocked." in text_of(page)
    assert 'btn-error" disabled' in page
