"""Pages of states."""

from landform.runs import locks
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
