from datetime import timedelta
from typing import Any

from sqlalchemy import select

from landform.identity.actor import ActorKind
from landform.kit.clock import now, rfc3339
from landform.kit.db import transaction
from landform.kit.events import EventRow
from tests.api.tfe.people import Caller, open_site
from tests.api.tfe.server import Server

# The routes answer plain JSON, as HCP Terraform's do, so the oracle of documents is not asked.


async def trail(server: Server, caller: Caller, path: str, **parameters: str) -> Any:
    answer = await server.http.get(
        f"/api/v2/{path}",
        params=parameters,
        headers={"Authorization": f"Bearer {caller.token}"},
    )
    return answer.status_code, answer.json()


async def organization_caller(server: Server) -> Caller:
    async with open_site(
        server.app, server.world.platform.sessions, "", server.world.platform.keyring
    ) as site:
        caller = await site.caller(ActorKind.ORGANIZATION, server.world.organization_id)
    server.app.state.process = server.process
    return Caller(caller.id, caller.name, caller.token, server.http)


async def test_an_organizations_token_reads_what_happened_newest_first(server: Server) -> None:
    caller = await organization_caller(server)
    await server.owner.patch(
        f"workspaces/{server.world.workspace_id}", "workspaces", terraform_version="1.5.7"
    )
    status, found = await trail(server, caller, "organization/audit-trail")
    assert status == 200
    newest = found["data"][0]
    assert newest["type"] == "Resource"
    assert newest["version"] == "0"
    assert newest["auth"]["accessor_id"] == server.owner.id
    assert newest["auth"]["description"] == server.owner.name
    assert newest["auth"]["type"] == "Client"
    assert newest["resource"]["id"] == server.world.workspace_id
    assert (newest["resource"]["type"], newest["resource"]["action"]) == ("workspace", "update")
    assert newest["resource"]["meta"]["changes"]["tool_version"][1] == "1.5.7"
    assert newest["resource"]["meta"]["address"] == "127.0.0.1"
    assert found["pagination"]["total_count"] == len(found["data"])


async def test_the_request_id_of_an_answer_is_that_of_its_events(server: Server) -> None:
    answer = await server.http.patch(
        f"/api/v2/workspaces/{server.world.workspace_id}",
        headers={"Authorization": f"Bearer {server.owner.token}", "X-Request-Id": "mine"},
        json={"data": {"type": "workspaces", "attributes": {"description": "told"}}},
    )
    (row,) = [
        row
        for row in await server.world.events(server.world.workspace_id)
        if row.name == "WorkspaceUpdated"
    ]
    assert row.request_id == answer.headers["x-request-id"] != "mine"


async def test_a_page_has_the_size_that_was_asked_for_and_says_how_many_there_are(
    server: Server,
) -> None:
    caller = await organization_caller(server)
    await server.owner.patch(f"workspaces/{server.world.workspace_id}", "workspaces", name="other")
    path = "organization/audit-trail"
    _, whole = await trail(server, caller, path)
    _, second = await trail(server, caller, path, **{"page[number]": "2", "page[size]": "1"})
    assert second["data"] == whole["data"][1:2]
    total = whole["pagination"]["total_count"]
    assert total >= 2
    assert second["pagination"] == {
        "current_page": 2,
        "prev_page": 1,
        "next_page": 3 if total > 2 else None,
        "total_pages": total,
        "total_count": total,
    }


async def test_since_leaves_out_what_was_before(server: Server) -> None:
    caller = await organization_caller(server)
    later = rfc3339(now() + timedelta(hours=1))
    _, none = await trail(server, caller, "organization/audit-trail", since=later)
    assert none["data"] == []
    status, refused = await trail(server, caller, "organization/audit-trail", since="yesterday")
    assert status == 422
    assert "2026-11-25T00:00:00Z" in refused["errors"][0]["detail"]


async def test_a_users_token_is_told_where_to_ask(server: Server) -> None:
    status, refused = await trail(server, server.owner, "organization/audit-trail")
    assert status == 404
    assert "organization's token" in refused["errors"][0]["detail"]


async def test_an_owner_reads_it_by_the_organizations_name_and_nobody_else_does(
    server: Server,
) -> None:
    path = f"organizations/{server.world.organization}/audit-trail"
    assert (await trail(server, server.owner, path))[0] == 200
    assert (await trail(server, await server.caller("admin"), path))[0] == 403
    assert (await trail(server, await server.stranger(), path))[0] == 404


async def denials(server: Server) -> list[EventRow]:
    async with transaction(server.world.platform.sessions) as session:
        query = select(EventRow).where(EventRow.name == "AccessDenied").order_by(EventRow.id)
        return list((await session.scalars(query)).all())


async def test_an_attempt_at_what_one_may_not_do_is_told_once_a_minute(server: Server) -> None:
    reader = await server.caller("read")
    path = f"workspaces/{server.world.workspace_id}"
    for _ in range(3):
        await reader.patch(path, "workspaces", 403, description="mine now")
    (row,) = await denials(server)
    assert row.actor_id == reader.id
    assert row.subject_id == server.world.workspace_id
    assert row.organization_id == server.world.organization_id
    assert row.payload["permission"] == "change the workspace's settings"
    assert row.payload["method"] == "PATCH"


async def test_an_attempt_at_what_one_may_not_even_know_of_is_told_too(server: Server) -> None:
    stranger = await server.stranger()
    await stranger.get(f"organizations/{server.world.organization}/projects", 404)
    (row,) = await denials(server)
    assert (row.actor_id, row.subject_id) == (stranger.id, server.world.organization_id)


async def test_a_secret_that_changes_is_told_as_fingerprints_that_differ(server: Server) -> None:
    made = await server.owner.post(
        f"workspaces/{server.world.workspace_id}/vars",
        "vars",
        key="password",
        value="first-canary",
        category="terraform",
        sensitive=True,
    )
    path = f"workspaces/{server.world.workspace_id}/vars/{made['data']['id']}"
    await server.owner.patch(path, "vars", value="second-canary")
    await server.owner.patch(path, "vars", value="second-canary")
    *_, changed, same = await server.world.events(made["data"]["id"])
    before, after = changed.payload["changes"]["value"]
    assert before != after
    assert same.payload["changes"]["value"] == [after, after]
    assert "canary" not in str(changed.payload)
