"""`/pat/v1` and `/access-token/v1/teams`, as Terrakube's command line asks for them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from landform.identity.models import User
from landform.kit.clock import now
from landform.kit.db import transaction
from landform.organizations.models import Organization
from tests import factories
from tests.api.terrakube.client import GoClient, client_of
from tests.api.tfe.server import Server

TEAMS = "/access-token/v1/teams"


async def ask(
    client: GoClient, method: str, path: str, status: int, body: Any = None, *, token: str = ""
) -> Any:
    """Ask as the Go client does where nothing is JSON:API."""
    answer = await client.http.request(
        method, path, json=body, headers={"Authorization": f"Bearer {token or client.token}"}
    )
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def asked(group: str, **changed: Any) -> dict[str, Any]:
    """Return what `terrakube team-token create` sends."""
    life = {"days": 0, "hours": 0, "minutes": 0}
    return {"id": "", "token": "", "description": "ci", "group": group, **life, **changed}


@pytest.fixture
async def ops(server: Server) -> str:
    async with transaction(server.world.platform.sessions) as session:
        organization = await session.get_one(Organization, server.world.organization_id)
        return (await factories.make_team(session, organization, "ops")).name


async def test_a_personal_token_is_made_used_listed_and_withdrawn(owner: GoClient) -> None:
    made = await ask(owner, "POST", "/pat/v1", 201, {"days": 2, "description": "laptop"})
    ends = datetime.fromisoformat(made["expirationDate"])
    assert timedelta(days=1, hours=23) < ends - now() <= timedelta(days=2)
    await ask(owner, "GET", "/api/v1/organization", 200, token=made["token"])
    listed = await ask(owner, "GET", "/pat/v1", 200)
    assert made["id"] in [each["id"] for each in listed]
    assert made["token"] not in str(listed)
    await ask(owner, "DELETE", f"/pat/v1/{made['id']}", 202)
    await ask(owner, "GET", "/api/v1/organization", 401, token=made["token"])


async def test_nobody_withdraws_anothers_token(owner: GoClient, server: Server) -> None:
    made = await ask(owner, "POST", "/pat/v1", 201, {"days": 0, "description": "laptop"})
    assert made["expirationDate"] is None
    for caller in (await server.stranger(), await server.caller("admin")):
        other = client_of(server, caller)
        await ask(other, "DELETE", f"/pat/v1/{made['id']}", 404)
        assert made["id"] not in str(await ask(other, "GET", "/pat/v1", 200))


async def test_a_token_of_a_team_is_made_listed_and_withdrawn(
    owner: GoClient, server: Server, ops: str
) -> None:
    made = await ask(owner, "POST", TEAMS, 201, asked(ops, days=1, hours=1, minutes=1))
    ends = datetime.fromisoformat(made["expirationDate"])
    assert timedelta(hours=25) < ends - now() <= timedelta(hours=25, minutes=1)
    await ask(owner, "GET", "/api/v1/organization", 200, token=made["token"])
    listed = await ask(owner, "GET", TEAMS, 200)
    assert [(each["id"], each["group"]) for each in listed] == [(made["id"], ops)]
    assert made["token"] not in str(listed)
    for caller in (await server.stranger(), await server.caller("admin")):
        other = client_of(server, caller)
        assert await ask(other, "GET", TEAMS, 200) == []
        await ask(other, "DELETE", f"{TEAMS}/{made['id']}", 404)
    await ask(owner, "DELETE", f"{TEAMS}/{made['id']}", 202)
    await ask(owner, "GET", "/api/v1/organization", 401, token=made["token"])


async def test_a_team_that_several_organizations_have_is_named_with_its_organization(
    owner: GoClient, server: Server, ops: str
) -> None:
    world = server.world
    async with transaction(world.platform.sessions) as session:
        user = await session.get_one(User, world.owner.id)
        other = await factories.make_organization(session, owners=[user])
        await factories.make_team(session, other, ops)
    answer = await ask(owner, "POST", TEAMS, 422, asked(ops))
    assert "ORGANIZATION/ops" in str(answer)
    made = await ask(owner, "POST", TEAMS, 201, asked(f"{world.organization}/{ops}"))
    assert made["group"] == ops


@pytest.mark.parametrize("life", [{"days": -1}, {"hours": -5}, {"days": 10**9}, {"minutes": 10**9}])
async def test_a_life_that_cannot_be_is_refused(
    owner: GoClient, ops: str, life: dict[str, int]
) -> None:
    answer = await ask(owner, "POST", TEAMS, 422, asked(ops, **life))
    assert "from 0 to" in str(answer)


async def test_a_stranger_is_told_nothing_and_a_team_that_is_not_there_has_no_token(
    owner: GoClient,
) -> None:
    await ask(owner, "GET", "/pat/v1", 401, token="nobody")
    await ask(owner, "GET", TEAMS, 401, token="nobody")
    await ask(owner, "POST", TEAMS, 404, asked("no-such-team"))
