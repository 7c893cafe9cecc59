"""A page of workspaces costs as many statements in a large organization as in a small one."""

import httpx2
import pytest

from bench.lists import Statements, read_page
from bench.seed import Seeded, seed
from landform.identity import tokens
from landform.identity.actor import SYSTEM, ActorKind
from landform.identity.models import User
from landform.kit.db import transaction
from tests.api.tfe.server import Server

SIZES = (3, 150, 600)
MOST = 10


async def admin_token(server: Server) -> str:
    async with transaction(server.world.platform.sessions) as session:
        admin = User(username="root", is_site_admin=True)
        session.add(admin)
        await session.flush()
        _, secret = await tokens.issue(
            session, SYSTEM, owner_kind=ActorKind.USER, owner_id=admin.id
        )
    return secret


async def cost(
    statements: Statements, http: httpx2.AsyncClient, seeded: Seeded, token: str
) -> tuple[int, int]:
    await read_page(http, seeded, token)  # notes when the token was used, once a minute
    before = statements.count
    page = await read_page(http, seeded, token)
    return statements.count - before, len(page["data"])


@pytest.mark.parametrize("who", ["an admin", "a member of one team in two hundred"])
async def test_a_page_of_workspaces_costs_as_many_statements_at_any_size_for(
    who: str, server: Server
) -> None:
    sessions = server.world.platform.sessions
    statements = Statements(sessions.kw["bind"])
    admin = await admin_token(server)
    costs, shown = [], []
    for size in SIZES:
        async with transaction(sessions) as session:
            seeded = await seed(session, f"org-{size}", workspaces=size)
        token = admin if who == "an admin" else seeded.member_token
        asked, rows = await cost(statements, server.http, seeded, token)
        costs.append(asked)
        shown.append(rows)
    assert shown == [3, 100, 100]
    assert len(set(costs)) == 1
    assert costs[0] <= MOST
