"""Pages of states."""

from landform.contract import Phase
from landform.runs import attempts, locks
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
