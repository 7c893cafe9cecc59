"""Variables of a workspace through the API."""

from typing import Any

import pytest

from tests.api.tfe.people import ids
from tests.api.tfe.server import Server


async def test_a_sensitive_variable_is_written_and_never_read(server: Server, path: str) -> None:
    owner = server.owner
    made = await owner.post(
        f"{path}/vars", "vars", key="password", value="hunter2", category="env", sensitive=True
    )
    variable = f"{path}/vars/{made['data']['id']}"
    changed = await owner.patch(variable, "vars", description="of the door")
    for shown in (made, changed, await owner.get(variable), await owner.get(f"{path}/vars")):
        assert "hunter2" not in str(shown)
    listed = await owner.get(f"{path}/all-vars")
    assert listed["data"][0]["attributes"]["value"] is None
    refused = await owner.patch(variable, "vars", 422, sensitive=False)
    assert "sensitive" in refused["errors"][0]["source"]["pointer"]
    await owner.delete(variable)
    await owner.get(variable, 404)


@pytest.mark.parametrize(
    ("sent", "attribute"),
    [
        ({"key": "", "category": "env"}, "key"),
        ({"key": "a b", "category": "terraform"}, "key"),
        ({"key": "LD_PRELOAD", "category": "env"}, "key"),
        ({"key": "a", "category": "kitchen"}, "category"),
        ({"key": "a"}, "category"),
        ({"key": "a", "category": "env", "value": 7}, "value"),
    ],
)
async def test_a_variable_that_cannot_be_is_pointed_at(
    server: Server, path: str, sent: dict[str, Any], attribute: str
) -> None:
    refused = await server.owner.post(f"{path}/vars", "vars", 422, **sent)
    assert refused["errors"][0]["source"]["pointer"] == f"/data/attributes/{attribute}"
    assert ids(await server.owner.get(f"{path}/vars")) == []


async def test_a_variable_is_reached_through_its_own_workspace_only(
    server: Server, path: str
) -> None:
    other = await server.world.beside()
    made = await server.owner.post(f"{path}/vars", "vars", key="a", value="b", category="env")
    through = f"workspaces/{other.workspace_id}/vars/{made['data']['id']}"
    await server.owner.get(through, 404)
    await server.owner.patch(through, "vars", 404, value="c")
    await server.owner.delete(through, 404)
