"""Atomic operations: all or nothing."""

from typing import Any

import pytest
from sqlalchemy import func, select

from landform.kit.db import transaction
from landform.kit.events import EventRow
from landform.workspaces.models import Workspace
from tests.api.terrakube.client import GoClient, client_of, document, fault, variable, workspace_cli
from tests.api.tfe.server import Server

ATOMIC = 'application/vnd.api+json;ext="https://jsonapi.org/ext/atomic"'
UUID = "7f0f4ad8-8a54-4bd1-a2c1-0a7f4b8f7a11"


def add(href: str, kind: str, /, *, known_as: str = "", **attributes: Any) -> dict[str, Any]:
    data = document(kind, attributes)["data"]
    return {"op": "add", "href": href, "data": data | ({"id": known_as} if known_as else {})}


async def submit(client: GoClient, status: int, *operations: dict[str, Any]) -> Any:
    answer = await client.http.post(
        "/api/v1/operations",
        json={"atomic:operations": list(operations)},
        headers={"Authorization": f"Bearer {client.token}", "Content-Type": ATOMIC},
    )
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert "atomic" in answer.headers["content-type"] or status >= 400
    return answer.json()


async def counted(server: Server) -> tuple[int, int]:
    """Return how many workspaces and events there are."""
    async with transaction(server.world.platform.sessions) as session:
        rows = await session.scalar(select(func.count()).select_from(Workspace))
        events = await session.scalar(select(func.count()).select_from(EventRow))
    return rows or 0, events or 0


async def test_what_one_operation_makes_a_later_one_speaks_of_by_the_clients_id(
    owner: GoClient, path: str
) -> None:
    answer = await submit(
        owner,
        200,
        add(f"/{path}/project", "project", known_as="shelf", name="net"),
        add(
            f"/api/v1/{path}/workspace",
            "workspace",
            known_as=UUID,
            **workspace_cli("fresh", relationships={"project": "shelf"}),
        ),
        add(f"/{path}/workspace/{UUID}/variable", "variable", **variable("region", value="eu")),
    )
    project, workspace, region = (each["data"] for each in answer["atomic:results"])
    assert workspace["relationships"]["project"]["data"]["id"] == project["id"]
    below = f"{path}/workspace/{workspace['id']}/variable"
    assert [each["id"] for each in (await owner.get(below))["data"]] == [region["id"]]
    answer = await submit(
        owner,
        200,
        {"op": "remove", "href": f"/{below}/{region['id']}", "ref": {"type": ""}},
        {
            "op": "update",
            "href": f"/{path}/workspace/{workspace['id']}",
            "data": {"type": "workspace", "attributes": {"deleted": True}},
        },
    )
    assert answer["atomic:results"] == [{"data": None}, {"data": None}]
    await owner.get(f"{path}/workspace/{workspace['id']}", 404)


async def test_with_one_that_fails_nothing_is_done_and_nothing_is_told(
    owner: GoClient, server: Server, path: str
) -> None:
    before = await counted(server)
    answer = await submit(
        owner,
        422,
        add(f"/{path}/workspace", "workspace", **workspace_cli("fresh")),
        add(f"/{path}/workspace", "workspace", **workspace_cli("FRESH")),
    )
    assert "already been taken" in fault(answer)
    assert await counted(server) == before


async def test_each_operation_asks_for_its_own_permission(server: Server, path: str) -> None:
    workspace_id = server.world.workspace_id
    writer = client_of(server, await server.caller("write"))
    below = f"/{path}/workspace/{workspace_id}"
    before = await counted(server)
    allowed = add(f"{below}/variable", "variable", **variable("region"))
    forbidden = {
        "op": "update",
        "href": below,
        "data": {"type": "workspace", "attributes": {"description": "mine"}},
    }
    await submit(writer, 403, allowed, forbidden)
    assert (await counted(server))[0] == before[0]
    assert (await client_of(server).get(f"{below[1:]}/variable"))["data"] == []
    await submit(writer, 200, allowed)
    stranger = client_of(server, await server.stranger())
    await submit(stranger, 404, allowed)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"op": "move", "href": "/organization"}, "is one of add, update, remove"),
        ({"op": "add", "href": "/operations", "data": {}}, "by href"),
        ({"op": "remove", "href": "/organization/o/vcs/v"}, "of its own"),
        ({"op": "add", "href": "/organization/o/vcs/v/connect"}, "by href"),
        ({"op": "update", "href": "/organization/o/relationships/x/relationships/y"}, "by href"),
        (
            {
                "op": "update",
                "href": "/organization/o/workspace/w/relationships/vcs",
                "data": {"type": "vcs", "id": "oc-1"},
            },
            "of its own",
        ),
        ({"op": "remove", "href": "/organization/o/workspace/../vcs/v"}, "by href"),
        ({"op": "remove", "href": "/organization?x"}, "by href"),
        ({"op": "remove", "ref": {"type": "workspace", "id": "x"}}, "by href"),
        (
            add("/organization/o/workspace", "workspace", source="https://git.example/x"),
            "of its own",
        ),
        (
            add("/organization/o/workspace", "workspace", relationships={"vcs": "oc-1"}),
            "of its own",
        ),
    ],
)
async def test_what_cannot_be_part_of_a_batch_is_refused(
    owner: GoClient, operation: dict[str, Any], words: str
) -> None:
    assert words in fault(await submit(owner, 422, operation))


async def test_a_batch_has_at_most_fifty_operations(owner: GoClient, path: str) -> None:
    operation = add(f"/{path}/project", "project", name="net")
    assert "1 to 50" in fault(await submit(owner, 422, *[operation] * 51))
    assert "1 to 50" in fault(await submit(owner, 422))


@pytest.mark.parametrize("data", [{}, {"attributes": []}, {"relationships": {"project": [1]}}])
async def test_a_body_that_makes_no_sense_is_the_routes_own_to_refuse(
    owner: GoClient, path: str, data: dict[str, Any]
) -> None:
    operation = {"op": "add", "href": f"/{path}/workspace", "data": data}
    assert (await submit(owner, 422, operation))["errors"]


async def test_nobody_may_do_nothing(owner: GoClient) -> None:
    answer = await owner.http.post("/api/v1/operations", json={"atomic:operations": []})
    assert answer.status_code == 401
